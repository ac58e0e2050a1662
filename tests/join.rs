//! A `JoinHandle` gives exactly what its goroutine returned, to whoever holds it.

mod common;

use std::collections::HashSet;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use common::{Drops, Flag, OnDrop, Wakes, eventually, poll_once, watchdog};
use gorust::runtime::{Builder, Runtime};
use gorust::task::{AbortHandle, JoinError, JoinHandle, JoinSet};
use gorust::{block_on, go, go_blocking, task, yield_now};

fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn outputs_of_all_shapes_come_back() {
    let _watchdog = watchdog();
    block_on(async {
        go(async {}).await.unwrap();
        assert_eq!(go(async { String::from("text") }).await.unwrap(), "text");
        assert_eq!(
            go(async { Err::<(), _>("refused") }).await.unwrap(),
            Err("refused")
        );
        let large = go(async { [7_u8; 1 << 16] }).await.unwrap();
        assert!(large.iter().all(|byte| *byte == 7));
        #[repr(align(64))]
        struct Aligned(u8);
        let aligned = go(async { Aligned(3) }).await.unwrap();
        assert_eq!(aligned.0, 3);
        assert_eq!((&raw const aligned) as usize % 64, 0);
    });
}

#[test]
fn an_aligned_future_is_polled_where_it_is_aligned() {
    #[repr(align(256))]
    struct Aligned;
    let _watchdog = watchdog();
    block_on(async {
        let address = go(async {
            let aligned = Aligned;
            yield_now().await;
            &raw const aligned as usize
        });
        assert_eq!(address.await.unwrap() % 256, 0);
    });
}

#[test]
fn a_detached_goroutine_runs_on() {
    let _watchdog = watchdog();
    let (begin, done) = (Flag::new(), Flag::new());
    let handle = {
        let (begin, done) = (begin.clone(), done.clone());
        go(async move {
            begin.wait().await;
            done.set();
        })
    };
    drop(handle);
    begin.set();
    done.wait_blocking();
}

#[test]
fn the_result_of_a_detached_goroutine_is_dropped_once() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    let begin = Flag::new();
    for _ in 0..100 {
        let (output, begin) = (drops.child(), begin.clone());
        drop(go(async move {
            begin.wait().await;
            output
        }));
    }
    assert_eq!(drops.count(), 0);
    begin.set();
    eventually("all outputs are dropped", || drops.count() == 100);
}

#[test]
fn the_result_of_a_goroutine_whose_handle_goes_late_is_dropped_once() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    let output = drops.child();
    let handle = go(async move { output });
    eventually("it ends", || handle.is_finished());
    assert_eq!(drops.count(), 0, "the handle keeps the result");
    drop(handle);
    assert_eq!(drops.count(), 1);
}

#[test]
fn dropping_the_handle_while_the_goroutine_ends_loses_nothing() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    const ROUNDS: usize = 5_000;
    for round in 0..ROUNDS {
        let output = drops.child();
        let handle = go(async move { output });
        for _ in 0..round % 64 {
            std::hint::spin_loop();
        }
        drop(handle);
    }
    eventually("all outputs are dropped", || drops.count() == ROUNDS);
}

#[test]
fn is_finished_tells_whether_the_result_is_there() {
    let _watchdog = watchdog();
    let end = Flag::new();
    let mut handle = go(end.wait());
    let abort = handle.abort_handle();
    assert!(!handle.is_finished() && !abort.is_finished());
    end.set();
    eventually("it ends", || handle.is_finished());
    assert!(abort.is_finished());
    assert!(poll_once(&mut handle).is_ready(), "no wait is left");
    assert!(handle.is_finished(), "also after the result was taken");
}

#[test]
fn a_borrowed_handle_can_be_awaited_and_given_up() {
    let _watchdog = watchdog();
    block_on(async {
        let end = Flag::new();
        let mut handle = {
            let end = end.clone();
            go(async move {
                end.wait().await;
                9
            })
        };
        for _ in 0..3 {
            assert!(poll_once(&mut handle).is_pending());
        }
        {
            let mut borrowed = Box::pin(async { (&mut handle).await });
            assert!(poll_once(&mut borrowed).is_pending());
        }
        end.set();
        assert_eq!((&mut handle).await.unwrap(), 9);
    });
}

#[test]
#[should_panic(expected = "polled after it has answered")]
fn polling_a_handle_again_panics() {
    let mut handle = go(async {});
    eventually("it ends", || handle.is_finished());
    assert!(poll_once(&mut handle).is_ready());
    let _ = poll_once(&mut handle);
}

