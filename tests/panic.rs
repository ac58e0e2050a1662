//! A panic ends the goroutine it happened in, and nothing else.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::task::{Context, RawWaker, RawWakerVTable, Wake, Waker};

use common::{Drops, Flag, OnDrop, child, eventually, is_child, successful_child, watchdog};
use gorust::runtime::{Builder, Runtime, UnhandledPanic};
use gorust::task::{self, JoinSet};
use gorust::{block_on, go, go_blocking, yield_now};

/// Panics when it is dropped.
struct PanicsOnDrop(&'static str);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_any(self.0);
        }
    }
}

/// All workers of the default runtime still run goroutines.
fn assert_workers_live() {
    let count = gorust::runtime::gomaxprocs();
    block_on(async {
        let handles: Vec<_> = (0..4 * count).map(|i| go(async move { i })).collect();
        for (i, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.await.unwrap(), i);
        }
    });
}

#[test]
fn the_payload_comes_to_whoever_joins() {
    let _watchdog = watchdog();
    block_on(async {
        let error = go(async { panic!("a text") }).await.unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert!(error.to_string().contains("a text"));
        let payload = error.into_panic();
        assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "a text");

        let error = go(async { panic!("number {}", std::hint::black_box(3)) })
            .await
            .unwrap_err();
        assert!(error.to_string().contains("number 3"));
        let payload = error.try_into_panic().unwrap();
        assert_eq!(payload.downcast_ref::<String>().unwrap(), "number 3");

        let error = go(async { panic_any(17_u64) }).await.unwrap_err();
        assert!(error.to_string().contains("panicked"));
        assert_eq!(*error.into_panic().downcast_ref::<u64>().unwrap(), 17);
    });
}

#[test]
fn a_payload_can_be_thrown_on() {
    let _watchdog = watchdog();
    let error = block_on(go(async { panic_any(5_i8) })).unwrap_err();
    let thrown = catch_unwind(AssertUnwindSafe(|| {
        std::panic::resume_unwind(error.into_panic())
    }));
    assert_eq!(*thrown.unwrap_err().downcast_ref::<i8>().unwrap(), 5);
}

#[test]
fn into_panic_of_a_cancelled_goroutine_says_what_is_wrong() {
    let _watchdog = watchdog();
    let cancelled = || {
        let handle = go(std::future::pending::<()>());
        handle.abort();
        block_on(handle).unwrap_err()
    };
    let error = cancelled().try_into_panic().unwrap_err();
    assert!(error.is_cancelled());
    let thrown = catch_unwind(AssertUnwindSafe(|| cancelled().into_panic())).unwrap_err();
    assert!(
        thrown
            .downcast_ref::<String>()
            .unwrap()
            .contains("into_panic")
    );
}

#[test]
fn workers_survive_any_number_of_panics() {
    let _watchdog = watchdog();
    block_on(async {
        let handles: Vec<_> = (0..200)
            .map(|i| {
                go(async move {
                    if i % 2 == 0 {
                        yield_now().await;
                    }
                    panic!("as the test wants");
                })
            })
            .collect();
        for handle in handles {
            assert!(handle.await.unwrap_err().is_panic());
        }
    });
    assert_workers_live();
}

