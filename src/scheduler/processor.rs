//! A P: the right to run goroutines, with everything that belongs to it.
//!
//! Whoever holds a processor is its *owner*: a machine between two polls, or in one. All that a
//! stuck owner could hold up (ring, `runnext`, timers, the list of live goroutines) can be reached
//! by others; what is the owner's alone says so.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::time::Duration;

use super::Scheduler;
use super::queue::Ring;
use super::runnext::RunNext;
use crate::primitive::CachePadded;
use crate::primitive::atomic::{AtomicU64, Ordering};
use crate::task::cell::{Header, Home, Panicked, Why};
use crate::task::owned::OwnedList;
use crate::task::{IdBatch, Runnable};
use crate::timer::Shard;

/// See the module.
pub(crate) struct Processor {
    pub(crate) ring: Ring,
    pub(crate) runnext: RunNext,
    pub(crate) timers: Shard,
    pub(crate) owner: Owner,
    pub(crate) counters: CachePadded<Counters>,
    /// The owner's alone.
    ids: UnsafeCell<IdBatch>,
}

// SAFETY: everything is made for sharing but `ids`, which only the owner touches (`next_id`).
unsafe impl Sync for Processor {}

impl Processor {
    pub(crate) fn new(scheduler: NonNull<Scheduler>) -> Processor {
        Processor {
            ring: Ring::new(),
            runnext: RunNext::new(),
            timers: Shard::new(),
            owner: Owner::new(scheduler),
            counters: CachePadded(Counters::new()),
            ids: UnsafeCell::new(IdBatch::EMPTY),
        }
    }

    /// A number for a new goroutine.
    ///
    /// # Safety
    /// The caller holds the processor.
    pub(crate) unsafe fn next_id(&self) -> crate::task::Id {
        // SAFETY: only the owner gets here, and it is one thread.
        unsafe { (*self.ids.get()).take() }
    }

    /// Whether something could be stolen or run here.
    pub(crate) fn has_work(&self) -> bool {
        self.ring.len() > 0 || !self.runnext.is_empty()
    }
}

/// A list of live goroutines, and the scheduler to which they go when they are woken.
pub(crate) struct Owner {
    pub(crate) live: OwnedList,
    scheduler: NonNull<Scheduler>,
}

// SAFETY: schedulers are shared between threads and never freed.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

impl Owner {
    pub(crate) fn new(scheduler: NonNull<Scheduler>) -> Owner {
        Owner {
            live: OwnedList::new(),
            scheduler,
        }
    }

    fn scheduler(&self) -> &'static Scheduler {
        // SAFETY: points to the scheduler this is a part of, which is never freed, and which is
        // complete before its first goroutine.
        unsafe { self.scheduler.as_ref() }
    }
}

impl Home for Owner {
    #[inline]
    fn schedule(&'static self, runnable: Runnable, why: Why) {
        self.scheduler().schedule(runnable, why);
    }

    fn unlink(&'static self, cell: NonNull<Header>) {
        self.live.remove(cell);
    }

    fn unhandled_panic(&'static self, panicked: &Panicked<'_>) {
        self.scheduler().unhandled_panic(panicked);
    }
}

/// What a processor counts. Only the owner writes, so an addition is a load and a store.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Polls begun: also tells watchers whether the owner moves.
    pub(crate) polls: AtomicU64,
    /// `polls` at the watcher's last look; the watcher's alone.
    pub(crate) polls_seen: AtomicU64,
    pub(crate) spawned: AtomicU64,
    pub(crate) steals: AtomicU64,
    pub(crate) parks: AtomicU64,
    pub(crate) busy_nanos: AtomicU64,
}

impl Counters {
    fn new() -> Counters {
        Counters {
            polls: AtomicU64::new(0),
            polls_seen: AtomicU64::new(0),
            spawned: AtomicU64::new(0),
            steals: AtomicU64::new(0),
            parks: AtomicU64::new(0),
            busy_nanos: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    pub(crate) fn add_busy(&self, busy: Duration) {
        Counters::add(&self.busy_nanos, busy.as_nanos() as u64);
    }

    pub(crate) fn reset(&self) {
        for counter in [
            &self.polls,
            &self.spawned,
            &self.steals,
            &self.parks,
            &self.busy_nanos,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}
