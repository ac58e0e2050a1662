//! The pool for blocking calls: results, order, limits, threads that come and go.

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Drops, Flag, eventually, watchdog};
use gorust::runtime::{Builder, Runtime};
use gorust::{block_on, go, go_blocking, yield_now};

fn pool_of(threads: usize) -> Runtime {
    Builder::new()
        .worker_threads(2)
        .max_blocking_threads(threads)
        .build()
        .unwrap()
}

#[test]
fn results_come_back() {
    let _watchdog = watchdog();
    assert_eq!(block_on(go_blocking(|| 5)).unwrap(), 5);
    let text = String::from("moved in, moved out");
    assert_eq!(
        block_on(go_blocking(move || text)).unwrap(),
        "moved in, moved out"
    );
    block_on(async {
        let handles: Vec<_> = (0..500).map(|i| go_blocking(move || i)).collect();
        for (i, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.await.unwrap(), i);
        }
    });
}

#[test]
fn closures_block_without_stopping_goroutines() {
    let _watchdog = watchdog();
    let runtime = Builder::new().worker_threads(1).build().unwrap();
    let flags: Vec<_> = (0..20).map(|_| Flag::new()).collect();
    let handles: Vec<_> = flags
        .iter()
        .map(|flag| {
            let flag = flag.clone();
            runtime.go_blocking(move || flag.wait_blocking())
        })
        .collect();
    let freer = runtime.go(async move {
        for flag in flags {
            yield_now().await;
            flag.set();
        }
    });
    runtime.block_on(async {
        freer.await.unwrap();
        for handle in handles {
            handle.await.unwrap();
        }
    });
}

#[test]
fn no_more_threads_run_than_the_limit_says() {
    let _watchdog = watchdog();
    for limit in [1, 2, 5] {
        let runtime = pool_of(limit);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let handles: Vec<_> = (0..60)
            .map(|_| {
                let (running, most) = (running.clone(), most.clone());
                runtime.go_blocking(move || {
                    let now = running.fetch_add(1, Ordering::AcqRel) + 1;
                    most.fetch_max(now, Ordering::AcqRel);
                    std::thread::sleep(Duration::from_millis(1));
                    running.fetch_sub(1, Ordering::AcqRel);
                })
            })
            .collect();
        for handle in handles {
            block_on(handle).unwrap();
        }
        assert!(most.load(Ordering::Acquire) <= limit);
        assert!(runtime.handle().metrics().blocking_threads() <= limit);
    }
}

#[test]
fn the_limit_is_reached_if_there_is_work_for_it() {
    let _watchdog = watchdog();
    let runtime = pool_of(8);
    let (running, end) = (Arc::new(AtomicUsize::new(0)), Flag::new());
    let handles: Vec<_> = (0..12)
        .map(|_| {
            let (running, end) = (running.clone(), end.clone());
            runtime.go_blocking(move || {
                running.fetch_add(1, Ordering::AcqRel);
                end.wait_blocking();
            })
        })
        .collect();
    eventually("eight run", || running.load(Ordering::Acquire) == 8);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(running.load(Ordering::Acquire), 8);
    assert_eq!(runtime.handle().metrics().blocking_threads(), 8);
    end.set();
    for handle in handles {
        block_on(handle).unwrap();
    }
    assert_eq!(running.load(Ordering::Acquire), 12);
}

