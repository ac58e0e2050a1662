//! Whether one direction of one descriptor is ready, and who waits until it is.
//!
//! Problem: the selector is edge-triggered. It says once that a socket became ready, possibly while
//! a goroutine is finding out that the socket is *not* ready, while another is going to sleep and a
//! third is being dropped. An event that gets lost in there is a connection that hangs for ever.
//!
//! # The word
//!
//! ```text
//!  63 .. 7   6 5    4      3           2        1         0
//! [ tick  | slot | MORE | SHUT_DOWN |  WARY   | HUNG_UP | READY ]
//! ```
//!
//! | field | meaning |
//! | --- | --- |
//! | tick | number of events so far. Tick 0 is READY by assumption: a fresh socket is tried first |
//! | slot | FREE; BUSY: whoever set it may touch the waker inside; OWNED: holds the waker of a [`Waiter`]; SHARED: holds the waker of a poll function's caller |
//! | MORE | the list may hold further waiters |
//! | SHUT_DOWN | the runtime is gone; READY comes with it, and neither is ever taken back |
//! | WARY | urgent data or an error came once: a short transfer no longer means that the next one would block |
//! | HUNG_UP | the end of the stream came: as above, because no further event will tell |
//! | READY | try the system call |
//!
//! # Transitions
//!
//! | who | from | to |
//! | --- | --- | --- |
//! | event | slot OWNED or SHARED | tick + 1, READY, slot BUSY, no MORE; takes the waker; slot FREE |
//! | event | slot FREE or BUSY | tick + 1, READY, no MORE |
//! | clear | READY, tick as it was *before the system call* | no READY |
//! | wait | not READY, slot FREE | slot BUSY; puts the waker in; slot OWNED or SHARED |
//! | wait | not READY, slot taken | joins the list; MORE |
//! | withdraw | slot OWNED, tick as it was at the wait | slot BUSY; takes the waker out; slot FREE |
//!
//! # Invariants
//!
//! 1. *One at a time.* The waker in the slot is touched only between a change to BUSY and the change
//!    from it, and only one party can have made the former.
//! 2. *A wait at tick t is still in the slot exactly as long as the tick is t.* So the tick is all
//!    that a waiter needs to remember to recognise its own waker; and one that finds the tick changed
//!    when it wants to leave BUSY takes its waker back and tries again.
//! 3. *All are woken.* An event wakes everybody who waits; the ready word is there for all of them to
//!    see, so nothing has to be passed on when one of them is dropped.
//!
//! # Cost, and what was refused
//!
//! A wait costs two read-modify-writes (claim the slot, publish it), an event two, a clear one, and
//! an operation on a ready socket one load. A wait could do with one if the word held a pointer to a
//! node inside the waiting future. Refused: then a future dropped while an event holds its node has
//! to wait for the poller's thread, which may have been descheduled right there; every operation
//! would have to be pinned, and the poll functions, which have no future of their own, would need a
//! second protocol. That is much for three nanoseconds beside a system call.
//!
//! Refused too: waking one waiter per event. One edge may stand for many connections, so the woken
//! one would have to pass it on, also when it is dropped or fails.

mod list;
mod word;

use std::fmt;
use std::task::{Context, Poll, Waker};

use crate::primitive::atomic::{AtomicU64, Ordering};
use crate::primitive::{Mutex, UnsafeCell, mutated};
use crate::wait::batch::{WakeBatch, wake};
use list::{Displaced, List};
use word::{Slot, Word};

pub use word::{Event, Seen};

/// A waiting future's claim on a [`Readiness`]: withdraw it when the future is dropped.
#[derive(Debug, Default)]
pub struct Waiter {
    place: Place,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Nowhere,
    /// In the slot for as long as the tick is this one; with the waker's data and vtable addresses,
    /// so that a second poll can tell its waker without claiming the slot.
    Slot { tick: u64, waker: (usize, usize) },
    /// In the list for as long as it has been drained this often.
    List { drained: u64, key: usize },
}

impl Waiter {
    /// A claim on nothing yet.
    pub const fn new() -> Self {
        Waiter {
            place: Place::Nowhere,
        }
    }

