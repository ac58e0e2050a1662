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

    #[cfg(any(test, gorust_loom))]
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
    contain(move || waker.wake());
}

/// Drops something of the user's; a panic in its destructor is reported by the panic hook and
/// ends here.
pub fn drop_quietly<T>(value: T) {
    contain(move || drop(value));
}

fn contain(user_code: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(user_code)) else {
        return;
    };
    // The payload is the user's, too. If dropping it panics, what that throws is leaked: otherwise
    // there would be no end.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(payload);
    }
}

#[cfg(all(test, not(gorust_loom)))]
mod tests {
    use super::*;

    /// A payload that throws itself again when it is dropped.
    struct Again;

    impl Drop for Again {
        fn drop(&mut self) {
            std::panic::panic_any(Again);
        }
    }

    #[test]
    fn a_panic_ends_here() {
        contain(|| panic!("in user code"));
        contain(|| std::panic::panic_any(Again));
        drop_quietly(Again);
    }
}
