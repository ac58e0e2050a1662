//! Timers: owners of entries against those who fire and close their shards.
#![cfg(gorust_loom)]

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Wake, Waker};

use gorust::units::{Entry, Polled, Shard, WakeBatch};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread::{JoinHandle, spawn};
use loom_tests::{Model, Named, Outcomes, Relaxed, Weaken};

const ENTRY: &str = "src/timer/entry.rs";

/// Where whoever ended the wait gives the entry back to its owner.
fn hand_back() -> Weaken {
    Weaken {
        file: ENTRY,
        snippet: "entry.state.store(state, Ordering::Release);",
        to: Relaxed,
    }
}

/// Where the owner who polls takes it.
fn poll_takes() -> Weaken {
    Weaken {
        file: ENTRY,
        snippet: "match entry.state.load(Ordering::Acquire) {",
        to: Relaxed,
    }
}

/// Where the owner who cancels or resets takes it.
fn cancel_takes() -> Weaken {
    Weaken {
        file: ENTRY,
        snippet: "self.state.load(Ordering::Acquire) == ARMED",
        to: Relaxed,
    }
}

/// Shards live for ever, here too.
fn shard() -> &'static Shard {
    Box::leak(Box::new(Shard::new()))
}

fn fire(shard: &'static Shard, now: u64) -> usize {
    let mut batch = WakeBatch::new();
    let fired = shard.fire(now, &mut batch);
    batch.wake_all();
    fired
}

fn spawn_fire(shard: &'static Shard, now: u64) -> JoinHandle<usize> {
    spawn(move || fire(shard, now))
}

fn spawn_close(shard: &'static Shard) -> JoinHandle<()> {
    spawn(move || {
        let mut batch = WakeBatch::new();
        shard.close(&mut batch);
        batch.wake_all();
    })
}

/// Counts its wake-ups.
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// Someone who waits.
struct Waiter {
    counter: Arc<Counter>,
    waker: Waker,
}

impl Waiter {
    fn new() -> Waiter {
        let counter = Arc::new(Counter(AtomicUsize::new(0)));
        let waker = Waker::from(counter.clone());
        Waiter { counter, waker }
    }

    /// How often it was woken; everybody else must be done with it.
    fn wakes(self) -> usize {
        drop(self.waker);
        assert_eq!(Arc::strong_count(&self.counter), 1, "a waker is left");
        self.counter.0.load(Ordering::Acquire)
    }
}

/// An entry, and short ways to use it.
struct Timer(Pin<Box<Entry>>);

impl Timer {
    fn new() -> Timer {
        Timer(Box::pin(Entry::new()))
    }

    /// Armed at tick 10.
    fn armed(shard: &'static Shard, waiter: &Waiter) -> Timer {
        let mut timer = Timer::new();
        assert!(matches!(timer.poll(waiter, shard), Polled::WaitingFirst(_)));
        timer
    }

    fn poll(&mut self, waiter: &Waiter, shard: &'static Shard) -> Polled {
        self.0.as_mut().poll(10, &waiter.waker, || shard)
    }

    /// The owner is free to use the entry anew: arms it in a shard of its own and fires it there.
    fn reuse(&mut self) {
        let (shard, waiter) = (shard(), Waiter::new());
        assert!(self.0.as_mut().reset(10, false, || shard).is_none());
        assert!(matches!(self.poll(&waiter, shard), Polled::WaitingFirst(_)));
        assert_eq!(fire(shard, 10), 1);
        assert!(matches!(self.poll(&waiter, shard), Polled::Elapsed));
        assert_eq!(waiter.wakes(), 1);
    }
}

#[test]
fn fire_against_cancel() {
    Model::new("timer::fire_against_cancel")
        .promise("a timer that is fired and cancelled at once is the owner's afterwards; its waker is woken or dropped")
        .outcomes(&["fired", "cancelled"])
        .least_executions(16)
        .preemptions(3)
        .mutation(hand_back())
        .mutation(cancel_takes())
        .mutation(Named("timer.cancel_trusts_first_look"))
        .run(|out: &Outcomes| {
            let (shard, waiter) = (shard(), Waiter::new());
            let mut timer = Timer::armed(shard, &waiter);
            let firer = spawn_fire(shard, 10);
            timer.0.as_mut().cancel();
            timer.reuse();
            drop(timer);
            let fired = firer.join().unwrap();
            assert_eq!(waiter.wakes(), fired);
            assert_eq!(shard.next_deadline(), u64::MAX);
            out.saw(if fired == 1 { "fired" } else { "cancelled" });
        });
}

