//! A timer as its future sees it: a node in some shard's wheel, a waker, and a state.
//!
//! Problem: the future's owner polls, resets and drops; other threads fire it or close its shard, at
//! the same time; and the memory is the owner's, gone as soon as the owner thinks so.
//!
//! | state | in a wheel, with a waker | entered by |
//! | --- | --- | --- |
//! | `IDLE` | no | the owner |
//! | `ARMED` | yes | the owner, under the lock of `shard` |
//! | `FIRED` | no | `Shard::fire` under the lock; the owner, when there is nothing to wait for |
//! | `SHUT_DOWN` | no | `Shard::close` under the lock |
//!
//! Rules:
//! * **Ownership.** In every state but `ARMED` node and waker belong to the owner, without a lock.
//! * **Armed.** While armed, node and waker are written under the lock only, and the waker only by
//!   the owner: the owner may look at it without the lock, to see whether it is still the right one.
//!   Who fires or closes takes the waker out by copying it, which is no write.
//! * **Last touch.** Firing and closing end with the store of the new state, after which they never
//!   touch the entry again. So an owner who sees `FIRED` or `SHUT_DOWN` may reuse or free it without
//!   the lock. One who sees `ARMED` must lock and look again before changing anything.
//!
//! Hence an entry that was never polled is dropped without a lock, and so is one that has fired.
//! A waker is cloned before the lock and dropped after it.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::Waker;

use super::Shard;
use super::wheel::Node;
use crate::primitive::atomic::{AtomicU8, Ordering};
use crate::primitive::{UnsafeCell, mutated};
use crate::wait::batch::{drop_quietly, wake};

const IDLE: u8 = 0;
const ARMED: u8 = 1;
const FIRED: u8 = 2;
const SHUT_DOWN: u8 = 3;

/// See the module.
#[repr(C)]
pub struct Entry {
    /// First, so that the wheel's pointer to it is a pointer to the entry.
    node: Node,
    /// Initialised while `ARMED`.
    waker: UnsafeCell<MaybeUninit<Waker>>,
    /// Where it is armed, or was last. The owner's.
    shard: Cell<Option<&'static Shard>>,
    state: AtomicU8,
    _pinned: PhantomPinned,
}

// SAFETY: node and waker follow the module's rules, which hold whichever thread the owner is on; the
// waker is itself `Send`.
unsafe impl Send for Entry {}
// SAFETY: through a shared reference one can only load `state`; the rest asks for `Pin<&mut Entry>`.
unsafe impl Sync for Entry {}

/// What came of polling an entry.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub enum Polled {
    /// The deadline has passed.
    Elapsed,
    /// The waker will be woken.
    Waiting,
    /// The same, and this shard's earliest deadline has become earlier: tell the scheduler.
    WaitingFirst(&'static Shard),
    /// The shard was closed: nothing will be woken.
    Closed,
}

/// Why an entry is no longer armed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Detached {
    Fired,
    ShutDown,
}

/// Ends the wait of an entry that its wheel has just unlinked; answers whom to wake.
///
/// # Safety
/// `node` belongs to an entry that is `ARMED`, and the lock of its shard is held.
pub(super) unsafe fn detach(node: NonNull<Node>, why: Detached) -> Waker {
    // SAFETY: a node in a wheel is the first field of a pinned entry (see `Entry::arm`), whose owner
    // must take the lock before freeing it.
    let entry = unsafe { node.cast::<Entry>().as_ref() };
    // SAFETY: the entry is armed, so the waker is initialised; the new state disowns the original.
    let waker = entry
        .waker
        .with(|waker| unsafe { (*waker).assume_init_read() });
    let state = match why {
        Detached::Fired => FIRED,
        Detached::ShutDown => SHUT_DOWN,
    };
    // Releases node and waker to the owner's `load(Acquire)` in `poll` and `looks_armed`.
    entry.state.store(state, Ordering::Release);
    waker
}

impl Entry {
    /// An entry that waits for nothing yet.
    pub fn new() -> Entry {
        Entry::in_state(IDLE)
    }

    /// An entry whose deadline has passed.
    pub fn elapsed() -> Entry {
        Entry::in_state(FIRED)
    }

