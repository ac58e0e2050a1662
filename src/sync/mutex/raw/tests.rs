use std::future::poll_fn;
use std::pin::pin;

use super::*;
use crate::by_hand::{Hand, hand, waiting};

fn lock(raw: &RawMutex) -> Hand<'_, ()> {
    hand(attempt(raw))
}

async fn attempt(raw: &RawMutex) {
    struct Attempt<'a>(&'a RawMutex, Turn);
    impl Drop for Attempt<'_> {
        fn drop(&mut self) {
            // SAFETY: pinned below, and not moved any more.
            self.0.drop_turn(unsafe { Pin::new_unchecked(&mut self.1) });
        }
    }
    let mut attempt = pin!(Attempt(raw, Turn::new()));
    poll_fn(|cx| {
        // SAFETY: the turn is pinned because the attempt is.
        let turn = unsafe { attempt.as_mut().map_unchecked_mut(|attempt| &mut attempt.1) };
        raw.poll_lock(turn, cx)
    })
    .await;
}

fn word(raw: &RawMutex) -> usize {
    raw.word.load(Ordering::Relaxed)
}

#[test]
fn uncontended_the_word_returns_to_zero() {
    let raw = RawMutex::new();
    assert!(raw.try_lock() && !raw.try_lock());
    assert_eq!(word(&raw), LOCKED);
    raw.unlock();
    lock(&raw).ready();
    raw.unlock();
    assert_eq!(word(&raw), 0);
}

#[test]
fn who_waits_is_woken_once() {
    let raw = RawMutex::new();
    assert!(raw.try_lock());
    let (mut first, second) = (waiting(attempt(&raw)), waiting(attempt(&raw)));
    assert_eq!(word(&raw), LOCKED | LISTED);
    raw.unlock();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    assert_eq!(word(&raw), LISTED | WOKEN);
    // Others come and go: nobody else is woken for that.
    assert!(raw.try_lock());
    raw.unlock();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    first.ready();
    assert_eq!(word(&raw), LOCKED | LISTED);
    raw.unlock();
    assert_eq!(second.wakes(), 1);
}

#[test]
fn patience_ends() {
    let raw = RawMutex::new();
    assert!(raw.try_lock());
    let never_polled = waiting(attempt(&raw));
    let mut next = waiting(attempt(&raw));
    raw.unlock();
    assert_eq!(never_polled.wakes(), 1);
    let mut times = 0;
    while next.wakes() == 0 {
        assert!(raw.try_lock());
        raw.unlock();
        times += 1;
        assert!(times <= 64, "the next is never woken");
    }
    assert_eq!(times, 64);
    next.ready();
    raw.unlock();
    drop(never_polled);
    drop(next);
    assert_eq!(word(&raw), 0);
}

#[test]
fn who_loses_twice_goes_first() {
    let raw = RawMutex::new();
    assert!(raw.try_lock());
    let mut loser = waiting(attempt(&raw));
    for losses in 1..=2 {
        raw.unlock();
        assert_eq!(loser.wakes(), losses);
        assert!(raw.try_lock(), "nothing keeps others away");
        loser.waits();
    }
    assert_eq!(word(&raw) & STARVING, STARVING);
    raw.unlock();
    let mut newcomer = lock(&raw);
    newcomer.waits();
    assert_eq!(newcomer.wakes(), 1, "it gives way, and wakes itself");
    loser.ready();
    assert_eq!(word(&raw), LOCKED);
    newcomer.waits();
    raw.unlock();
    newcomer.ready();
    raw.unlock();
    assert_eq!(word(&raw), 0);
}

#[test]
fn giving_way_ends_after_one_turn() {
    let raw = RawMutex::new();
    assert!(raw.try_lock());
    let mut loser = waiting(attempt(&raw));
    for _ in 0..2 {
        raw.unlock();
        assert!(raw.try_lock());
        loser.waits();
    }
    raw.unlock();
    // The loser is never polled again.
    let mut newcomer = waiting(attempt(&raw));
    newcomer.ready();
    raw.unlock();
    drop(loser);
    assert_eq!(word(&raw), 0);
}

#[test]
fn a_starving_future_that_leaves_takes_its_flag_along() {
    for woken in [false, true] {
        let raw = RawMutex::new();
        assert!(raw.try_lock());
        let mut loser = waiting(attempt(&raw));
        for _ in 0..3 {
            raw.unlock();
            assert!(raw.try_lock());
            loser.waits();
        }
        if woken {
            raw.unlock();
            drop(loser);
        } else {
            drop(loser);
            raw.unlock();
        }
        assert_eq!(word(&raw), 0);
    }
}

#[test]
fn one_that_loses_keeps_its_place() {
    let raw = RawMutex::new();
    assert!(raw.try_lock());
    let mut first = waiting(attempt(&raw));
    let second = waiting(attempt(&raw));
    raw.unlock();
    assert!(raw.try_lock());
    first.waits();
    raw.unlock();
    assert_eq!((first.wakes(), second.wakes()), (2, 0));
    first.ready();
    raw.unlock();
    assert_eq!(second.wakes(), 1);
}

#[test]
fn dropped_in_every_phase() {
    // Never polled.
    let raw = RawMutex::new();
    drop(lock(&raw));
    // In line, at either end.
    for leaver in 0..3 {
        assert!(raw.try_lock());
        let mut line: Vec<_> = (0..3).map(|_| waiting(attempt(&raw))).collect();
        drop(line.remove(leaver));
        raw.unlock();
        for waiter in &mut line {
            assert_eq!(waiter.wakes(), 1);
            waiter.ready();
            raw.unlock();
        }
        assert_eq!(word(&raw), 0);
    }
    // Woken, with someone behind: while it is free, and while it is not.
    for taken in [false, true] {
        assert!(raw.try_lock());
        let first = waiting(attempt(&raw));
        let mut second = waiting(attempt(&raw));
        raw.unlock();
        if taken {
            assert!(raw.try_lock());
        }
        drop(first);
        if taken {
            assert_eq!(second.wakes(), 0);
            raw.unlock();
        }
        assert_eq!(second.wakes(), 1);
        second.ready();
        raw.unlock();
        assert_eq!(word(&raw), 0);
    }
}
