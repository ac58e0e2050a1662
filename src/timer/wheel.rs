//! A hierarchical timer wheel: no clock, no threads, no allocation.
//!
//! Problem: hold any number of deadlines, add and remove one in constant time, and always know
//! which comes first. Most timers are timeouts that never fire, so adding and removing must be the
//! cheapest; a heap would pay a logarithm for both.
//!
//! Time is counted in ticks and seen as digits in base 64. Level `l` has one slot for each value of
//! digit `l`; a timer lies on the level of the highest digit in which its deadline differs from the
//! wheel's time `elapsed`, in the slot that this digit names. When `elapsed` reaches the start of a
//! slot, the slot's timers *cascade* to lower levels, at most once per level.
//!
//! ```text
//! level 0   64 slots of 1 tick          deadlines that share all digits but the last with `elapsed`
//! level 1   64 slots of 64 ticks        ... all but the last two
//!  ..
//! level 5   64 slots of 2^30 ticks      a ring: may wrap past the end of its 2^36 ticks
//! ```
//!
//! Invariants:
//! * **Ahead.** Every linked timer's deadline is later than `elapsed`, so every occupied slot lies
//!   1 to 63 slots after the current one of its level (circularly on the top level, where the digit
//!   may wrap; below it, a wrap would mean a higher digit that differs).
//! * **Sorted levels.** All deadlines on a level are earlier than all on the levels above it. With
//!   *Ahead*, the first occupied slot of the lowest occupied level holds the earliest deadline.
//! * **Bound.** No deadline in a slot is earlier than the slot's `bound`, and `next` is the bound of
//!   the first occupied slot. A bound starts exact and may only get too early, when the timer that
//!   set it is cancelled and others remain: that costs one needless wake-up, which makes it exact.
//!
//! A deadline too far for the top level lies in its farthest slot and cascades from there, as often
//! as it takes. The deadline [`NEVER`] lies on a list apart, which no search looks at.
//!
//! Refused: waking at the start of each slot to cascade it (every long timer would cost a needless
//! wake-up per level; the bounds make a lone timer cost none), and keeping the exact minimum of each
//! slot (cancelling would have to search the slot).

use std::ptr::{self, NonNull};

use crate::primitive::UnsafeCell;

#[cfg(all(test, not(gorust_loom)))]
mod tests;

/// The deadline of what never fires.
pub const NEVER: u64 = u64::MAX;

/// Bits of a digit.
const DIGIT: u32 = 6;
const SLOTS: usize = 1 << DIGIT;
const LEVELS: usize = 6;
const TOP: usize = LEVELS - 1;
/// The list of those that never fire: slot 0 of a level that is not searched.
const NEVER_SLOT: usize = LEVELS * SLOTS;

/// What a timer contributes: its links, owned by the wheel's owner while linked, by the timer's
/// owner otherwise.
#[derive(Debug)]
pub struct Node(UnsafeCell<Links>);

#[derive(Debug)]
struct Links {
    /// Circular within a slot; null while unlinked.
    previous: *const Node,
    next: *const Node,
    deadline: u64,
    slot: u16,
}

impl Node {
    pub fn new() -> Node {
        Node(UnsafeCell::new(Links {
            previous: ptr::null(),
            next: ptr::null(),
            deadline: NEVER,
            slot: 0,
        }))
    }

    /// Sets the tick at which to fire.
    ///
    /// # Safety
    /// The node is not linked, and nobody else accesses it.
    pub unsafe fn set_deadline(&self, deadline: u64) {
        // SAFETY: the caller has the node to itself.
        self.0
            .with_mut(|links| unsafe { (*links).deadline = deadline });
    }
}

/// One slot: a circular list in order of insertion.
#[derive(Clone, Copy)]
struct Slot {
    head: *const Node,
    /// See the *Bound* invariant; meaningless while empty.
    bound: u64,
}

/// The wheel.
pub struct Wheel {
    /// The tick up to which everything has fired.
    elapsed: u64,
    /// See the *Bound* invariant.
    next: u64,
    /// One bit per slot that is not empty.
    occupied: [u64; LEVELS + 1],
    slots: [Slot; LEVELS * SLOTS + 1],
}

