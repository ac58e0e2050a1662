//! One who waits for a channel, and the place where a value changes hands.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::Waker;

use crate::primitive::UnsafeCell;
use crate::wait::list::{Phase, Unlinked, Waiter};

/// A waiter with room for one value, inside a `Send` or a `Recv`.
///
/// - A *sender's* place is filled from the start; it is empty once the phase is `Granted`.
/// - A *receiver's* place is empty; it is filled exactly while the phase is `Granted`, and the
///   waiter's tag is then the number of the hand-over.
#[repr(C)] // a pointer to the waiter is a pointer to the node
#[derive(Debug)]
pub(super) struct Node<T> {
    waiter: Waiter,
    place: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the place belongs to the waiter's owner (see `wait::list`), who may be another thread
// than the future's, so `T` must be able to go there; nobody ever shares a `&T`.
unsafe impl<T: Send> Sync for Node<T> {}

impl<T> Node<T> {
    /// A sender's node.
    pub(super) fn holding(value: T) -> Node<T> {
        Node {
            waiter: Waiter::new(),
            place: UnsafeCell::new(MaybeUninit::new(value)),
        }
    }

    /// A receiver's node.
    pub(super) fn empty() -> Node<T> {
        Node {
            waiter: Waiter::new(),
            place: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    #[inline]
    pub(super) fn waiter(self: Pin<&Self>) -> Pin<&Waiter> {
        // SAFETY: the waiter is pinned because the node is.
        unsafe { self.map_unchecked(|node| &node.waiter) }
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        self.waiter.phase()
    }

    #[inline]
    pub(super) fn finish(&self) {
        self.waiter.set_phase(Phase::Finished);
    }

    /// The pointer to put on a list: it reaches the whole node.
    #[inline]
    pub(super) fn link(self: Pin<&Self>) -> NonNull<Waiter> {
        NonNull::from(self.get_ref()).cast()
    }

    /// Moves the value out.
    ///
    /// # Safety
    /// The caller owns the waiter, the place is filled, and counts as empty from now on.
    #[inline]
    pub(super) unsafe fn take(&self) -> T {
        // SAFETY: filled, and nobody else's.
        self.place
            .with_mut(|place| unsafe { (*place).assume_init_read() })
    }

    /// The number of the hand-over.
    ///
    /// # Safety
    /// The caller owns the waiter.
    pub(super) unsafe fn number(&self) -> u32 {
        // SAFETY: the caller owns it.
        unsafe { self.waiter.tag() }
    }
}

/// Hands a value to a receiver as the `number`th hand-over. Returns the waker to wake.
///
/// # Safety
/// The waiter is that of a `Node<T>`, a receiver's.
#[inline]
pub(super) unsafe fn hand<T>(receiver: Unlinked, number: u32, value: T) -> Option<Waker> {
    // SAFETY: it was linked by `Node::link`; unlinked and not settled, it is ours.
    unsafe {
        let node = receiver.as_ptr().cast::<Node<T>>().as_ref();
        node.place.with_mut(|place| {
            (*place).write(value);
        });
        node.waiter.set_tag(number);
    }
    receiver.settle(Phase::Granted)
}

/// Takes the value of a sender. Returns it and the waker to wake.
///
/// # Safety
/// The waiter is that of a `Node<T>`, a sender's.
#[inline]
pub(super) unsafe fn collect<T>(sender: Unlinked) -> (T, Option<Waker>) {
    // SAFETY: as in `hand`; a waiting sender's place is filled, and empty once it is granted.
    let value = unsafe { sender.as_ptr().cast::<Node<T>>().as_ref().take() };
    (value, sender.settle(Phase::Granted))
}
