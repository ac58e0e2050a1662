//! Go's concurrency for Rust.
#![allow(dead_code)] // until the pieces are joined
#![cfg_attr(gorust_loom, allow(missing_docs))] // `units` shows private structures

mod coop;
mod entry;
mod primitive;
mod reactor;
mod scheduler;
mod timer;
mod wait;

/// The structures that the loom models drive: the code that ships, reached past its privacy.
#[cfg(gorust_loom)]
#[doc(hidden)]
pub mod units {
    pub use crate::primitive::{
        Arc, CachePadded, Condvar, Mutex, MutexGuard, UnsafeCell, atomic, mutate, thread,
    };
}

pub use entry::{main, test};

/// What the attribute macros expand to; no part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::entry::{AnyMain, Main, Options, SendMain, block_on, run_test};
}
