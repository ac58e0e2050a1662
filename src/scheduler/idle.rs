//! Who has nothing to do: idle processors, parked machines, searchers.
//!
//! Waking a sleeping thread costs as much as two hundred task switches, so it is done only when it
//! must be. The protocol is described, with its proof sketch, in `README.md` beside this file; in
//! short:
//!
//! - One word says how many processors are idle and how many machines search. It is a *hint* for
//!   pushers, who read it without the lock; everything is decided under the lock.
//! - Whoever parks first publishes itself here (lock, then the word), then fences, then looks
//!   everywhere for work once more. Whoever pushes from outside the workers fences between its push
//!   and its look at the word. So at least one of the two sees the other.
//! - A machine that is woken is given a processor, under the lock, and counts as searching. While
//!   anyone searches nobody else is woken; the last searcher who finds something looks whether
//!   there is more, and wakes the next.
//!
//! Invariants, under the lock: the word's idle count is the number of idle processors; a machine
//! is in `machines`, or is the `poller`, or has been assigned a processor and not yet taken it, or
//! is awake.

use std::ptr;

use super::parker::{Parker, Unparked};
use crate::primitive::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::primitive::{Arc, CachePadded, Mutex};

const SEARCHER: u64 = 1;
const IDLE: u64 = 1 << 32;

fn searching(word: u64) -> u64 {
    word & (IDLE - 1)
}
fn idle(word: u64) -> u64 {
    word >> 32
}

/// A thread that can run goroutines, and the processor it is given while it sleeps.
#[derive(Debug)]
pub struct Machine<P: 'static> {
    pub parker: Parker,
    /// Written under the lock of [`Idle`], by whoever takes the machine out of it.
    assigned: AtomicPtr<P>,
}

impl<P> Machine<P> {
    /// A machine for the calling thread.
    pub fn for_this_thread() -> Machine<P> {
        Machine {
            parker: Parker::for_this_thread(),
            assigned: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The processor that the machine was woken for. Owner only.
    pub fn take_assigned(&self) -> Option<&'static P> {
        if self.assigned.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // Acquire: what the last holder did with the processor is seen (partner: `assign`).
        let processor = self.assigned.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: only `assign` writes it, from a `&'static P`.
        unsafe { processor.as_ref() }
    }

    fn assign(&self, processor: &'static P) {
        // Release: partner `take_assigned`.
        self.assigned
            .store(ptr::from_ref(processor).cast_mut(), Ordering::Release);
    }
}

/// What became of an attempt to wake somebody.
#[derive(Debug)]
#[must_use]
pub enum Woken<P: 'static> {
    /// No need, or nobody to wake.
    Nobody,
    /// A machine got the processor and wakes up.
    Machine,
    /// A machine got the processor and waits in the reactor, which has to be interrupted.
    Poller,
    /// There is no machine: the caller starts a thread for this processor (it counts as searching).
    NeedsThread(&'static P),
}

/// What a machine that wants a processor gets.
#[derive(Debug)]
#[must_use]
pub enum Acquired<P: 'static> {
    /// A processor; the machine is not idle any more.
    Processor(&'static P),
    /// Somebody has assigned it one: see `take_assigned`.
    Assigned,
    /// There is none; the machine stays where it was.
    Nothing,
}

/// See the module.
#[derive(Debug)]
pub struct Idle<P: 'static> {
    word: CachePadded<AtomicU64>,
    set: Mutex<Set<P>>,
}

#[derive(Debug)]
struct Set<P: 'static> {
    processors: Vec<&'static P>,
    machines: Vec<Arc<Machine<P>>>,
    poller: Option<Arc<Machine<P>>>,
}

impl<P> Set<P> {
    /// Takes `machine` out; `false` if it is not here, which means that it has been assigned a
    /// processor.
    fn remove(&mut self, machine: &Arc<Machine<P>>) -> bool {
        if self
            .poller
            .as_ref()
            .is_some_and(|poller| Arc::ptr_eq(poller, machine))
        {
            self.poller = None;
            return true;
        }
        match self
            .machines
            .iter()
            .position(|other| Arc::ptr_eq(other, machine))
        {
            Some(index) => {
                self.machines.remove(index);
                true
            }
            None => false,
        }
    }

    /// Takes `wanted` out, or with `None` any processor.
    fn take_processor(&mut self, wanted: Option<&'static P>) -> Option<&'static P> {
        match wanted {
            None => self.processors.pop(),
            Some(wanted) => {
                let index = self.processors.iter().position(|p| ptr::eq(*p, wanted))?;
                Some(self.processors.remove(index))
            }
        }
    }
}

impl<P: 'static> Idle<P> {
    pub fn new() -> Idle<P> {
        Idle {
            word: CachePadded(AtomicU64::new(0)),
            set: Mutex::new(Set {
                processors: Vec::new(),
                machines: Vec::new(),
                poller: None,
            }),
        }
    }

    /// A hint: somebody is idle and nobody searches.
    #[inline]
    pub fn worth_waking(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        searching(word) == 0 && idle(word) > 0
    }

    /// How many processors are idle; a snapshot.
    pub fn processors(&self) -> usize {
        idle(self.word.load(Ordering::Relaxed)) as usize
    }

    /// Puts an idle processor here.
    pub fn release(&self, processor: &'static P) {
        let mut set = self.set.lock();
        set.processors.push(processor);
        // Relaxed: the fence that the caller makes next orders it (see the module).
        self.word.fetch_add(IDLE, Ordering::Relaxed);
    }

