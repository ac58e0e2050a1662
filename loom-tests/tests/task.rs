//! Goroutines: the state word, and whole cells with their wakers and handles.
#![cfg(gorust_loom)]

mod support;

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Waker};

use gorust::units::atomic::{AtomicUsize, Ordering};
use gorust::units::task::{Name, Pause, Start, State, Wake, allocate, next_id};
use gorust::units::{Arc, Mutex, UnsafeCell};
use loom::thread::spawn;
use loom_tests::{Acquire, Model, Named, Relaxed, Release, Weaken};
use support::{Bell, Record, Shop, Witness, leak};

/// Where most of the mutated operations are.
const STATE: &str = "src/task/state.rs";

const fn weaken(snippet: &'static str, to: Ordering) -> Weaken {
    Weaken {
        file: STATE,
        snippet,
        to,
    }
}

const WAKE: &str = "self.0.fetch_add(WAKE_ONE, Ordering::AcqRel)";
const WAKE_AND_RELEASE: &str = "self.0.fetch_add(WAKE_ONE - REF_ONE, Ordering::AcqRel)";
const START_RUN: &str = "let mut word = self.0.load(Ordering::Acquire);";
const COLLAPSED: &str = "word = self.0.load(Ordering::Acquire); // wakes that were collapsed";
const PAUSE: &str = "self.0.fetch_sub(taken << WAKE_SHIFT, Ordering::Release)";
const CLOSE: &str = "self.0.fetch_or(CLOSED, Ordering::AcqRel)";
const IS_CLOSED: &str = "self.0.load(Ordering::Acquire) & CLOSED";
const ABORT: &str = "self.0.fetch_or(CANCELLED, Ordering::Release)";
const SET_JOIN_WAKER: &str = "self.0.fetch_or(WAKER, Ordering::AcqRel)";
const DROP_HANDLE: &str = "self.0.fetch_and(!(HANDLE | WAKER), Ordering::AcqRel)";
const DETACH: &str = ".compare_exchange(word, detached, Ordering::Release, Ordering::Relaxed)";
const RELEASE: &str = "self.0.fetch_sub(REF_ONE, Ordering::AcqRel)";

/// A state word alone, with what a poll would touch, and a number per waker.
struct Goroutine {
    state: State,
    polls: UnsafeCell<Polls>,
    signals: [AtomicUsize; 2],
}

#[derive(Default)]
struct Polls {
    count: usize,
    /// The signals that the last poll saw.
    seen: [usize; 2],
}

impl Goroutine {
    /// The caller owns the run right.
    fn new() -> Arc<Goroutine> {
        Arc::new(Goroutine {
            state: State::new(),
            polls: UnsafeCell::new(Polls::default()),
            signals: [AtomicUsize::new(0), AtomicUsize::new(0)],
        })
    }

    /// Runs it until it is idle. The caller owns the run right.
    fn run(&self) {
        loop {
            let Start::Poll(taken) = self.state.start_run() else {
                panic!("nobody aborts it");
            };
            let seen = self.signals.each_ref().map(|s| s.load(Ordering::Relaxed));
            self.polls.with_mut(|polls| {
                // SAFETY: the run right is the right to poll; loom checks that.
                let polls = unsafe { &mut *polls };
                polls.count += 1;
                polls.seen = seen;
            });
            if self.state.pause(taken) == Pause::Idle {
                return;
            }
        }
    }

    /// Sends `signal` and wakes; runs the goroutine if that is up to the caller.
    fn signal(&self, which: usize, signal: usize) {
        self.signals[which].store(signal, Ordering::Relaxed);
        if self.state.wake() == Wake::Enqueue {
            self.run();
        }
    }

    /// What the last poll saw; the wakers have been joined.
    fn seen(&self) -> (usize, [usize; 2]) {
        assert_eq!(self.state.wake_count(), 0, "idle in the end");
        // SAFETY: nobody runs it any more; loom checks that.
        self.polls
            .with(|polls| unsafe { ((*polls).count, (*polls).seen) })
    }
}

#[test]
fn two_wakers_against_a_run() {
    Model::new("task::two_wakers_against_a_run")
        .promise(
            "one run right at a time, and a poll that sees what each waker did before its wake",
        )
        .outcomes(&["one poll", "two polls", "three polls"])
        .least_executions(2)
        .mutation(weaken(WAKE, Acquire))
        .mutation(weaken(START_RUN, Relaxed))
        .mutation(weaken(COLLAPSED, Relaxed))
        .mutation(weaken(PAUSE, Relaxed))
        .mutation(Named("task.pause_ignores_wakes"))
        .run(|out| {
            let goroutine = Goroutine::new();
            let wakers = [0, 1].map(|which| {
                let goroutine = goroutine.clone();
                spawn(move || goroutine.signal(which, 1))
            });
            goroutine.run();
            for waker in wakers {
                waker.join().unwrap();
            }
            let (count, seen) = goroutine.seen();
            assert_eq!(seen, [1, 1]);
            out.saw(match count {
                1 => "one poll",
                2 => "two polls",
                3 => "three polls",
                _ => "more polls than wakes",
            });
        });
}