    fn in_state(state: u8) -> Entry {
        Entry {
            node: Node::new(),
            waker: UnsafeCell::new(MaybeUninit::uninit()),
            shard: Cell::new(None),
            state: AtomicU8::new(state),
            _pinned: PhantomPinned,
        }
    }

    /// Whether the timer has fired.
    pub fn has_fired(&self) -> bool {
        // Relaxed: the answer gives no access to anything.
        self.state.load(Ordering::Relaxed) == FIRED
    }

    /// Waits with `waker` until the tick `deadline`. If the entry is not armed yet, or its shard was
    /// closed, arms it in the shard that `choose` names.
    pub fn poll(
        self: Pin<&mut Entry>,
        deadline: u64,
        waker: &Waker,
        choose: impl FnOnce() -> &'static Shard,
    ) -> Polled {
        let entry = self.into_ref().get_ref();
        // Pairs with the store in `detach`.
        match entry.state.load(Ordering::Acquire) {
            FIRED => Polled::Elapsed,
            // SAFETY: *Armed*: only this thread, as the owner, could write the waker now.
            ARMED if entry.waker.with(|armed| unsafe { will_wake(armed, waker) }) => {
                Polled::Waiting
            }
            ARMED => entry.replace_waker(deadline, waker, choose),
            _ => entry.arm(deadline, waker, choose()),
        }
    }

