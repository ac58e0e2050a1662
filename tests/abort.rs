//! An aborted goroutine ends, once, at the latest when its running poll is over.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{Drops, Flag, OnDrop, Random, eventually, poll_once, watchdog};
use gorust::runtime::{Builder, Runtime};
use gorust::task::AbortHandle;
use gorust::{block_on, go, go_blocking, yield_now};

#[test]
fn before_its_first_poll_a_goroutine_is_dropped_unpolled() {
    let _watchdog = watchdog();
    let runtime = Builder::current_thread().build().unwrap();
    let (drops, polled) = (Drops::new(), Flag::new());
    runtime.block_on(async {
        // The only processor is ours: nothing runs before we wait.
        runtime
            .go({
                let (drops, polled) = (drops.clone(), polled.clone());
                async move {
                    let child = drops.child();
                    let inner = {
                        let polled = polled.clone();
                        go(async move {
                            let _child = child;
                            polled.set();
                        })
                    };
                    inner.abort();
                    assert!(!inner.is_finished(), "a worker drops it, not who aborts it");
                    assert!(inner.await.unwrap_err().is_cancelled());
                }
            })
            .await
            .unwrap();
    });
    assert!(!polled.is_set());
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_waiting_goroutine_is_dropped() {
    let _watchdog = watchdog();
    let (drops, started) = (Drops::new(), Flag::new());
    let handle = {
        let (child, started) = (drops.child(), started.clone());
        go(async move {
            let _child = child;
            started.set();
            std::future::pending::<()>().await;
        })
    };
    started.wait_blocking();
    handle.abort();
    assert!(block_on(handle).unwrap_err().is_cancelled());
    assert_eq!(drops.count(), 1, "when the joiner knows, it is dropped");
}

#[test]
fn a_running_poll_is_not_interrupted_and_the_next_wait_is_the_last() {
    let _watchdog = watchdog();
    let (started, go_on, later) = (Flag::new(), Flag::new(), Flag::new());
    let handle = {
        let (started, go_on, later) = (started.clone(), go_on.clone(), later.clone());
        go(async move {
            started.set();
            go_on.wait_blocking();
            let _later = OnDrop::new(move || later.set());
            yield_now().await;
            unreachable!("polled again after the abort");
        })
    };
    started.wait_blocking();
    handle.abort();
    assert!(!handle.is_finished());
    go_on.set();
    assert!(block_on(handle).unwrap_err().is_cancelled());
    assert!(later.is_set());
}

#[test]
fn a_goroutine_that_ends_in_its_running_poll_has_its_result() {
    let _watchdog = watchdog();
    let (started, go_on) = (Flag::new(), Flag::new());
    let handle = {
        let (started, go_on) = (started.clone(), go_on.clone());
        go(async move {
            started.set();
            go_on.wait_blocking();
            5
        })
    };
    started.wait_blocking();
    handle.abort();
    go_on.set();
    assert_eq!(block_on(handle).unwrap(), 5);
}

#[test]
fn a_finished_goroutine_keeps_its_result() {
    let _watchdog = watchdog();
    let handle = go(async { 6 });
    eventually("it ends", || handle.is_finished());
    handle.abort();
    handle.abort_handle().abort();
    assert_eq!(block_on(handle).unwrap(), 6);
}

#[test]
fn aborts_may_be_repeated_by_many_threads() {
    let _watchdog = watchdog();
    for _ in 0..200 {
        let drops = Drops::new();
        let child = drops.child();
        let handle = go(async move {
            let _child = child;
            std::future::pending::<()>().await;
        });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let abort = handle.abort_handle();
                scope.spawn(move || {
                    abort.abort();
                    abort.clone().abort();
                });
            }
        });
        assert!(block_on(handle).unwrap_err().is_cancelled());
        assert_eq!(drops.count(), 1);
    }
}

#[test]
fn a_goroutine_can_abort_itself() {
    let _watchdog = watchdog();
    let own = Arc::new(Mutex::new(None::<AbortHandle>));
    let (ready, reached) = (Flag::new(), Flag::new());
    let handle = {
        let (own, ready, reached) = (own.clone(), ready.clone(), reached.clone());
        go(async move {
            ready.wait().await;
            own.lock().unwrap().take().unwrap().abort();
            reached.set(); // its poll goes on
            yield_now().await;
            unreachable!("polled again after the abort");
        })
    };
    *own.lock().unwrap() = Some(handle.abort_handle());
    ready.set();
    assert!(block_on(handle).unwrap_err().is_cancelled());
    assert!(reached.is_set());
}

#[test]
fn abort_handles_work_after_the_join_handle_the_goroutine_and_the_runtime() {
    let _watchdog = watchdog();
    let runtime = Runtime::new().unwrap();
    let drops = Drops::new();
    let child = drops.child();
    let detached = runtime.go(async move {
        let _child = child;
        std::future::pending::<()>().await;
    });
    let abort = detached.abort_handle();
    drop(detached);
    assert!(!abort.is_finished());
    abort.abort();
    eventually("the detached goroutine ends", || abort.is_finished());
    assert_eq!(drops.count(), 1);
    abort.abort();
    drop(runtime);
    abort.abort();
    assert!(abort.clone().is_finished());
}

