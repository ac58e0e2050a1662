//! Starting goroutines, and letting others go first.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::scheduler::{current, current_scheduler, spawn_current};
use crate::task::JoinHandle;
use crate::task::waker::belongs_to;

/// Starts a goroutine: the future runs on the current runtime, concurrently with everything else.
///
/// Outside of any runtime that is the default one, which starts if it has not. The goroutine runs
/// whether or not the handle is awaited; dropping the handle detaches it.
///
/// ```
/// gorust::block_on(async {
///     let handle = gorust::go(async { 6 * 7 });
///     assert_eq!(handle.await.unwrap(), 42);
/// });
/// ```
#[doc(alias = "spawn")]
#[track_caller]
#[inline]
pub fn go<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_current(future, (), Location::caller())
}

/// Runs blocking code on a thread of the blocking pool.
///
/// For code that would keep a worker from its other goroutines: file access, foreign libraries,
/// long computations. The pool's threads come with the work and go when there has been none for a
/// while. [`abort`](JoinHandle::abort) has an effect only before the closure has begun.
///
/// ```
/// gorust::block_on(async {
///     let sum = gorust::go_blocking(|| (1..=10).sum::<u32>()).await.unwrap();
///     assert_eq!(sum, 55);
/// });
/// ```
#[doc(alias = "spawn_blocking")]
#[track_caller]
pub fn go_blocking<F, T>(code: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    current_scheduler().go_blocking(code, Location::caller())
}

/// Lets the other runnable goroutines go first.
///
/// The goroutine goes to the back of its worker's queue. A loop that calls this often does not
/// starve timers and sockets either: workers look after them every so many goroutines.
///
/// # Cancellation
/// Dropping the future before it is ready has no effect on anything.
///
/// ```
/// gorust::block_on(async {
///     for _ in 0..3 {
///         gorust::yield_now().await;
///     }
/// });
/// ```
#[doc(alias = "Gosched")]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        // The goroutine itself asks (and not some future inside it with a waker of its own): the
        // worker puts it back without any wake-up.
        if current::task().is_some_and(|task| belongs_to(cx.waker(), task)) {
            current::set_yielded();
        } else {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
