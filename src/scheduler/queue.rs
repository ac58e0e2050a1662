//! A processor's run queue: a bounded ring with one owner and any number of thieves.
//!
//! The shape is Go's (`runqput`, `runqget`, `runqgrab`): only the owner writes slots and moves
//! `tail`; everybody moves `head`, by compare-and-swap, and what lies between `head` and `tail` is
//! in the queue.
//!
//! Invariants
//! 1. `head <= tail <= head + N`. Indices are 64 bits wide, so they never wrap, and a thief that
//!    sleeps between reading `head` and swapping it cannot be deceived by its coming round again.
//! 2. A slot is rewritten only after `head` has passed it (the owner's Acquire load of `head`), and
//!    whoever moved `head` past it had read it before (the Release in its swap). So who succeeds in
//!    moving `head` has read the right values; who fails throws away what it read. (Loom cannot try
//!    these two orderings: it never lets a load see a store that comes later in its execution.)

use std::ptr::{self, NonNull};

use crate::primitive::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::primitive::{CachePadded, mutated};
use crate::task::cell::Header;

/// Slots. Loom needs few.
pub const CAPACITY: usize = if cfg!(gorust_loom) { 4 } else { 256 };
const MASK: u64 = CAPACITY as u64 - 1;

/// Pointers that carry a run right each.
pub type Entry = NonNull<Header>;

/// The ring; `push` and `pop` are the owner's.
#[derive(Debug)]
pub struct Ring {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
    slots: Box<[AtomicPtr<Header>]>,
}

impl Ring {
    pub fn new() -> Ring {
        Ring {
            head: CachePadded(AtomicU64::new(0)),
            tail: CachePadded(AtomicU64::new(0)),
            slots: (0..CAPACITY)
                .map(|_| AtomicPtr::new(ptr::null_mut()))
                .collect(),
        }
    }

    /// How many are queued; a snapshot, exact for the owner if nobody steals.
    #[inline]
    pub fn len(&self) -> usize {
        let head = self.head.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Relaxed);
        tail.saturating_sub(head) as usize
    }

    fn slot(&self, index: u64) -> &AtomicPtr<Header> {
        &self.slots[(index & MASK) as usize]
    }

    /// Puts `entry` at the tail, or gives it back when the ring is full. Owner only.
    #[inline]
    pub fn push(&self, entry: Entry) -> Result<(), Entry> {
        // Acquire: whoever moved `head` has read the slots it passed (invariant 2; partners: the
        // swaps in `pop` and `steal_into`).
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail.load(Ordering::Relaxed);
        if tail - head >= CAPACITY as u64 && !mutated!("queue.push_into_full") {
            return Err(entry);
        }
        self.slot(tail).store(entry.as_ptr(), Ordering::Relaxed);
        // Release: who sees the new tail sees the slot, and the goroutine (partner: `steal_into`).
        self.tail.store(tail + 1, Ordering::Release);
        Ok(())
    }

    /// Takes the entry at the head. Owner only.
    #[inline]
    pub fn pop(&self) -> Option<Entry> {
        let mut head = self.head.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Relaxed);
        loop {
            if head == tail {
                return None;
            }
            let entry = self.slot(head).load(Ordering::Relaxed);
            // Relaxed: the only rewriter of the slot is this thread.
            match self.head.compare_exchange_weak(
                head,
                head + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return NonNull::new(entry),
                Err(_) if mutated!("queue.pop_unasked") => return NonNull::new(entry),
                Err(seen) => head = seen,
            }
        }
    }

    /// Takes the older half of what is in `self` (at least one), appends it to `thief`, and
    /// returns how many that were. The caller owns `thief`, which must be empty.
    pub fn steal_into(&self, thief: &Ring) -> usize {
        let to = thief.tail.load(Ordering::Relaxed);
        // Acquire: whoever emptied it has read the slots that are written below (invariant 2;
        // partners: the swaps here and in `steal_one`).
        let is_empty = thief.head.load(Ordering::Acquire) == to;
        debug_assert!(is_empty, "a thief steals only when it has nothing");
        if !is_empty {
            return 0;
        }
        loop {
            let Some((head, half)) = self.stealable() else {
                return 0;
            };
            for i in 0..half {
                let entry = self.slot(head + i).load(Ordering::Relaxed);
                thief.slot(to + i).store(entry, Ordering::Relaxed);
            }
            // Release: the slots were read before the owner may rewrite them (invariant 2; partner:
            // `push`).
            if self
                .head
                .compare_exchange(head, head + half, Ordering::Release, Ordering::Relaxed)
                .is_ok()
                || mutated!("queue.steal_unasked")
            {
                // Release: as in `push`.
                thief.tail.store(to + half, Ordering::Release);
                return half as usize;
            }
        }
    }

    /// Takes one entry from the head. For anybody.
    pub fn steal_one(&self) -> Option<Entry> {
        loop {
            let (head, _) = self.stealable()?;
            let entry = self.slot(head).load(Ordering::Relaxed);
            // Release: as in `steal_into`.
            if self
                .head
                .compare_exchange(head, head + 1, Ordering::Release, Ordering::Relaxed)
                .is_ok()
            {
                return NonNull::new(entry);
            }
        }
    }

    /// The head and half the length, rounded up; `None` when the ring is empty.
    fn stealable(&self) -> Option<(u64, u64)> {
        loop {
            // Relaxed: the swap decides whether it was right.
            let head = self.head.load(Ordering::Relaxed);
            // Acquire: the slots and goroutines up to this tail are seen (partner: `push`).
            let tail = self.tail.load(Ordering::Acquire);
            let len = tail.saturating_sub(head);
            if len == 0 {
                return None;
            }
            // The two loads are not one: more than a full ring means that head has moved on; less
            // than nothing, that the tail had.
            if len <= CAPACITY as u64 {
                return Some((head, len - len / 2));
            }
            crate::primitive::thread::spin_loop();
        }
    }
}
