//! `Mutex`, `Notify` and `WaitGroup`: those who wait, grant and give up, against each other.
#![cfg(gorust_loom)]

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize as StdAtomicUsize, Ordering as StdOrdering};
use std::task::{Context, Poll, Wake, Waker};

use gorust::sync::{Mutex, Notify, WaitGroup};
use gorust::units::atomic::{AtomicUsize, Ordering};
use gorust::units::{Arc, UnsafeCell};
use loom::thread::spawn;
use loom_tests::{Acquire, Model, Named, Outcomes, Relaxed, Release, Weaken, WeakenFailure};

/// Waits on this thread; the flag says whether it had to.
fn wait<F: Future>(future: F) -> (F::Output, bool) {
    let mut future = pin!(future);
    let mut waited = false;
    let output = loom::future::block_on(poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        waited |= poll.is_pending();
        poll
    }));
    (output, waited)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts its wake-ups; loom need not see that.
#[derive(Default)]
struct Counter(StdAtomicUsize);

impl Wake for Counter {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, StdOrdering::Relaxed);
    }
}

impl Counter {
    fn waits<F: Future>(self: &StdArc<Self>, future: Pin<&mut F>) {
        let waker = Waker::from(self.clone());
        assert!(future.poll(&mut Context::from_waker(&waker)).is_pending());
    }

    fn wakes(&self) -> usize {
        self.0.load(StdOrdering::Relaxed)
    }
}

// Mutex

/// A number that loom watches.
type Guarded = StdArc<Mutex<UnsafeCell<usize>>>;

fn guarded() -> Guarded {
    StdArc::new(Mutex::new(UnsafeCell::new(0)))
}

fn add(number: &UnsafeCell<usize>) -> usize {
    // SAFETY: the caller has the lock.
    number.with_mut(|number| unsafe {
        *number += 1;
        *number
    })
}

const RAW: &str = "src/sync/mutex/raw.rs";
const UNLOCK: Weaken = Weaken {
    file: RAW,
    snippet: "self.word.fetch_sub(LOCKED, Ordering::Release)",
    to: Relaxed,
};
const TAKE_IF_FREE: Weaken = Weaken {
    file: RAW,
    snippet: ".compare_exchange_weak(word, locked(word), Ordering::Acquire",
    to: Relaxed,
};

#[test]
fn lock_against_lock() {
    Model::new("sync::lock_against_lock")
        .promise("two that lock come one after the other, and the second sees what the first did")
        .outcomes(&["one waited", "neither waited"])
        .least_executions(290)
        .preemptions(3)
        .mutation(UNLOCK)
        .mutation(TAKE_IF_FREE)
        .mutation(Weaken {
            file: RAW,
            snippet: ".compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed); // at once",
            to: Relaxed,
        })
        .mutation(Named("mutex.list_blindly"))
        .run(|out: &Outcomes| {
            let mutex = guarded();
            let other = spawn({
                let mutex = mutex.clone();
                move || {
                    let (guard, waited) = wait(mutex.lock());
                    add(&guard);
                    waited
                }
            });
            let (guard, waited) = wait(mutex.lock());
            add(&guard);
            drop(guard);
            let other_waited = other.join().unwrap();
            assert_eq!(add(&mutex.try_lock().unwrap()), 3);
            assert!(!(waited && other_waited));
            out.saw(match waited || other_waited {
                true => "one waited",
                false => "neither waited",
            });
        });
}

#[test]
fn try_lock_against_unlock() {
    Model::new("sync::try_lock_against_unlock")
        .promise("a try_lock that finds the lock free sees what its last owner did")
        .outcomes(&["locked", "taken"])
        .least_executions(30)
        .preemptions(3)
        .mutation(UNLOCK)
        .mutation(Weaken {
            file: RAW,
            snippet: ".compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed); // uncontended",
            to: Relaxed,
        })
        .run(|out: &Outcomes| {
            let mutex = guarded();
            let guard = mutex.clone().try_lock_owned().unwrap();
            let owner = spawn(move || add(&guard));
            let locked = mutex.try_lock().ok();
            out.saw(match locked {
                Some(guard) => {
                    assert_eq!(add(&guard), 2);
                    "locked"
                }
                None => "taken",
            });
            owner.join().unwrap();
        });
}

#[test]
fn three_lock() {
    Model::new("sync::three_lock")
        .promise("of three that lock, each gets its turn")
        .outcomes(&["done"])
        .least_executions(3600)
        .mutation(Named("mutex.list_blindly"))
        .run(|out: &Outcomes| {
            let mutex = guarded();
            let others = [0; 2].map(|_| {
                let mutex = mutex.clone();
                spawn(move || {
                    add(&wait(mutex.lock()).0);
                })
            });
            add(&wait(mutex.lock()).0);
            for other in others {
                other.join().unwrap();
            }
            assert_eq!(add(&mutex.try_lock().unwrap()), 4);
            out.saw("done");
        });
}