#[test]
fn closures_begin_in_the_order_in_which_they_came() {
    let _watchdog = watchdog();
    let runtime = pool_of(1);
    let (begin, order) = (Flag::new(), Arc::new(Mutex::new(Vec::new())));
    let gate = begin.clone();
    let mut handles = vec![runtime.go_blocking(move || gate.wait_blocking())];
    for i in 0..200 {
        let order = order.clone();
        handles.push(runtime.go_blocking(move || order.lock().unwrap().push(i)));
    }
    begin.set();
    for handle in handles {
        block_on(handle).unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_panic_does_not_cost_the_pool_its_thread() {
    let _watchdog = watchdog();
    let runtime = pool_of(1);
    for i in 0..50 {
        let handle = runtime.go_blocking(move || {
            assert!(i % 2 != 0, "as the test wants");
            i
        });
        let result = block_on(handle);
        assert_eq!(result.is_err(), i % 2 == 0);
    }
    assert_eq!(runtime.handle().metrics().blocking_threads(), 1);
}

#[test]
fn threads_are_used_again() {
    let _watchdog = watchdog();
    let runtime = pool_of(512);
    let mut threads = HashSet::new();
    for _ in 0..200 {
        let handle = runtime.go_blocking(|| std::thread::current().id());
        threads.insert(block_on(handle).unwrap());
        // Its thread waits for the next closure soon after the end of this one.
        std::thread::sleep(Duration::from_micros(300));
    }
    assert!(threads.len() < 50, "{} threads", threads.len());
}

#[test]
fn threads_go_when_there_has_been_nothing_to_do() {
    let _watchdog = watchdog();
    let runtime = pool_of(4);
    let metrics = runtime.handle().metrics();
    let end = Flag::new();
    let handles: Vec<_> = (0..4)
        .map(|_| {
            let end = end.clone();
            runtime.go_blocking(move || end.wait_blocking())
        })
        .collect();
    assert_eq!(metrics.blocking_threads(), 4);
    end.set();
    for handle in handles {
        block_on(handle).unwrap();
    }
    eventually("the threads end", || metrics.blocking_threads() == 0);
    // And come back.
    assert_eq!(block_on(runtime.go_blocking(|| 1)).unwrap(), 1);
    assert_eq!(metrics.blocking_threads(), 1);
}

#[test]
fn closures_that_start_closures_and_wait_for_them_get_through() {
    let _watchdog = watchdog();
    let runtime = pool_of(64);
    fn nest(depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        block_on(go_blocking(move || nest(depth - 1))).unwrap() + 1
    }
    assert_eq!(block_on(runtime.go_blocking(|| nest(30))).unwrap(), 30);
}

#[test]
fn closures_and_goroutines_wait_for_each_other() {
    let _watchdog = watchdog();
    let runtime = Builder::current_thread()
        .max_blocking_threads(2)
        .build()
        .unwrap();
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for i in 0..100 {
            let closure = go_blocking(move || block_on(go(async move { i })).unwrap());
            sum += go(async move { closure.await.unwrap() }).await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 4950);
}

#[test]
fn a_detached_closure_runs_and_its_result_is_dropped_once() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    for _ in 0..100 {
        let (owned, output) = (drops.child(), drops.child());
        drop(go_blocking(move || {
            drop(owned);
            output
        }));
    }
    eventually("all ran and were dropped", || drops.count() == 200);
}

#[test]
fn aborted_closures_in_the_queue_are_skipped() {
    let _watchdog = watchdog();
    let runtime = pool_of(1);
    let (begin, ran, drops) = (Flag::new(), Arc::new(AtomicUsize::new(0)), Drops::new());
    let gate = begin.clone();
    let first = runtime.go_blocking(move || gate.wait_blocking());
    let queued: Vec<_> = (0..100)
        .map(|_| {
            let (ran, child) = (ran.clone(), drops.child());
            runtime.go_blocking(move || {
                let _child = child;
                ran.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    for handle in queued.iter().step_by(2) {
        handle.abort();
    }
    begin.set();
    block_on(first).unwrap();
    for (i, handle) in queued.into_iter().enumerate() {
        match block_on(handle) {
            Ok(()) => assert_eq!(i % 2, 1),
            Err(error) => assert!(error.is_cancelled() && i % 2 == 0),
        }
    }
    assert_eq!(ran.load(Ordering::Relaxed), 50);
    assert_eq!(drops.count(), 100);
}

#[test]
fn bursts_from_many_threads_lose_no_closure() {
    let _watchdog = watchdog();
    let runtime = pool_of(3);
    let count = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let handles: Vec<_> = (0..5)
                        .map(|_| {
                            let count = count.clone();
                            runtime.go_blocking(move || {
                                count.fetch_add(1, Ordering::Relaxed);
                            })
                        })
                        .collect();
                    for handle in handles {
                        block_on(handle).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 3_000);
}
