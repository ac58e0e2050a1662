//! Entries and shards, by hand and under load.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Wake, Waker};
use std::thread;

use super::{Entry, Polled, Shard};
use crate::wait::batch::WakeBatch;

/// Counts its wake-ups, and knows whether it is still held by anybody else.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counter {
    fn new() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter::default());
        (counter.clone(), Waker::from(counter))
    }
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Shards live for ever, within sight of the leak sanitizer.
fn shard() -> &'static Shard {
    static SHARDS: Mutex<Vec<&'static Shard>> = Mutex::new(Vec::new());
    let shard = Box::leak(Box::new(Shard::new()));
    SHARDS.lock().unwrap().push(shard);
    shard
}

fn fire(shard: &Shard, now: u64) -> usize {
    let mut batch = WakeBatch::new();
    let fired = shard.fire(now, &mut batch);
    assert_eq!(batch.len(), fired);
    batch.wake_all();
    fired
}

fn close(shard: &Shard) {
    let mut batch = WakeBatch::new();
    shard.close(&mut batch);
    batch.wake_all();
}

fn poll(entry: Pin<&mut Entry>, deadline: u64, waker: &Waker, shard: &'static Shard) -> Polled {
    entry.poll(deadline, waker, || shard)
}

#[test]
fn fires_on_its_tick_and_stays_fired() {
    let (shard, (counter, waker)) = (shard(), Counter::new());
    let mut entry = pin!(Entry::new());
    assert!(matches!(
        poll(entry.as_mut(), 10, &waker, shard),
        Polled::WaitingFirst(s) if std::ptr::eq(s, shard)
    ));
    assert_eq!(shard.next_deadline(), 10);
    assert_eq!(fire(shard, 9), 0);
    assert!(matches!(
        poll(entry.as_mut(), 10, &waker, shard),
        Polled::Waiting
    ));
    assert_eq!(fire(shard, 10), 1);
    assert_eq!(counter.count(), 1);
    assert!(entry.has_fired());
    assert_eq!(shard.next_deadline(), u64::MAX);
    for _ in 0..2 {
        assert!(matches!(
            poll(entry.as_mut(), 10, &waker, shard),
            Polled::Elapsed
        ));
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&counter), 1, "a waker leaked");
}

#[test]
fn only_an_earlier_deadline_is_announced() {
    let (shard, (_, waker)) = (shard(), Counter::new());
    let mut entries: Vec<_> = (0..4).map(|_| Box::pin(Entry::new())).collect();
    let mut first = |at: usize, deadline| {
        matches!(
            poll(entries[at].as_mut(), deadline, &waker, shard),
            Polled::WaitingFirst(_)
        )
    };
    assert!(first(0, 1_000));
    assert!(!first(1, 1_000));
    assert!(!first(2, 2_000));
    assert!(first(3, 999));
}

#[test]
fn a_late_poll_of_a_passed_deadline_is_elapsed_at_once() {
    let (shard, (counter, waker)) = (shard(), Counter::new());
    fire(shard, 100);
    let mut entry = pin!(Entry::new());
    assert!(matches!(
        poll(entry.as_mut(), 100, &waker, shard),
        Polled::Elapsed
    ));
    drop(waker);
    assert_eq!(Arc::strong_count(&counter), 1);
}

#[test]
fn dropping_and_cancelling_unlink_and_drop_the_waker() {
    let (shard, (counter, waker)) = (shard(), Counter::new());
    {
        let mut entry = pin!(Entry::new());
        let _ = poll(entry.as_mut(), 10, &waker, shard);
        assert_eq!(Arc::strong_count(&counter), 3);
    }
    assert_eq!(Arc::strong_count(&counter), 2);
    assert_eq!(shard.next_deadline(), u64::MAX);
    let mut entry = pin!(Entry::new());
    let _ = poll(entry.as_mut(), 10, &waker, shard);
    entry.as_mut().cancel();
    assert_eq!(fire(shard, 20), 0);
    assert_eq!(counter.count(), 0);
    let _ = poll(entry.as_mut(), 30, &waker, shard); // and can be armed again
    assert_eq!(fire(shard, 30), 1);
}

#[test]
fn an_entry_never_polled_takes_no_lock() {
    let shard = shard();
    let _held = shard.lock();
    drop(Entry::new()); // would deadlock
    drop(Entry::elapsed());
}

#[test]
fn a_fired_entry_takes_no_lock() {
    let (shard, (_, waker)) = (shard(), Counter::new());
    let mut entry = Box::pin(Entry::new());
    let _ = poll(entry.as_mut(), 10, &waker, shard);
    fire(shard, 10);
    let _held = shard.lock();
    assert!(matches!(
        poll(entry.as_mut(), 10, &waker, shard),
        Polled::Elapsed
    ));
    drop(entry);
}

