//! Sleeps: when they end, and how that can be changed.

use std::future::ready;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gorust::go;
use gorust::time::{self, Instant, Sleep, interval, sleep, sleep_until, timeout};

use crate::{Counter, LONG, in_goroutine, ms, poll_once, poll_with};

#[test]
fn a_sleep_is_never_early() {
    in_goroutine(async {
        for micros in [
            1, 10, 63, 64, 65, 66, 100, 999, 1_000, 1_001, 2_500, 10_000, 70_000,
        ] {
            for _ in 0..3 {
                let duration = Duration::from_micros(micros);
                let start = std::time::Instant::now();
                sleep(duration).await;
                assert!(start.elapsed() >= duration, "{duration:?}");

                let deadline = Instant::now() + duration;
                sleep_until(deadline).await;
                assert!(Instant::now() >= deadline, "{duration:?}");
            }
        }
    });
}

#[test]
fn a_short_sleep_is_short() {
    in_goroutine(async {
        let start = Instant::now();
        for _ in 0..20 {
            sleep(Duration::from_micros(200)).await;
        }
        // 4 ms, unless each were rounded up to much more than it is.
        assert!(start.elapsed() < ms(400), "{:?}", start.elapsed());
    });
}

/// The order in which goroutines with deadlines 10 ms apart get to run.
async fn order_of_sleepers() -> Vec<u64> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now() + ms(20);
    let sleepers: Vec<_> = [7_u64, 3, 9, 1, 5, 8, 2, 6, 4, 0]
        .into_iter()
        .map(|place| {
            let order = order.clone();
            go(async move {
                sleep_until(start + ms(10) * place as u32).await;
                order.lock().unwrap().push(place);
            })
        })
        .collect();
    for sleeper in sleepers {
        sleeper.await.unwrap();
    }
    let order = order.lock().unwrap();
    order.clone()
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    // A busy machine may hold up one worker for longer than the deadlines are apart. If they were
    // not in order by design, one in millions of tries would be.
    let mut orders = (0..30).map(|_| in_goroutine(order_of_sleepers()));
    assert!(orders.any(|order| order.is_sorted()));
}

#[test]
fn what_is_over_is_over_at_the_first_poll() {
    in_goroutine(async {
        assert!(poll_once(pin!(sleep(Duration::ZERO))).await.is_ready());
        let now = std::time::Instant::now(); // either type of instant
        assert!(poll_once(pin!(sleep_until(now))).await.is_ready());
        if let Some(past) = now.checked_sub(Duration::from_secs(5)) {
            assert!(poll_once(pin!(sleep_until(past))).await.is_ready());
        }
    });
}

#[test]
fn a_sleep_begins_when_it_is_made() {
    in_goroutine(async {
        let first = sleep(ms(80));
        let start = Instant::now();
        sleep(ms(80)).await;
        first.await;
        assert!(start.elapsed() < ms(155), "{:?}", start.elapsed());
    });
}

#[test]
fn a_sleep_stays_ready_and_knows_its_deadline() {
    in_goroutine(async {
        let before = Instant::now();
        let mut sleep = pin!(sleep(ms(5)));
        assert!(sleep.deadline() >= before + ms(5));
        assert!(sleep.deadline() <= Instant::now() + ms(5));
        sleep.as_mut().await;
        assert!(sleep.is_elapsed());
        assert!(poll_once(sleep.as_mut()).await.is_ready());
        sleep.as_mut().reset(Instant::now() + LONG);
        assert!(!sleep.is_elapsed());
        assert!(format!("{sleep:?}").contains("deadline"));
    });
}

