//! The clock that timers go by, and its ticks.
//!
//! A tick is 2^16 ns, some 65 µs, counted from a moment early in the life of the process. Two
//! roundings together make a timer never early: a deadline becomes the first tick that is *not
//! before* it, and the present becomes the last tick that *has begun*. So a timer is up to one tick
//! late, and 2^48 ticks last for 584 years.
//!
//! `read` is the one place that asks the system for the time: a virtual clock will answer there.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub use super::wheel::NEVER;

const TICK_BITS: u32 = 16;
const TICK_NANOS: u64 = 1 << TICK_BITS;
/// Later than this after the origin is never: 292 years.
const FOREVER_NANOS: u64 = 1 << 63;

/// The present moment.
#[inline]
pub fn read() -> Instant {
    Instant::now()
}

/// The last tick that has begun.
#[inline]
pub fn now() -> u64 {
    nanos_after_origin(read()) >> TICK_BITS
}

/// The first tick that begins at `deadline` or later; [`NEVER`] if that is centuries away.
#[inline]
pub fn tick_not_before(deadline: Instant) -> u64 {
    match nanos_after_origin(deadline) {
        FOREVER_NANOS.. => NEVER,
        nanos => nanos.div_ceil(TICK_NANOS),
    }
}

/// How long until `tick` begins: zero if it has, `Duration::MAX` if it never will.
pub fn until(tick: u64) -> Duration {
    if tick > FOREVER_NANOS >> TICK_BITS {
        return Duration::MAX;
    }
    Duration::from_nanos((tick << TICK_BITS).saturating_sub(nanos_after_origin(read())))
}

/// Zero for what was before; `FOREVER_NANOS` for all that is as far away.
fn nanos_after_origin(instant: Instant) -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let after = instant.saturating_duration_since(*ORIGIN.get_or_init(read));
    u64::try_from(after.as_nanos()).map_or(FOREVER_NANOS, |nanos| nanos.min(FOREVER_NANOS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_before_its_moment_nor_a_tick_late() {
        let start = read();
        for nanos in [0, 1, 65_535, 65_536, 65_537, 999_999_999, 1 << 50] {
            let deadline = start + Duration::from_nanos(nanos);
            let tick = tick_not_before(deadline);
            let begins = tick << TICK_BITS;
            let wanted = nanos_after_origin(deadline);
            assert!(begins >= wanted && begins < wanted + TICK_NANOS);
        }
    }

    #[test]
    fn now_and_until_agree() {
        let tick = tick_not_before(read() + Duration::from_millis(20));
        let wait = until(tick);
        assert!(wait <= Duration::from_millis(21), "{wait:?}");
        std::thread::sleep(wait);
        assert!(now() >= tick);
        assert_eq!(until(tick), Duration::ZERO);
    }

    #[test]
    fn the_past_is_now_and_the_far_future_is_never() {
        let start = read();
        if let Some(past) = start.checked_sub(Duration::from_secs(3_600)) {
            assert!(tick_not_before(past) <= now());
        }
        let centuries = Duration::from_secs(400 * 366 * 86_400);
        if let Some(far) = start.checked_add(centuries) {
            assert_eq!(tick_not_before(far), NEVER);
        }
        assert_eq!(until(NEVER), Duration::MAX);
        assert!(until(NEVER >> 17) > Duration::from_secs(9_000_000_000));
    }
}