#[test]
fn fire_against_new_waker() {
    Model::new("timer::fire_against_new_waker")
        .promise(
            "a poll with another waker sees that the timer fired, or the firing wakes that waker",
        )
        .outcomes(&["old woken", "new woken"])
        .least_executions(16)
        .preemptions(3)
        .mutation(hand_back())
        .mutation(Named("timer.poll_trusts_first_look"))
        .run(|out: &Outcomes| {
            let (shard, old, new) = (shard(), Waiter::new(), Waiter::new());
            let mut timer = Timer::armed(shard, &old);
            let firer = spawn_fire(shard, 10);
            match timer.poll(&new, shard) {
                Polled::Elapsed => {
                    timer.reuse();
                    assert_eq!(firer.join().unwrap(), 1);
                    assert_eq!((old.wakes(), new.wakes()), (1, 0));
                    out.saw("old woken");
                }
                _ => {
                    assert_eq!(firer.join().unwrap(), 1);
                    assert!(matches!(timer.poll(&new, shard), Polled::Elapsed));
                    assert_eq!((old.wakes(), new.wakes()), (0, 1));
                    out.saw("new woken");
                }
            }
        });
}

#[test]
fn fire_against_same_waker() {
    Model::new("timer::fire_against_same_waker")
        .promise("a poll with the same waker, which takes no lock, sees that the timer fired or is woken")
        .outcomes(&["saw it", "woken"])
        .least_executions(9)
        .preemptions(3)
        .mutation(hand_back())
        .run(|out: &Outcomes| {
            let (shard, waiter) = (shard(), Waiter::new());
            let mut timer = Timer::armed(shard, &waiter);
            let firer = spawn_fire(shard, 10);
            let saw_it = matches!(timer.poll(&waiter, shard), Polled::Elapsed);
            if saw_it {
                timer.reuse();
            }
            firer.join().unwrap();
            drop(timer);
            assert_eq!(waiter.wakes(), 1);
            out.saw(if saw_it { "saw it" } else { "woken" });
        });
}

#[test]
fn fire_against_reset() {
    Model::new("timer::fire_against_reset")
        .promise("a reset moves the timer with its waker, or comes after the firing and revives it")
        .outcomes(&["moved", "fired before"])
        .least_executions(20)
        .preemptions(3)
        .mutation(hand_back())
        .mutation(cancel_takes())
        .mutation(Named("timer.reset_trusts_first_look"))
        .run(|out: &Outcomes| {
            let (shard, waiter) = (shard(), Waiter::new());
            let mut timer = Timer::armed(shard, &waiter);
            let firer = spawn_fire(shard, 10);
            assert!(timer.0.as_mut().reset(20, false, || shard).is_none());
            assert!(!timer.0.has_fired());
            // Without waiting for the firer: arms it anew if it fired before.
            let polled = timer.0.as_mut().poll(20, &waiter.waker, || shard);
            assert!(!matches!(polled, Polled::Elapsed));
            let fired_before = firer.join().unwrap();
            assert_eq!(fire(shard, 19), 0);
            assert_eq!(fire(shard, 20), 1);
            assert!(timer.0.has_fired());
            drop(timer);
            assert_eq!(waiter.wakes(), fired_before + 1);
            out.saw(if fired_before == 1 {
                "fired before"
            } else {
                "moved"
            });
        });
}

#[test]
fn fire_against_arm() {
    Model::new("timer::fire_against_arm")
        .promise("the deadline that a shard shows is that of its earliest timer, whoever changed it last")
        .outcomes(&["armed", "elapsed"])
        .least_executions(9)
        .preemptions(3)
        .mutation(Named("timer.publish_unlocked"))
        .run(|out: &Outcomes| {
            let (shard, waiter, other) = (shard(), Waiter::new(), Waiter::new());
            let timer = Timer::armed(shard, &waiter);
            let armer = spawn(move || {
                let mut timer = Timer::new();
                let polled = timer.0.as_mut().poll(20, &other.waker, || shard);
                (timer, other, matches!(polled, Polled::Elapsed))
            });
            // Two firings, one on time and one late, so that the other timer may be refused.
            assert_eq!(fire(shard, 10), 1);
            let fired = fire(shard, 20);
            let (second, other, elapsed) = armer.join().unwrap();
            assert_eq!(elapsed || fired == 1, shard.next_deadline() == u64::MAX);
            assert_eq!(shard.next_deadline() == 20, fire(shard, 20) == 1);
            drop((timer, second));
            assert_eq!(waiter.wakes(), 1);
            assert_eq!(other.wakes(), usize::from(!elapsed));
            out.saw(if elapsed { "elapsed" } else { "armed" });
        });
}

