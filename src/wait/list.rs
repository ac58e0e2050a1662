//! The queue of those who wait: Go's `sudog` queue, without the allocation.
//!
//! Problem: a million goroutines may wait on one channel, each may give up at any moment, and
//! whoever ends a wait must not have to meet its future again. So a [`Waiter`] lives inside the
//! pinned future that waits, is linked into a doubly linked [`List`] under the lock of the
//! structure waited for, and carries a phase that its owner reads without that lock.
//!
//! ```text
//!            push (lock)              settle (lock)
//!   Idle ───────────────► Waiting ────────────────────► Granted │ Released
//!     ▲                      │                                 │
//!     └──────── remove (lock)┘      the owner, no lock: ───────┴──► Finished, or Idle again
//! ```
//!
//! Invariants
//! - **Linked**: a waiter is on a list exactly while its phase is `Waiting`, and that phase
//!   changes only under the list's lock.
//! - **Ownership**: while `Waiting`, links, waker and whatever else travels with the waiter belong
//!   to the holder of the lock; in every other phase to the future it lives in. `settle` hands
//!   them back with a release store, `phase` takes them with an acquire load: an owner that sees
//!   `Granted` needs no lock, and whoever settled a waiter never touches it again.
//! - **Pinned**: the memory of a linked waiter is neither moved nor freed. Its future is pinned,
//!   and takes it off the list when dropped.
//!
//! A waiter that belongs to a `select!` must be claimed before it can be settled. `pop_front` is
//! where that will happen: it then skips those that another arm has claimed already.

use std::marker::PhantomPinned;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Waker};

use super::batch::drop_quietly;
use crate::primitive::atomic::{AtomicU8, Ordering};
use crate::primitive::{Mutex, UnsafeCell, mutated};

/// Where a waiter is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// On no list: not yet polled, or about to wait again.
    Idle,
    /// On the list.
    Waiting,
    /// Was given what it waited for, and has to use it or to pass it on.
    Granted,
    /// Was let go together with all the others, and holds nothing.
    Released,
    /// Has answered `Ready`.
    Finished,
}

impl Phase {
    fn from_bits(bits: u8) -> Phase {
        match bits {
            0 => Phase::Idle,
            1 => Phase::Waiting,
            2 => Phase::Granted,
            3 => Phase::Released,
            _ => Phase::Finished,
        }
    }
}

#[derive(Debug)]
struct Links {
    prev: Option<NonNull<Waiter>>,
    next: Option<NonNull<Waiter>>,
}

/// One who waits, inside its pinned future.
#[derive(Debug)]
pub struct Waiter {
    links: UnsafeCell<Links>,
    waker: UnsafeCell<Option<Waker>>,
    /// A number whose meaning is the list's: a place in an order, a round.
    tag: UnsafeCell<u32>,
    phase: AtomicU8,
    /// Only wants to be woken: nothing can be put into its hands.
    only_wakes: bool,
    _pinned: PhantomPinned,
}

// SAFETY: by *Ownership* each field has one owner at a time, and it changes hands through the
// list's lock or through the phase; wakers may go anywhere.
unsafe impl Send for Waiter {}
// SAFETY: as above; `phase` is atomic and `only_wakes` never changes.
unsafe impl Sync for Waiter {}

impl Waiter {
    /// A waiter that values, permits or locks can be handed to.
    pub fn new() -> Waiter {
        Waiter {
            links: UnsafeCell::new(Links {
                prev: None,
                next: None,
            }),
            waker: UnsafeCell::new(None),
            tag: UnsafeCell::new(0),
            phase: AtomicU8::new(Phase::Idle as u8),
            only_wakes: false,
            _pinned: PhantomPinned,
        }
    }

    /// A waiter that is never handed anything: woken, its owner tries again.
    pub fn that_only_wakes() -> Waiter {
        Waiter {
            only_wakes: true,
            ..Waiter::new()
        }
    }

    /// See [`that_only_wakes`](Waiter::that_only_wakes).
    pub fn only_wakes(&self) -> bool {
        self.only_wakes
    }