    fn is_waiting(&self) -> bool {
        !matches!(self.place, Place::Nowhere)
    }
}

/// Where a waker ended up, or why it did not.
enum Filled {
    At(u64),
    Taken(Waker),
    /// Ready, or an event came in between.
    Retry,
}

/// One direction of one descriptor.
pub struct Readiness {
    word: AtomicU64,
    slot: UnsafeCell<Option<Waker>>,
    /// Locked while nothing of the user's runs; always after, never before, the slot is claimed.
    list: Mutex<Option<Box<List>>>,
}

// SAFETY: `slot` is the only field that is not `Sync`; invariant 1 gives each access to it exclusive
// use, with Release on every change from BUSY and Acquire on every change to it (but for `withdraw`,
// which undoes what its own caller did).
unsafe impl Sync for Readiness {}
// SAFETY: all the fields may be sent; the cell holds a `Waker`, which is `Send`.
unsafe impl Send for Readiness {}

impl Readiness {
    /// Ready by assumption: no event has come yet.
    pub fn assumed_ready() -> Self {
        Readiness {
            word: AtomicU64::new(Word::READY),
            slot: UnsafeCell::new(None),
            list: Mutex::new(None),
        }
    }

    /// The current readiness. Take it *before* the system call.
    #[inline]
    pub fn seen(&self) -> Seen {
        // Ordering: Acquire, with `event`'s Release: what made the socket ready happened before the
        // system call that follows.
        Seen(Word(self.word.load(Ordering::Acquire)))
    }

    /// The system call said "would block", and nothing has happened since `seen`.
    pub fn clear(&self, seen: Seen) {
        self.clear_unless(seen, Word::SHUT_DOWN);
    }

    /// The system call transferred less than it could have, so the next one would block; unless the
    /// stream has ended, which no further event would tell.
    pub fn clear_short(&self, seen: Seen) {
        self.clear_unless(seen, Word::SHUT_DOWN | Word::HUNG_UP | Word::WARY);
    }

    fn clear_unless(&self, seen: Seen, keep: u64) {
        let keep = if mutated!("readiness.cleared_when_shut_down") {
            0
        } else {
            keep
        };
        let mut word = seen.0;
        while word.tick() == seen.0.tick() && word.has(Word::READY) && !word.has(keep) {
            // Ordering: Relaxed. Nothing is published; the tick carries the argument, and the
            // modification order of one word is all that it needs.
            match self.word.compare_exchange_weak(
                word.0,
                word.0 & !Word::READY,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => word = Word(now),
            }
        }
    }

    /// The selector reported this direction; collects everybody who waits.
    pub fn event(&self, event: Event, batch: &mut WakeBatch) {
        let mut word = Word(self.word.load(Ordering::Relaxed));
        // Ordering: Release, with `seen`; Acquire, with the Release that filled the slot.
        while let Err(now) = self.word.compare_exchange_weak(
            word.0,
            word.after(event).0,
            Ordering::AcqRel,
            Ordering::Relaxed,
        ) {
            word = Word(now);
        }
        if word.slot_is_full() {
            // The waker is there by the table; none would only mean nobody to wake.
            if let Some(waker) = self.empty_slot() {
                batch.push(waker);
            }
        }
        if word.has(Word::MORE) {
            self.drain_list(batch);
        }
    }

    /// The runtime goes: from now on every operation fails, and nobody waits.
    pub fn shut_down(&self, batch: &mut WakeBatch) {
        self.event(Event(Word::SHUT_DOWN), batch);
    }

