//! Go's concurrency for Rust.
#![cfg_attr(gorust_loom, allow(missing_docs))] // `units` shows private structures

pub mod chan;
mod coop;
mod entry;
mod go;
mod primitive;
mod reactor;
pub mod runtime;
mod scheduler;
pub mod task;
pub mod time;
mod timer;
mod wait;

/// The structures that the loom models drive: the code that ships, reached past its privacy.
#[cfg(gorust_loom)]
#[doc(hidden)]
pub mod units {
    pub use crate::primitive::{
        Arc, CachePadded, Condvar, Mutex, MutexGuard, UnsafeCell, atomic, mutate, thread,
    };
    /// Goroutines.
    pub mod task {
        pub use crate::task::cell::{Header, Home, Name, Panicked, Why, allocate};
        pub use crate::task::id::next as next_id;
        pub use crate::task::owned::OwnedList;
        pub use crate::task::state::{Closed, HandleDropped, Pause, Start, State, Wake};
        pub use crate::task::{Id, Runnable, Turn};
    }
    /// The scheduler's parts.
    pub mod scheduler {
        pub use crate::scheduler::blocking::{Pool, Pushed};
        pub use crate::scheduler::idle::{Acquired, Idle, Machine, Woken};
        pub use crate::scheduler::injector::Injector;
        pub use crate::scheduler::parker::{Parker, Unparked};
        pub use crate::scheduler::queue::{CAPACITY, Entry, Ring};
        pub use crate::scheduler::runnext::RunNext;
    }
    pub use crate::timer::{Entry, Polled, Shard};
    pub use crate::wait::batch::WakeBatch;
}

#[doc(inline)]
pub use chan::chan;
pub use entry::{main, test};
pub use go::{go, go_blocking, yield_now};
pub use runtime::block_on;

/// What the attribute macros expand to; no part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::entry::{AnyMain, Main, Options, SendMain, block_on, run_test};
}