// SAFETY: the nodes that the wheel points to may be used by whichever thread has the wheel; that is
// what `insert` asks its callers to grant.
unsafe impl Send for Wheel {}

impl Wheel {
    /// An empty wheel whose time is `elapsed`.
    pub fn new(elapsed: u64) -> Wheel {
        let empty = Slot {
            head: ptr::null(),
            bound: 0,
        };
        Wheel {
            elapsed,
            next: NEVER,
            occupied: [0; LEVELS + 1],
            slots: [empty; LEVELS * SLOTS + 1],
        }
    }

    /// The tick at which to call [`advance`](Wheel::advance) next: no timer is due before it. There
    /// may be none due at it either, but then advancing brings the answer nearer to the truth.
    pub fn next_deadline(&self) -> u64 {
        self.next
    }

    /// Links `node`, or answers `false` if its deadline has passed already.
    ///
    /// # Safety
    /// The node is not linked. Until it is removed, expired or drained it stays where it is, and
    /// only the wheel accesses it.
    pub unsafe fn insert(&mut self, node: NonNull<Node>) -> bool {
        // SAFETY: the caller gives the unlinked node to the wheel.
        let deadline = unsafe { read(node.as_ptr(), |links| links.deadline) };
        if deadline <= self.elapsed {
            return false;
        }
        let bound = self.link(node.as_ptr(), deadline);
        self.next = self.next.min(bound);
        true
    }

    /// Unlinks `node`.
    ///
    /// # Safety
    /// The node is linked in this wheel.
    pub unsafe fn remove(&mut self, node: NonNull<Node>) {
        // SAFETY: linked nodes are the wheel's to access.
        let slot = usize::from(unsafe { read(node.as_ptr(), |links| links.slot) });
        self.unlink(node.as_ptr());
        let emptied = self.slots[slot].head.is_null();
        if emptied && self.slots[slot].bound == self.next {
            self.next = self.first_bound();
        }
    }

    /// Moves time to `now` (never backwards) and unlinks every timer that is due, in the order of
    /// deadlines and, among equals, of insertion (equals of which one was inserted more than 2^36
    /// ticks ahead come in any order).
    ///
    /// After a node was passed to `expire`, the wheel does not access it any more.
    pub fn advance(&mut self, now: u64, mut expire: impl FnMut(NonNull<Node>)) {
        let now = now.max(self.elapsed);
        while let Some((slot, start)) = self.first_occupied() {
            if start > now {
                break;
            }
            // Within the slot, and by *Bound* with nothing due before.
            self.elapsed = self.slots[slot].bound.min(now);
            // Ends, as what is put back lands on lower levels or in other slots of the top one.
            while let Some(node) = NonNull::new(self.slots[slot].head.cast_mut()) {
                self.unlink(node.as_ptr());
                // SAFETY: the node was linked until now.
                let deadline = unsafe { read(node.as_ptr(), |links| links.deadline) };
                if deadline <= self.elapsed {
                    expire(node);
                } else {
                    self.link(node.as_ptr(), deadline);
                }
            }
        }
        self.elapsed = now;
        self.next = self.first_bound();
    }

    /// Unlinks everything, those that never fire included.
    ///
    /// After a node was passed to `detach`, the wheel does not access it any more.
    pub fn drain(&mut self, mut detach: impl FnMut(NonNull<Node>)) {
        for level in 0..=LEVELS {
            while self.occupied[level] != 0 {
                let slot = level * SLOTS + self.occupied[level].trailing_zeros() as usize;
                if let Some(node) = NonNull::new(self.slots[slot].head.cast_mut()) {
                    self.unlink(node.as_ptr());
                    detach(node);
                }
            }
        }
        self.next = NEVER;
    }