#[test]
fn woken_against_overtaker() {
    Model::new("sync::woken_against_overtaker")
        .promise("one who was woken and finds the lock taken gets it when that is free again")
        .outcomes(&["overtaken", "first"])
        .least_executions(470)
        .preemptions(3)
        .mutation(Named("mutex.still_coming"))
        .mutation(UNLOCK)
        .mutation(TAKE_IF_FREE)
        .run(|out: &Outcomes| {
            let mutex = guarded();
            let guard = mutex.try_lock().unwrap();
            let mut waits = Box::pin(mutex.lock());
            assert!(poll(waits.as_mut()).is_pending());
            drop(guard);
            // It was woken; now another comes.
            let overtaker = spawn({
                let mutex = mutex.clone();
                move || add(&wait(mutex.lock()).0)
            });
            let (guard, _) = wait(waits);
            let place = add(&guard);
            drop(guard);
            assert_eq!(overtaker.join().unwrap() + place, 3);
            out.saw(if place == 2 { "overtaken" } else { "first" });
        });
}

#[test]
fn dropped_lock_against_unlock() {
    Model::new("sync::dropped_lock_against_unlock")
        .promise("a lock future that is dropped as the lock becomes free passes the wake-up on")
        .outcomes(&["woken, then dropped", "dropped first"])
        .least_executions(20)
        .preemptions(3)
        .mutation(Named("mutex.keep_wake"))
        .run(|out: &Outcomes| {
            let mutex = guarded();
            let guard = mutex.clone().try_lock_owned().unwrap();
            let (first, second) = (StdArc::<Counter>::default(), StdArc::<Counter>::default());
            let mut leaves = Box::pin(mutex.lock());
            first.waits(leaves.as_mut());
            let mut stays = Box::pin(mutex.lock());
            second.waits(stays.as_mut());
            let owner = spawn(move || drop(guard));
            drop(leaves);
            owner.join().unwrap();
            assert_eq!(second.wakes(), 1);
            assert!(poll(stays.as_mut()).is_ready());
            out.saw(match first.wakes() {
                1 => "woken, then dropped",
                _ => "dropped first",
            });
        });
}

#[test]
fn dropped_lock_against_overtaker() {
    Model::new("sync::dropped_lock_against_overtaker")
        .promise("a woken lock future is dropped while another has the lock: the next is woken")
        .outcomes(&["the dropper", "the overtaker"])
        .least_executions(340)
        .preemptions(3)
        .mutation(Named("mutex.keep_wake"))
        .mutation(Named("mutex.keep_flag"))
        .run(|out: &Outcomes| {
            let mutex = guarded();
            let guard = mutex.try_lock().unwrap();
            let mut leaves = Box::pin(mutex.lock());
            assert!(poll(leaves.as_mut()).is_pending());
            let last = StdArc::<Counter>::default();
            let mut stays = Box::pin(mutex.lock());
            last.waits(stays.as_mut());
            drop(guard);
            let overtaker = spawn({
                let mutex = mutex.clone();
                move || drop(mutex.try_lock())
            });
            drop(leaves);
            let early = last.wakes();
            overtaker.join().unwrap();
            assert_eq!(last.wakes(), 1);
            assert!(poll(stays.as_mut()).is_ready());
            out.saw(if early == 1 {
                "the dropper"
            } else {
                "the overtaker"
            });
        });
}

// Notify

const NOTIFY: &str = "src/sync/notify.rs";
const STORE_PERMIT: Weaken = Weaken {
    file: NOTIFY,
    snippet: ".compare_exchange_weak(word, word | PERMIT, Ordering::Release",
    to: Relaxed,
};
const LOOK: Weaken = Weaken {
    file: NOTIFY,
    snippet: "self.word.load(Ordering::Acquire);",
    to: Relaxed,
};
const USE_PERMIT: &str = ".compare_exchange_weak(word, word & !PERMIT, Ordering::Acquire";

/// What a notification announces, in loom's sight.
type News = Arc<(Notify, UnsafeCell<usize>)>;

fn news() -> News {
    Arc::new((Notify::new(), UnsafeCell::new(0)))
}

fn write(news: &News) {
    // SAFETY: it is read by whoever was notified of it.
    news.1.with_mut(|cell| unsafe { *cell = 7 });
}

fn read(news: &News) -> usize {
    // SAFETY: we were notified.
    news.1.with(|cell| unsafe { *cell })
}

