//! Faults that were found in the scheduler once, each with the test that showed it.

use gorust::runtime::Builder;
use gorust::task::JoinSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs `f` on a thread; panics if it takes longer than `limit`.
fn within(limit: Duration, f: impl FnOnce() + Send + 'static) {
    let (tx, rx) = mpsc::channel();
    std::thread::spawn(move || {
        f();
        let _ = tx.send(());
    });
    rx.recv_timeout(limit).expect("took too long (or panicked)");
}

#[test]
fn try_join_next_without_budget() {
    within(ms(30_000), || {
        let rt = Builder::new().worker_threads(1).build().unwrap();
        let h = rt.go(async {
            let (tx, _rx) = gorust::chan::unbounded::<u32>();
            let mut set = JoinSet::new();
            set.go(async { 1 });
            for i in 0..128 {
                tx.send(i).await.unwrap();
            }
            set.try_join_next().map(|r| r.unwrap())
        });
        futures_lite::future::block_on(h).unwrap();
        drop(rt);
    });
}

#[test]
fn block_on_sleep_on_gone_runtime() {
    within(ms(30_000), || {
        let rt = Builder::new().worker_threads(1).build().unwrap();
        let h = rt.handle().clone();
        drop(rt);
        h.block_on(gorust::time::sleep(ms(10)));
    });
}

#[test]
fn blocking_closure_that_outlives_the_runtime_ends() {
    let rt = Builder::new().worker_threads(1).build().unwrap();
    let (tx, rx) = mpsc::channel();
    let (ready, is_ready) = mpsc::channel();
    drop(rt.go_blocking(move || {
        ready.send(()).unwrap();
        gorust::block_on(gorust::time::sleep(ms(300)));
        tx.send(()).unwrap();
    }));
    is_ready.recv().unwrap();
    drop(rt);
    rx.recv_timeout(ms(30_000)).expect("spins for ever");
}

#[test]
fn shutdown_background_returns_at_once() {
    let rt = Builder::new().worker_threads(1).build().unwrap();
    let (tx, rx) = mpsc::channel();
    drop(rt.go(async move {
        tx.send(()).unwrap();
        std::thread::sleep(ms(700));
    }));
    rx.recv().unwrap();
    let start = Instant::now();
    rt.shutdown_background();
    assert!(start.elapsed() < ms(200), "{:?}", start.elapsed());
}

#[test]
fn root_polled_while_it_counts_as_a_searcher() {
    let rt = Builder::new().worker_threads(2).build().unwrap();
    std::thread::sleep(ms(100));
    let slot: Arc<Mutex<Option<Waker>>> = Arc::default();
    let go = Arc::new(AtomicBool::new(false));
    let (tx, rx) = mpsc::channel::<()>();
    let handle = rt.handle().clone();
    let (slot2, go2) = (slot.clone(), go.clone());
    let other = std::thread::spawn(move || {
        std::thread::sleep(ms(300));
        drop(handle.go(async move { tx.send(()).unwrap() })); // wakes the thread in block_on, as a searcher
        go2.store(true, Ordering::SeqCst);
        slot2.lock().unwrap().take().unwrap().wake(); // and its future
    });
    let got = rt.block_on(std::future::poll_fn(|cx| {
        if !go.load(Ordering::SeqCst) {
            *slot.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // another processor is idle, its machine sleeps: it should run the goroutine
        Poll::Ready(rx.recv_timeout(ms(2000)))
    }));
    other.join().unwrap();
    got.expect("nobody ran the goroutine");
}

#[test]
fn the_same_with_our_own_blocking_call() {
    let rt = Builder::new().worker_threads(2).build().unwrap();
    std::thread::sleep(ms(100));
    let slot: Arc<Mutex<Option<Waker>>> = Arc::default();
    let go = Arc::new(AtomicBool::new(false));
    let (tx, rx) = gorust::chan::chan::<()>(0);
    let handle = rt.handle().clone();
    let (slot2, go2) = (slot.clone(), go.clone());
    let other = std::thread::spawn(move || {
        std::thread::sleep(ms(300));
        drop(handle.go(async move {}));
        go2.store(true, Ordering::SeqCst);
        slot2.lock().unwrap().take().unwrap().wake();
        std::thread::sleep(ms(300));
        drop(handle.go(async move { tx.send(()).await.unwrap() }));
    });
    let (done_tx, done) = mpsc::channel();
    std::thread::spawn(move || {
        rt.block_on(std::future::poll_fn(|cx| {
            if !go.load(Ordering::SeqCst) {
                *slot.lock().unwrap() = Some(cx.waker().clone());
                return Poll::Pending;
            }
            rx.recv_blocking();
            Poll::Ready(())
        }));
        done_tx.send(()).unwrap();
    });
    other.join().unwrap();
    done.recv_timeout(ms(30_000))
        .expect("nobody ran the goroutine");
}

#[test]
fn stop_hooks_have_run_when_drop_returns() {
    for _ in 0..50 {
        let (a, b) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (a2, b2) = (a.clone(), b.clone());
        let rt = Builder::new()
            .worker_threads(4)
            .on_thread_start(move || {
                a2.fetch_add(1, Ordering::SeqCst);
            })
            .on_thread_stop(move || {
                b2.fetch_add(1, Ordering::SeqCst);
            })
            .build()
            .unwrap();
        rt.block_on(gorust::yield_now());
        drop(rt);
        assert_eq!(a.load(Ordering::SeqCst), b.load(Ordering::SeqCst));
    }
}

#[test]
fn surplus_machine_takes_its_timers_along() {
    let rt = Builder::new().worker_threads(1).build().unwrap();
    let (tx, rx) = mpsc::channel();
    // three threads of ours on one processor
    for _ in 0..3 {
        drop(rt.go(async { gorust::block_on(gorust::time::sleep(ms(200))) }));
    }
    std::thread::sleep(ms(600));
    let t = tx.clone();
    drop(rt.go(async move {
        gorust::time::sleep(ms(13_000)).await;
        t.send(()).unwrap();
    }));
    rx.recv_timeout(ms(16_000)).expect("the timer was lost");
}
