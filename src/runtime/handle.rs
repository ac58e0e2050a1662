//! Access to a runtime that does not keep it running.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use super::metrics::Metrics;
use super::{block_on, default};
use crate::scheduler::{Lease, current};
use crate::task::JoinHandle;

/// Access to a runtime, for starting goroutines on it from anywhere.
///
/// It does not keep the runtime running: once that is gone, goroutines started through the handle
/// are cancelled before they begin.
///
/// ```
/// use gorust::runtime::{Handle, Runtime};
///
/// let runtime = Runtime::new()?;
/// let handle = runtime.handle().clone();
/// let goroutine = std::thread::spawn(move || handle.go(async { 1 })).join().unwrap();
/// assert_eq!(runtime.block_on(goroutine)?, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    lease: Arc<Lease>,
}

impl Handle {
    pub(super) fn new(lease: Arc<Lease>) -> Handle {
        Handle { lease }
    }

    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// The runtime this thread is in, else the default one, which starts if it has not.
    pub fn current() -> Handle {
        match current::lease() {
            Some(lease) => Handle { lease },
            None => Handle {
                lease: default::lease().clone(),
            },
        }
    }

    /// The runtime this thread is in, else the default one if it has started.
    pub fn try_current() -> Option<Handle> {
        let lease = current::lease().or_else(|| default::started().cloned())?;
        Some(Handle { lease })
    }

    /// Starts a goroutine on this runtime; see [`go`](crate::go). If the runtime is gone, the
    /// handle answers that it was cancelled.
    #[track_caller]
    pub fn go<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.go_at(future, Location::caller())
    }

    pub(super) fn go_at<F>(
        &self,
        future: F,
        location: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.lease.scheduler.spawn(future, (), location)
    }

    /// Runs blocking code on this runtime's pool; see [`go_blocking`](crate::go_blocking).
    #[track_caller]
    pub fn go_blocking<F, T>(&self, code: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.lease.scheduler.go_blocking(code, Location::caller())
    }

    /// Runs a future on the calling thread, inside this runtime; see [`block_on`](crate::block_on).
    /// If the runtime is gone the future still runs, but what it starts is cancelled.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on::block_on_lease(&self.lease, future)
    }

    /// What the runtime has counted so far.
    pub fn metrics(&self) -> Metrics {
        Metrics::new(self.lease.clone())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("workers", &self.lease.scheduler.processors.len())
            .finish_non_exhaustive()
    }
}

/// How many goroutines of the current runtime (else of the default one, if it has started) have
/// been started and are not over.
///
/// ```
/// gorust::block_on(async {
///     let handle = gorust::go(std::future::pending::<()>());
///     assert!(gorust::runtime::num_goroutine() >= 1);
///     handle.abort();
/// });
/// ```
#[doc(alias = "NumGoroutine")]
pub fn num_goroutine() -> usize {
    Handle::try_current().map_or(0, |handle| handle.metrics().num_goroutine())
}
