//! Runtimes: the threads on which goroutines run.
//!
//! Most programs never name one: the process-wide *default runtime* starts on first use, with as
//! many workers as `GOMAXPROCS` says. A [`Runtime`] of one's own is for tests, for libraries that
//! want their own threads, and for programs that want to end one part in order.

mod block_on;
mod builder;
mod cpus;
mod default;
mod handle;
mod metrics;

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::scheduler::{Lease, block_in_place, current, shutdown, threads::DROP_LIMIT};
use crate::task::JoinHandle;

pub use block_on::block_on;
pub use builder::{Builder, UnhandledPanic};
pub use cpus::{gomaxprocs, num_cpu};
pub(crate) use default::configure_default;
pub(crate) use default::lease as default_lease;
pub use handle::{Handle, num_goroutine};
pub use metrics::{Metrics, WorkerMetrics};

/// The threads on which goroutines run, with their queues, timers and reactor.
///
/// # Dropping
/// Dropping a runtime stops its workers and drops the future of every goroutine that is not inside
/// a running poll, exactly once. It waits for running polls, for one second at most: after that the
/// thread is let go, the goroutine's id and the place that started it are reported on stderr, and
/// its future is dropped when its poll returns. It does not wait for blocking closures that run;
/// those that have not begun are dropped. [`shutdown_timeout`](Runtime::shutdown_timeout) waits as
/// long as one likes. Dropped by one of its own goroutines, the runtime shuts down in the
/// background.
///
/// Handles, wakers, sockets and timers of a runtime may outlive it: wake-ups do nothing, sockets
/// answer errors, and a timer that is awaited elsewhere goes on there.
///
/// ```
/// let runtime = gorust::runtime::Runtime::new()?;
/// let handle = runtime.go(async { 6 * 7 });
/// assert_eq!(runtime.block_on(handle)?, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping a Runtime ends it"]
pub struct Runtime {
    handle: Handle,
}

impl Runtime {
    /// A runtime with as many workers as [`gomaxprocs`] says.
    ///
    /// # Errors
    /// If the selector cannot be created (too many open files) or a thread cannot be started.
    pub fn new() -> io::Result<Runtime> {
        Builder::new().build()
    }

    fn from_lease(lease: Arc<Lease>) -> Runtime {
        Runtime {
            handle: Handle::new(lease),
        }
    }

    /// A handle to this runtime, which does not keep it running.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Starts a goroutine on this runtime; see [`go`](crate::go).
    #[track_caller]
    pub fn go<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.go_at(future, Location::caller())
    }

    /// Runs blocking code on this runtime's pool; see [`go_blocking`](crate::go_blocking).
    #[track_caller]
    pub fn go_blocking<F, T>(&self, code: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle
            .lease()
            .scheduler
            .go_blocking(code, Location::caller())
    }

    /// Runs a future on the calling thread, inside this runtime; see [`block_on`](crate::block_on).
    ///
    /// # Panics
    /// If the future does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Ends the runtime, waiting up to `limit` for running polls and for blocking closures.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = gorust::runtime::Runtime::new()?;
    /// drop(runtime.go_blocking(|| std::thread::sleep(Duration::from_millis(10))));
    /// runtime.shutdown_timeout(Duration::from_secs(5));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown_timeout(self, limit: Duration) {
        self.end(limit, limit);
    }

    /// Ends the runtime without waiting for anything: what still runs is let go.
    pub fn shutdown_background(self) {
        let lease = self.handle.lease().clone();
        shutdown::in_background(lease, DROP_LIMIT, Duration::ZERO);
    }

    fn end(&self, limit: Duration, blocking: Duration) {
        let lease = self.handle.lease();
        let own =
            current::scheduler().is_some_and(|scheduler| std::ptr::eq(scheduler, lease.scheduler));
        if own {
            return shutdown::in_background(lease.clone(), limit, blocking);
        }
        block_in_place(|| lease.scheduler.shut_down(lease, limit, blocking));
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.end(DROP_LIMIT, Duration::ZERO);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("handle", &self.handle)
            .finish()
    }
}