    /// Puts a machine and the processor it had here. Returns how many machines sleep.
    ///
    /// Afterwards the caller fences and looks for work once more.
    pub fn enter(
        &self,
        machine: &Arc<Machine<P>>,
        processor: Option<&'static P>,
        was_searching: bool,
    ) -> usize {
        let mut set = self.set.lock();
        set.machines.push(machine.clone());
        let mut change = 0;
        if let Some(processor) = processor {
            set.processors.push(processor);
            change += IDLE;
        }
        if was_searching {
            change = change.wrapping_sub(SEARCHER);
        }
        // Relaxed: as in `release`.
        self.word.fetch_add(change, Ordering::Relaxed);
        set.machines.len()
    }

    /// Takes `machine` out. `false`: it has been assigned a processor.
    #[must_use]
    pub fn leave(&self, machine: &Arc<Machine<P>>) -> bool {
        self.set.lock().remove(machine)
    }

    /// A processor for a machine that is awake and not here.
    pub fn take_processor(&self) -> Option<&'static P> {
        let mut set = self.set.lock();
        let processor = set.take_processor(None)?;
        self.word.fetch_sub(IDLE, Ordering::Relaxed);
        Some(processor)
    }

    /// A processor (the `wanted` one, or any) for a machine that is here; with it, it leaves.
    pub fn acquire(&self, machine: &Arc<Machine<P>>, wanted: Option<&'static P>) -> Acquired<P> {
        let mut set = self.set.lock();
        let Some(processor) = set.take_processor(wanted) else {
            return Acquired::Nothing;
        };
        if !set.remove(machine) {
            set.processors.push(processor);
            return Acquired::Assigned;
        }
        self.word.fetch_sub(IDLE, Ordering::Relaxed);
        Acquired::Processor(processor)
    }

    /// Moves `machine` from those that sleep to the poller's place, if that is free.
    ///
    /// Refused while no processor is idle: a poller that cannot run what it finds would be woken for
    /// every single event, on a CPU that the workers need. They poll themselves; and whoever puts an
    /// idle processor here either sleeps as the poller or sees to it that somebody does.
    #[must_use]
    pub fn begin_polling(&self, machine: &Arc<Machine<P>>) -> bool {
        let mut set = self.set.lock();
        if set.processors.is_empty() || set.poller.is_some() || !set.remove(machine) {
            return false;
        }
        set.poller = Some(machine.clone());
        true
    }

    /// Moves the poller back to those that sleep, unless it has been assigned a processor.
    pub fn end_polling(&self, machine: &Arc<Machine<P>>) {
        let mut set = self.set.lock();
        if set.remove(machine) {
            set.machines.push(machine.clone());
        }
    }

    /// Whether somebody waits in the reactor, or is about to.
    pub fn has_poller(&self) -> bool {
        self.set.lock().poller.is_some()
    }

    /// Gives some sleeping machine an idle processor, if nobody searches.
    pub fn wake_one(&self) -> Woken<P> {
        let mut set = self.set.lock();
        if searching(self.word.load(Ordering::Relaxed)) > 0 {
            return Woken::Nobody;
        }
        let Some(processor) = set.processors.pop() else {
            return Woken::Nobody;
        };
        self.word
            .fetch_add(SEARCHER.wrapping_sub(IDLE), Ordering::Relaxed);
        Self::give(set, processor)
    }

    /// Gives some sleeping machine a processor that is not idle.
    pub fn hand_over(&self, processor: &'static P) -> Woken<P> {
        let set = self.set.lock();
        self.word.fetch_add(SEARCHER, Ordering::Relaxed);
        Self::give(set, processor)
    }

    /// Those on their own parker first: waking them is cheaper than interrupting the reactor.
    fn give(mut set: crate::primitive::MutexGuard<'_, Set<P>>, processor: &'static P) -> Woken<P> {
        let Some(machine) = set.machines.pop().or_else(|| set.poller.take()) else {
            return Woken::NeedsThread(processor);
        };
        machine.assign(processor);
        drop(set);
        match machine.parker.unpark() {
            Unparked::Done => Woken::Machine,
            Unparked::InterruptReactor => Woken::Poller,
        }
    }

    /// The thread that was to take `processor` could not be started.
    pub fn take_back(&self, processor: &'static P) {
        let mut set = self.set.lock();
        set.processors.push(processor);
        self.word
            .fetch_add(IDLE.wrapping_sub(SEARCHER), Ordering::Relaxed);
    }

    /// Makes every machine look around; `true`: the reactor has to be interrupted, too.
    #[must_use]
    pub fn unpark_all(&self) -> bool {
        let (machines, poller) = {
            let set = self.set.lock();
            (set.machines.clone(), set.poller.clone())
        };
        machines
            .iter()
            .chain(&poller)
            .filter(|machine| machine.parker.unpark() == Unparked::InterruptReactor)
            .count()
            > 0
    }

    /// Makes one sleeping machine look around if nobody waits in the reactor.
    pub fn fill_pollers_place(&self) {
        let machine = {
            let set = self.set.lock();
            if set.poller.is_some() {
                return;
            }
            set.machines.last().cloned()
        };
        if let Some(machine) = machine {
            // It is not the poller, so there is nothing to interrupt.
            let _ = machine.parker.unpark();
        }
    }

    /// Begins to search, unless `limit` do already.
    #[must_use]
    pub fn begin_search(&self, limit: u64) -> bool {
        if searching(self.word.load(Ordering::Relaxed)) >= limit {
            return false;
        }
        self.word.fetch_add(SEARCHER, Ordering::Relaxed);
        true
    }

    /// Ends a search that found something; `true`: nobody else searches.
    ///
    /// Then the caller fences, looks whether there is more, and wakes the next.
    #[must_use]
    pub fn end_search(&self) -> bool {
        searching(self.word.fetch_sub(SEARCHER, Ordering::Relaxed)) == 1
    }
}
