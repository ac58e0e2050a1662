//! Go's concurrency for Rust.
#![cfg_attr(gorust_loom, allow(missing_docs))] // `units` shows private structures

mod coop;
mod entry;
mod go;
pub mod io;
pub mod net;
mod primitive;
mod reactor;
pub mod runtime;
mod scheduler;
pub mod task;
mod timer;
mod wait;

/// The structures that the loom models drive: the code that ships, reached past its privacy.
#[cfg(gorust_loom)]
#[doc(hidden)]
pub mod units {
    pub use crate::primitive::{
        Arc, CachePadded, Condvar, Mutex, MutexGuard, UnsafeCell, atomic, mutate, thread,
    };
    pub use crate::reactor::readiness;
}

pub use entry::{main, test};
pub use go::{go, go_blocking, yield_now};
pub use runtime::block_on;

/// What the attribute macros expand to; no part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::entry::{AnyMain, Main, Options, SendMain, block_on, run_test};
}