#[test]
fn reset_earlier_ends_the_wait_earlier() {
    in_goroutine(async {
        let mut sleep = pin!(sleep(LONG));
        assert!(poll_once(sleep.as_mut()).await.is_pending());
        let deadline = Instant::now() + ms(10);
        sleep.as_mut().reset(deadline);
        assert_eq!(sleep.deadline(), deadline);
        sleep.await;
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn reset_later_prolongs_the_wait() {
    in_goroutine(async {
        let mut sleep = pin!(sleep(ms(10)));
        assert!(poll_once(sleep.as_mut()).await.is_pending());
        let deadline = Instant::now() + ms(60);
        sleep.as_mut().reset(deadline);
        sleep.await;
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn reset_before_the_first_poll() {
    in_goroutine(async {
        let mut sleep = pin!(sleep(LONG));
        sleep.as_mut().reset(Instant::now() + ms(5));
        sleep.await;
    });
}

#[test]
fn reset_after_the_end_starts_anew() {
    in_goroutine(async {
        let mut sleep = pin!(sleep(ms(1)));
        for _ in 0..3 {
            sleep.as_mut().await;
            let deadline = Instant::now() + ms(5);
            sleep.as_mut().reset(deadline);
            assert!(poll_once(sleep.as_mut()).await.is_pending());
            sleep.as_mut().await;
            assert!(Instant::now() >= deadline);
        }
    });
}

#[test]
fn reset_wakes_at_the_new_deadline_without_another_poll() {
    let (counter, waker) = Counter::new();
    let mut sleep = pin!(sleep(LONG));
    assert!(poll_with(sleep.as_mut(), &waker).is_pending());
    let deadline = Instant::now() + ms(10);
    sleep.as_mut().reset(Instant::now() + Duration::MAX);
    sleep.as_mut().reset(deadline);
    counter.wait();
    assert!(Instant::now() >= deadline);

    sleep.as_mut().reset(Instant::now() + LONG);
    assert!(poll_with(sleep.as_mut(), &waker).is_pending());
    sleep.as_mut().reset(deadline); // behind us
    assert_eq!(counter.count(), 2, "woken at once");
    assert!(poll_with(sleep.as_mut(), &waker).is_ready());
}

#[test]
fn dropping_cancels() {
    let (counter, waker) = Counter::new();
    {
        let mut sleep = pin!(sleep(ms(30)));
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        assert_eq!(Arc::strong_count(&counter), 3);
    }
    assert_eq!(
        Arc::strong_count(&counter),
        2,
        "the waker is dropped with it"
    );
    thread::sleep(ms(80));
    assert_eq!(counter.count(), 0);
}

#[test]
fn the_last_waker_counts() {
    let ((old, old_waker), (new, new_waker)) = (Counter::new(), Counter::new());
    let mut sleep = pin!(sleep(ms(30)));
    assert!(poll_with(sleep.as_mut(), &old_waker).is_pending());
    assert!(poll_with(sleep.as_mut(), &new_waker).is_pending());
    new.wait();
    assert_eq!(old.count(), 0);
    assert!(poll_with(sleep.as_mut(), &new_waker).is_ready());
}

#[test]
fn ready_sleeps_do_not_starve_others() {
    in_goroutine(async {
        let stop = Arc::new(AtomicUsize::new(0));
        let greedy: Vec<_> = (0..16)
            .map(|_| {
                let stop = stop.clone();
                go(async move {
                    while stop.load(Ordering::SeqCst) == 0 {
                        sleep(Duration::ZERO).await;
                    }
                })
            })
            .collect();
        sleep(ms(10)).await;
        drop(go(async move { stop.store(1, Ordering::SeqCst) }));
        for goroutine in greedy {
            goroutine.await.unwrap();
        }
    });
}

#[test]
fn huge_durations_mean_never() {
    in_goroutine(async {
        for duration in [
            Duration::MAX,
            Duration::MAX / 2,
            Duration::from_secs(1 << 40),
        ] {
            assert!(timeout(ms(2), sleep(duration)).await.is_err());
            assert_eq!(timeout(duration, ready(())).await, Ok(()));
            assert_eq!(timeout(duration, sleep(ms(1))).await, Ok(()));
            let mut interval = interval(duration);
            interval.tick().await;
            assert!(timeout(ms(2), interval.tick()).await.is_err());
            interval.reset();
            interval.reset_after(duration);
            assert!(timeout(ms(2), interval.tick()).await.is_err());
            let mut sleep = pin!(sleep(ms(1)));
            sleep.as_mut().reset(Instant::now() + duration);
            assert!(timeout(ms(5), sleep.as_mut()).await.is_err());
            assert!(sleep.deadline() > Instant::now() + LONG);
            sleep.as_mut().reset(Instant::now());
            sleep.await;
        }
    });
}

#[test]
fn futures_are_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<Sleep>();
    check::<time::Timeout<Sleep>>();
    check::<time::Interval>();
    check::<Instant>();
    check::<time::Elapsed>();
}