#[test]
fn who_aborts_does_not_run_the_destructors() {
    let _watchdog = watchdog();
    let dropped_by = Arc::new(Mutex::new(None));
    let note = dropped_by.clone();
    let started = Flag::new();
    let start = started.clone();
    let handle = go(async move {
        let _note = OnDrop::new(move || {
            *note.lock().unwrap() = Some(std::thread::current().id());
        });
        start.set();
        std::future::pending::<()>().await;
    });
    started.wait_blocking();
    handle.abort();
    eventually("it ends", || handle.is_finished());
    let dropped_by = dropped_by.lock().unwrap().unwrap();
    assert_ne!(dropped_by, std::thread::current().id());
}

#[test]
fn aborting_a_joiner_leaves_the_joined_alone() {
    let _watchdog = watchdog();
    let (end, done, waits) = (Flag::new(), Flag::new(), Flag::new());
    let inner = {
        let (end, done) = (end.clone(), done.clone());
        go(async move {
            end.wait().await;
            done.set();
        })
    };
    let outer = {
        let waits = waits.clone();
        go(async move {
            waits.set();
            inner.await
        })
    };
    waits.wait_blocking();
    outer.abort();
    assert!(block_on(outer).unwrap_err().is_cancelled());
    end.set();
    done.wait_blocking();
}

#[test]
fn a_destructor_that_panics_on_abort_is_what_the_joiner_gets() {
    let _watchdog = watchdog();
    let started = Flag::new();
    let start = started.clone();
    let handle = go(async move {
        let _panics = OnDrop::new(|| panic!("the destructor's"));
        start.set();
        std::future::pending::<()>().await;
    });
    started.wait_blocking();
    handle.abort();
    let error = block_on(handle).unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    assert!(error.to_string().contains("the destructor's"));
}

#[test]
fn an_abort_wakes_the_joiner_of_a_goroutine_that_nobody_wakes() {
    let _watchdog = watchdog();
    let mut handle = go(std::future::pending::<()>());
    let abort = handle.abort_handle();
    assert!(poll_once(&mut handle).is_pending());
    let joiner = go(handle);
    drop(go(async move { abort.abort() }));
    assert!(block_on(joiner).unwrap().unwrap_err().is_cancelled());
}

#[test]
fn an_abort_that_races_with_the_end_leaves_one_outcome() {
    let _watchdog = watchdog();
    let mut random = Random::seeded();
    let (drops, outputs) = (Drops::new(), Drops::new());
    let (mut done, mut cancelled) = (0, 0);
    const ROUNDS: usize = 3_000;
    for _ in 0..ROUNDS {
        let (child, output) = (drops.child(), outputs.child());
        let handle = go(async move {
            let _child = child;
            yield_now().await;
            output
        });
        for _ in 0..random.below(2_000) {
            std::hint::spin_loop();
        }
        handle.abort();
        match block_on(handle) {
            Ok(_output) => done += 1,
            Err(error) => {
                assert!(error.is_cancelled());
                cancelled += 1;
            }
        }
    }
    assert_eq!(done + cancelled, ROUNDS);
    assert_eq!(drops.count(), ROUNDS);
    assert_eq!(outputs.count(), ROUNDS, "taken or dropped with the future");
}

#[test]
fn an_abort_that_races_with_wakes_is_not_lost() {
    let _watchdog = watchdog();
    for _ in 0..300 {
        let wakers = Arc::new(Mutex::new(Vec::new()));
        let registered = wakers.clone();
        let handle = go(std::future::poll_fn(move |cx| {
            registered.lock().unwrap().push(cx.waker().clone());
            std::task::Poll::<()>::Pending
        }));
        let stop = Flag::new();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.is_set() {
                        let wakers = std::mem::take(&mut *wakers.lock().unwrap());
                        wakers.into_iter().for_each(std::task::Waker::wake);
                    }
                });
            }
            handle.abort();
            let error = block_on(handle).unwrap_err();
            stop.set();
            assert!(error.is_cancelled());
        });
    }
}

#[test]
fn a_blocking_closure_is_aborted_only_before_it_begins() {
    let _watchdog = watchdog();
    let runtime = Builder::new().max_blocking_threads(1).build().unwrap();
    let (started, end) = (Flag::new(), Flag::new());
    let running = {
        let (started, end) = (started.clone(), end.clone());
        runtime.go_blocking(move || {
            started.set();
            end.wait_blocking();
            1
        })
    };
    started.wait_blocking();
    let ran = Flag::new();
    let drops = Drops::new();
    let queued = {
        let (ran, child) = (ran.clone(), drops.child());
        runtime.go_blocking(move || {
            let _child = child;
            ran.set();
        })
    };
    queued.abort();
    running.abort();
    end.set();
    assert_eq!(block_on(running).unwrap(), 1);
    assert!(block_on(queued).unwrap_err().is_cancelled());
    assert!(!ran.is_set());
    assert_eq!(drops.count(), 1);
}

#[test]
fn aborted_goroutines_that_others_wait_for_are_all_dropped() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    let ended = Arc::new(AtomicUsize::new(0));
    block_on(async {
        let handles: Vec<_> = (0..1_000)
            .map(|_| {
                let (child, ended) = (drops.child(), ended.clone());
                go(async move {
                    let _child = child;
                    let _ended = OnDrop::new(move || {
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                    loop {
                        yield_now().await;
                    }
                })
            })
            .collect();
        for handle in &handles {
            handle.abort();
        }
        for handle in handles {
            assert!(handle.await.unwrap_err().is_cancelled());
        }
    });
    assert_eq!(drops.count(), 1_000);
    eventually("no loop goes on", || ended.load(Ordering::Relaxed) <= 1_000);
    let _ = go_blocking(|| ()).abort_handle();
}