#[test]
fn ids_are_unique_over_threads_runtimes_and_kinds() {
    let _watchdog = watchdog();
    let seen = Mutex::new(HashSet::new());
    let note = |id: task::Id| assert!(seen.lock().unwrap().insert(id), "{id} came twice");
    let runtimes = [Runtime::new().unwrap(), Runtime::new().unwrap()];
    std::thread::scope(|scope| {
        for runtime in &runtimes {
            scope.spawn(|| {
                for _ in 0..500 {
                    note(runtime.go(async {}).id());
                }
                note(runtime.go_blocking(|| {}).id());
            });
            scope.spawn(|| {
                let inside = runtime.go(async {
                    let handles: Vec<_> = (0..1_000).map(|_| go(async {})).collect();
                    handles.iter().map(JoinHandle::id).collect::<Vec<_>>()
                });
                for id in runtime.block_on(inside).unwrap() {
                    note(id);
                }
            });
        }
    });
    assert_eq!(seen.lock().unwrap().len(), 2 * (500 + 1 + 1_000));
}

#[test]
fn everything_about_a_goroutine_has_the_same_id() {
    let _watchdog = watchdog();
    block_on(async {
        let handle = go(async {
            let before = task::id();
            yield_now().await;
            assert_eq!(before, task::id());
            before
        });
        let (id, abort) = (handle.id(), handle.abort_handle());
        assert_eq!(abort.id(), id);
        assert_eq!(abort.clone().id(), id);
        assert_eq!(handle.await.unwrap(), Some(id));
        assert_eq!(abort.id(), id, "also when it is over");

        let handle = go(async { panic!("as the test wants") });
        let id = handle.id();
        let error = handle.await.unwrap_err();
        assert_eq!(error.id(), id);
        assert!(error.to_string().contains(&id.to_string()));
        assert_eq!(id.to_string(), u64::from(id).to_string());
    });
}

/// The error of a goroutine that was cancelled, and the line that started it.
async fn error_of<T>(handle: JoinHandle<T>) -> String {
    handle.abort();
    match handle.await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was to be cancelled"),
    }
}

#[test]
fn errors_name_the_place_that_started_the_goroutine() {
    let _watchdog = watchdog();
    let runtime = Runtime::new().unwrap();
    let forever = std::future::pending::<()>;
    let here = |line: u32| format!("{}:{line}:", file!());
    block_on(async {
        let (handle, line) = (go(forever()), line!());
        assert!(error_of(handle).await.contains(&here(line)));
        let (handle, line) = (runtime.go(forever()), line!());
        assert!(error_of(handle).await.contains(&here(line)));
        let (handle, line) = (runtime.handle().go(forever()), line!());
        assert!(error_of(handle).await.contains(&here(line)));
        let (handle, line) = (task::Builder::new().go(forever()), line!());
        assert!(error_of(handle).await.contains(&here(line)));

        let fails = || -> () { panic!("as the test wants") };
        let (handle, line) = (go_blocking(fails), line!());
        assert!(handle.await.unwrap_err().to_string().contains(&here(line)));
        let (handle, line) = (runtime.go_blocking(fails), line!());
        assert!(handle.await.unwrap_err().to_string().contains(&here(line)));
        let (handle, line) = (runtime.handle().go_blocking(fails), line!());
        assert!(handle.await.unwrap_err().to_string().contains(&here(line)));

        let mut set = JoinSet::new();
        let (_, line) = (set.go(forever()), line!());
        set.abort_all();
        let error = set.join_next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains(&here(line)));
        let (_, line) = (set.go_blocking(fails), line!());
        let error = set.join_next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains(&here(line)), "{error}");
    });
}

#[test]
fn the_place_is_that_of_a_caller_that_passes_it_on() {
    #[track_caller]
    fn start() -> JoinHandle<Option<&'static Location<'static>>> {
        go(async { task::spawn_location() })
    }
    let _watchdog = watchdog();
    block_on(async {
        let (handle, line) = (start(), line!());
        let place = handle.await.unwrap().unwrap();
        assert_eq!((place.file(), place.line()), (file!(), line));
    });
}

#[test]
fn errors_carry_the_name_if_there_is_one() {
    let _watchdog = watchdog();
    block_on(async {
        let named = task::Builder::new()
            .name("reader of the test")
            .go(std::future::pending::<()>());
        let error = error_of(named).await;
        assert!(error.contains("reader of the test"), "{error}");
        assert!(error.contains("cancel"), "{error}");

        let named = task::Builder::new()
            .name(String::from("writer"))
            .go(async { panic!("ink is out") });
        let error = named.await.unwrap_err();
        assert!(error.to_string().contains("writer"));
        assert!(error.to_string().contains("ink is out"));
        assert!(format!("{error:?}").contains("writer"));
    });
}

#[test]
fn id_and_place_are_known_inside_a_goroutine_only() {
    let _watchdog = watchdog();
    assert_eq!((task::id(), task::spawn_location()), (None, None));
    block_on(async {
        assert_eq!((task::id(), task::spawn_location()), (None, None));
        yield_now().await;
        go(async {
            assert!(task::id().is_some() && task::spawn_location().is_some());
        })
        .await
        .unwrap();
        assert_eq!(
            task::id(),
            None,
            "a goroutine run in between leaves nothing"
        );
    });
    assert_eq!((task::id(), task::spawn_location()), (None, None));
}