#[test]
fn waiting_on_with_the_same_waker_takes_no_lock() {
    let (shard, (_, waker)) = (shard(), Counter::new());
    let mut entry = Box::pin(Entry::new());
    let _ = poll(entry.as_mut(), 10, &waker, shard);
    let held = shard.lock();
    assert!(matches!(
        poll(entry.as_mut(), 10, &waker, shard),
        Polled::Waiting
    ));
    drop(held);
}

#[test]
fn the_last_waker_is_the_one_woken() {
    let shard = shard();
    let ((old, old_waker), (new, new_waker)) = (Counter::new(), Counter::new());
    let mut entry = pin!(Entry::new());
    let _ = poll(entry.as_mut(), 10, &old_waker, shard);
    let _ = poll(entry.as_mut(), 10, &new_waker, shard);
    drop(old_waker);
    assert_eq!(Arc::strong_count(&old), 1, "the old waker is dropped");
    fire(shard, 10);
    assert_eq!((old.count(), new.count()), (0, 1));
}

/// A waker whose drop needs the shard's lock.
struct Reentrant(&'static Shard);

impl Wake for Reentrant {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        drop(self.0.lock());
    }
}

#[test]
fn wakers_are_dropped_outside_the_lock() {
    let (shard, (_, other)) = (shard(), Counter::new());
    let reentrant = || Waker::from(Arc::new(Reentrant(shard)));
    let mut entry = pin!(Entry::new());
    let _ = poll(entry.as_mut(), 10, &reentrant(), shard);
    let _ = poll(entry.as_mut(), 10, &other, shard); // replaced
    entry.as_mut().cancel();
    let _ = poll(entry.as_mut(), 10, &reentrant(), shard);
    entry.as_mut().cancel(); // cancelled
    let _ = poll(entry.as_mut(), 10, &reentrant(), shard);
    let _ = entry.as_mut().reset(0, true, || shard); // reset to the past
    let _ = entry.as_mut().reset(10, false, || shard);
    let _ = poll(entry.as_mut(), 10, &reentrant(), shard);
    fire(shard, 10); // fired
    let _ = entry.as_mut().reset(20, false, || shard);
    let _ = poll(entry.as_mut(), 20, &reentrant(), shard);
    close(shard); // closed
    let _ = poll(entry.as_mut(), 20, &reentrant(), shard); // refused
}

#[test]
fn reset_moves_an_armed_entry_and_keeps_its_waker() {
    let (shard, (counter, waker)) = (shard(), Counter::new());
    let mut entry = pin!(Entry::new());
    let _ = poll(entry.as_mut(), 100, &waker, shard);
    assert!(entry.as_mut().reset(200, false, || shard).is_none());
    assert_eq!((shard.next_deadline(), fire(shard, 199)), (200, 0));
    assert!(entry.as_mut().reset(1 << 40, false, || shard).is_none());
    assert!(entry.as_mut().reset(u64::MAX, false, || shard).is_none());
    assert_eq!(shard.next_deadline(), u64::MAX);
    assert!(entry.as_mut().reset(300, false, || shard).is_some());
    assert_eq!(fire(shard, 300), 1);
    assert_eq!(counter.count(), 1);
}

#[test]
fn reset_elsewhere_moves_the_entry_with_its_waker() {
    let ((first, second), (counter, waker)) = ((shard(), shard()), Counter::new());
    let mut entry = pin!(Entry::new());
    let _ = poll(entry.as_mut(), 100, &waker, first);
    let changed = entry.as_mut().reset(50, false, || second);
    assert!(changed.is_some_and(|shard| std::ptr::eq(shard, second)));
    assert_eq!(first.next_deadline(), u64::MAX);
    assert_eq!(fire(second, 50), 1);
    assert_eq!(counter.count(), 1);

    let _ = entry.as_mut().reset(100, false, || first);
    let _ = poll(entry.as_mut(), 100, &waker, first);
    close(second);
    assert!(entry.as_mut().reset(200, false, || second).is_none());
    assert_eq!(counter.count(), 2, "woken, to find another shard");
    assert!(!entry.has_fired());
    assert_eq!(first.next_deadline(), u64::MAX);
}

#[test]
fn reset_to_the_past_wakes_the_waiter() {
    let (shard, (counter, waker)) = (shard(), Counter::new());
    let mut entry = pin!(Entry::new());
    let _ = poll(entry.as_mut(), 100, &waker, shard);
    assert!(entry.as_mut().reset(1, true, || shard).is_none());
    assert_eq!(counter.count(), 1);
    assert!(entry.has_fired());
    assert_eq!(fire(shard, 100), 0);
}

