//! Who has the lock, and who is next.
//!
//! Problem: handing a lock from one goroutine to the next in line makes every contended unlock a
//! task switch, and lets a future that nobody polls hold up all the others. So the lock is never
//! handed over. Unlocking frees it and wakes the first in line, who then has to take it like anyone
//! else; a goroutine that comes along in between may be faster.
//!
//! # Protocol
//! One word: `LOCKED`, `LISTED` (someone is in line), `WOKEN` (someone was woken, and has not come
//! yet), `STARVING`, and how often others took the lock since `WOKEN` was set.
//!
//! | event | word | and |
//! | --- | --- | --- |
//! | a newcomer finds it free | `+LOCKED`; if `WOKEN`, counts | has it |
//! | a newcomer finds it free and `STARVING` | - | gives way once: wakes itself, answers `Pending` |
//! | anyone finds it `LOCKED` | `+LISTED` | gets in line: newcomers at the end, others in front |
//! | unlock | `-LOCKED` | if `LISTED` and not `WOKEN`, or after `PATIENCE`: wakes the first |
//! | waking the first | `+WOKEN`, count 0 | only if it is free; else whoever has it will |
//! | who was woken finds it free | `+LOCKED -WOKEN` | has it |
//! | who was woken finds it locked | `-WOKEN` | has lost; after two losses it is `STARVING` |
//! | who was woken is dropped | `-WOKEN` | wakes the next |
//!
//! Invariants
//! - **Someone comes**: whenever the lock is free and someone in line, someone is awake who will
//!   either take it or wake the first: who was woken, or who is unlocking.
//! - `LISTED` says whether the line is empty, and changes under its lock.
//! - What is done under the lock is visible to who has it next: unlocking is a release, taking it
//!   an acquire, and all that comes between them on the word is a read-modify-write, which passes
//!   the release on.
//!
//! # Prices
//! A future that was woken, is neither polled nor dropped, and has others in line behind it, holds
//! those up until the lock is used again (`PATIENCE` times at most; the lock itself is free, so any
//! newcomer gets it). Waking two at a time would cost each contended unlock a needless wake-up.
//! Giving way is a courtesy: `try_lock` does not wait for anyone, and a starving future that is
//! never polled again costs the others one turn each.

use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::primitive::atomic::{AtomicUsize, Ordering};
use crate::primitive::{Mutex, const_fn, mutated};
use crate::wait::batch::{drop_quietly, wake};
use crate::wait::list::{List, Phase, Waiter};

const LOCKED: usize = 1;
const LISTED: usize = 1 << 1;
const WOKEN: usize = 1 << 2;
const STARVING: usize = 1 << 3;
const FLAGS: usize = LOCKED | LISTED | WOKEN | STARVING;
/// One overtaking of whoever was woken.
const OVERTAKEN: usize = 1 << 4;
/// From here on, whoever was woken is not waited for.
const PATIENCE: usize = 64 * OVERTAKEN;

/// How often one loses before the others give way.
const LOSSES: u8 = 2;

/// A lock without its value.
#[derive(Debug)]
pub struct RawMutex {
    word: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    waiters: List,
    /// How many futures have lost `LOSSES` times and not got the lock yet.
    starving: usize,
}

/// One attempt to get the lock; lives in the pinned future.
#[derive(Debug)]
pub struct Turn {
    waiter: Waiter,
    losses: u8,
    gave_way: bool,
}

impl Turn {
    pub fn new() -> Turn {
        Turn {
            waiter: Waiter::new(),
            losses: 0,
            gave_way: false,
        }
    }

    /// Whether it got the lock.
    pub fn is_finished(&self) -> bool {
        self.waiter.phase() == Phase::Finished
    }
}

