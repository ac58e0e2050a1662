//! Regular ticks.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{Instant, Sleep, sleep_until};

/// Lateness that [`MissedTickBehavior::Delay`] puts down to the machine rather than to the user.
const SLACK: Duration = Duration::from_millis(5);

/// Ticks every `period`, for the first time at once.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use gorust::time::{self, Instant};
/// use std::time::Duration;
///
/// gorust::block_on(async {
///     let start = Instant::now();
///     let mut interval = time::interval(Duration::from_millis(4));
///     interval.tick().await; // at once
///     interval.tick().await; // at 4 ms
///     interval.tick().await; // at 8 ms
///     assert!(start.elapsed() >= Duration::from_millis(8));
/// });
/// ```
#[doc(alias = "Ticker")]
#[doc(alias = "NewTicker")]
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks every `period`, for the first time at `start`.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use gorust::time::{self, Instant};
/// use std::time::Duration;
///
/// gorust::block_on(async {
///     let period = Duration::from_millis(4);
///     let start = Instant::now() + period;
///     let mut interval = time::interval_at(start, period);
///     assert_eq!(interval.tick().await, start);
///     assert!(Instant::now() >= start);
/// });
/// ```
#[doc(alias = "Ticker")]
#[track_caller]
pub fn interval_at(start: impl Into<Instant>, period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "the period of an interval must not be zero"
    );
    Interval {
        sleep: Box::pin(sleep_until(start)),
        period,
        missed_tick_behavior: MissedTickBehavior::default(),
    }
}

/// What an [`Interval`] does when its ticks are asked for too late.
///
/// With a period of 10 ms, ticks due at 0, 10, 20, .. and a pause from 1 to 34 ms:
///
/// | | ticks at |
/// | --- | --- |
/// | `Burst` | 0, 34, 34, 34, 40, 50 |
/// | `Delay` | 0, 34, 44, 54 |
/// | `Skip` | 0, 34, 40, 50 |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissedTickBehavior {
    /// Makes up for the missed ticks one after the other, without pause, until it has caught up.
    Burst,
    /// Goes on one period after the late tick; the ticks shift. A tick that is late by less than
    /// 5 ms (and less than a period) does not count as late.
    Delay,
    /// Leaves out what was missed and goes on at the next multiple of the period, as Go's
    /// `time.Ticker` does.
    #[default]
    Skip,
}

impl MissedTickBehavior {
    /// When to tick after a tick that was `due` and is given out `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        let late = now.duration_since(due);
        match self {
            MissedTickBehavior::Delay if late >= SLACK.min(period) => now + period,
            MissedTickBehavior::Skip if late >= period => now + (period - remainder(late, period)),
            _ => due + period,
        }
    }
}

/// `dividend` modulo `divisor`, which is not zero.
fn remainder(dividend: Duration, divisor: Duration) -> Duration {
    const NANOS: u128 = 1_000_000_000;
    let nanos = dividend.as_nanos() % divisor.as_nanos();
    // Less than `divisor`, so the seconds fit.
    Duration::new((nanos / NANOS) as u64, (nanos % NANOS) as u32)
}

/// Regular ticks: the result of [`interval`] and [`interval_at`].
///
/// Dropping it stops the ticks.
#[doc(alias = "Ticker")]
pub struct Interval {
    /// Until the next tick.
    sleep: Pin<Box<Sleep>>,
    period: Duration,
    missed_tick_behavior: MissedTickBehavior,
}

impl Interval {
    /// Waits for the next tick, and answers the moment for which it was planned.
    ///
    /// # Cancellation
    /// Dropping the future loses no tick.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// The poll behind [`tick`](Interval::tick).
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(self.sleep.as_mut().poll(cx));
        let (due, now) = (self.sleep.deadline(), Instant::now());
        let next = self.missed_tick_behavior.next(due, now, self.period);
        self.sleep.as_mut().reset_from(now, next);
        Poll::Ready(due)
    }

    /// Makes the next tick come one period from now.
    ///
    /// ```
    /// use gorust::time::{self, Instant};
    /// use std::time::Duration;
    ///
    /// gorust::block_on(async {
    ///     let period = Duration::from_millis(4);
    ///     let mut interval = time::interval(period);
    ///     let start = Instant::now();
    ///     interval.reset(); // no tick at once
    ///     interval.tick().await;
    ///     assert!(start.elapsed() >= period);
    /// });
    /// ```
    pub fn reset(&mut self) {
        let now = Instant::now();
        self.sleep.as_mut().reset_from(now, now + self.period);
    }

    /// Makes the next tick come at once.
    pub fn reset_immediately(&mut self) {
        let now = Instant::now();
        self.sleep.as_mut().reset_from(now, now);
    }

    /// Makes the next tick come after `duration`.
    pub fn reset_after(&mut self, duration: Duration) {
        let now = Instant::now();
        self.sleep.as_mut().reset_from(now, now + duration);
    }

    /// Makes the next tick come at `deadline`.
    pub fn reset_at(&mut self, deadline: impl Into<Instant>) {
        self.sleep.as_mut().reset(deadline);
    }

    /// Whether the next tick never comes.
    pub(super) fn is_endless(&self) -> bool {
        self.sleep.is_endless()
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What happens to ticks that are asked for too late.
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed_tick_behavior
    }

    /// Chooses what happens to ticks that are asked for too late; `Skip` unless chosen.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed_tick_behavior = behavior;
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("next", &self.sleep.deadline())
            .field("period", &self.period)
            .field("missed_tick_behavior", &self.missed_tick_behavior)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MissedTickBehavior::{Burst, Delay, Skip};

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_table_of_missed_ticks() {
        let zero = Instant::now();
        let next = |behavior: MissedTickBehavior, due, now| {
            behavior.next(zero + ms(due), zero + ms(now), ms(10)) - zero
        };
        for behavior in [Burst, Delay, Skip] {
            assert_eq!(next(behavior, 10, 10), ms(20), "in time");
            assert_eq!(next(behavior, 10, 14), ms(20), "the machine was late");
        }
        assert_eq!(next(Burst, 10, 34), ms(20));
        assert_eq!(next(Delay, 10, 34), ms(44));
        assert_eq!(next(Skip, 10, 34), ms(40));
        assert_eq!(next(Delay, 10, 16), ms(26), "the user was late");
        assert_eq!(next(Skip, 10, 19), ms(20));
        assert_eq!(next(Skip, 10, 20), ms(30), "a tick in the present is taken");
    }

    #[test]
    fn delay_below_the_slack_does_not_burst() {
        let zero = Instant::now();
        let next = Delay.next(zero, zero + ms(3), ms(1));
        assert_eq!(next - zero, ms(4));
    }

    #[test]
    fn endless_periods() {
        let zero = Instant::now();
        for behavior in [Burst, Delay, Skip] {
            let next = behavior.next(zero, zero + ms(100), Duration::MAX);
            assert_eq!(next, zero + Duration::MAX);
        }
    }

    #[test]
    fn remainders() {
        assert_eq!(remainder(ms(34), ms(10)), ms(4));
        assert_eq!(remainder(ms(30), ms(10)), ms(0));
        assert_eq!(remainder(ms(3), Duration::MAX), ms(3));
        assert_eq!(remainder(Duration::from_secs(10), ms(3_000)), ms(1_000));
        assert_eq!(remainder(Duration::MAX, Duration::from_nanos(1)), ms(0));
    }

    #[test]
    #[should_panic(expected = "must not be zero")]
    fn a_zero_period_panics() {
        let _ = interval(Duration::ZERO);
    }
}