#[test]
fn wakes_that_are_collapsed() {
    Model::new("task::wakes_that_are_collapsed")
        .promise(
            "a wake count brought down while it is in use loses no wake and makes no run right",
        )
        .outcomes(&["answered", "pending"])
        .least_executions(2)
        .preemptions(3)
        .mutation(Named("task.collapse_to_one"))
        .mutation(Named("task.run_takes_all"))
        .run(|out| {
            let goroutine = Goroutine::new();
            let waker = spawn({
                let goroutine = goroutine.clone();
                move || {
                    for signal in 1..=4 {
                        goroutine.signal(0, signal);
                    }
                    goroutine.state.wake_count()
                }
            });
            goroutine.run();
            let count = waker.join().unwrap();
            assert_eq!(goroutine.seen().1, [4, 0]);
            out.saw(if count == 0 { "answered" } else { "pending" });
        });
}

#[test]
fn abort_against_a_run() {
    Model::new("task::abort_against_a_run")
        .promise("an aborted goroutine is cancelled exactly once, by whoever owns the run right")
        .outcomes(&["by the runner", "by the aborter", "by the waker"])
        .least_executions(2)
        .mutation(Named("task.abort_without_wake"))
        .mutation(weaken(ABORT, Relaxed))
        .run(|out| {
            let goroutine = Arc::new((State::new(), AtomicUsize::new(0), UnsafeCell::new(0)));
            let run = {
                let (goroutine, out) = (goroutine.clone(), out.clone());
                move |who| {
                    let (state, reason, cancels) = &*goroutine;
                    loop {
                        match state.start_run() {
                            Start::Poll(taken) if state.pause(taken) == Pause::Idle => return,
                            Start::Poll(_) => {}
                            Start::Cancel => {
                                assert_eq!(reason.load(Ordering::Relaxed), 1);
                                // SAFETY: the run right is the right to cancel; loom checks that.
                                cancels.with_mut(|cancels| unsafe { *cancels += 1 });
                                let _ = state.close();
                                return out.saw(who);
                            }
                        }
                    }
                }
            };
            let aborter = spawn({
                let (goroutine, run) = (goroutine.clone(), run.clone());
                move || {
                    goroutine.1.store(1, Ordering::Relaxed);
                    if goroutine.0.abort() == Wake::Enqueue {
                        run("by the aborter");
                    }
                }
            });
            let waker = spawn({
                let (goroutine, run) = (goroutine.clone(), run.clone());
                move || {
                    if goroutine.0.wake() == Wake::Enqueue {
                        run("by the waker");
                    }
                }
            });
            run("by the runner");
            aborter.join().unwrap();
            waker.join().unwrap();
            // SAFETY: the others are gone.
            assert_eq!(goroutine.2.with(|cancels| unsafe { *cancels }), 1);
        });
}

#[test]
fn the_last_reference() {
    /// What the references keep alive, and who freed it.
    struct Shared {
        state: State,
        content: UnsafeCell<()>,
        freed: UnsafeCell<Option<&'static str>>,
    }
    impl Shared {
        fn hold(&self) {
            self.content.with(|_| ());
        }
        fn free(&self, who: &'static str) {
            self.content.with_mut(|_| ());
            // SAFETY: only one gets here; loom checks that.
            let before = self
                .freed
                .with_mut(|freed| unsafe { (*freed).replace(who) });
            assert_eq!(before, None);
        }
    }
    Model::new("task::the_last_reference")
        .promise("a cell is freed once, after its last use; a wake of a closed one queues nothing")
        .outcomes(&["waker", "handle", "closer"])
        .least_executions(2)
        .mutation(weaken(WAKE_AND_RELEASE, Acquire))
        .mutation(weaken(WAKE_AND_RELEASE, Release))
        .mutation(weaken(RELEASE, Acquire))
        .mutation(weaken(RELEASE, Release))
        .mutation(weaken(DETACH, Relaxed))
        .run(|out| {
            let shared = Arc::new(Shared {
                state: State::new(),
                content: UnsafeCell::new(()),
                freed: UnsafeCell::new(None),
            });
            shared.state.retain(); // the waker's
            let waker = spawn({
                let shared = shared.clone();
                move || {
                    shared.hold();
                    match shared.state.wake_and_release() {
                        Wake::Nothing => {}
                        Wake::Enqueue => panic!("the run right is the closer's"),
                        Wake::Free => shared.free("waker"),
                    }
                }
            });
            let handle = spawn({
                let shared = shared.clone();
                move || {
                    shared.hold();
                    let left = shared.state.drop_handle();
                    if !left.reference_released {
                        shared.hold();
                    }
                    if !left.reference_released && shared.state.release() {
                        shared.free("handle");
                    }
                }
            });
            let _ = shared.state.start_run();
            shared.hold();
            let _ = shared.state.close();
            shared.hold();
            if shared.state.release() {
                shared.free("closer");
            }
            waker.join().unwrap();
            handle.join().unwrap();
            // SAFETY: the others are gone.
            let freed = shared.freed.with(|freed| unsafe { *freed });
            out.saw(freed.expect("somebody freed it"));
        });
}

