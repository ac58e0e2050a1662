//! Intervals.

use std::time::Duration;

use gorust::time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until, timeout};

use crate::{LONG, in_goroutine, ms};

#[test]
fn an_interval_keeps_its_beat() {
    in_goroutine(async {
        let start = Instant::now();
        let mut interval = interval(ms(10));
        interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let first = interval.tick().await;
        assert!(first >= start && first <= Instant::now());
        for number in 1..=5 {
            let planned = interval.tick().await;
            assert_eq!(planned, first + ms(10) * number);
            assert!(Instant::now() >= planned);
        }
        assert_eq!(interval.period(), ms(10));
    });
}

#[test]
fn interval_at_starts_when_told() {
    in_goroutine(async {
        let start = Instant::now() + ms(30);
        let mut interval = interval_at(start, ms(10));
        assert_eq!(interval.tick().await, start);
        assert!(Instant::now() >= start);
    });
}

/// Ticks once, pauses for two and a half periods of 100 ms, and answers the planned moments of the
/// next ticks and when they came, both counted from the first tick.
async fn ticks_after_a_pause(behavior: MissedTickBehavior) -> Vec<(Duration, Duration)> {
    let mut interval = interval(ms(100));
    assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Skip);
    interval.set_missed_tick_behavior(behavior);
    let first = interval.tick().await;
    sleep_until(first + ms(250)).await;
    let mut ticks = Vec::new();
    for _ in 0..4 {
        let planned = interval.tick().await;
        ticks.push((planned - first, Instant::now() - first));
    }
    ticks
}

#[test]
fn missed_ticks_burst() {
    let ticks = in_goroutine(ticks_after_a_pause(MissedTickBehavior::Burst));
    let planned: Vec<_> = ticks.iter().map(|tick| tick.0).collect();
    assert_eq!(planned, [ms(100), ms(200), ms(300), ms(400)]);
    assert!(ticks[1].1 - ticks[0].1 < ms(50), "made up for: {ticks:?}");
    assert!(ticks[3].1 >= ms(400));
}

#[test]
fn missed_ticks_delay() {
    let ticks = in_goroutine(ticks_after_a_pause(MissedTickBehavior::Delay));
    assert_eq!(ticks[0].0, ms(100));
    for two in ticks.windows(2) {
        assert!(two[1].0 >= two[0].0 + ms(100), "{ticks:?}");
    }
    assert!(ticks[1].0 >= ms(350), "shifted: {ticks:?}");
}

#[test]
fn missed_ticks_skip() {
    let ticks = in_goroutine(ticks_after_a_pause(MissedTickBehavior::Skip));
    assert_eq!(ticks[0].0, ms(100));
    assert!(ticks[1].0 >= ms(300), "left out: {ticks:?}");
    for tick in &ticks {
        assert_eq!(tick.0.as_millis() % 100, 0, "on the beat: {ticks:?}");
        assert!(tick.1 >= tick.0);
    }
}

#[test]
fn interval_resets() {
    in_goroutine(async {
        let period = Duration::from_secs(500);
        let mut interval = interval(period);
        interval.tick().await;
        interval.reset_immediately();
        interval.tick().await;
        let start = Instant::now();
        interval.reset_after(ms(5));
        interval.tick().await;
        assert!(start.elapsed() >= ms(5));
        let deadline = Instant::now() + ms(5);
        interval.reset_at(deadline);
        assert_eq!(interval.tick().await, deadline);
        interval.reset();
        assert!(timeout(ms(5), interval.tick()).await.is_err());
    });
}

#[test]
fn a_cancelled_tick_is_not_lost() {
    in_goroutine(async {
        let mut interval = interval_at(Instant::now() + ms(30), LONG);
        assert!(timeout(ms(1), interval.tick()).await.is_err());
        assert!(timeout(ms(1), interval.tick()).await.is_err());
        interval.tick().await;
    });
}

#[test]
#[should_panic(expected = "must not be zero")]
fn an_interval_of_zero_panics() {
    let _ = interval(Duration::ZERO);
}
