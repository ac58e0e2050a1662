//! `block_on` runs a future on the calling thread, wherever that is, and stops nobody else.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use common::{Drops, Flag, eventually, spin_until, watchdog};
use gorust::runtime::{Builder, Handle, Runtime};
use gorust::{block_on, chan, go, go_blocking, time, yield_now};

fn runtime_of(workers: usize) -> Runtime {
    Builder::new().worker_threads(workers).build().unwrap()
}

fn all_sizes() -> impl Iterator<Item = Runtime> {
    [1, 2, 4]
        .into_iter()
        .map(runtime_of)
        .chain([Builder::current_thread().build().unwrap()])
}

#[test]
fn the_future_and_its_output_need_not_be_send() {
    let _watchdog = watchdog();
    for runtime in all_sizes() {
        let shared = Rc::new(Cell::new(1));
        let inside = shared.clone();
        let output: Rc<Cell<u32>> = runtime.block_on(async move {
            let thread = std::thread::current().id();
            for _ in 0..10 {
                let sum = go(async { 1 }).await.unwrap();
                inside.set(inside.get() + sum);
                yield_now().await;
                assert_eq!(std::thread::current().id(), thread);
            }
            inside
        });
        assert_eq!(shared.get(), 11);
        assert!(Rc::ptr_eq(&shared, &output));
    }
}

#[test]
fn the_future_may_borrow() {
    let _watchdog = watchdog();
    let text = String::from("borrowed");
    let mut counter = 0;
    block_on(async {
        counter += text.len();
        yield_now().await;
        counter += 1;
    });
    assert_eq!(counter, 9);
}