#[test]
fn what_a_panicking_goroutine_owned_is_dropped_once() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    let (owned, local) = (drops.child(), drops.child());
    let handle = go(async move {
        let _owned = owned;
        yield_now().await;
        let _local = local;
        panic!("as the test wants");
    });
    assert!(block_on(handle).unwrap_err().is_panic());
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_panic_in_the_futures_destructor_replaces_the_output() {
    /// Ready at once; its destructor panics.
    struct Ends(Option<common::Dropped>, #[allow(unused)] PanicsOnDrop);
    impl Future for Ends {
        type Output = common::Dropped;
        fn poll(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> std::task::Poll<common::Dropped> {
            std::task::Poll::Ready(self.0.take().unwrap())
        }
    }
    let _watchdog = watchdog();
    let drops = Drops::new();
    let ends = Ends(Some(drops.child()), PanicsOnDrop("the future's"));
    let error = block_on(go(ends)).err().unwrap();
    assert_eq!(
        *error.into_panic().downcast_ref::<&str>().unwrap(),
        "the future's"
    );
    assert_eq!(drops.count(), 1, "the output is dropped");
    assert_workers_live();
}

#[test]
fn a_panic_in_the_outputs_destructor_harms_nobody() {
    let _watchdog = watchdog();
    let begin = Flag::new();
    let aborts: Vec<_> = (0..20)
        .map(|_| {
            let begin = begin.clone();
            let handle = go(async move {
                begin.wait().await;
                PanicsOnDrop("the output's")
            });
            handle.abort_handle()
        })
        .collect();
    begin.set();
    for abort in aborts {
        eventually("it ends", || abort.is_finished());
    }
    // Dropped by the handle, after the end: the panic does not come out of the handle's drop.
    let handle = go(async { PanicsOnDrop("the output's") });
    eventually("it ends", || handle.is_finished());
    drop(handle);
    assert_workers_live();
}

#[test]
fn panics_in_both_destructors_harm_nobody() {
    struct Ends(#[allow(unused)] PanicsOnDrop);
    impl Future for Ends {
        type Output = PanicsOnDrop;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> std::task::Poll<PanicsOnDrop> {
            std::task::Poll::Ready(PanicsOnDrop("the output's"))
        }
    }
    let _watchdog = watchdog();
    let error = block_on(go(Ends(PanicsOnDrop("the future's"))))
        .err()
        .unwrap();
    assert_eq!(
        *error.into_panic().downcast_ref::<&str>().unwrap(),
        "the future's"
    );
    drop(go(Ends(PanicsOnDrop("the future's"))));
    assert_workers_live();
}

#[test]
fn a_panic_in_the_poll_and_then_in_the_destructor_keeps_the_first() {
    struct Both(#[allow(unused)] PanicsOnDrop);
    impl Future for Both {
        type Output = ();
        fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> std::task::Poll<()> {
            panic!("the poll's")
        }
    }
    let _watchdog = watchdog();
    let error = block_on(go(Both(PanicsOnDrop("the future's")))).unwrap_err();
    assert_eq!(
        *error.into_panic().downcast_ref::<&str>().unwrap(),
        "the poll's"
    );
    assert_workers_live();
}

#[test]
fn a_payload_that_panics_when_dropped_harms_nobody() {
    let _watchdog = watchdog();
    let fails = || async { panic_any(PanicsOnDrop("the payload's")) };
    // Detached before and after the panic.
    drop(go(fails()));
    let handle = go(fails());
    eventually("it ends", || handle.is_finished());
    drop(handle);
    // In a set.
    let mut set = JoinSet::new();
    for _ in 0..3 {
        set.go(fails());
    }
    drop(set);
    // Joined, it is the joiner's.
    let error = block_on(go(fails())).unwrap_err();
    let thrown = catch_unwind(AssertUnwindSafe(move || drop(error)));
    assert_eq!(
        *thrown.unwrap_err().downcast_ref::<&str>().unwrap(),
        "the payload's"
    );
    assert_workers_live();
}

#[test]
fn a_panic_in_a_blocking_closure_comes_to_its_joiner() {
    let _watchdog = watchdog();
    let error = block_on(go_blocking(|| -> u8 { panic!("in the pool") })).unwrap_err();
    assert!(error.is_panic());
    assert!(error.to_string().contains("in the pool"));
    assert_eq!(block_on(go_blocking(|| 3)).unwrap(), 3);
}

/// A waker each of whose functions panics if its number was asked for.
fn panicking_waker(clone: bool, wake: bool, drop: bool) -> Waker {
    fn table(clone: bool, wake: bool, drop: bool) -> &'static RawWakerVTable {
        fn twin<const C: bool, const W: bool, const D: bool>() -> &'static RawWakerVTable {
            &RawWakerVTable::new(
                |data| {
                    assert!(!C, "the waker's clone");
                    RawWaker::new(data, twin::<C, W, D>())
                },
                |_| assert!(!W, "the waker's wake"),
                |_| assert!(!W, "the waker's wake_by_ref"),
                |_| {
                    if !std::thread::panicking() {
                        assert!(!D, "the waker's drop");
                    }
                },
            )
        }
        match (clone, wake, drop) {
            (true, _, _) => twin::<true, false, false>(),
            (_, true, _) => twin::<false, true, false>(),
            (_, _, true) => twin::<false, false, true>(),
            _ => twin::<false, false, false>(),
        }
    }
    // SAFETY: the functions ignore the pointer.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), table(clone, wake, drop))) }
}

#[test]
fn a_waker_that_panics_when_woken_harms_neither_worker_nor_result() {
    let _watchdog = watchdog();
    let end = Flag::new();
    let mut handles: Vec<_> = (0..20)
        .map(|i| {
            let end = end.clone();
            go(async move {
                end.wait().await;
                i
            })
        })
        .collect();
    let waker = panicking_waker(false, true, false);
    for handle in &mut handles {
        let polled = std::pin::Pin::new(handle).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    end.set();
    for (i, handle) in handles.into_iter().enumerate() {
        assert_eq!(block_on(handle).unwrap(), i);
    }
    assert_workers_live();
}

#[test]
fn a_waker_that_panics_when_dropped_does_not_do_so_inside_the_runtime() {
    let _watchdog = watchdog();
    let end = Flag::new();
    let mut handle = go(end.wait());
    let waker = std::mem::ManuallyDrop::new(panicking_waker(false, false, true));
    let polled = std::pin::Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let abort = handle.abort_handle();
    drop(handle); // drops its clone of the waker
    end.set();
    eventually("it ends", || abort.is_finished());
    assert_workers_live();
}

#[test]
fn a_waker_that_panics_when_cloned_leaves_the_handle_usable() {
    let _watchdog = watchdog();
    let end = Flag::new();
    let mut handle = {
        let end = end.clone();
        go(async move {
            end.wait().await;
            8
        })
    };
    let good = panicking_waker(false, false, false);
    let bad = panicking_waker(true, false, false);
    for _ in 0..2 {
        let polled = std::pin::Pin::new(&mut handle).poll(&mut Context::from_waker(&good));
        assert!(polled.is_pending());
        let thrown = catch_unwind(AssertUnwindSafe(|| {
            let _ = std::pin::Pin::new(&mut handle).poll(&mut Context::from_waker(&bad));
        }));
        assert!(thrown.is_err());
    }
    end.set();
    assert_eq!(block_on(handle).unwrap(), 8);
}

#[test]
fn a_user_waker_that_panics_does_not_stop_those_woken_after_it() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("as the test wants");
        }
    }
    let _watchdog = watchdog();
    let end = Flag::new();
    let mut set = JoinSet::new();
    for _ in 0..10 {
        set.go(end.wait());
    }
    let waker = Waker::from(Arc::new(Panics));
    assert!(
        set.poll_join_next(&mut Context::from_waker(&waker))
            .is_pending()
    );
    end.set();
    block_on(async {
        for _ in 0..10 {
            set.join_next().await.unwrap().unwrap();
        }
    });
    assert_workers_live();
}

