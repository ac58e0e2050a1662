//! Sleeps across goroutines, threads and runtimes.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gorust::time::{Instant, sleep, timeout};
use gorust::{block_on, go};

use crate::{Counter, LONG, in_goroutine, ms, poll_once, poll_with};

#[test]
#[expect(
    clippy::async_yields_async,
    reason = "what is handed on is to be awaited elsewhere"
)]
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

#[test]
#[expect(
    clippy::async_yields_async,
    reason = "what is handed on is to be awaited elsewhere"
)]
fn a_timer_fires_although_its_worker_is_stuck() {
    let runtime = gorust::runtime::Builder::new()
        .worker_threads(2)
        .build()
        .unwrap();
    let late = runtime.block_on(async {
        go(async {
            let mut sleep = Box::pin(sleep(ms(20)));
            assert!(poll_once(sleep.as_mut()).await.is_pending()); // here
            let deadline = sleep.deadline();
            let elsewhere = go(async move {
                sleep.await;
                Instant::now() - deadline
            });
            thread::sleep(ms(1_500));
            elsewhere
        })
        .await
        .unwrap()
        .await
        .unwrap()
    });
    assert!(late < ms(1_000), "{late:?}");
}

#[test]
#[expect(
    clippy::async_yields_async,
    reason = "what is handed on is to be awaited elsewhere"
)]
fn reset_from_another_thread_is_in_time() {
    let runtime = gorust::runtime::Runtime::new().unwrap();
    let sleep = in_goroutine(async {
        let mut sleep = Box::pin(sleep(LONG));
        assert!(poll_once(sleep.as_mut()).await.is_pending());
        sleep
    });
    thread::sleep(ms(30)); // everybody is parked
    let (counter, waker) = Counter::new();
    let mut sleep = sleep;
    assert!(poll_with(sleep.as_mut(), &waker).is_pending());
    for expected in 1..=5 {
        let start = Instant::now();
        sleep.as_mut().reset(start + ms(5));
        while counter.count() < expected {
            assert!(start.elapsed() < Duration::from_secs(5), "not woken");
            thread::sleep(ms(1));
        }
        sleep.as_mut().reset(Instant::now() + LONG);
        // As a waiter in another runtime.
        let polled = runtime.block_on(async { poll_with(sleep.as_mut(), &waker) });
        assert!(polled.is_pending());
        thread::sleep(ms(20));
    }
}

#[test]
fn goroutines_that_sleep_do_not_hold_up_a_shutdown() {
    let runtime = gorust::runtime::Runtime::new().unwrap();
    for _ in 0..100 {
        drop(runtime.go(sleep(LONG)));
        drop(runtime.go(async {
            loop {
                sleep(ms(1)).await;
            }
        }));
    }
    runtime.block_on(sleep(ms(20)));
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_destructor_may_sleep_while_its_runtime_shuts_down() {
    struct Sleeps(Arc<AtomicUsize>);
    impl Drop for Sleeps {
        fn drop(&mut self) {
            futures_lite::future::block_on(sleep(ms(10)));
            block_on(sleep(ms(10)));
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let done = Arc::new(AtomicUsize::new(0));
    let runtime = gorust::runtime::Runtime::new().unwrap();
    for _ in 0..4 {
        let sleeps = Sleeps(done.clone());
        drop(runtime.go(async move {
            let _sleeps = sleeps;
            pending::<()>().await;
        }));
    }
    runtime.block_on(sleep(ms(20)));
    let start = Instant::now();
    drop(runtime);
    while done.load(Ordering::SeqCst) < 4 {
        assert!(start.elapsed() < Duration::from_secs(20), "never slept");
        thread::sleep(ms(1));
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}