#[test]
fn the_future_is_dropped_when_it_is_done() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    let child = drops.child();
    block_on(async move {
        let _child = child;
        yield_now().await;
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_panic_comes_out_where_block_on_was_called() {
    let _watchdog = watchdog();
    let thrown = catch_unwind(AssertUnwindSafe(|| {
        block_on(async {
            yield_now().await;
            panic!("on a plain thread");
        })
    }));
    let payload = thrown.unwrap_err();
    assert_eq!(
        *payload.downcast_ref::<&str>().unwrap(),
        "on a plain thread"
    );

    // In a goroutine, in a blocking closure, in another `block_on`.
    let nested = || {
        let drops = Drops::new();
        let child = drops.child();
        let thrown = catch_unwind(AssertUnwindSafe(|| {
            block_on(async move {
                let _child = child;
                yield_now().await;
                panic!("inside");
            })
        }));
        assert_eq!(drops.count(), 1);
        thrown.unwrap_err().downcast_ref::<&str>().copied()
    };
    assert_eq!(
        block_on(go(async move { nested() })).unwrap(),
        Some("inside")
    );
    assert_eq!(block_on(go_blocking(nested)).unwrap(), Some("inside"));
    assert_eq!(block_on(async move { nested() }), Some("inside"));
    let uncaught = go(async { block_on(async { panic!("to the joiner") }) });
    let error = block_on(uncaught).unwrap_err();
    assert!(error.to_string().contains("to the joiner"));
    assert_eq!(block_on(go(async { 1 })).unwrap(), 1, "all goes on");
}

#[test]
fn goroutines_outlive_the_block_on_that_started_them() {
    let _watchdog = watchdog();
    for runtime in all_sizes() {
        let (begin, done) = (Flag::new(), Flag::new());
        runtime.block_on(async {
            let (begin, done) = (begin.clone(), done.clone());
            drop(go(async move {
                begin.wait().await;
                for _ in 0..100 {
                    yield_now().await;
                }
                done.set();
            }));
        });
        begin.set();
        done.wait_blocking();
    }
}

#[test]
fn block_on_in_a_goroutine_does_not_stop_the_others() {
    let _watchdog = watchdog();
    for runtime in all_sizes() {
        let flag = Flag::new();
        let waits = flag.wait();
        // The only worker blocks until another goroutine, queued behind it, has run.
        let handle = runtime.go(async move {
            drop(go(async move {
                yield_now().await;
                flag.set();
            }));
            block_on(waits);
            5
        });
        assert_eq!(runtime.block_on(handle).unwrap(), 5);
    }
}

#[test]
fn all_workers_may_block_at_once() {
    let _watchdog = watchdog();
    for runtime in all_sizes() {
        let workers = runtime.handle().metrics().num_workers();
        for _ in 0..20 {
            let flags: Vec<_> = (0..2 * workers).map(|_| Flag::new()).collect();
            let blocked = Arc::new(AtomicUsize::new(0));
            let blockers: Vec<_> = flags
                .iter()
                .map(|flag| {
                    let (waits, blocked) = (flag.wait(), blocked.clone());
                    runtime.go(async move {
                        blocked.fetch_add(1, Ordering::Relaxed);
                        block_on(waits);
                    })
                })
                .collect();
            eventually("all block", || {
                blocked.load(Ordering::Relaxed) == 2 * workers
            });
            // Only goroutines can free them.
            let freer = runtime.go(async move {
                for flag in flags {
                    go(async move { flag.set() }).await.unwrap();
                }
            });
            runtime.block_on(async {
                freer.await.unwrap();
                for blocker in blockers {
                    blocker.await.unwrap();
                }
            });
        }
    }
}

#[test]
fn block_on_nests_to_any_depth() {
    fn nest(depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        block_on(async move {
            yield_now().await;
            // On this thread, then on another goroutine.
            let here = nest(depth - 1);
            go(async move { block_on(async move { here }) })
                .await
                .unwrap()
                + 1
        })
    }
    let _watchdog = watchdog();
    assert_eq!(nest(10), 10);
    assert_eq!(block_on(go(async { nest(10) })).unwrap(), 10);
    assert_eq!(block_on(go_blocking(|| nest(10))).unwrap(), 10);
}

#[test]
fn block_on_of_another_runtime_works_everywhere() {
    let _watchdog = watchdog();
    let (one, two) = (runtime_of(1), Builder::current_thread().build().unwrap());
    let (one, two) = (Arc::new(one), Arc::new(two));
    let back = one.handle().clone();
    let in_two = two.clone();
    let handle = one.go(async move {
        in_two.block_on(async move {
            let there = go(async { Handle::current().metrics().num_workers() });
            let back = back.go(async { 10 });
            there.await.unwrap() + back.await.unwrap()
        })
    });
    assert_eq!(one.block_on(handle).unwrap(), 11);
    let in_one = one.clone();
    let handle = two.go(async move { in_one.block_on(go(async { 3 })) });
    assert_eq!(two.block_on(handle).unwrap().unwrap(), 3);
}

#[test]
fn block_on_in_a_blocking_closure_sees_its_runtime() {
    let _watchdog = watchdog();
    for runtime in all_sizes() {
        let workers = runtime.handle().metrics().num_workers();
        let handle = runtime.go_blocking(|| {
            block_on(async {
                let handles: Vec<_> = (0..100).map(|i| go(async move { i })).collect();
                let mut sum = 0;
                for handle in handles {
                    sum += handle.await.unwrap();
                }
                (sum, Handle::current().metrics().num_workers())
            })
        });
        assert_eq!(block_on(handle).unwrap(), (4950, workers));
    }
}

#[test]
fn many_threads_take_part_in_one_runtime_at_once() {
    let _watchdog = watchdog();
    for runtime in all_sizes() {
        let barrier = Barrier::new(12);
        std::thread::scope(|scope| {
            for t in 0..12_usize {
                let (runtime, barrier) = (&runtime, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for _ in 0..50 {
                        let sum = runtime.block_on(async {
                            let handles: Vec<_> = (0..10)
                                .map(|i| {
                                    go(async move {
                                        yield_now().await;
                                        t * i
                                    })
                                })
                                .collect();
                            let mut sum = 0;
                            for handle in handles {
                                sum += handle.await.unwrap();
                            }
                            sum
                        });
                        assert_eq!(sum, t * 45);
                    }
                });
            }
        });
        assert_eq!(runtime.handle().metrics().num_goroutine(), 0);
    }
}

#[test]
fn threads_in_block_on_talk_to_each_other_and_to_goroutines() {
    let _watchdog = watchdog();
    for runtime in all_sizes() {
        let (to_b, from_a) = chan::<u32>(0);
        let (to_c, from_b) = chan::<u32>(0);
        let relay = runtime.go(async move {
            while let Some(n) = from_a.recv().await {
                to_c.send(n + 1).await.unwrap();
            }
        });
        std::thread::scope(|scope| {
            scope.spawn(|| {
                runtime.block_on(async {
                    for n in 0..500 {
                        to_b.send(n).await.unwrap();
                    }
                    to_b.close();
                });
            });
            scope.spawn(|| {
                runtime.block_on(async {
                    for n in 0..500 {
                        assert_eq!(from_b.recv().await, Some(n + 1));
                    }
                });
            });
        });
        block_on(relay).unwrap();
    }
}

#[test]
fn a_current_thread_runtime_runs_on_while_nobody_is_in_block_on() {
    let _watchdog = watchdog();
    let runtime = Builder::current_thread().build().unwrap();
    // Never entered at all.
    let flag = Flag::new();
    let set = flag.clone();
    drop(runtime.go(async move {
        yield_now().await;
        time::sleep(Duration::from_millis(5)).await;
        set.set();
    }));
    flag.wait_blocking();
    // Entered and left, with timers and other goroutines still to come.
    let (flag, count) = (Flag::new(), Arc::new(AtomicUsize::new(0)));
    runtime.block_on(async {
        for _ in 0..10 {
            let (flag, count) = (flag.clone(), count.clone());
            drop(go(async move {
                flag.wait().await;
                time::sleep(Duration::from_millis(20)).await;
                count.fetch_add(1, Ordering::Relaxed);
            }));
        }
        yield_now().await;
    });
    flag.set();
    eventually("all end", || count.load(Ordering::Relaxed) == 10);
    // Woken from outside, long after the last `block_on`.
    let flag = Flag::new();
    let handle = runtime.go(flag.wait());
    std::thread::sleep(Duration::from_millis(50));
    flag.set();
    eventually("it ends", || handle.is_finished());
}

#[test]
fn a_current_thread_runtime_runs_on_while_its_thread_blocks() {
    let _watchdog = watchdog();
    let runtime = Builder::current_thread().build().unwrap();
    let ticks = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let count = ticks.clone();
        drop(go(async move {
            loop {
                count.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        }));
        yield_now().await;
        // A blocking operation of ours hands the processor over.
        let before = ticks.load(Ordering::Relaxed);
        let later = ticks.clone();
        block_on(go(async move {
            while later.load(Ordering::Relaxed) < before + 1_000 {
                yield_now().await;
            }
        }))
        .unwrap();
        let (sender, receiver) = chan::<u8>(0);
        drop(go(async move {
            for _ in 0..100 {
                yield_now().await;
            }
            sender.send(7).await.unwrap();
        }));
        assert_eq!(receiver.recv_blocking(), Some(7));
    });
}