#[test]
fn notify_one_against_notified() {
    Model::new("sync::notify_one_against_notified")
        .promise("a notification is used, whoever comes first, and what it announces is visible")
        .outcomes(&["waited", "found a permit"])
        .least_executions(450)
        .preemptions(3)
        .mutation(Named("notify.list_blindly"))
        .mutation(STORE_PERMIT)
        .run(|out: &Outcomes| {
            let news = news();
            let notifier = spawn({
                let news = news.clone();
                move || {
                    write(&news);
                    news.0.notify_one();
                }
            });
            let (_, waited) = wait(news.0.notified());
            assert_eq!(read(&news), 7);
            notifier.join().unwrap();
            assert!(poll(pin!(news.0.notified())).is_pending());
            out.saw(if waited { "waited" } else { "found a permit" });
        });
}

#[test]
fn two_notify_one() {
    Model::new("sync::two_notify_one")
        .promise("a permit that stands for two notifications shows what both announce")
        .outcomes(&["one permit for both", "one each"])
        .least_executions(130)
        .preemptions(3)
        .mutation(STORE_PERMIT)
        .mutation(Weaken {
            file: NOTIFY,
            snippet: USE_PERMIT,
            to: Relaxed,
        })
        .run(|out: &Outcomes| {
            let shared = Arc::new((Notify::new(), AtomicUsize::new(0)));
            shared.0.notify_one();
            let notifier = spawn({
                let shared = shared.clone();
                move || {
                    shared.1.store(1, Ordering::Relaxed);
                    shared.0.notify_one();
                }
            });
            assert!(poll(pin!(shared.0.notified())).is_ready());
            let seen = shared.1.load(Ordering::Relaxed);
            notifier.join().unwrap();
            out.saw(match poll(pin!(shared.0.notified())) {
                Poll::Ready(()) => "one each",
                Poll::Pending => {
                    assert_eq!(seen, 1, "the permit did not show it");
                    "one permit for both"
                }
            });
        });
}

#[test]
fn notify_waiters_against_notified() {
    Model::new("sync::notify_waiters_against_notified")
        .promise(
            "whoever called notified before is woken, polled or not, and sees what came before",
        )
        .outcomes(&["waited", "found it called"])
        .least_executions(140)
        .preemptions(3)
        .mutation(Weaken {
            file: NOTIFY,
            snippet: "self.word.fetch_add(CALL, Ordering::Release);",
            to: Relaxed,
        })
        .mutation(LOOK)
        .mutation(Named("notify.list_blindly"))
        .run(|out: &Outcomes| {
            let news = news();
            let notified = news.0.notified();
            let notifier = spawn({
                let news = news.clone();
                move || {
                    write(&news);
                    news.0.notify_waiters();
                }
            });
            let (_, waited) = wait(notified);
            assert_eq!(read(&news), 7);
            notifier.join().unwrap();
            out.saw(if waited { "waited" } else { "found it called" });
        });
}

#[test]
fn notify_waiters_against_permit() {
    Model::new("sync::notify_waiters_against_permit")
        .promise("one who loses a permit to a call of notify_waiters sees what came before that")
        .outcomes(&["permit used", "permit left"])
        .least_executions(90)
        .preemptions(3)
        .mutation(WeakenFailure {
            file: NOTIFY,
            snippet: USE_PERMIT,
            to: Relaxed,
        })
        .run(|out: &Outcomes| {
            let shared = Arc::new((Notify::new(), AtomicUsize::new(0)));
            let mut notified = pin!(shared.0.notified());
            shared.0.notify_one();
            let notifier = spawn({
                let shared = shared.clone();
                move || {
                    shared.1.store(1, Ordering::Relaxed);
                    shared.0.notify_waiters();
                }
            });
            assert!(poll(notified.as_mut()).is_ready());
            let seen = shared.1.load(Ordering::Relaxed);
            notifier.join().unwrap();
            let left = poll(pin!(shared.0.notified())).is_ready();
            assert!(!left || seen == 1, "the call did not show it");
            out.saw(if left { "permit left" } else { "permit used" });
        });
}

#[test]
fn dropped_notified_against_notify_one() {
    Model::new("sync::dropped_notified_against_notify_one")
        .promise("a notification that its future did not use goes to the next in line")
        .outcomes(&["notified, then dropped", "dropped first"])
        .least_executions(20)
        .preemptions(3)
        .mutation(Named("notify.keep"))
        .run(|out: &Outcomes| {
            let notify = Arc::new(Notify::new());
            let (first, second) = (StdArc::<Counter>::default(), StdArc::<Counter>::default());
            let mut leaves = Box::pin(notify.notified());
            first.waits(leaves.as_mut());
            let mut stays = Box::pin(notify.notified());
            second.waits(stays.as_mut());
            let notifier = spawn({
                let notify = notify.clone();
                move || notify.notify_one()
            });
            drop(leaves);
            notifier.join().unwrap();
            assert_eq!(second.wakes(), 1);
            assert!(poll(stays.as_mut()).is_ready());
            out.saw(match first.wakes() {
                1 => "notified, then dropped",
                _ => "dropped first",
            });
        });
}

