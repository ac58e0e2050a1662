//! The goroutine that runs next: a slot of one, ahead of the ring.
//!
//! Whom the running goroutine wakes is most likely waiting for exactly what was just produced, and
//! its data is hot: so it goes here, and two goroutines that talk pass the processor to each other
//! without touching a queue. Only the owner fills the slot. A thief may empty it, but only if the
//! owner is stuck (see `worker::Search`).

use std::ptr::{self, NonNull};

use super::queue::Entry;
use crate::primitive::atomic::{AtomicPtr, Ordering};
use crate::task::cell::Header;

/// The slot.
#[derive(Debug)]
pub struct RunNext(AtomicPtr<Header>);

impl RunNext {
    pub fn new() -> RunNext {
        RunNext(AtomicPtr::new(ptr::null_mut()))
    }

    /// Puts `entry` in the slot and returns what it displaces. Owner only.
    #[inline]
    pub fn put(&self, entry: Entry) -> Option<Entry> {
        // Release: a thief that takes it sees the goroutine (partner: `take`).
        NonNull::new(self.0.swap(entry.as_ptr(), Ordering::Release))
    }

    /// Empties the slot. For the owner, and for thieves that may.
    #[inline]
    pub fn take(&self) -> Option<Entry> {
        if self.is_empty() {
            return None;
        }
        // Acquire: partner `put`.
        NonNull::new(self.0.swap(ptr::null_mut(), Ordering::Acquire))
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }
}
