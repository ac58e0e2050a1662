//! Wakers collected under a lock and woken after it.
//!
//! Invariant: user code (a waker's vtable) never runs while one of our locks is held, and a waker
//! that panics takes neither the others nor the calling thread down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakers to be woken once the lock is gone.
#[derive(Default)]
#[must_use]
pub struct WakeBatch {
    wakers: Vec<Waker>,
}

impl WakeBatch {
    pub fn new() -> Self {
        WakeBatch { wakers: Vec::new() }
    }

    pub fn push(&mut self, waker: Waker) {
        self.wakers.push(waker);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.wakers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Wakes everything collected so far, in order; the batch can be used again, and keeps its
    /// memory.
    pub fn wake_all(&mut self) {
        for waker in self.wakers.drain(..) {
            wake(waker);
        }
    }
}

impl Extend<Waker> for WakeBatch {
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        self.wakers.extend(wakers);
    }
}

/// Wakes `waker`; a panic in it is reported by the panic hook and ends here.
pub fn wake(waker: Waker) {
    // A panic's payload may itself panic when dropped; leaking it is the only safe end.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(move || waker.wake())) {
        std::mem::forget(payload);
    }
}

/// Drops something of the user's; a panic in its destructor is reported by the panic hook and
/// ends here.
pub fn drop_quietly<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(move || drop(value))) {
        std::mem::forget(payload);
    }
}