#[test]
fn a_panic_that_nobody_waits_for_is_printed_with_id_and_place() {
    const NAME: &str = "a_panic_that_nobody_waits_for_is_printed_with_id_and_place";
    if is_child() {
        let runtime = Runtime::new().unwrap();
        let begin = Flag::new();
        for detach_late in [false, true] {
            let waits = begin.wait();
            let (handle, line) = (
                runtime.go(async move {
                    waits.await;
                    panic!("nobody hears {detach_late}");
                }),
                line!() - 4,
            );
            common::say(&format!("expect {} {line}", handle.id()));
            if detach_late {
                eventually("it ends", || handle.is_finished());
                drop(handle);
            } else {
                let abort = handle.abort_handle();
                drop(handle);
                begin.set();
                eventually("it ends", || abort.is_finished());
            }
        }
        let named = runtime.block_on(async {
            let named = task::Builder::new().name("the named one");
            let handle = named.go(async { panic!("nobody hears the name") });
            handle.abort_handle()
        });
        eventually("it ends", || named.is_finished());
        drop(runtime);
        return;
    }
    let _watchdog = watchdog();
    let stderr = successful_child(NAME, &[]);
    let reports: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("gorust:"))
        .collect();
    assert_eq!(reports.len(), 3, "{stderr}");
    let expected = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("expect "));
    for (report, expected) in reports.iter().zip(expected) {
        let (id, line) = expected.split_once(' ').unwrap();
        assert!(report.contains(&format!("goroutine {id}")), "{stderr}");
        assert!(report.contains(&format!("{}:{line}:", file!())), "{stderr}");
        assert!(report.contains("nobody hears"), "{stderr}");
    }
    assert!(reports[2].contains("the named one"), "{stderr}");
}

