//! Go's concurrency for Rust.
#![allow(dead_code)] // until the pieces are joined

mod coop;
mod entry;
mod primitive;
mod reactor;
mod scheduler;
mod timer;
mod wait;

pub use entry::{main, test};

/// What the attribute macros expand to; no part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::entry::{AnyMain, Main, Options, SendMain, block_on, run_test};
}
