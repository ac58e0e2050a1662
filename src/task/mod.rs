//! Goroutines: handles, names, ids.
//!
//! [`go`](crate::go) starts a goroutine and gives a [`JoinHandle`]; [`Builder`] starts one with a
//! name; a [`JoinSet`] holds many.
//!
//! A panic in a goroutine ends that goroutine alone. Whoever awaits its handle gets it as a
//! [`JoinError`]; if the handle is gone, the panic is reported on stderr with the goroutine's id
//! and the place that started it.
//!
//! # Inside
//! The life of a cell, with the module that is in charge:
//!
//! ```text
//!   allocate (cell) ──► run right, as a Runnable (runnable) ──► a queue ──► a worker: run
//!        │                     ▲                                              │
//!        │                     │ Enqueue (waker, state)                       ├─ Idle: waits
//!        │                     └──────────────────────────────────────────────┤
//!        ├─ JoinHandle (join) ◄──── outcome, CLOSED ──────────────────────────┴─ Done
//!        └─ the owner's list (owned), until CLOSED
//! ```

mod alloc;
pub(crate) mod cell;
pub(crate) mod id;
mod join;
mod join_set;
pub(crate) mod owned;
pub(crate) mod runnable;
pub(crate) mod state;
pub(crate) mod waker;

use std::future::Future;
use std::panic::Location;

pub use id::Id;
pub(crate) use id::IdBatch;
pub(crate) use id::next as next_id;
pub use join::{AbortHandle, JoinError, JoinHandle};
pub(crate) use join::{Who, panic_message};
pub use join_set::JoinSet;

pub(crate) use cell::Why;
pub(crate) use runnable::{Runnable, Turn};

use crate::scheduler::current;

/// The number of the goroutine that runs this code; `None` outside of goroutines.
///
/// ```
/// assert!(gorust::task::id().is_none());
/// gorust::block_on(async {
///     let handle = gorust::go(async { gorust::task::id() });
///     let id = handle.id();
///     assert_eq!(handle.await.unwrap(), Some(id));
/// });
/// ```
pub fn id() -> Option<Id> {
    current::with_task(|header| header.id())
}

/// The place that started the goroutine that runs this code; `None` outside of goroutines.
///
/// ```
/// gorust::block_on(async {
///     let place = gorust::go(async { gorust::task::spawn_location() }).await.unwrap();
///     assert!(place.is_some());
/// });
/// ```
pub fn spawn_location() -> Option<&'static Location<'static>> {
    current::with_task(|header| header.location())
}

/// Starts a goroutine that has a name.
///
/// The name appears in a [`JoinError`], and in the report of a panic that nobody waits for.
///
/// ```
/// gorust::block_on(async {
///     let handle = gorust::task::Builder::new().name("reader").go(async { panic!("oh") });
///     assert!(handle.await.unwrap_err().to_string().contains("(reader)"));
/// });
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a Builder starts nothing before `go`"]
pub struct Builder {
    name: Option<Box<str>>,
}

impl Builder {
    /// A goroutine without a name.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Gives the goroutine a name, which need not be unique.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Starts the goroutine, as [`go`](crate::go) does.
    #[track_caller]
    pub fn go<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let location = Location::caller();
        match self.name {
            Some(name) => crate::scheduler::spawn_current(future, name, location),
            None => crate::scheduler::spawn_current(future, (), location),
        }
    }
}
