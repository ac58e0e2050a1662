//! Go's concurrency for Rust: goroutines, channels, timers and sockets on one multi-threaded runtime.
//!
//! A goroutine is a future that runs on its own: [`go`] starts it. Goroutines talk through channels
//! ([`chan()`]), wait for each other ([`sync`]), for time ([`time`]) and for the network. Nothing has
//! to be set up: outside of any runtime everything uses the *default runtime*, which starts on
//! first use with as many workers as `GOMAXPROCS` says, or as there are CPUs to use.
//!
//! ```
//! use std::time::Duration;
//! use gorust::{chan, go, time};
//!
//! #[gorust::main]
//! async fn main() {
//!     let (tx, rx) = chan::<u64>(0); // a rendezvous: `send` ends when somebody has the value
//!
//!     for n in 1..=3 {
//!         let tx = tx.clone();
//!         go(async move {
//!             time::sleep(Duration::from_millis(10 * n)).await;
//!             tx.send(n * n).await.unwrap();
//!         });
//!     }
//!     drop(tx); // the last sender gone, the channel closes
//!
//!     let mut sum = 0;
//!     while let Some(square) = rx.recv().await {
//!         sum += square;
//!     }
//!     assert_eq!(sum, 14);
//! }
//! ```
//!
//! # What to know
//! - **Panics stay where they are.** A panic in a goroutine ends that goroutine; whoever awaits its
//!   [`JoinHandle`](task::JoinHandle) gets it, and if nobody does it is reported on stderr.
//! - **Dropping a future cancels it**, and every operation's docs say what that does. Dropping a
//!   `JoinHandle` detaches the goroutine; [`abort`](task::JoinHandle::abort) ends it.
//! - **Nobody starves.** A goroutine that is always ready gives way after 128 operations. One that
//!   computes for long without awaiting should call [`yield_now`], or go to [`go_blocking`].
//! - **When `main` returns the process ends**, without waiting for goroutines, as in Go.
//! - **Blocking from a goroutine** ([`block_on`], the `*_blocking` operations) does not stop the
//!   others: another thread takes the worker's place meanwhile.
//!
//! # Features
//! None is on by default.
//! - `hyper`: the traits of `hyper::rt` on our streams, an executor and a timer.
//! - `tokio-io`: tokio's `AsyncRead` and `AsyncWrite` on our streams.
#![cfg_attr(gorust_loom, allow(missing_docs))] // `units` shows private structures

#[cfg(all(test, not(gorust_loom)))]
#[path = "../tests/by_hand/mod.rs"]
mod by_hand;
pub mod chan;
mod coop;
mod entry;
mod go;
pub mod io;
pub mod net;
mod primitive;
mod reactor;
pub mod runtime;
mod scheduler;
pub mod sync;
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
        pub use crate::task::Id;
        pub use crate::task::cell::{Header, Home, Name, Panicked, Why, allocate};
        pub use crate::task::id::next as next_id;
        pub use crate::task::owned::OwnedList;
        pub use crate::task::runnable::{Runnable, Turn};
        pub use crate::task::state::{Closed, HandleDropped, Pause, Start, State, Wake};
    }
    /// The scheduler's parts.
    pub mod scheduler {
        pub use crate::scheduler::blocking::{Pool, Pushed};
        pub use crate::scheduler::idle::{Idle, Left, Machine, Sleeper, Woken};
        pub use crate::scheduler::injector::Injector;
        pub use crate::scheduler::parker::{Parker, Unparked};
        pub use crate::scheduler::queue::{CAPACITY, Entry, Ring};
        pub use crate::scheduler::runnext::RunNext;
        pub use crate::scheduler::sleep::{Polled, Sleep, Slept, Surroundings};
    }
    /// Whether a descriptor's direction is ready, and who waits for it.
    pub mod reactor {
        pub use crate::reactor::readiness::{Event, Readiness, Seen, Waiter};
    }
    pub use crate::reactor::readiness;
    pub use crate::timer::{Entry, Polled, Shard};
    pub use crate::wait::batch::WakeBatch;
    pub use crate::wait::blocking::block_on;
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

/// Compiles and runs the README's program.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