    /// The slot where a deadline belongs, and a bound for it.
    fn place(&self, deadline: u64) -> (usize, u64) {
        debug_assert!(deadline > self.elapsed);
        if deadline == NEVER {
            return (NEVER_SLOT, NEVER);
        }
        let digits_differ = 63 - (deadline ^ self.elapsed).leading_zeros();
        let level = ((digits_differ / DIGIT) as usize).min(TOP);
        let shift = DIGIT * level as u32;
        let ring = deadline >> shift;
        let farthest = (self.elapsed >> shift) + SLOTS as u64 - 1;
        if ring <= farthest {
            (level * SLOTS + ring as usize % SLOTS, deadline)
        } else {
            (level * SLOTS + farthest as usize % SLOTS, farthest << shift)
        }
    }

    /// Appends an unlinked node to its slot; answers its bound.
    fn link(&mut self, node: *const Node, deadline: u64) -> u64 {
        let (index, bound) = self.place(deadline);
        let slot = &mut self.slots[index];
        let (previous, next) = if slot.head.is_null() {
            *slot = Slot { head: node, bound };
            self.occupied[index / SLOTS] |= 1 << (index % SLOTS);
            (node, node)
        } else {
            slot.bound = slot.bound.min(bound);
            let head = slot.head;
            // SAFETY: heads, and what they link to, are linked nodes, the wheel's to access.
            let tail = unsafe {
                let tail = read(head, |links| links.previous);
                write(head, |links| links.previous = node);
                write(tail, |links| links.next = node);
                tail
            };
            (tail, head)
        };
        // SAFETY: `insert` was given the node; nobody else accesses it.
        unsafe {
            write(node, |links| {
                debug_assert!(links.next.is_null(), "linked twice");
                links.previous = previous;
                links.next = next;
                links.slot = index as u16;
            });
        }
        bound
    }

    /// Takes a linked node out of its slot. Leaves `next` as it is.
    fn unlink(&mut self, node: *const Node) {
        // SAFETY: linked nodes are the wheel's to access.
        let (previous, next, index) = unsafe {
            write(node, |links| {
                let slot = usize::from(links.slot);
                let next = std::mem::replace(&mut links.next, ptr::null());
                (links.previous, next, slot)
            })
        };
        assert!(!next.is_null(), "unlinking a timer that is not linked");
        let slot = &mut self.slots[index];
        if ptr::eq(next, node) {
            slot.head = ptr::null();
            self.occupied[index / SLOTS] &= !(1 << (index % SLOTS));
            return;
        }
        if ptr::eq(slot.head, node) {
            slot.head = next;
        }
        // SAFETY: the neighbours of a linked node are linked.
        unsafe {
            write(previous, |links| links.next = next);
            write(next, |links| links.previous = previous);
        }
    }

    /// The slot that holds the earliest deadline, and the tick at which it starts.
    fn first_occupied(&self) -> Option<(usize, u64)> {
        let level = self.occupied[..LEVELS].iter().position(|&bits| bits != 0)?;
        let shift = DIGIT * level as u32;
        let current = self.elapsed >> shift;
        // Bit 0 is now the current slot, which is empty by *Ahead*.
        let ahead = self.occupied[level].rotate_right(current as u32 % SLOTS as u32);
        let ring = current + u64::from(ahead.trailing_zeros());
        Some((level * SLOTS + ring as usize % SLOTS, ring << shift))
    }

    fn first_bound(&self) -> u64 {
        self.first_occupied()
            .map_or(NEVER, |(slot, _)| self.slots[slot].bound)
    }
}

/// # Safety
/// The node is alive, and the wheel's to access.
unsafe fn read<R>(node: *const Node, f: impl FnOnce(&Links) -> R) -> R {
    // SAFETY: see above; the reference ends with `f`.
    unsafe { (*node).0.with(|links| f(&*links)) }
}

/// # Safety
/// The node is alive, and the wheel's to access.
unsafe fn write<R>(node: *const Node, f: impl FnOnce(&mut Links) -> R) -> R {
    // SAFETY: see above; the reference ends with `f`, which touches no other links.
    unsafe { (*node).0.with_mut(|links| f(&mut *links)) }
}
