//! Where cells live: the one seam through which they are allocated and freed.

pub use crate::primitive::heap::{allocate, free};
