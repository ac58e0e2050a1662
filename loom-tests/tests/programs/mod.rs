//! The programs that the canaries run, apart from them so that a snippet occurs only once.

use std::sync::atomic::Ordering;

use gorust::units::atomic::{AtomicUsize, fence};
use gorust::units::{Arc, UnsafeCell};
use loom::thread::spawn;
use loom_tests::Outcomes;

/// One thread loads; the other loads, then exchanges.
pub fn load_against_exchange(out: &Outcomes) {
    let count = Arc::new(AtomicUsize::new(0));
    let other = spawn({
        let count = count.clone();
        move || {
            let old = count.load(Ordering::Relaxed);
            let new = count.compare_exchange(old, 1, Ordering::Relaxed, Ordering::Relaxed);
            assert_eq!(new, Ok(0));
        }
    });
    out.saw(match count.load(Ordering::Relaxed) {
        0 => "before",
        _ => "after",
    });
    other.join().unwrap();
}

/// A value published by a release fence and a relaxed store, which a third thread overwrites by a
/// relaxed store: nothing orders the reader of the second store after the value.
pub fn relayed_fence(out: &Outcomes) {
    let shared = Arc::new((AtomicUsize::new(0), UnsafeCell::new(0)));
    let writer = spawn({
        let shared = shared.clone();
        move || {
            // SAFETY: not sound, which is the point: loom has to report it.
            shared.1.with_mut(|value| unsafe { *value = 1 });
            fence(Ordering::Release);
            shared.0.store(1, Ordering::Relaxed);
        }
    });
    let relay = spawn({
        let shared = shared.clone();
        move || {
            if shared.0.load(Ordering::Relaxed) == 1 {
                shared.0.store(2, Ordering::Relaxed);
            }
        }
    });
    // The second load comes after the relay in every execution: if the atomics are wrapped, so does
    // its schedule point, and the fence takes that for a synchronisation.
    if shared.0.load(Ordering::Relaxed) == 2 && shared.0.load(Ordering::Relaxed) == 2 {
        fence(Ordering::Acquire);
        // SAFETY: as above.
        shared.1.with(|value| unsafe { assert_eq!(*value, 1) });
        out.saw("read");
    }
    writer.join().unwrap();
    relay.join().unwrap();
}

/// Each side raises its flag and looks at the other's.
pub fn dekker(out: &Outcomes) {
    let flags = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let other = spawn({
        let flags = flags.clone();
        move || {
            flags.1.store(1, Ordering::Relaxed);
            fence(Ordering::SeqCst); // there
            flags.0.load(Ordering::Relaxed) == 1
        }
    });
    flags.0.store(1, Ordering::Relaxed);
    fence(Ordering::SeqCst); // here
    let here = flags.1.load(Ordering::Relaxed) == 1;
    out.saw(match (here, other.join().unwrap()) {
        (true, true) => "both",
        (true, false) => "here",
        (false, true) => "there",
        (false, false) => "neither",
    });
}

/// A value published by a release store to whoever loads it with acquire.
pub fn publication(out: &Outcomes) {
    let shared = Arc::new((AtomicUsize::new(0), UnsafeCell::new(0)));
    let writer = spawn({
        let shared = shared.clone();
        move || {
            // SAFETY: the reader comes after the store below, or not at all.
            shared.1.with_mut(|value| unsafe { *value = 1 });
            shared.0.store(1, Ordering::Release);
        }
    });
    let before = shared.0.load(Ordering::Relaxed); // a hint that decides nothing
    if shared.0.load(Ordering::Acquire) == 1 {
        // SAFETY: the load saw the writer's store.
        shared.1.with(|value| unsafe { assert_eq!(*value, 1) });
        out.saw("read");
    } else {
        assert_eq!(before, 0);
        out.saw("nothing");
    }
    writer.join().unwrap();
}

/// Two operations on one line.
#[rustfmt::skip]
pub fn two_on_a_line(out: &Outcomes) {
    let zero = Arc::new(AtomicUsize::new(0));
    let other = spawn({
        let zero = zero.clone();
        move || zero.fetch_add(0, Ordering::Relaxed)
    });
    let sum = zero.swap(0, Ordering::Acquire) + zero.load(Ordering::Acquire); // both are mutated
    assert_eq!(sum, 0);
    other.join().unwrap();
    out.saw("done");
}

/// A value released by a swap to a compare-and-exchange that fails.
pub fn failed_exchange(out: &Outcomes) {
    let shared = Arc::new((AtomicUsize::new(0), UnsafeCell::new(0)));
    let writer = spawn({
        let shared = shared.clone();
        move || {
            // SAFETY: the reader comes after the swap below, or not at all.
            shared.1.with_mut(|value| unsafe { *value = 1 });
            shared.0.swap(1, Ordering::Release);
        }
    });
    let seen = shared
        .0
        .compare_exchange(9, 9, Ordering::Relaxed, Ordering::Acquire);
    if seen == Err(1) {
        // SAFETY: the failed exchange saw the swap.
        shared.1.with(|value| unsafe { assert_eq!(*value, 1) });
        out.saw("read");
    } else {
        out.saw("nothing");
    }
    writer.join().unwrap();
}