    /// Changes what is waited for. An armed entry stays armed for its waker, in the shard that
    /// `choose` names, or wakes it at once if `passed`, which says that the new deadline is behind;
    /// another entry will be armed by its next poll. Answers a shard whose earliest deadline has
    /// become earlier.
    #[must_use]
    pub fn reset(
        self: Pin<&mut Entry>,
        deadline: u64,
        passed: bool,
        choose: impl FnOnce() -> &'static Shard,
    ) -> Option<&'static Shard> {
        let entry = self.into_ref().get_ref();
        if entry.looks_armed() {
            let target = (!passed).then(choose);
            if let Ok(first) = entry.rearm(deadline, target) {
                return first;
            }
        }
        let state = if passed { FIRED } else { IDLE };
        // Relaxed: by *Ownership* nobody else looks.
        entry.state.store(state, Ordering::Relaxed);
        None
    }

    /// Does what dropping does, but leaves the entry for use.
    #[cfg(any(test, gorust_loom))]
    pub fn cancel(self: Pin<&mut Entry>) {
        self.into_ref().get_ref().disarm();
    }

    fn disarm(&self) {
        if !self.looks_armed() {
            return;
        }
        let Some(shard) = self.shard.get() else {
            return;
        };
        let mut guarded = shard.lock();
        if !self.still_armed() && !mutated!("timer.cancel_trusts_first_look") {
            return;
        }
        // SAFETY: armed, hence linked, in this shard, whose lock is held.
        unsafe { guarded.wheel.remove(NonNull::from(self).cast()) };
        self.state.store(IDLE, Ordering::Relaxed);
        shard.publish(guarded);
        // SAFETY: it was armed until now, and is the owner's again.
        drop_quietly(unsafe { self.take_waker() });
    }

    /// Whether the entry is `ARMED`, asked without the lock. `false` stays true, and gives the owner
    /// back what it owns.
    fn looks_armed(&self) -> bool {
        // Pairs with the store in `detach`.
        self.state.load(Ordering::Acquire) == ARMED
    }

    /// Whether the entry is `ARMED`, asked under the lock of its shard. That lock orders this load
    /// after the store of whoever detached the entry before.
    fn still_armed(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ARMED
    }

    #[cold]
    fn replace_waker(
        &self,
        deadline: u64,
        waker: &Waker,
        choose: impl FnOnce() -> &'static Shard,
    ) -> Polled {
        let waker = waker.clone();
        let Some(shard) = self.shard.get() else {
            return Polled::Closed; // not reached: armed entries have a shard
        };
        let guarded = shard.lock();
        if self.still_armed() || mutated!("timer.poll_trusts_first_look") {
            // SAFETY: *Armed*: the waker is initialised, and the lock is held by its owner.
            let old = self.waker.with_mut(|armed| unsafe {
                std::mem::replace(&mut *armed, MaybeUninit::new(waker)).assume_init()
            });
            drop(guarded);
            drop_quietly(old);
            return Polled::Waiting;
        }
        drop(guarded);
        if self.has_fired() {
            drop_quietly(waker);
            return Polled::Elapsed;
        }
        self.arm(deadline, &waker, choose())
    }

    /// Arms an entry that is not armed.
    fn arm(&self, deadline: u64, waker: &Waker, shard: &'static Shard) -> Polled {
        match self.link(deadline, waker.clone(), shard) {
            Ok(true) => Polled::WaitingFirst(shard),
            Ok(false) => Polled::Waiting,
            Err((why, waker)) => {
                drop_quietly(waker);
                why
            }
        }
    }

    /// Links an entry that is not armed into `shard`. `Ok(true)`: it is the first there. Otherwise
    /// the waker comes back.
    fn link(
        &self,
        deadline: u64,
        waker: Waker,
        shard: &'static Shard,
    ) -> Result<bool, (Polled, Waker)> {
        // SAFETY: *Ownership*: not armed.
        unsafe { self.node.set_deadline(deadline) };
        let mut guarded = shard.lock();
        if !guarded.open {
            return Err((Polled::Closed, waker));
        }
        // SAFETY: the entry is pinned (all callers got a `Pin`), and dropping it unlinks the node;
        // until then the owner keeps to *Armed*. The pointer is one to the whole entry.
        if !unsafe { guarded.wheel.insert(NonNull::from(self).cast()) } {
            self.state.store(FIRED, Ordering::Relaxed);
            return Err((Polled::Elapsed, waker));
        }
        // SAFETY: the lock is held by the owner.
        self.waker
            .with_mut(|armed| unsafe { (*armed).write(waker) });
        self.state.store(ARMED, Ordering::Relaxed);
        let first = shard.publish(guarded);
        self.shard.set(Some(shard));
        Ok(first)
    }

    /// Moves an armed entry with its waker to another deadline, and into `target` unless it is there
    /// already; without a target, the deadline has passed. Answers a shard whose earliest deadline
    /// has become earlier; an error if the entry is not armed any more.
    fn rearm(
        &self,
        deadline: u64,
        target: Option<&'static Shard>,
    ) -> Result<Option<&'static Shard>, ()> {
        let home = self.shard.get().ok_or(())?;
        let mut guarded = home.lock();
        if !self.still_armed() && !mutated!("timer.reset_trusts_first_look") {
            return Err(());
        }
        let node = NonNull::from(self).cast();
        // SAFETY: armed, hence linked, in this shard, whose lock is held; removed, it is the
        // owner's, until it is inserted on the terms of `link`.
        let stays = unsafe {
            guarded.wheel.remove(node);
            self.node.set_deadline(deadline);
            target.is_some_and(|target| ptr::eq(target, home)) && guarded.wheel.insert(node)
        };
        if stays {
            return Ok(home.publish(guarded).then_some(home));
        }
        self.state.store(IDLE, Ordering::Relaxed);
        home.publish(guarded);
        // SAFETY: it was armed until now, and is the owner's again.
        let waker = unsafe { self.take_waker() };
        let Some(target) = target else {
            self.state.store(FIRED, Ordering::Relaxed);
            wake(waker);
            return Ok(None);
        };
        match self.link(deadline, waker, target) {
            Ok(first) => Ok(first.then_some(target)),
            // Its next poll will find the deadline passed, or another shard.
            Err((_, waker)) => {
                wake(waker);
                Ok(None)
            }
        }
    }

    /// # Safety
    /// The owner has just ended the `ARMED` state itself.
    unsafe fn take_waker(&self) -> Waker {
        // SAFETY: it was initialised, and nobody else uses it now.
        self.waker
            .with(|waker| unsafe { (*waker).assume_init_read() })
    }
}

/// # Safety
/// The waker is initialised. It may meanwhile be copied out, woken and dropped by who fires it: its
/// two words remain, and only they are compared.
unsafe fn will_wake(armed: *const MaybeUninit<Waker>, waker: &Waker) -> bool {
    // SAFETY: see above.
    unsafe { (*armed).assume_init_ref() }.will_wake(waker)
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl Default for Entry {
    fn default() -> Entry {
        Entry::new()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state.load(Ordering::Relaxed) {
            IDLE => "idle",
            ARMED => "armed",
            FIRED => "fired",
            _ => "shut down",
        })
    }
}
