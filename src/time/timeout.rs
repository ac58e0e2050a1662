//! Giving up what takes too long.

use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Instant, Sleep, sleep, sleep_until};
use crate::coop;

/// Runs `future` for `duration` at most.
///
/// The time begins now. The future is polled before the clock is looked at: one that is ready at
/// once succeeds even under a zero duration, and one that becomes ready together with the deadline
/// succeeds too. A duration near [`Duration::MAX`] sets no limit.
///
/// # Errors
/// [`Elapsed`], when the time is up first. It converts into an [`io::Error`] of the kind `TimedOut`.
///
/// # Cancellation
/// Dropping the timeout drops the future. When the time is up, the future is dropped with the
/// `Timeout`, that is, at the end of the `await`.
///
/// ```
/// use gorust::time;
/// use std::time::Duration;
///
/// gorust::block_on(async {
///     let quick = time::timeout(Duration::from_secs(60), async { 5 });
///     assert_eq!(quick.await, Ok(5));
///
///     let hangs = time::timeout(Duration::from_millis(2), std::future::pending::<()>());
///     assert!(hangs.await.is_err());
/// });
/// ```
#[doc(alias = "WithTimeout")]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep: sleep(duration),
    }
}

/// Runs `future` until `deadline` at most. See [`timeout`].
///
/// # Errors
/// [`Elapsed`], when the deadline comes first.
///
/// # Cancellation
/// Dropping the timeout drops the future.
///
/// ```
/// use gorust::time::{self, Instant};
/// use std::time::Duration;
///
/// gorust::block_on(async {
///     let deadline = Instant::now() + Duration::from_millis(2);
///     let hangs = time::timeout_at(deadline, std::future::pending::<()>());
///     assert!(hangs.await.is_err());
/// });
/// ```
#[doc(alias = "WithDeadline")]
pub fn timeout_at<F: IntoFuture>(
    deadline: impl Into<Instant>,
    future: F,
) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep: sleep_until(deadline),
    }
}

/// The future of [`timeout`] and [`timeout_at`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Timeout<F> {
    future: F,
    sleep: Sleep,
}

impl<F> Timeout<F> {
    /// The future that has the limit.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future that has the limit.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// The future, without its limit.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: both fields are pinned with the `Timeout`, which has no `Drop` of its own, is not
        // `Unpin` (as `Sleep` is not), and hands them out only while it is not pinned.
        let (mut future, sleep) = unsafe {
            let this = self.get_unchecked_mut();
            (
                Pin::new_unchecked(&mut this.future),
                Pin::new_unchecked(&mut this.sleep),
            )
        };
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // A future that uses up the budget must not keep its own limit from being looked at.
        if coop::unconstrained(|| sleep.poll(cx)).is_pending() {
            return Poll::Pending;
        }
        if budget_is_spent() {
            // It may have been turned away although it was ready: it gets a last poll, with a slice
            // of its own. Not without a limit, as it may be one that never waits.
            if let Poll::Ready(output) = with_fresh_slice(|| future.poll(cx)) {
                return Poll::Ready(Ok(output));
            }
        }
        Poll::Ready(Err(Elapsed(())))
    }
}

/// Whether an operation would be turned away now.
fn budget_is_spent() -> bool {
    coop::poll_proceed(&mut Context::from_waker(Waker::noop())).is_pending()
}

fn with_fresh_slice<R>(f: impl FnOnce() -> R) -> R {
    coop::unconstrained(|| {
        coop::begin_slice();
        f()
    })
}

/// The time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, poll_fn, ready};
    use std::pin::pin;

    fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Draws the whole budget, and says how often it was polled.
    async fn greedy(polls: &mut u32) {
        poll_fn(|cx| {
            *polls += 1;
            while let Poll::Ready(unit) = coop::poll_proceed(cx) {
                unit.made_progress();
            }
            Poll::Pending
        })
        .await
    }

    #[test]
    fn zero_duration_polls_the_future_first_and_once() {
        assert_eq!(
            poll_once(timeout(Duration::ZERO, ready(1))),
            Poll::Ready(Ok(1))
        );
        let mut polls = 0;
        let counts = poll_fn(|_| {
            polls += 1;
            Poll::<()>::Pending
        });
        assert!(matches!(
            poll_once(timeout(Duration::ZERO, counts)),
            Poll::Ready(Err(_))
        ));
        assert_eq!(polls, 1);
    }

    #[test]
    fn a_future_that_spends_the_budget_still_runs_out_of_time() {
        coop::begin_slice();
        let mut polls = 0;
        let polled = poll_once(timeout(Duration::ZERO, greedy(&mut polls)));
        coop::end_slice();
        assert!(matches!(polled, Poll::Ready(Err(_))));
        assert_eq!(polls, 2);
    }

    #[test]
    fn a_ready_future_turned_away_for_its_budget_succeeds() {
        coop::begin_slice();
        let _ = poll_once(greedy(&mut 0));
        let ready_if_allowed = poll_fn(|cx| {
            coop::poll_proceed(cx).map(|unit| {
                unit.made_progress();
                7
            })
        });
        let polled = poll_once(timeout(Duration::ZERO, ready_if_allowed));
        assert_eq!(polled, Poll::Ready(Ok(7)));
        assert!(budget_is_spent(), "the last poll drew on the slice");
        coop::end_slice();
    }

    #[test]
    fn elapsed_is_an_io_error() {
        let Poll::Ready(Err(elapsed)) = poll_once(timeout(Duration::ZERO, pending::<()>())) else {
            panic!("not elapsed");
        };
        assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
    }
}