#[test]
fn a_joined_panic_is_not_reported_as_unhandled() {
    const NAME: &str = "a_joined_panic_is_not_reported_as_unhandled";
    if is_child() {
        let runtime = Builder::new()
            .unhandled_panic(UnhandledPanic::Abort)
            .build()
            .unwrap();
        let handle = runtime.go(async { panic!("heard") });
        assert!(runtime.block_on(handle).unwrap_err().is_panic());
        return;
    }
    let _watchdog = watchdog();
    let stderr = successful_child(NAME, &[]);
    let reported = |line: &str| line.starts_with("gorust: "); // a backtrace may name our crate
    assert!(!stderr.lines().any(reported), "{stderr}");
}

#[test]
fn unhandled_panics_abort_if_the_runtime_was_built_so() {
    const NAME: &str = "unhandled_panics_abort_if_the_runtime_was_built_so";
    if is_child() {
        let runtime = Builder::new()
            .unhandled_panic(UnhandledPanic::Abort)
            .build()
            .unwrap();
        match std::env::var("GORUST_TEST_CASE").as_deref() {
            Ok("early") => drop(runtime.go(async { panic!("fatal") })),
            Ok("late") => {
                let handle = runtime.go(async { panic!("fatal") });
                eventually("it ends", || handle.is_finished());
                drop(handle);
            }
            Ok("blocking") => drop(runtime.go_blocking(|| -> () { panic!("fatal") })),
            case => panic!("no such case: {case:?}"),
        }
        // Long enough for any abort; then the process ends well, and the test fails.
        std::thread::sleep(common::HANG);
        return;
    }
    let _watchdog = watchdog();
    for case in ["early", "late", "blocking"] {
        let output = child(NAME, &[("GORUST_TEST_CASE", case)]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{case}: {stderr}");
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            const SIGABRT: i32 = 6;
            assert_eq!(output.status.signal(), Some(SIGABRT), "{case}: {stderr}");
        }
        assert!(stderr.contains("gorust: goroutine "), "{case}: {stderr}");
        assert!(stderr.contains("fatal"), "{case}: {stderr}");
        assert!(stderr.contains(file!()), "{case}: {stderr}");
    }
}

#[test]
fn a_panic_in_the_destructor_of_an_aborted_detached_goroutine_is_reported() {
    const NAME: &str = "a_panic_in_the_destructor_of_an_aborted_detached_goroutine_is_reported";
    if is_child() {
        let started = Flag::new();
        let start = started.clone();
        let handle = go(async move {
            let _panics = OnDrop::new(|| panic!("the destructor's"));
            start.set();
            std::future::pending::<()>().await;
        });
        let abort = handle.abort_handle();
        drop(handle);
        started.wait_blocking();
        abort.abort();
        eventually("it ends", || abort.is_finished());
        // The report comes right after the end.
        std::thread::sleep(std::time::Duration::from_millis(500));
        return;
    }
    let _watchdog = watchdog();
    let stderr = successful_child(NAME, &[]);
    let mut reports = stderr.lines().filter(|line| line.starts_with("gorust:"));
    assert!(
        reports.next().unwrap().contains("the destructor's"),
        "{stderr}"
    );
    assert!(reports.next().is_none(), "{stderr}");
}