#[test]
fn last_in_line_leaves_against_notify_one() {
    Model::new("sync::last_in_line_leaves_against_notify_one")
        .promise("the only one in line leaves as it is notified: a permit is left, with its news")
        .outcomes(&["notified", "gone"])
        .least_executions(1400)
        .preemptions(3)
        .mutation(Weaken {
            file: NOTIFY,
            snippet: "self.word.fetch_or(PERMIT, Ordering::Release);",
            to: Relaxed,
        })
        .mutation(Named("notify.keep"))
        .run(|out: &Outcomes| {
            let news = news();
            let counter = StdArc::<Counter>::default();
            let mut leaves = Box::pin(news.0.notified());
            counter.waits(leaves.as_mut());
            let notifier = spawn({
                let news = news.clone();
                move || {
                    write(&news);
                    news.0.notify_one();
                }
            });
            drop(leaves);
            wait(news.0.notified());
            assert_eq!(read(&news), 7);
            notifier.join().unwrap();
            assert!(poll(pin!(news.0.notified())).is_pending());
            out.saw(if counter.wakes() == 1 {
                "notified"
            } else {
                "gone"
            });
        });
}

// WaitGroup

const GROUP: &str = "src/sync/wait_group.rs";
const UPDATE: &str = ".compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed)";

#[test]
fn done_against_wait() {
    Model::new("sync::done_against_wait")
        .promise("a wait ends when all are done, and what they did is visible")
        .outcomes(&["waited", "found them done"])
        .least_executions(2100)
        .mutation(Weaken {
            file: GROUP,
            snippet: UPDATE,
            to: Acquire,
        })
        .mutation(Weaken {
            file: GROUP,
            snippet: UPDATE,
            to: Release,
        })
        .mutation(Weaken {
            file: GROUP,
            snippet: "self.word.load(Ordering::Acquire);",
            to: Relaxed,
        })
        .mutation(Named("wait_group.trust_first_look"))
        .run(|out: &Outcomes| {
            let group = WaitGroup::new();
            group.add(2);
            let cells = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
            let others = [0, 1].map(|index| {
                let (group, cells) = (group.clone(), cells.clone());
                spawn(move || {
                    // SAFETY: it is read after the wait.
                    cells[index].with_mut(|cell| unsafe { *cell = 1 });
                    group.done();
                })
            });
            let (_, waited) = wait(group.wait());
            for cell in &*cells {
                // SAFETY: all are done.
                assert_eq!(cell.with(|cell| unsafe { *cell }), 1);
            }
            for other in others {
                other.join().unwrap();
            }
            out.saw(if waited { "waited" } else { "found them done" });
        });
}

#[test]
fn next_round_against_let_go() {
    Model::new("sync::next_round_against_let_go")
        .promise("one who waits for the next round is not let go by the end of this one")
        .outcomes(&["waited", "found it done"])
        .least_executions(200)
        .preemptions(3)
        .mutation(Named("wait_group.any_round"))
        .run(|out: &Outcomes| {
            let group = WaitGroup::new();
            group.add(1);
            let other = spawn({
                let group = group.clone();
                move || group.done()
            });
            let (_, waited) = wait(group.wait());
            // The other may be on its way to those who wait.
            group.add(1);
            let mut next = Box::pin(group.wait());
            assert!(poll(next.as_mut()).is_pending());
            other.join().unwrap();
            assert!(poll(next.as_mut()).is_pending());
            group.done();
            assert!(poll(next.as_mut()).is_ready());
            out.saw(if waited { "waited" } else { "found it done" });
        });
}

#[test]
fn dropped_wait_against_done() {
    Model::new("sync::dropped_wait_against_done")
        .promise("a wait that is dropped as the last is done leaves the others to be woken")
        .outcomes(&["woken, then dropped", "dropped first"])
        .least_executions(20)
        .preemptions(3)
        .mutation(Named("wait_group.lets_one_go"))
        .run(|out: &Outcomes| {
            let group = WaitGroup::new();
            group.add(1);
            let (first, second) = (StdArc::<Counter>::default(), StdArc::<Counter>::default());
            let mut leaves = Box::pin(group.wait());
            first.waits(leaves.as_mut());
            let mut stays = Box::pin(group.wait());
            second.waits(stays.as_mut());
            let other = spawn({
                let group = group.clone();
                move || group.done()
            });
            drop(leaves);
            other.join().unwrap();
            assert_eq!(second.wakes(), 1);
            assert!(poll(stays.as_mut()).is_ready());
            out.saw(match first.wakes() {
                1 => "woken, then dropped",
                _ => "dropped first",
            });
        });
}
