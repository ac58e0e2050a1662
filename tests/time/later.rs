//! Things that happen later: `after_func`, `after`, `tick`.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gorust::chan::TryRecvError;
use gorust::time::{self, Instant, sleep, timeout};

use crate::{LONG, in_goroutine, ms};

/// A future that counts its runs.
fn counting(runs: &Arc<AtomicUsize>) -> impl Future<Output = usize> + Send + 'static {
    let runs = runs.clone();
    async move { runs.fetch_add(1, Ordering::SeqCst) }
}

#[test]
fn after_func_runs_once_and_not_early() {
    in_goroutine(async {
        let (send, receive) = std::sync::mpsc::channel();
        let start = Instant::now();
        let timer = time::after_func(ms(20), async move { send.send(Instant::now()).unwrap() });
        let ran = loop {
            if let Ok(moment) = receive.try_recv() {
                break moment;
            }
            sleep(ms(1)).await;
        };
        assert!(ran - start >= ms(20));
        assert!(!timer.stop(), "fired");
        assert!(!timer.reset(ms(1)), "fired");
        assert!(format!("{timer:?}").contains("fired: true"));
        sleep(ms(30)).await;
        assert!(receive.try_recv().is_err(), "only once");
    });
}

#[test]
fn a_stopped_timer_does_not_run_until_reset() {
    in_goroutine(async {
        let runs = Arc::new(AtomicUsize::new(0));
        let timer = time::after_func(ms(20), counting(&runs));
        assert!(timer.stop());
        assert!(!timer.stop());
        sleep(ms(60)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 0);
        assert!(!timer.reset(ms(5)), "was stopped");
        while runs.load(Ordering::SeqCst) == 0 {
            sleep(ms(1)).await;
        }
        assert!(!timer.reset(ms(1)));
    });
}

#[test]
fn a_reset_timer_runs_at_the_new_moment_only() {
    in_goroutine(async {
        let runs = Arc::new(AtomicUsize::new(0));
        let timer = time::after_func(ms(10), counting(&runs));
        for _ in 0..5 {
            assert!(timer.reset(LONG));
            assert!(timer.reset(Duration::MAX));
        }
        sleep(ms(40)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 0);
        assert!(timer.reset(Duration::ZERO));
        while runs.load(Ordering::SeqCst) == 0 {
            sleep(ms(1)).await;
        }
        sleep(ms(10)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn dropping_a_timer_changes_nothing() {
    in_goroutine(async {
        let runs = Arc::new(AtomicUsize::new(0));
        drop(time::after_func(ms(5), counting(&runs)));
        while runs.load(Ordering::SeqCst) == 0 {
            sleep(ms(1)).await;
        }
    });
}

#[test]
fn a_stopped_and_dropped_timer_drops_its_future() {
    in_goroutine(async {
        let held = Arc::new(());
        let captured = held.clone();
        let timer = time::after_func(LONG, async move { drop(captured) });
        assert!(timer.stop());
        drop(timer);
        while Arc::strong_count(&held) > 1 {
            sleep(ms(1)).await; // its goroutine ends as soon as a worker gets to it
        }
    });
}

#[test]
fn a_timer_stopped_and_reset_from_many_threads_runs_once() {
    for _ in 0..20 {
        let runs = Arc::new(AtomicUsize::new(0));
        let timer = Arc::new(time::after_func(ms(1), counting(&runs)));
        let threads: Vec<_> = (0..3_u64)
            .map(|number| {
                let timer = timer.clone();
                thread::spawn(move || {
                    for round in 0..50 {
                        if (round + number) % 3 == 0 {
                            timer.stop();
                        } else {
                            timer.reset(Duration::from_micros(round * 20));
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        timer.reset(Duration::ZERO);
        let start = Instant::now();
        while runs.load(Ordering::SeqCst) == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "never ran");
            thread::sleep(ms(1));
        }
        assert!(!timer.stop());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn after_delivers_the_moment_once_and_closes() {
    in_goroutine(async {
        let start = Instant::now();
        let receiver = time::after(ms(10));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        let moment = receiver.recv().await.unwrap();
        assert!(moment >= start + ms(10) && moment <= Instant::now());
        assert_eq!(receiver.recv().await, None);
        assert!(time::after(Duration::ZERO).recv().await.is_some());
        drop(time::after(ms(1))); // nobody listens
        sleep(ms(5)).await;
    });
}

#[test]
fn after_can_be_received_by_a_plain_thread() {
    let start = Instant::now();
    let moment = time::after(ms(10)).recv_blocking().unwrap();
    assert!(moment >= start + ms(10));
}

#[test]
fn tick_delivers_every_period() {
    in_goroutine(async {
        let start = Instant::now();
        let ticks = time::tick(ms(10));
        for number in 1..=5 {
            let moment = ticks.recv().await.unwrap();
            assert!(moment >= start + ms(10) * number);
        }
    });
}

#[test]
fn tick_leaves_out_what_is_not_received() {
    in_goroutine(async {
        let ticks = time::tick(ms(10));
        sleep(ms(150)).await;
        let waited = Instant::now();
        assert!(ticks.recv().await.unwrap() < waited, "one was kept");
        assert!(ticks.recv().await.unwrap() >= waited, "and no more");
    });
}

#[test]
fn tick_ends_without_receivers() {
    let runtime = gorust::runtime::Runtime::new().unwrap();
    let handle = runtime.handle();
    runtime.block_on(async {
        for _ in 0..10 {
            drop(time::tick(ms(5)));
            let closed = time::tick(ms(5));
            assert!(closed.close());
        }
        timeout(Duration::from_secs(60), async {
            while handle.metrics().num_goroutine() > 0 {
                sleep(ms(5)).await;
            }
        })
        .await
        .expect("the goroutines end");
    });
}

#[test]
fn endless_channels_have_nothing_behind_them() {
    let runtime = gorust::runtime::Runtime::new().unwrap();
    let handle = runtime.handle();
    runtime.block_on(async {
        let before = handle.metrics().spawned();
        let (after, tick) = (time::after(Duration::MAX), time::tick(Duration::MAX));
        assert_eq!(handle.metrics().spawned(), before);
        assert!(timeout(ms(5), after.recv()).await.is_err());
        assert!(timeout(ms(5), tick.recv()).await.is_err());
    });
}

#[test]
#[should_panic(expected = "must not be zero")]
fn a_tick_of_zero_panics() {
    let _ = time::tick(Duration::ZERO);
}
