//! A processor's timers: one wheel behind one lock, and its next deadline in the open.
//!
//! The lock lets anybody cancel a timer from anywhere, and lets another thread fire the timers of a
//! processor that is stuck in a long poll. Wakers never run under it: `fire` and `close` hand them to
//! their caller.
//!
//! `next_deadline` is written under the lock, so that it follows the wheel's order of changes, and
//! read without. It guards no data, so it is relaxed; whoever announces that it will sleep, then
//! reads it, and whoever lowers it, then looks for sleepers, needs a `SeqCst` fence in between.
//! `scheduler::earliest_timer_changed` has the second of these.
//!
//! Shards are never freed. The runtime that uses one closes it when it shuts down and opens it when
//! the shard is to serve again. A closed shard accepts no timer: one that slipped in behind `close`
//! would have nobody to fire it.

use std::fmt;

use super::entry::{self, Detached};
use super::wheel::Wheel;
use crate::primitive::atomic::{AtomicU64, Ordering};
use crate::primitive::{Mutex, MutexGuard, mutated};
use crate::wait::batch::WakeBatch;

/// See the module.
pub struct Shard {
    guarded: Mutex<Guarded>,
    /// A copy of the wheel's, for those without the lock.
    next_deadline: AtomicU64,
}

/// What the lock guards, besides the links and wakers of armed entries.
pub struct Guarded {
    pub(super) wheel: Wheel,
    pub(super) open: bool,
}

impl Shard {
    /// An open shard without timers.
    pub fn new() -> Shard {
        let wheel = Wheel::new(0);
        Shard {
            next_deadline: AtomicU64::new(wheel.next_deadline()),
            guarded: Mutex::new(Guarded { wheel, open: true }),
        }
    }

    /// The tick at which to call [`fire`](Shard::fire) next; `u64::MAX` for never.
    #[inline]
    pub fn next_deadline(&self) -> u64 {
        self.next_deadline.load(Ordering::Relaxed)
    }

    /// Fires every timer that is due at `now`; answers how many. The caller wakes the batch.
    pub fn fire(&self, now: u64, batch: &mut WakeBatch) -> usize {
        let mut fired = 0;
        let mut guarded = self.lock();
        guarded.wheel.advance(now, |node| {
            fired += 1;
            // SAFETY: the wheel holds armed entries only, has just unlinked this one, and the lock is
            // held.
            batch.push(unsafe { entry::detach(node, Detached::Fired) });
        });
        self.publish(guarded);
        fired
    }

    /// Detaches every timer, and refuses new ones until [`open`](Shard::open). The caller wakes the
    /// batch, upon which whoever still waits arms its timer elsewhere.
    pub fn close(&self, batch: &mut WakeBatch) {
        let mut guarded = self.lock();
        guarded.open = mutated!("timer.close_stays_open");
        guarded.wheel.drain(|node| {
            // SAFETY: as in `fire`.
            batch.push(unsafe { entry::detach(node, Detached::ShutDown) });
        });
        self.publish(guarded);
    }

    /// Accepts timers again.
    pub fn open(&self) {
        self.lock().open = true;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.guarded.lock()
    }

    /// Shows the earliest deadline and unlocks; `true` if it is earlier than what was shown. In this
    /// order: else a slower thread could show what another has overtaken.
    #[inline]
    pub(super) fn publish(&self, guarded: MutexGuard<'_, Guarded>) -> bool {
        let next = guarded.wheel.next_deadline();
        if mutated!("timer.publish_unlocked") {
            drop(guarded);
            self.next_deadline.store(next, Ordering::Relaxed);
            return true;
        }
        let shown = self.next_deadline.load(Ordering::Relaxed);
        if next != shown {
            self.next_deadline.store(next, Ordering::Relaxed);
        }
        next < shown
    }
}

impl Default for Shard {
    fn default() -> Shard {
        Shard::new()
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}