#[test]
fn join_on_another_thread() {
    Model::new("task::join_on_another_thread")
        .promise("who awaits a handle gets the output, having been woken if it was not there yet")
        .outcomes(&["was there", "waited"])
        .least_executions(2)
        .mutation(weaken(CLOSE, Acquire))
        .mutation(weaken(CLOSE, Release))
        .mutation(weaken(IS_CLOSED, Relaxed))
        .mutation(weaken(SET_JOIN_WAKER, Acquire))
        .mutation(weaken(SET_JOIN_WAKER, Release))
        .run(|out| {
            let shop = Shop::open();
            let record = Record::new();
            let mut handle = shop.go(async { Witness::new(record) });
            let worker = spawn(|| shop.work());
            let mut polls = 0;
            let output = loom::future::block_on(poll_fn(|cx| {
                polls += 1;
                Pin::new(&mut handle).poll(cx)
            }));
            output.expect("an output").touch();
            worker.join().unwrap();
            assert!(record.dropped_here());
            out.saw(if polls == 1 { "was there" } else { "waited" });
        });
}

/// Polls `handle` once.
fn poll<F: Future + Unpin>(handle: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

#[test]
fn join_with_another_waker() {
    Model::new("task::join_with_another_waker")
        .promise("a handle polled with a new waker is done or has that one woken; none is leaked")
        .outcomes(&["first poll", "second poll", "woken"])
        .least_executions(2)
        .mutation(weaken(
            "self.0.fetch_and(!WAKER, Ordering::Acquire)",
            Relaxed,
        ))
        .run(|out| {
            let shop = Shop::open();
            let record = Record::new();
            let mut handle = shop.go(async { Witness::new(record) });
            let worker = spawn(|| shop.work());
            let (old, old_waker) = Bell::new();
            let (new, new_waker) = Bell::new();
            let mut outcome = "first poll";
            let mut polled = poll(&mut handle, &old_waker);
            if polled.is_pending() {
                outcome = "second poll";
                polled = poll(&mut handle, &new_waker);
            }
            if let Poll::Ready(output) = polled {
                output.expect("an output").touch();
                worker.join().unwrap();
                assert_eq!(new.rings(), 0);
            } else {
                outcome = "woken";
                worker.join().unwrap();
                assert_eq!((old.rings(), new.rings()), (0, 1));
                assert!(poll(&mut handle, &new_waker).is_ready());
            }
            assert!(record.dropped_here());
            drop(handle);
            let counts = [&old, &new].map(StdArc::strong_count);
            assert_eq!(counts, [2, 2], "the bell and its waker here");
            out.saw(outcome);
        });
}

#[test]
fn handle_dropped_meanwhile() {
    Model::new("task::handle_dropped_meanwhile")
        .promise("of a handle that goes and a goroutine that ends, one drops the output")
        .outcomes(&["handle", "goroutine"])
        .least_executions(2)
        .mutation(weaken(CLOSE, Acquire))
        .mutation(weaken(DROP_HANDLE, Release))
        .run(|out| {
            let shop = Shop::open();
            let record = Record::new();
            let handle = shop.go(async { Witness::new(record) });
            let worker = spawn(|| shop.work());
            drop(handle);
            worker.join().unwrap();
            out.saw(match record.dropped_here() {
                true => "handle",
                false => "goroutine",
            });
        });
}

#[test]
fn waiting_handle_dropped_meanwhile() {
    Model::new("task::waiting_handle_dropped_meanwhile")
        .promise("of a handle that goes and a goroutine that ends, one takes the join waker")
        .outcomes(&["woken", "not woken"])
        .least_executions(2)
        .mutation(Named("task.drop_handle_forgets_waker"))
        .mutation(weaken(DROP_HANDLE, Release))
        .run(|out| {
            let shop = Shop::open();
            let record = Record::new();
            let mut handle = shop.go(async { Witness::new(record) });
            let (bell, waker) = Bell::new();
            assert!(poll(&mut handle, &waker).is_pending());
            let worker = spawn(|| shop.work());
            drop(handle);
            worker.join().unwrap();
            drop(waker);
            assert_eq!(StdArc::strong_count(&bell), 1);
            out.saw(match (record.dropped_here(), bell.rings()) {
                (true, 1) => "woken",
                (false, 0) => "not woken",
                _ => "output and waker went different ways",
            });
        });
}

/// A name that tells who freed its cell.
struct NameTag {
    _witness: Witness,
}

impl Name for NameTag {
    fn get(&self) -> Option<&str> {
        Some("tag")
    }
}

/// Polls twice: leaves its waker in `slot`, then ends.
fn waits_once(
    witness: Witness,
    slot: &'static Mutex<Option<Waker>>,
) -> impl Future<Output = Witness> + Send {
    let mut witness = Some(witness);
    let mut waited = false;
    poll_fn(move |cx| {
        witness.as_ref().expect("not over").touch();
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(witness.take().expect("not over"));
        }
        *slot.lock() = Some(cx.waker().clone());
        Poll::Pending
    })
}