#[test]
fn goroutines_of_a_current_thread_runtime_never_run_at_the_same_time() {
    let _watchdog = watchdog();
    let runtime = Builder::current_thread().build().unwrap();
    let (inside, overlaps) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = || {
        let (inside, overlaps) = (inside.clone(), overlaps.clone());
        async move {
            for _ in 0..200 {
                if inside.fetch_add(1, Ordering::AcqRel) != 0 {
                    overlaps.fetch_add(1, Ordering::Relaxed);
                }
                std::hint::spin_loop();
                inside.fetch_sub(1, Ordering::AcqRel);
                yield_now().await;
            }
        }
    };
    let handles: Vec<_> = (0..10).map(|_| runtime.go(work())).collect();
    std::thread::scope(|scope| {
        for handle in handles {
            let runtime = &runtime;
            scope.spawn(move || runtime.block_on(handle).unwrap());
        }
    });
    assert_eq!(overlaps.load(Ordering::Relaxed), 0);
}

#[test]
fn yielding_in_block_on_lets_the_goroutines_go_first() {
    let _watchdog = watchdog();
    let runtime = Builder::current_thread().build().unwrap();
    for _ in 0..3 {
        runtime.block_on(async {
            let log = Rc::new(RefCell::new(Vec::new()));
            let ran = Arc::new(AtomicUsize::new(0));
            for round in 1..=3 {
                for _ in 0..10 {
                    let ran = ran.clone();
                    drop(go(async move {
                        ran.fetch_add(1, Ordering::Relaxed);
                    }));
                }
                yield_now().await;
                log.borrow_mut().push((round, ran.load(Ordering::Relaxed)));
            }
            assert_eq!(*log.borrow(), [(1, 10), (2, 20), (3, 30)]);
        });
    }
}