#[test]
fn a_blocking_closure_and_a_destructor_know_their_goroutine() {
    let _watchdog = watchdog();
    block_on(async {
        let handle = go_blocking(task::id);
        let id = handle.id();
        assert_eq!(handle.await.unwrap(), Some(id));

        let seen = Arc::new(Mutex::new(None));
        let note = seen.clone();
        let started = Flag::new();
        let start = started.clone();
        let handle = go(async move {
            let _note = OnDrop::new(move || *note.lock().unwrap() = task::id());
            start.set();
            std::future::pending::<()>().await;
        });
        let id = handle.id();
        started.wait().await;
        handle.abort();
        handle.await.unwrap_err();
        assert_eq!(*seen.lock().unwrap(), Some(id));
    });
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let _watchdog = watchdog();
    let end = Flag::new();
    let mut handle = go(end.wait());
    let (first, first_waker) = Wakes::new();
    let (second, second_waker) = Wakes::new();
    assert!(poll_with(&mut handle, &first_waker).is_pending());
    assert!(poll_with(&mut handle, &second_waker).is_pending());
    assert!(poll_with(&mut handle, &second_waker).is_pending());
    end.set();
    eventually("the second is woken", || second.count() == 1);
    assert_eq!(first.count(), 0);
    assert!(poll_once(&mut handle).is_ready());
    drop((first_waker, second_waker));
    assert_eq!(Arc::strong_count(&first), 1, "the handle kept no waker");
    assert_eq!(Arc::strong_count(&second), 1);
}

#[test]
fn a_handle_that_is_dropped_drops_its_waker_and_wakes_nobody() {
    let _watchdog = watchdog();
    let end = Flag::new();
    let mut handle = go(end.wait());
    let abort = handle.abort_handle();
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(&mut handle, &waker).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 2);
    drop(handle);
    assert_eq!(Arc::strong_count(&wakes), 1);
    end.set();
    eventually("it ends", || abort.is_finished());
    assert_eq!(wakes.count(), 0);
}

#[test]
fn a_handle_can_change_hands_while_it_is_waited_for() {
    let _watchdog = watchdog();
    block_on(async {
        for round in 0..300_u32 {
            let end = Flag::new();
            let mut handle = {
                let end = end.clone();
                go(async move {
                    end.wait().await;
                    round
                })
            };
            // Each goroutine polls once and passes the handle on; the last one stays.
            for _ in 0..3 {
                #[allow(clippy::async_yields_async)] // the handle is what is passed on
                let passed_on = go(async move {
                    assert!(poll_once(&mut handle).is_pending());
                    handle
                });
                handle = passed_on.await.unwrap();
            }
            let waiter = go(handle);
            let setter = go(async move { end.set() });
            assert_eq!(waiter.await.unwrap().unwrap(), round);
            setter.await.unwrap();
        }
    });
}

#[test]
fn a_handle_whose_waker_changes_all_the_time_still_wakes() {
    let _watchdog = watchdog();
    for _ in 0..300 {
        let end = Flag::new();
        let mut handle = go(end.wait());
        std::thread::scope(|scope| {
            scope.spawn(|| end.set());
            scope.spawn(|| {
                let mut last = Wakes::new();
                for _ in 0..20 {
                    last = Wakes::new();
                    if poll_with(&mut handle, &last.1).is_ready() {
                        return;
                    }
                }
                eventually("the last waker is woken", || last.0.count() > 0);
                assert!(poll_once(&mut handle).is_ready());
            });
        });
    }
}

#[test]
fn handles_work_under_any_executor_and_across_runtimes() {
    let _watchdog = watchdog();
    let (one, two) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let handle = one.go(async { 1 });
    let sum = two.go(async move { handle.await.unwrap() + 1 });
    assert_eq!(futures_lite::future::block_on(sum).unwrap(), 2);
}

#[test]
fn a_chain_of_goroutines_hands_a_value_through() {
    let _watchdog = watchdog();
    let begin = Flag::new();
    let first = begin.wait();
    let mut last = go(async move {
        first.await;
        0_u32
    });
    for _ in 0..10_000 {
        last = go(async move { last.await.unwrap() + 1 });
    }
    begin.set();
    assert_eq!(block_on(last).unwrap(), 10_000);
}

#[test]
fn handles_are_send_sync_and_unpin() {
    fn assert_traits<T: Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
    // A handle is both even if its output is only `Send`.
    assert_traits::<JoinHandle<std::cell::Cell<u8>>>();
    assert_traits::<AbortHandle>();
    assert_traits::<JoinError>();
    assert_traits::<task::Id>();
    fn assert_error<T: std::error::Error + Send + Sync + 'static>() {}
    assert_error::<JoinError>();
}

#[test]
fn a_current_thread_runtime_joins_too() {
    let _watchdog = watchdog();
    let runtime = Builder::current_thread().build().unwrap();
    let sum: u32 = runtime.block_on(async {
        let handles: Vec<_> = (0..100).map(|i| go(async move { i })).collect();
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 4950);
}