#[test]
fn waker_outlives_its_goroutine() {
    Model::new("task::waker_outlives_its_goroutine")
        .promise("a waker kept elsewhere may be woken, cloned and dropped while its goroutine ends")
        .outcomes(&["waker frees", "worker frees"])
        .least_executions(2)
        .mutation(weaken(RELEASE, Acquire))
        .mutation(weaken(RELEASE, Release))
        .run(|out| {
            let shop = Shop::open();
            let [record, tag_record] = [Record::new(), Record::new()];
            let slot = leak(Mutex::new(None));
            let future = waits_once(Witness::new(record), slot);
            let tag = NameTag {
                _witness: Witness::new(tag_record),
            };
            let cell = allocate(future, tag, shop, next_id(), Location::caller());
            // SAFETY: all that `allocate` gave goes on; the output is a `Witness`.
            drop(unsafe {
                shop.live
                    .start::<Witness>(cell, |r| drop(shop.queue.push(r)))
            });
            shop.work();
            let waker: Waker = slot.lock().take().expect("it waits");
            let worker = spawn({
                let waker = waker.clone();
                move || {
                    waker.wake();
                    shop.work();
                }
            });
            waker.wake_by_ref();
            shop.work();
            drop(waker.clone());
            drop(waker);
            worker.join().unwrap();
            assert_eq!(record.drops(), 1);
            out.saw(match tag_record.dropped_here() {
                true => "waker frees",
                false => "worker frees",
            });
        });
}

#[test]
fn two_workers() {
    Model::new("task::two_workers")
        .promise("a future polled by one thread and then by another is never in two hands")
        .outcomes(&["same worker", "other worker"])
        .least_executions(2)
        .mutation(weaken(PAUSE, Relaxed))
        .run(|out| {
            let shop = Shop::open();
            let record = Record::new();
            let slot = leak(Mutex::new(None));
            drop(shop.go(waits_once(Witness::new(record), slot)));
            let worker = spawn(|| shop.work());
            let wake_and_work = || {
                let waker = slot.lock().take();
                if let Some(waker) = waker {
                    waker.wake();
                    shop.work();
                }
            };
            wake_and_work();
            worker.join().unwrap();
            wake_and_work();
            out.saw(match record.dropped_here() {
                true => "other worker",
                false => "same worker",
            });
        });
}

#[test]
fn aborted_and_dropped_by_a_worker() {
    Model::new("task::aborted_and_dropped_by_a_worker")
        .promise("the future of an aborted goroutine is dropped once, when nobody polls it")
        .outcomes(&["same worker", "other worker"])
        .least_executions(2)
        .mutation(weaken(WAKE, Release))
        .mutation(weaken(PAUSE, Relaxed))
        .run(|out| {
            let shop = Shop::open();
            let record = Record::new();
            let witness = Witness::new(record);
            let handle = shop.go(poll_fn(move |_| {
                witness.touch();
                Poll::<()>::Pending
            }));
            let worker = spawn(|| shop.work());
            handle.abort();
            shop.work();
            worker.join().unwrap();
            shop.work();
            assert!(handle.is_finished());
            let joined = loom::future::block_on(handle).expect_err("no output");
            assert!(joined.is_cancelled());
            out.saw(match record.dropped_here() {
                true => "other worker",
                false => "same worker",
            });
        });
}