#[test]
fn a_future_that_wakes_itself_for_ever_does_not_starve_goroutines() {
    let _watchdog = watchdog();
    for runtime in all_sizes() {
        let done = Flag::new();
        let set = done.clone();
        drop(runtime.go(async move {
            for _ in 0..1_000 {
                yield_now().await;
            }
            set.set();
        }));
        runtime.block_on(std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if done.is_set() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        }));
    }
}

/// The runtime's threads and the watcher sleep deeply after this.
fn let_all_sleep() {
    std::thread::sleep(Duration::from_millis(1_500));
}

#[test]
fn what_a_hogging_future_started_runs_elsewhere() {
    let _watchdog = watchdog();
    let runtime = runtime_of(2);
    for _ in 0..2 {
        let_all_sleep();
        runtime.block_on(async {
            // Its second poll has a processor, taken without waking anybody.
            yield_now().await;
            let ran = Flag::new();
            let set = ran.clone();
            drop(go(async move { set.set() }));
            ran.spin();
        });
    }
}

#[test]
fn what_a_goroutine_of_a_thread_that_just_came_started_runs_elsewhere() {
    let _watchdog = watchdog();
    let runtime = runtime_of(2);
    let_all_sleep();
    runtime.block_on(async {
        yield_now().await;
        let hog = go(async {
            let ran = Flag::new();
            let set = ran.clone();
            drop(go(async move { set.set() }));
            ran.spin();
        });
        hog.await.unwrap();
    });
}

#[test]
fn after_blocking_a_goroutine_still_has_its_children_run_elsewhere() {
    let _watchdog = watchdog();
    let runtime = runtime_of(2);
    let handle = runtime.go(async {
        block_on(async { time::sleep(Duration::from_millis(1_800)).await });
        let ran = Flag::new();
        let set = ran.clone();
        drop(go(async move { set.set() }));
        ran.spin();
    });
    block_on(handle).unwrap();
}

#[test]
fn a_future_woken_together_with_work_for_its_thread_may_wait_for_that_work() {
    let _watchdog = watchdog();
    let runtime = runtime_of(2);
    let rounds = 2_000;
    let (to_root, in_root) = std::sync::mpsc::channel::<(Flag, Flag)>();
    let waker = Arc::new(std::sync::Mutex::new(None::<std::task::Waker>));
    std::thread::scope(|scope| {
        let handle = runtime.handle().clone();
        let registered = waker.clone();
        scope.spawn(move || {
            for _ in 0..rounds {
                let (ran, seen) = (Flag::new(), Flag::new());
                spin_until("the future waits", || registered.lock().unwrap().is_some());
                let set = ran.clone();
                let waker = registered.lock().unwrap().take().unwrap();
                to_root.send((ran, seen.clone())).unwrap();
                // The thread in `block_on` may be the one that is woken for this.
                drop(handle.go(async move { set.set() }));
                waker.wake();
                seen.wait_blocking();
            }
        });
        runtime.block_on(async {
            for _ in 0..rounds {
                let (ran, seen) = std::future::poll_fn(|cx| match in_root.try_recv() {
                    Ok(flags) => std::task::Poll::Ready(flags),
                    Err(_) => {
                        *waker.lock().unwrap() = Some(cx.waker().clone());
                        match in_root.try_recv() {
                            Ok(flags) => std::task::Poll::Ready(flags),
                            Err(_) => std::task::Poll::Pending,
                        }
                    }
                })
                .await;
                ran.spin(); // hogs this thread until the goroutine has run
                seen.set();
            }
        });
    });
}

#[test]
fn a_waker_of_block_on_may_come_from_any_thread_and_late() {
    let _watchdog = watchdog();
    let mut kept = Vec::new();
    for runtime in all_sizes() {
        for _ in 0..50 {
            let flag = Flag::new();
            let set = flag.clone();
            let thread = std::thread::spawn(move || set.set());
            let waker = runtime.block_on(async move {
                flag.wait().await;
                std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone())).await
            });
            waker.wake_by_ref();
            kept.push(waker);
            thread.join().unwrap();
        }
    }
    kept.into_iter().for_each(std::task::Waker::wake);
    assert_eq!(block_on(go(async { 1 })).unwrap(), 1);
}
