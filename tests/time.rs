//! Timers promise: never early, in order, gone when dropped, and woken whoever waits and wherever.

use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures_lite::future::or;
use gorust::time::{
    self, Instant, MissedTickBehavior, Sleep, interval, interval_at, sleep, sleep_until, timeout,
    timeout_at,
};
use gorust::{block_on, go};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Longer than any test takes on the slowest machine.
const LONG: Duration = Duration::from_secs(600);

/// Runs a future as a goroutine, and fails instead of hanging.
fn in_goroutine<F>(future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    block_on(async {
        let goroutine = go(future);
        let limit = async {
            sleep(Duration::from_secs(60)).await;
            panic!("the test hangs");
        };
        or(async { goroutine.await.expect("the test panicked") }, limit).await
    })
}

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counter {
    fn new() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter::default());
        (counter.clone(), Waker::from(counter))
    }
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
    fn wait(&self) {
        let start = Instant::now();
        while self.count() == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "never woken");
            thread::sleep(ms(1));
        }
    }
}

fn poll_with<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

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

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    in_goroutine(async {
        let order = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now() + ms(20);
        let sleepers: Vec<_> = [7_u64, 3, 9, 1, 5, 8, 2, 6, 4, 0]
            .into_iter()
            .map(|place| {
                let order = order.clone();
                go(async move {
                    sleep_until(start + ms(25) * place as u32).await;
                    order.lock().unwrap().push(place);
                })
            })
            .collect();
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
        assert!(order.lock().unwrap().is_sorted(), "{order:?}");
    });
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
fn a_sleep_moves_between_goroutines() {
    in_goroutine(async {
        for _ in 0..20 {
            let mut sleep = Box::pin(sleep(ms(10)));
            assert!(poll_once(sleep.as_mut()).await.is_pending());
            let second = go(async move {
                assert!(poll_once(sleep.as_mut()).await.is_pending());
                sleep
            });
            let mut sleep = second.await.unwrap();
            let deadline = sleep.deadline();
            let third = go(async move {
                let _ = poll_once(sleep.as_mut()).await;
                sleep.await;
                Instant::now()
            });
            assert!(third.await.unwrap() >= deadline);
        }
    });
}

#[test]
fn many_sleepers() {
    in_goroutine(async {
        let finished = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let sleepers: Vec<_> = (0..10_000_u64)
            .map(|number| {
                let finished = finished.clone();
                go(async move {
                    let duration = Duration::from_micros(1 + number * 7_919 % 200_000);
                    let start = Instant::now();
                    sleep(duration).await;
                    assert!(start.elapsed() >= duration);
                    finished.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
        assert_eq!(finished.load(Ordering::SeqCst), 10_000);
        assert!(start.elapsed() < Duration::from_secs(30));
    });
}

#[test]
fn plain_threads_sleep_together() {
    let threads: Vec<_> = (0..8_u64)
        .map(|number| {
            thread::spawn(move || {
                for round in 0..5 {
                    let start = Instant::now();
                    let duration = ms(number * 3 + round);
                    if number % 2 == 0 {
                        block_on(sleep(duration));
                    } else {
                        futures_lite::future::block_on(sleep(duration)); // no worker at all
                    }
                    assert!(start.elapsed() >= duration);
                    assert!(start.elapsed() < Duration::from_secs(30));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn an_earlier_timer_interrupts_a_long_wait() {
    // Everybody is parked until the long one; the short ones come from a thread without a processor.
    let _parked = go(sleep(Duration::from_secs(3_000)));
    thread::sleep(ms(50));
    for _ in 0..5 {
        let start = Instant::now();
        futures_lite::future::block_on(sleep(ms(10)));
        assert!(start.elapsed() < Duration::from_secs(5), "not interrupted");
        thread::sleep(ms(5));
    }
}

#[test]
fn timeout_passes_the_output_on() {
    in_goroutine(async {
        assert_eq!(timeout(LONG, ready(1)).await, Ok(1));
        let slow = async {
            sleep(ms(5)).await;
            2
        };
        assert_eq!(timeout(LONG, slow).await, Ok(2));
        assert_eq!(timeout_at(Instant::now() + LONG, ready(3)).await, Ok(3));
    });
}

#[test]
fn timeout_gives_up_in_time_and_drops_the_future() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    in_goroutine(async {
        let drops = Arc::new(AtomicUsize::new(0));
        let held = Dropped(drops.clone());
        let start = Instant::now();
        let result = timeout(ms(20), async move {
            let _held = held;
            pending::<()>().await;
        })
        .await;
        let elapsed = result.unwrap_err();
        assert!(start.elapsed() >= ms(20));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        assert_eq!(elapsed.to_string(), "deadline has elapsed");
        let error = std::io::Error::from(elapsed);
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(
            timeout_at(std::time::Instant::now() + ms(1), pending::<()>())
                .await
                .is_err()
        );
    });
}

#[test]
fn a_future_that_is_ready_with_the_deadline_wins() {
    in_goroutine(async {
        for _ in 0..20 {
            let deadline = Instant::now() + ms(3);
            let both = timeout_at(deadline, sleep_until(deadline));
            assert_eq!(both.await, Ok(()));
        }
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
    });
}

#[test]
fn nested_timeouts_end_with_the_inner_or_the_outer() {
    in_goroutine(async {
        let inner = timeout(LONG, timeout(ms(5), pending::<()>())).await;
        assert!(inner.unwrap().is_err());
        let outer = timeout(ms(5), timeout(LONG, pending::<()>())).await;
        assert!(outer.is_err());
    });
}

#[test]
fn timeout_reaches_a_future_that_never_waits() {
    in_goroutine(async {
        let greedy = async {
            loop {
                sleep(Duration::ZERO).await; // draws on the budget, and is always ready
            }
        };
        let result: Result<(), _> = timeout(ms(10), greedy).await;
        assert!(result.is_err());
    });
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
        go(async move { stop.store(1, Ordering::SeqCst) });
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
    let _ = time::interval(Duration::ZERO);
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

#[test]
fn a_sleep_outlives_its_runtime() {
    let (counter, waker) = Counter::new();
    let runtime = gorust::runtime::Runtime::new().unwrap();
    let mut short = Box::pin(sleep(ms(100)));
    let mut long = Box::pin(sleep(LONG));
    let (mut short, mut long) = runtime.block_on(async move {
        assert!(poll_with(short.as_mut(), &waker).is_pending());
        assert!(poll_with(long.as_mut(), &waker).is_pending());
        (short, long)
    });
    drop(runtime);
    counter.wait(); // to be polled again, and so move
    let deadline = short.deadline();
    block_on(short.as_mut());
    assert!(Instant::now() >= deadline);
    assert!(block_on(timeout(ms(5), long.as_mut())).is_err());
    long.as_mut().reset(Instant::now() + ms(5));
    block_on(long);
}