#[test]
fn two_fire_against_cancel() {
    Model::new("timer::two_fire_against_cancel")
        .promise("of the processor, the watcher and the owner, one at most ends each wait")
        .outcomes(&["fired", "cancelled"])
        .least_executions(120)
        .preemptions(3)
        .mutation(hand_back())
        .run(|out: &Outcomes| {
            let (shard, waiter) = (shard(), Waiter::new());
            let mut timer = Timer::armed(shard, &waiter);
            let firers = [spawn_fire(shard, 10), spawn_fire(shard, 11)];
            timer.0.as_mut().cancel();
            timer.reuse();
            drop(timer);
            let fired: usize = firers.map(|firer| firer.join().unwrap()).iter().sum();
            assert_eq!(waiter.wakes(), fired);
            out.saw(if fired == 1 { "fired" } else { "cancelled" });
        });
}

#[test]
fn close_against_arm() {
    Model::new("timer::close_against_arm")
        .promise(
            "a timer armed while its shard closes is refused or woken, and can be armed elsewhere",
        )
        .outcomes(&["refused", "woken", "seen"])
        .least_executions(30)
        .preemptions(3)
        .mutation(hand_back())
        .mutation(poll_takes())
        .mutation(Named("timer.close_stays_open"))
        .run(|out: &Outcomes| {
            let (dying, shard, waiter) = (shard(), shard(), Waiter::new());
            let closer = spawn_close(dying);
            let mut timer = Timer::new();
            let refused = matches!(timer.poll(&waiter, dying), Polled::Closed);
            // As a waiter that is polled again for another reason, before or after the wake-up.
            let seen = matches!(timer.poll(&waiter, shard), Polled::WaitingFirst(_));
            closer.join().unwrap();
            if !seen {
                assert!(matches!(
                    timer.poll(&waiter, shard),
                    Polled::WaitingFirst(_)
                ));
            }
            assert_eq!(dying.next_deadline(), u64::MAX);
            assert_eq!(fire(shard, 10), 1);
            assert!(timer.0.has_fired());
            assert_eq!(waiter.wakes(), if refused { 1 } else { 2 });
            out.saw(match (refused, seen) {
                (true, _) => "refused",
                (_, true) => "seen",
                _ => "woken",
            });
        });
}

#[test]
fn close_against_cancel() {
    Model::new("timer::close_against_cancel")
        .promise("a timer dropped while its shard closes is the owner's afterwards")
        .outcomes(&["shut down", "cancelled"])
        .least_executions(16)
        .preemptions(3)
        .mutation(hand_back())
        .mutation(cancel_takes())
        .mutation(Named("timer.cancel_trusts_first_look"))
        .run(|out: &Outcomes| {
            let (shard, waiter) = (shard(), Waiter::new());
            let mut timer = Timer::armed(shard, &waiter);
            let closer = spawn_close(shard);
            timer.0.as_mut().cancel();
            timer.reuse();
            drop(timer);
            closer.join().unwrap();
            let wakes = waiter.wakes();
            out.saw(if wakes == 1 { "shut down" } else { "cancelled" });
        });
}

#[test]
fn close_against_new_waker() {
    Model::new("timer::close_against_new_waker")
        .promise("a poll with another waker moves the timer to another shard, or closing wakes that waker")
        .outcomes(&["moved", "new woken"])
        .least_executions(16)
        .preemptions(3)
        .mutation(hand_back())
        .mutation(poll_takes())
        .mutation(Named("timer.poll_trusts_first_look"))
        .run(|out: &Outcomes| {
            let (dying, shard) = (shard(), shard());
            let (old, new) = (Waiter::new(), Waiter::new());
            let mut timer = Timer::armed(dying, &old);
            let closer = spawn_close(dying);
            let moved = matches!(timer.poll(&new, shard), Polled::WaitingFirst(_));
            closer.join().unwrap();
            if !moved {
                assert!(matches!(timer.poll(&new, shard), Polled::WaitingFirst(_)));
            }
            assert_eq!(fire(shard, 10), 1);
            drop(timer);
            let wakes = (old.wakes(), new.wakes());
            assert_eq!(wakes, if moved { (1, 1) } else { (0, 2) });
            out.saw(if moved { "moved" } else { "new woken" });
        });
}