    /// The phase; what came before the `settle` it saw is visible.
    #[inline]
    pub fn phase(&self) -> Phase {
        // Pairs with the release store in `Unlinked::settle`.
        Phase::from_bits(self.phase.load(Ordering::Acquire))
    }

    /// The owner moves on to `Idle` or `Finished`.
    #[inline]
    pub fn set_phase(&self, phase: Phase) {
        debug_assert!(matches!(phase, Phase::Idle | Phase::Finished));
        // Only the owner reads this; others first meet the waiter under the lock of `push`.
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The tag.
    ///
    /// # Safety
    /// The caller is the waiter's owner (see *Ownership*).
    #[inline]
    pub unsafe fn tag(&self) -> u32 {
        // SAFETY: the owner alone touches it.
        self.tag.with(|tag| unsafe { *tag })
    }

    /// Sets the tag.
    ///
    /// # Safety
    /// The caller is the waiter's owner.
    #[inline]
    pub unsafe fn set_tag(&self, tag: u32) {
        // SAFETY: the owner alone touches it.
        self.tag.with_mut(|place| unsafe { *place = tag });
    }

    /// Whether the waiter, polled again, is still waiting; if so, it will wake the task of `cx`.
    ///
    /// `lock` is the lock of the list it waits on.
    pub fn still_waits<S>(self: Pin<&Self>, lock: &Mutex<S>, cx: &Context<'_>) -> bool {
        let guard = lock.lock();
        if self.phase() != Phase::Waiting {
            return false;
        }
        // SAFETY: waiting, and we hold the lock: the waker is ours.
        let same = self.waker.with(|waker| unsafe {
            let waker = &*waker;
            waker.as_ref().is_some_and(|old| old.will_wake(cx.waker()))
        });
        drop(guard);
        if same {
            return true;
        }
        let mut other = Some(cx.waker().clone());
        let guard = lock.lock();
        let waits = self.phase() == Phase::Waiting || mutated!("list.renew_blindly");
        if waits {
            // SAFETY: as above; swapping two wakers runs no code of theirs.
            self.waker
                .with_mut(|waker| unsafe { std::ptr::swap(waker, &mut other) });
        }
        drop(guard);
        drop_quietly(other);
        waits
    }
}

/// First come, first served. Lives under the lock of the structure that is waited for.
#[derive(Debug)]
pub struct List {
    head: Option<NonNull<Waiter>>,
    tail: Option<NonNull<Waiter>>,
}

// SAFETY: the list's waiters are touched only by whoever has `&mut List`, that is, the lock; they
// hold links and wakers, which may go anywhere. What else lives beside a waiter is for the list's
// owner to answer for.
unsafe impl Send for List {}

impl List {
    pub const fn new() -> List {
        List {
            head: None,
            tail: None,
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// The one whose turn it is.
    #[inline]
    pub fn front(&self) -> Option<&Waiter> {
        // SAFETY: *Pinned*: a linked waiter is alive, and stays so while the lock is held.
        self.head.map(|waiter| unsafe { waiter.as_ref() })
    }

    /// Puts a waiter at the end of the queue.
    ///
    /// # Safety
    /// The waiter is `Idle`, owned by the caller and pinned; before its memory goes, its owner
    /// takes it off this list unless it was settled. The pointer may be used for all that those who
    /// settle the waiter reach through it: for a waiter inside a larger node, it comes from that.
    #[inline]
    pub unsafe fn push_back(&mut self, new: NonNull<Waiter>, waker: Option<Waker>) {
        // SAFETY: the caller owns the waiter.
        unsafe { arm(new, self.tail, None, waker) };
        match self.tail.replace(new) {
            // SAFETY: it is linked, and we have the list.
            Some(old) => unsafe { links(old, |old| old.next = Some(new)) },
            None => self.head = Some(new),
        }
    }

    /// Puts a waiter that has waited before at the front.
    ///
    /// # Safety
    /// As for [`push_back`](List::push_back).
    pub unsafe fn push_front(&mut self, new: NonNull<Waiter>, waker: Option<Waker>) {
        // SAFETY: the caller owns the waiter.
        unsafe { arm(new, None, self.head, waker) };
        match self.head.replace(new) {
            // SAFETY: it is linked, and we have the list.
            Some(old) => unsafe { links(old, |old| old.prev = Some(new)) },
            None => self.tail = Some(new),
        }
    }

    /// Takes the one whose turn it is off the list; the caller has to settle it.
    #[inline]
    pub fn pop_front(&mut self) -> Option<Unlinked> {
        let first = self.head?;
        // SAFETY: it is on this list.
        Some(unsafe { self.unlink(first) })
    }

    /// Takes a waiter that gives up off the list: it is `Idle` again. Returns its waker.
    ///
    /// # Safety
    /// The waiter is on this list (its phase, read under the lock, is `Waiting`).
    pub unsafe fn remove(&mut self, waiter: Pin<&Waiter>) -> Option<Waker> {
        // SAFETY: it is on this list.
        let waiter = unsafe { self.unlink(NonNull::from(waiter.get_ref())) };
        waiter.settle(Phase::Idle)
    }

    /// # Safety
    /// The waiter is on this list.
    #[inline]
    unsafe fn unlink(&mut self, waiter: NonNull<Waiter>) -> Unlinked {
        // SAFETY: it is linked, and we have the list.
        let (prev, next) = unsafe { links(waiter, |links| (links.prev.take(), links.next.take())) };
        match prev {
            // SAFETY: neighbours are linked, too.
            Some(prev) => unsafe { links(prev, |links| links.next = next) },
            None => self.head = next,
        }
        match next {
            // SAFETY: as above.
            Some(next) => unsafe { links(next, |links| links.prev = prev) },
            None => self.tail = prev,
        }
        Unlinked(waiter)
    }
}

/// A waiter off its list and not settled yet: it belongs to the holder of the lock.
#[derive(Debug)]
#[must_use = "its future waits until it is settled"]
pub struct Unlinked(NonNull<Waiter>);

impl Unlinked {
    /// The waiter, or what it is the first field of.
    #[inline]
    pub fn as_ptr(&self) -> NonNull<Waiter> {
        self.0
    }

    /// The waiter.
    #[inline]
    pub fn waiter(&self) -> &Waiter {
        // SAFETY: its owner sees it as `Waiting` and comes for the lock before it drops it.
        unsafe { self.0.as_ref() }
    }

    /// Gives the waiter back to its owner, under the lock. Returns the waker to wake after it.
    #[inline]
    pub fn settle(self, phase: Phase) -> Option<Waker> {
        debug_assert!(!matches!(phase, Phase::Waiting | Phase::Finished));
        let waiter = self.waiter();
        // SAFETY: still `Waiting`, and we hold the lock.
        let waker = waiter.waker.with_mut(|waker| unsafe { (*waker).take() });
        // Pairs with the acquire load in `Waiter::phase`: publishes what was put beside the waiter.
        // From here on its memory is no longer ours to touch.
        waiter.phase.store(phase as u8, Ordering::Release);
        waker
    }
}

/// # Safety
/// The caller owns the waiter.
#[inline]
unsafe fn links<R>(waiter: NonNull<Waiter>, f: impl FnOnce(&mut Links) -> R) -> R {
    // SAFETY: alive by *Pinned*, and the owner alone touches its links.
    unsafe { waiter.as_ref().links.with_mut(|links| f(&mut *links)) }
}

/// # Safety
/// The caller owns the waiter, and is about to link it.
#[inline]
unsafe fn arm(
    waiter: NonNull<Waiter>,
    prev: Option<NonNull<Waiter>>,
    next: Option<NonNull<Waiter>>,
    waker: Option<Waker>,
) {
    // SAFETY: the caller owns it, so that it is alive and nobody else touches it.
    let waiter = unsafe { waiter.as_ref() };
    debug_assert_eq!(waiter.phase(), Phase::Idle);
    waiter
        .links
        // SAFETY: as above.
        .with_mut(|links| unsafe { *links = Links { prev, next } });
    // The place is empty, so no destructor runs: a waiter has a waker only while it waits.
    // SAFETY: as above.
    waiter.waker.with_mut(|place| unsafe { *place = waker });
    // Others read it under the lock that we hold.
    waiter.phase.store(Phase::Waiting as u8, Ordering::Relaxed);
}

#[cfg(all(test, not(gorust_loom)))]
mod tests;
