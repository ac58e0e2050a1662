//! A moment on the runtime's clock.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::sync::OnceLock;
use std::time::Duration;

use crate::timer::clock;

/// A moment on the runtime's clock, which never goes backwards.
///
/// It is [`std::time::Instant`] with two differences: [`now`](Instant::now) and
/// [`elapsed`](Instant::elapsed) read the clock that timers go by, and adding a duration too long to
/// be represented gives the latest moment there is, which no clock will reach, instead of a panic.
/// Either type converts into the other, and every deadline in this crate may be given as either.
///
/// ```
/// use gorust::time::Instant;
/// use std::time::Duration;
///
/// let start = Instant::now();
/// let deadline = start + Duration::from_secs(5);
/// assert_eq!(deadline - start, Duration::from_secs(5));
/// assert!(start + Duration::MAX > deadline);
///
/// let std: std::time::Instant = deadline.into();
/// assert_eq!(Instant::from(std), deadline);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(std::time::Instant);

impl Instant {
    /// The present moment.
    #[inline]
    #[must_use]
    pub fn now() -> Instant {
        Instant(clock::read())
    }

    /// How long ago this moment was; zero if it is yet to come.
    #[inline]
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Instant::now().duration_since(*self)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is in fact later.
    #[inline]
    #[must_use]
    pub fn duration_since(&self, earlier: Instant) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The same as [`duration_since`](Instant::duration_since), under the name that says so.
    #[inline]
    #[must_use]
    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The time from `earlier` to this moment; `None` if `earlier` is in fact later.
    #[inline]
    #[must_use]
    pub fn checked_duration_since(&self, earlier: Instant) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// The moment `duration` later, or `None` if it cannot be represented.
    #[inline]
    #[must_use]
    pub fn checked_add(&self, duration: Duration) -> Option<Instant> {
        self.0.checked_add(duration).map(Instant)
    }

    /// The moment `duration` later, or the latest moment that can be represented.
    #[inline]
    #[must_use]
    pub fn saturating_add(&self, duration: Duration) -> Instant {
        self.checked_add(duration).unwrap_or_else(latest)
    }

    /// The moment `duration` earlier, or `None` if it cannot be represented.
    #[inline]
    #[must_use]
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        self.0.checked_sub(duration).map(Instant)
    }
}

/// The latest moment that can be represented.
#[cold]
fn latest() -> Instant {
    static LATEST: OnceLock<Instant> = OnceLock::new();
    *LATEST.get_or_init(|| {
        let seconds = (0..64).rev().map(|bit| Duration::from_secs(1 << bit));
        let nanos = (0..30).rev().map(|bit| Duration::from_nanos(1 << bit));
        seconds.chain(nanos).fold(Instant::now(), |moment, step| {
            moment.checked_add(step).unwrap_or(moment)
        })
    })
}

impl Add<Duration> for Instant {
    type Output = Instant;
    /// See [`saturating_add`](Instant::saturating_add).
    #[inline]
    fn add(self, duration: Duration) -> Instant {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Instant {
    #[inline]
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    /// # Panics
    /// If the result cannot be represented, as for [`std::time::Instant`]. See
    /// [`checked_sub`](Instant::checked_sub).
    #[inline]
    fn sub(self, duration: Duration) -> Instant {
        Instant(self.0 - duration)
    }
}

impl SubAssign<Duration> for Instant {
    /// # Panics
    /// If the result cannot be represented.
    #[inline]
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    /// See [`duration_since`](Instant::duration_since).
    #[inline]
    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

impl From<std::time::Instant> for Instant {
    #[inline]
    fn from(moment: std::time::Instant) -> Instant {
        Instant(moment)
    }
}

impl From<Instant> for std::time::Instant {
    #[inline]
    fn from(moment: Instant) -> std::time::Instant {
        moment.0
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_saturates_at_the_latest_moment() {
        let now = Instant::now();
        let latest = now + Duration::MAX;
        assert!(latest > now + Duration::from_secs(86_400 * 365 * 100));
        assert_eq!(latest + Duration::from_nanos(1), latest);
        assert_eq!(latest + Duration::MAX, latest);
        assert_eq!(latest.checked_add(Duration::from_nanos(1)), None);
        assert!(latest.checked_sub(Duration::from_nanos(1)).unwrap() < latest);
    }
}