    /// Arranges for `cx` to be woken by the next event. `Ready` means: look again first.
    pub fn poll_wait(&self, cx: &mut Context<'_>, waiter: &mut Waiter) -> Poll<()> {
        let word = Word(self.word.load(Ordering::Relaxed));
        if word.has(Word::READY) {
            // An event took the waker out, or is about to.
            waiter.place = Place::Nowhere;
            return Poll::Ready(());
        }
        if let Place::Slot { tick, waker } = waiter.place {
            if tick == word.tick() && waker == identity(cx.waker()) {
                return Poll::Pending;
            }
        }
        self.withdraw(waiter);
        match self.fill_slot(Slot::Owned, cx.waker().clone()) {
            Filled::At(tick) => {
                waiter.place = Place::Slot {
                    tick,
                    waker: identity(cx.waker()),
                };
                Poll::Pending
            }
            Filled::Taken(waker) => match self.join_list(waker, false) {
                Some((drained, key)) => {
                    waiter.place = Place::List { drained, key };
                    Poll::Pending
                }
                None => Poll::Ready(()),
            },
            Filled::Retry => Poll::Ready(()),
        }
    }

    /// Like [`Self::poll_wait`] for a caller that has no [`Waiter`] to keep: a poll function. Its
    /// waker stays until the next event.
    pub fn poll_wait_shared(&self, cx: &mut Context<'_>) -> Poll<()> {
        let word = Word(self.word.load(Ordering::Relaxed));
        if word.has(Word::READY) {
            return Poll::Ready(());
        }
        if word.slot() == Slot::Shared {
            match self.is_in_slot(word, cx.waker()) {
                Poll::Ready(true) => return Poll::Pending,
                Poll::Ready(false) => {}
                Poll::Pending => return Poll::Ready(()),
            }
        }
        match self.fill_slot(Slot::Shared, cx.waker().clone()) {
            Filled::At(_) => Poll::Pending,
            Filled::Taken(waker) => match self.join_list(waker, true) {
                Some(_) => Poll::Pending,
                None => Poll::Ready(()),
            },
            Filled::Retry => Poll::Ready(()),
        }
    }

    /// Takes the waiter's waker out, if no event has.
    #[inline]
    pub fn withdraw(&self, waiter: &mut Waiter) {
        if waiter.is_waiting() {
            self.withdraw_waiting(waiter);
        }
    }

    #[cold]
    fn withdraw_waiting(&self, waiter: &mut Waiter) {
        match std::mem::take(&mut waiter.place) {
            Place::Nowhere => {}
            Place::Slot { tick, .. } => {
                let mut word = Word(self.word.load(Ordering::Relaxed));
                loop {
                    let mine = word.slot() == Slot::Owned
                        && (word.tick() == tick || mutated!("readiness.withdraw_any"));
                    if !mine {
                        return;
                    }
                    // Ordering: Relaxed. What is in the slot was put there by this waiter's owner, who
                    // is the caller, and nobody else has touched it since.
                    match self.word.compare_exchange_weak(
                        word.0,
                        word.with_slot(Slot::Busy).0,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    ) {
                        Ok(_) => break,
                        Err(now) => word = Word(now),
                    }
                }
                drop(self.empty_slot());
            }
            Place::List { drained, key } => {
                let entry = {
                    let mut list = self.list.lock();
                    list.as_deref_mut()
                        .and_then(|list| list.remove(drained, key))
                };
                drop(entry);
            }
        }
    }

    /// Puts `waker` into the slot if that is free and nothing is ready.
    fn fill_slot(&self, kind: Slot, waker: Waker) -> Filled {
        let mut word = Word(self.word.load(Ordering::Relaxed));
        loop {
            if word.has(Word::READY) {
                return Filled::Retry;
            }
            if word.slot() != Slot::Free {
                return Filled::Taken(waker);
            }
            // Ordering: Acquire, with `free_slot`'s Release: the last one is done with the slot.
            match self.word.compare_exchange_weak(
                word.0,
                word.with_slot(Slot::Busy).0,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => word = Word(now),
            }
        }
        // SAFETY: invariant 1: this call made the slot BUSY and has not left it.
        self.slot.with_mut(|slot| unsafe { *slot = Some(waker) });
        if self.publish_slot(word.tick(), kind) {
            Filled::At(word.tick())
        } else {
            drop(self.empty_slot());
            Filled::Retry
        }
    }

