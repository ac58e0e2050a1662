//! Goroutines run, end, and hand over their results.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gorust::runtime::{Builder, Runtime};
use gorust::{block_on, go, yield_now};

#[test]
fn a_result_comes_back() {
    assert_eq!(block_on(async { go(async { 42 }).await.unwrap() }), 42);
}

#[test]
fn many_goroutines_all_run() {
    let count = Arc::new(AtomicUsize::new(0));
    block_on(async {
        let handles: Vec<_> = (0..10_000)
            .map(|_| {
                let count = count.clone();
                go(async move {
                    count.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        for handle in handles {
            handle.await.unwrap();
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 10_000);
}

#[test]
fn goroutines_start_goroutines() {
    fn tree(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(async move {
            if depth == 0 {
                return 1;
            }
            let (left, right) = (go(tree(depth - 1)), go(tree(depth - 1)));
            left.await.unwrap() + right.await.unwrap()
        })
    }
    assert_eq!(block_on(tree(10)), 1024);
}

#[test]
fn a_plain_thread_can_start_goroutines() {
    let handle = go(async { 7 });
    assert_eq!(block_on(handle).unwrap(), 7);
}

#[test]
fn many_threads_start_goroutines_at_once() {
    let runtime = Runtime::new().unwrap();
    let sum: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|t| {
                let runtime = &runtime;
                scope.spawn(move || {
                    (0..500)
                        .map(|i| runtime.block_on(runtime.go(async move { t * i })).unwrap())
                        .sum::<usize>()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(sum, (0..8).map(|t| t * (0..500).sum::<usize>()).sum());
}

#[test]
fn a_goroutine_runs_on_while_its_starter_hogs_the_worker() {
    let runtime = Builder::new().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let ran = Arc::new(AtomicUsize::new(0));
        let flag = ran.clone();
        go(async move {
            let inner = flag.clone();
            drop(go(async move {
                inner.store(1, Ordering::Release);
            }));
            let start = std::time::Instant::now();
            while flag.load(Ordering::Acquire) == 0 {
                assert!(start.elapsed() < Duration::from_secs(20), "never ran");
                std::hint::spin_loop();
            }
        })
        .await
        .unwrap();
    });
}

#[test]
fn yielding_lets_others_go_first() {
    let runtime = Builder::current_thread().build().unwrap();
    let order = runtime.block_on(async {
        let log = Arc::new(std::sync::Mutex::new(Vec::new()));
        let handles: Vec<_> = (0..3)
            .map(|who| {
                let log = log.clone();
                go(async move {
                    for round in 0..3 {
                        log.lock().unwrap().push((round, who));
                        yield_now().await;
                    }
                })
            })
            .collect();
        for handle in handles {
            handle.await.unwrap();
        }
        Arc::try_unwrap(log).unwrap().into_inner().unwrap()
    });
    let expected: Vec<_> = (0..3)
        .flat_map(|round| (0..3).map(move |who| (round, who)))
        .collect();
    assert_eq!(order, expected);
}