#[test]
fn reset_revives_a_fired_entry() {
    let (shard, (counter, waker)) = (shard(), Counter::new());
    let mut entry = pin!(Entry::new());
    let _ = poll(entry.as_mut(), 10, &waker, shard);
    fire(shard, 10);
    assert!(entry.as_mut().reset(20, false, || shard).is_none());
    assert!(!entry.has_fired());
    let _ = poll(entry.as_mut(), 20, &waker, shard);
    assert_eq!(fire(shard, 20), 1);
    assert_eq!(counter.count(), 2);
}

#[test]
fn a_closed_shard_wakes_everyone_refuses_timers_and_opens_again() {
    let ((first, second), (counter, waker)) = ((shard(), shard()), Counter::new());
    let mut entries: Vec<_> = (0..3).map(|_| Box::pin(Entry::new())).collect();
    for (entry, deadline) in entries.iter_mut().zip([10, 1 << 50, u64::MAX]) {
        let _ = poll(entry.as_mut(), deadline, &waker, first);
    }
    close(first);
    assert_eq!(counter.count(), 3);
    assert_eq!(first.next_deadline(), u64::MAX);
    let mut late = Box::pin(Entry::new());
    assert!(matches!(
        poll(late.as_mut(), 5, &waker, first),
        Polled::Closed
    ));
    for entry in &mut entries {
        assert!(!entry.has_fired());
        assert!(!matches!(
            poll(entry.as_mut(), 10, &waker, second),
            Polled::Closed
        ));
    }
    assert_eq!(fire(second, 10), 3);
    first.open();
    assert!(matches!(
        poll(late.as_mut(), 5, &waker, first),
        Polled::WaitingFirst(_)
    ));
    assert_eq!(fire(first, 5), 1);
}

#[test]
fn a_panicking_waker_hurts_nobody() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            // Without a message: the payload of a panicking waker is leaked.
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let (shard, (counter, waker)) = (shard(), Counter::new());
    let panics = Waker::from(Arc::new(Panics));
    let mut entries: Vec<_> = (0..3).map(|_| Box::pin(Entry::new())).collect();
    for (entry, waker) in entries.iter_mut().zip([&waker, &panics, &waker]) {
        let _ = poll(entry.as_mut(), 10, waker, shard);
    }
    assert_eq!(fire(shard, 10), 3);
    assert_eq!(counter.count(), 2);
}

/// Owners that poll, reset, swap wakers and drop, against a thread that fires and one that closes
/// and opens: every entry that is waited for gets its wake-up, and no waker leaks.
#[test]
fn stress_owners_against_fire_and_close() {
    const OWNERS: usize = 3;
    const ROUNDS: u64 = 3_000;
    let shard = shard();
    let now = Arc::new(AtomicUsize::new(1));
    let done = Arc::new(AtomicBool::new(false));
    let start = Arc::new(Barrier::new(OWNERS + 2));
    let firer = thread::spawn({
        let (now, done, start) = (now.clone(), done.clone(), start.clone());
        move || {
            start.wait();
            while !done.load(Ordering::SeqCst) {
                fire(shard, now.fetch_add(1, Ordering::SeqCst) as u64);
                thread::yield_now();
            }
        }
    });
    let closer = thread::spawn({
        let (done, start) = (done.clone(), start.clone());
        move || {
            start.wait();
            while !done.load(Ordering::SeqCst) {
                close(shard);
                shard.open();
                thread::yield_now();
            }
        }
    });
    let owners: Vec<_> = (0..OWNERS as u64)
        .map(|seed| {
            let (now, start) = (now.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                let wakers = [Counter::new(), Counter::new()];
                for round in 0..ROUNDS {
                    let mut entry = pin!(Entry::new());
                    let deadline = now.load(Ordering::SeqCst) as u64 + (round * 7 + seed) % 5;
                    for step in round % 4..4 {
                        let (counter, waker) = &wakers[(step % 2) as usize];
                        let before = counter.count();
                        if step == 3 && round % 3 == 0 {
                            break; // dropped as it is
                        }
                        match poll(entry.as_mut(), deadline, waker, shard) {
                            Polled::Elapsed => break,
                            Polled::Closed => continue,
                            Polled::Waiting | Polled::WaitingFirst(_) if step == 2 => {
                                let _ = entry.as_mut().reset(deadline + 1, false, || shard);
                            }
                            Polled::Waiting | Polled::WaitingFirst(_) if step == 3 => {
                                while counter.count() == before {
                                    thread::yield_now();
                                }
                            }
                            Polled::Waiting | Polled::WaitingFirst(_) => {}
                        }
                    }
                }
                for (counter, waker) in wakers {
                    drop(waker);
                    // The firer may still hold one in its batch.
                    while Arc::strong_count(&counter) > 1 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    for owner in owners {
        owner.join().unwrap();
    }
    done.store(true, Ordering::SeqCst);
    firer.join().unwrap();
    closer.join().unwrap();
    assert_eq!(shard.next_deadline(), u64::MAX, "a node was left behind");
}