    /// Leaves BUSY with the waker in the slot, unless an event has passed since `tick`: that event
    /// left this waker to the caller.
    fn publish_slot(&self, tick: u64, kind: Slot) -> bool {
        let mut word = Word(self.word.load(Ordering::Relaxed));
        while word.tick() == tick || mutated!("readiness.publish_late") {
            // Ordering: Release, with the Acquire of whoever empties the slot.
            match self.word.compare_exchange_weak(
                word.0,
                word.with_slot(kind).0,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = Word(now),
            }
        }
        false
    }

    /// Takes the waker out of a slot that the caller made BUSY, and frees the slot.
    fn empty_slot(&self) -> Option<Waker> {
        // SAFETY: invariant 1: the caller made the slot BUSY and has not left it.
        let waker = self.slot.with_mut(|slot| unsafe { (*slot).take() });
        // Ordering: Release, with the Acquire of whoever makes the slot BUSY next.
        self.word.fetch_and(!Word::SLOT, Ordering::Release);
        waker
    }

    /// Whether a SHARED slot holds `waker`. `Pending`: things changed, look again.
    fn is_in_slot(&self, word: Word, waker: &Waker) -> Poll<bool> {
        // Ordering: Acquire, with the Release that filled the slot.
        let claimed = self.word.compare_exchange(
            word.0,
            word.with_slot(Slot::Busy).0,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        if claimed.is_err() {
            return Poll::Pending;
        }
        // SAFETY: invariant 1: the slot is BUSY by the exchange above.
        let same = self
            .slot
            .with(|slot| unsafe { (*slot).as_ref().is_some_and(|held| held.will_wake(waker)) });
        if self.publish_slot(word.tick(), Slot::Shared) {
            return Poll::Ready(same);
        }
        // An event passed and left the waker to us. The caller needs no wake: it looks again.
        if let Some(held) = self.empty_slot() {
            if !same && !mutated!("readiness.shared_forgotten") {
                wake(held);
            }
        }
        Poll::Pending
    }

    /// Joins the further waiters, unless the direction is ready.
    #[cold]
    fn join_list(&self, waker: Waker, shared: bool) -> Option<(u64, usize)> {
        let mut guard = self.list.lock();
        if !self.announce_list() {
            drop(guard);
            drop(waker);
            return None;
        }
        let list = guard.get_or_insert_default();
        let drained = list.drained;
        if !shared {
            return Some((drained, list.insert(waker, false)));
        }
        let (key, displaced) = list.insert_shared(waker);
        drop(guard);
        match displaced {
            Displaced::Nothing => {}
            Displaced::Duplicate(held) => drop(held),
            Displaced::Evicted(held) => wake(held),
        }
        Some((drained, key))
    }

    /// Sets MORE unless READY. The list's lock is held, so that an event which sees MORE finds the
    /// entry that is about to be made.
    fn announce_list(&self) -> bool {
        let mut word = Word(self.word.load(Ordering::Relaxed));
        loop {
            if word.has(Word::READY) && !mutated!("readiness.list_unchecked") {
                return false;
            }
            if word.has(Word::MORE) {
                // The event that clears it drains the list after this lock is gone, or did so
                // before it was taken, and then this load has seen it cleared.
                return true;
            }
            // Ordering: Relaxed; the list itself is published by its lock.
            match self.word.compare_exchange_weak(
                word.0,
                word.0 | Word::MORE,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = Word(now),
            }
        }
    }

    #[cold]
    fn drain_list(&self, batch: &mut WakeBatch) {
        if let Some(list) = self.list.lock().as_deref_mut() {
            list.drained += 1;
            list.shared = 0;
            for entry in list.entries.drain() {
                batch.push(entry.waker);
            }
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.seen().0;
        f.debug_struct("Readiness")
            .field("tick", &word.tick())
            .field("ready", &word.has(Word::READY))
            .field("hung_up", &word.has(Word::HUNG_UP))
            .field("shut_down", &word.has(Word::SHUT_DOWN))
            .finish_non_exhaustive()
    }
}

/// What [`Waker::will_wake`] compares.
fn identity(waker: &Waker) -> (usize, usize) {
    (waker.data() as usize, waker.vtable() as *const _ as usize)
}
