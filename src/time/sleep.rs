//! Waiting for a moment.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Instant;
use crate::timer::{Entry, Polled, clock};
use crate::{coop, scheduler};

/// Waits for `duration`.
///
/// The wait begins now, not when the future is first polled. A zero duration is over at once; one
/// near [`Duration::MAX`] never ends. The precision is a tick of some 65 µs; the wait is never
/// shorter than asked for.
///
/// # Cancellation
/// Dropping the future disarms the timer.
///
/// ```
/// use gorust::time::{self, Instant};
/// use std::time::Duration;
///
/// gorust::block_on(async {
///     let start = Instant::now();
///     time::sleep(Duration::from_millis(5)).await;
///     assert!(start.elapsed() >= Duration::from_millis(5));
/// });
/// ```
#[doc(alias = "Sleep")]
#[doc(alias = "NewTimer")]
pub fn sleep(duration: Duration) -> Sleep {
    let now = Instant::now();
    Sleep::between(now, now + duration)
}

/// Waits until `deadline`, which may be ours or std's `Instant`.
///
/// A deadline that has passed is over at once.
///
/// # Cancellation
/// Dropping the future disarms the timer.
///
/// ```
/// use gorust::time::{self, Instant};
/// use std::time::Duration;
///
/// gorust::block_on(async {
///     let deadline = Instant::now() + Duration::from_millis(5);
///     time::sleep_until(deadline).await;
///     assert!(Instant::now() >= deadline);
/// });
/// ```
pub fn sleep_until(deadline: impl Into<Instant>) -> Sleep {
    Sleep::between(Instant::now(), deadline.into())
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// It may be moved between goroutines and threads from one poll to the next; the last waker is the
/// one that is woken. Once ready, it stays ready until [`reset`](Sleep::reset).
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    deadline: Instant,
    entry: Entry,
}

impl Sleep {
    /// A wait until `deadline` that begins at the present moment `now`.
    fn between(now: Instant, deadline: Instant) -> Sleep {
        let entry = if deadline > now {
            Entry::new()
        } else {
            Entry::elapsed()
        };
        Sleep { deadline, entry }
    }

    /// The moment at which the wait ends.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.entry.has_fired() || self.deadline <= Instant::now()
    }

    /// Whether the wait never ends, unless reset.
    pub(super) fn is_endless(&self) -> bool {
        clock::tick_not_before(self.deadline.into()) == clock::NEVER
    }

    /// Waits until `deadline` instead, whether or not the old deadline has passed.
    ///
    /// A goroutine that waits already, by an earlier poll, is woken at the new deadline and not at
    /// the old one; at once if the new one has passed.
    ///
    /// ```
    /// use gorust::time::{self, Instant};
    /// use std::{pin::pin, time::Duration};
    ///
    /// gorust::block_on(async {
    ///     let mut sleep = pin!(time::sleep(Duration::from_secs(3_600)));
    ///     sleep.as_mut().reset(Instant::now() + Duration::from_millis(2));
    ///     sleep.await; // two milliseconds, not an hour
    /// });
    /// ```
    pub fn reset(self: Pin<&mut Self>, deadline: impl Into<Instant>) {
        self.reset_from(Instant::now(), deadline.into());
    }

    /// `reset` at the present moment `now`.
    pub(super) fn reset_from(mut self: Pin<&mut Self>, now: Instant, deadline: Instant) {
        // SAFETY: nothing is moved out of the pinned `Sleep`; this field is not pinned.
        unsafe { self.as_mut().get_unchecked_mut() }.deadline = deadline;
        let tick = clock::tick_not_before(deadline.into());
        let passed = deadline <= now;
        let first = self.entry().reset(tick, passed, scheduler::timer_shard);
        if let Some(shard) = first {
            scheduler::earliest_timer_changed(shard);
        }
    }

    fn entry(self: Pin<&mut Self>) -> Pin<&mut Entry> {
        // SAFETY: the field is pinned with the `Sleep`: nothing hands it out otherwise, and there is
        // no `Drop` of ours to move it.
        unsafe { self.map_unchecked_mut(|sleep| &mut sleep.entry) }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(coop::poll_proceed(cx));
        let tick = clock::tick_not_before(self.deadline.into());
        let polled = self.entry().poll(tick, cx.waker(), scheduler::timer_shard);
        match polled {
            Polled::Elapsed => {
                unit.made_progress();
                return Poll::Ready(());
            }
            Polled::Waiting => {}
            Polled::WaitingFirst(shard) => scheduler::earliest_timer_changed(shard),
            // The runtime is shutting down under us. Either it drops this goroutine now, or the
            // next poll finds another shard.
            Polled::Closed => cx.waker().wake_by_ref(),
        }
        Poll::Pending
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .field("timer", &self.entry)
            .finish()
    }
}