impl RawMutex {
    const_fn! {
        pub fn new() -> RawMutex {
            RawMutex {
                word: AtomicUsize::new(0),
                line: Mutex::new(Line {
                    waiters: List::new(),
                    starving: 0,
                }),
            }
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> bool {
        // Pairs with the release in `unlock`.
        let free = self
            .word
            .compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed); // uncontended
        free.is_ok() || self.overtake()
    }

    /// Takes the lock if it is free, before those in line.
    fn overtake(&self) -> bool {
        self.take_if_free(|word| match word & WOKEN != 0 && word < PATIENCE {
            true => (word | LOCKED) + OVERTAKEN,
            false => word | LOCKED,
        })
    }

    /// Takes the lock if it is free, as one who was woken.
    fn take_woken(&self) -> bool {
        self.take_if_free(|word| (word | LOCKED) & FLAGS & !WOKEN)
    }

    #[inline]
    fn take_if_free(&self, locked: impl Fn(usize) -> usize) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LOCKED == 0 {
            // Pairs with the release in `unlock`.
            let taken = self.word.compare_exchange_weak(
                word,
                locked(word),
                Ordering::Acquire,
                Ordering::Relaxed,
            );
            match taken {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Frees the lock, which the caller has.
    #[inline]
    pub fn unlock(&self) {
        // Pairs with the acquires in `try_lock` and `take_if_free`.
        let before = self.word.fetch_sub(LOCKED, Ordering::Release);
        debug_assert!(before & LOCKED != 0);
        if before & LISTED != 0 && (before & WOKEN == 0 || before >= PATIENCE) {
            self.wake_first();
        }
    }

    /// Keeps *Someone comes*.
    #[cold]
    fn wake_first(&self) {
        if let Some(waker) = self.first_waker() {
            wake(waker);
        }
    }

    fn first_waker(&self) -> Option<Waker> {
        let mut line = self.line.lock();
        if line.waiters.is_empty() {
            return None;
        }
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            // Who has the lock now will unlock it, and see what we see. Or someone will come.
            if word & LOCKED != 0 || (word & WOKEN != 0 && word < PATIENCE) {
                return None;
            }
            let woken = self.word.compare_exchange_weak(
                word,
                word & FLAGS | WOKEN,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match woken {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        let first = line.waiters.pop_front()?;
        self.listed_if(&line);
        first.settle(Phase::Granted)
    }

    /// `LISTED`, after someone left the line.
    fn listed_if(&self, line: &Line) {
        if line.waiters.is_empty() {
            self.word.fetch_and(!LISTED, Ordering::Relaxed);
        }
    }

    /// Goes on with an attempt. Ready: the caller has the lock.
    #[inline]
    pub fn poll_lock(&self, turn: Pin<&mut Turn>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the waiter is not moved; the other fields do not care.
        let turn = unsafe { turn.get_unchecked_mut() };
        if turn.waiter.phase() == Phase::Idle && !turn.gave_way && self.lock_at_once() {
            turn.waiter.set_phase(Phase::Finished);
            return Poll::Ready(());
        }
        self.poll_contended(turn, cx)
    }

    /// Takes the lock if it is free and nobody deserves it more.
    #[inline]
    fn lock_at_once(&self) -> bool {
        // Pairs with the release in `unlock`.
        let free = self
            .word
            .compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed); // at once
        match free {
            Ok(_) => true,
            Err(word) => word & STARVING == 0 && self.overtake(),
        }
    }

    fn poll_contended(&self, turn: &mut Turn, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match turn.waiter.phase() {
                Phase::Idle => {
                    if !turn.gave_way && self.gives_way() {
                        turn.gave_way = true;
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    return self.get_in_line(turn, cx);
                }
                Phase::Waiting => {
                    // SAFETY: the turn is pinned (`poll_lock`).
                    let waiter = unsafe { Pin::new_unchecked(&turn.waiter) };
                    if waiter.still_waits(&self.line, cx) {
                        return Poll::Pending;
                    }
                }
                Phase::Granted => {
                    turn.waiter.set_phase(Phase::Idle);
                    if self.take_woken() {
                        self.arrive(turn);
                        return Poll::Ready(());
                    }
                    return self.get_back_in_line(turn, cx);
                }
                Phase::Released | Phase::Finished => panic!("`lock` polled after it was ready"),
            }
        }
    }

    /// Whether a newcomer should let others go first.
    fn gives_way(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word & LOCKED == 0 && word & STARVING != 0
    }

    fn get_in_line(&self, turn: &mut Turn, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut line = self.line.lock();
        if self.list(|word| word | LISTED, || self.overtake()) {
            // SAFETY: idle, pinned, and `drop_turn` takes it off.
            unsafe {
                line.waiters
                    .push_back(NonNull::from(&turn.waiter), Some(waker))
            };
            return Poll::Pending;
        }
        drop(line);
        drop_quietly(waker);
        self.arrive(turn);
        Poll::Ready(())
    }

    /// Someone who was woken found the lock taken.
    #[cold]
    fn get_back_in_line(&self, turn: &mut Turn, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut line = self.line.lock();
        let losses = turn.losses.saturating_add(1);
        let starving = if losses >= LOSSES { STARVING } else { 0 };
        let waits = self.list(
            |word| match mutated!("mutex.still_coming") {
                true => word | LISTED,
                false => (word & FLAGS & !WOKEN) | LISTED | starving,
            },
            || self.take_woken(),
        );
        if waits {
            if losses == LOSSES {
                line.starving += 1;
            }
            turn.losses = losses;
            // SAFETY: idle, pinned, and `drop_turn` takes it off.
            unsafe {
                line.waiters
                    .push_front(NonNull::from(&turn.waiter), Some(waker))
            };
            return Poll::Pending;
        }
        drop(line);
        drop_quietly(waker);
        self.arrive(turn);
        Poll::Ready(())
    }

    /// Under the line's lock: makes the word `listed` if the lock is taken, or takes it.
    /// Either who has the lock sees that someone is in line, or it is free before that.
    fn list(&self, listed: impl Fn(usize) -> usize, take: impl Fn() -> bool) -> bool {
        loop {
            if take() {
                return false;
            }
            let word = self.word.load(Ordering::Relaxed);
            if mutated!("mutex.list_blindly") {
                self.word.fetch_or(LISTED, Ordering::Relaxed);
                return true;
            }
            if word & LOCKED != 0
                && self
                    .word
                    .compare_exchange(word, listed(word), Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                return true;
            }
        }
    }

    /// Has got the lock.
    fn arrive(&self, turn: &mut Turn) {
        turn.waiter.set_phase(Phase::Finished);
        if turn.losses >= LOSSES {
            self.no_longer_starving(&mut self.line.lock());
        }
    }

    #[cold]
    fn no_longer_starving(&self, line: &mut Line) {
        line.starving -= 1;
        if line.starving == 0 {
            self.word.fetch_and(!STARVING, Ordering::Relaxed);
        }
    }

    /// Ends an attempt.
    #[inline]
    pub fn drop_turn(&self, turn: Pin<&mut Turn>) {
        // SAFETY: the waiter is not moved.
        let turn = unsafe { turn.get_unchecked_mut() };
        if !matches!(turn.waiter.phase(), Phase::Idle | Phase::Finished) {
            self.give_up(turn);
        }
    }

    #[cold]
    fn give_up(&self, turn: &mut Turn) {
        let mut line = self.line.lock();
        if turn.losses >= LOSSES {
            self.no_longer_starving(&mut line);
        }
        if turn.waiter.phase() == Phase::Waiting {
            // SAFETY: the turn is pinned, and the waiter in line.
            let waker = unsafe { line.waiters.remove(Pin::new_unchecked(&turn.waiter)) };
            self.listed_if(&line);
            drop(line);
            drop_quietly(waker);
            return;
        }
        drop(line);
        turn.waiter.set_phase(Phase::Finished);
        if !mutated!("mutex.keep_flag") {
            self.word.fetch_and(FLAGS & !WOKEN, Ordering::Relaxed);
        }
        if !mutated!("mutex.keep_wake") {
            self.wake_first();
        }
    }
}

#[cfg(all(test, not(gorust_loom)))]
mod tests;
