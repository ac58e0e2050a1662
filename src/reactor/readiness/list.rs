//! The waiters that do not find room in the slot.

use std::task::Waker;

use slab::Slab;

/// Callers of poll functions that the list remembers. They cannot say when they lose interest, so
/// beyond this one of the earlier ones is woken for each new one: it asks again if it still cares.
const SHARED_MAX: usize = 32;

/// The waiters that found the slot taken.
#[derive(Default)]
pub(super) struct List {
    /// How often the list was drained: tells a waiter whether its key is still its own.
    pub(super) drained: u64,
    pub(super) entries: Slab<Entry>,
    pub(super) shared: usize,
}

pub(super) struct Entry {
    pub(super) waker: Waker,
    shared: bool,
}

impl List {
    pub(super) fn insert(&mut self, waker: Waker, shared: bool) -> usize {
        self.shared += usize::from(shared);
        self.entries.insert(Entry { waker, shared })
    }

    pub(super) fn remove(&mut self, drained: u64, key: usize) -> Option<Entry> {
        if self.drained != drained {
            return None;
        }
        self.entries.try_remove(key)
    }

    /// Remembers the caller of a poll function, once, and at most [`SHARED_MAX`] of them.
    pub(super) fn insert_shared(&mut self, waker: Waker) -> (usize, Displaced) {
        let mut evict = None;
        for (key, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.shared) {
            if entry.waker.will_wake(&waker) {
                return (key, Displaced::Duplicate(waker));
            }
            evict.get_or_insert(key);
        }
        match evict {
            Some(key) if self.shared >= SHARED_MAX => {
                let held = std::mem::replace(&mut self.entries[key].waker, waker);
                (key, Displaced::Evicted(held))
            }
            _ => (self.insert(waker, true), Displaced::Nothing),
        }
    }
}

/// What had to go for a shared waker, to be dealt with once the lock is gone.
pub(super) enum Displaced {
    Nothing,
    /// To be dropped. (Waking it would be a busy loop: it is the caller's own.)
    Duplicate(Waker),
    /// To be woken, so that it asks again.
    Evicted(Waker),
}
