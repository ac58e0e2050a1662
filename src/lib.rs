//! Go's concurrency for Rust.
#![allow(dead_code)] // until the pieces are joined

pub mod chan;
mod coop;
mod primitive;
mod reactor;
mod scheduler;
mod timer;
mod wait;

#[doc(inline)]
pub use chan::chan;
