//! Who has nothing to do: idle processors, parked machines, searchers.
//!
//! Waking a sleeping thread costs as much as two hundred task switches, so it is done only when it
//! must be. The protocol is described, with its proof sketch, in `README.md` beside this file; in
//! short:
//!
//! - One word says how many processors are idle and how many machines search. It is a *hint* for
//!   pushers, who read it without the lock; everything is decided under the lock.
//! - Whoever parks first publishes itself here (lock, then the word), then fences, then looks
//!   everywhere for work once more (`must_wake_for_rest`). Whoever pushes from outside the workers
//!   fences between its push and its look at the word (`must_wake_for_push`). So at least one of the
//!   two sees the other.
//! - A machine that is woken is given a processor, under the lock, and counts as searching. While
//!   anyone searches nobody else is woken; the last searcher who finds something looks whether
//!   there is more, and wakes the next.
//!
//! Invariants, under the lock:
//! 1. The word's idle count is the number of idle processors: those of sleepers, and spare ones.
//! 2. A machine is among the sleepers, or is the poller, or has been assigned a processor and not yet
//!    taken it, or is awake.
//! 3. An idle processor with timers belongs to a sleeper, who wakes up for them. So a sleeper is woken
//!    with its own processor, and one that has timers to wait for is not given another.

use std::ptr;

use super::parker::{Parker, Unparked};
use crate::primitive::atomic::{AtomicPtr, AtomicU64, Ordering, fence};
use crate::primitive::{Arc, CachePadded, Mutex, MutexGuard, mutated};

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

    /// Whether the machine has been woken for a processor. Owner only.
    pub fn is_assigned(&self) -> bool {
        !self.assigned.load(Ordering::Relaxed).is_null()
    }

    /// The processor that the machine was woken for. Owner only.
    pub fn take_assigned(&self) -> Option<&'static P> {
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

/// A machine that sleeps.
#[derive(Debug)]
pub struct Sleeper<P: 'static> {
    pub machine: Arc<Machine<P>>,
    /// The processor that it had; idle, too. Somebody who is awake may take it.
    pub processor: Option<&'static P>,
    /// It wakes up for that processor's timers.
    pub has_timers: bool,
}

impl<P> Sleeper<P> {
    /// It may be woken for another processor than its own.
    fn is_free(&self) -> bool {
        self.processor.is_none() || !self.has_timers
    }
}

/// What a machine that leaves the idle ones goes with.
#[derive(Debug)]
#[must_use]
pub enum Left<P: 'static> {
    Processor(&'static P),
    /// Somebody has assigned it one: see `take_assigned`.
    Assigned,
    /// There is none.
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
    sleepers: Vec<Sleeper<P>>,
    poller: Option<Sleeper<P>>,
    /// Idle processors without timers that no sleeper has.
    spare: Vec<&'static P>,
}

impl<P> Set<P> {
    /// Takes `machine` out; `None` if it is not here, which means that it has been assigned a
    /// processor.
    fn remove(&mut self, machine: &Arc<Machine<P>>) -> Option<Sleeper<P>> {
        let is_it = |sleeper: &Sleeper<P>| Arc::ptr_eq(&sleeper.machine, machine);
        if self.poller.as_ref().is_some_and(is_it) {
            return self.poller.take();
        }
        let index = self.sleepers.iter().position(is_it)?;
        Some(self.sleepers.remove(index))
    }

    /// Takes out a processor, whoever has it.
    fn take_processor(&mut self) -> Option<&'static P> {
        self.spare.pop().or_else(|| {
            let mut owners = self.sleepers.iter_mut().rev().chain(&mut self.poller);
            owners.find_map(|sleeper| sleeper.processor.take())
        })
    }

    /// Takes out a processor (there is one) and whom to wake for it, if anybody sleeps: who has it,
    /// if possible. The poller comes last, since interrupting the reactor costs more.
    fn take_pair(&mut self) -> Option<(&'static P, Option<Arc<Machine<P>>>)> {
        let last = self.sleepers.len().checked_sub(1);
        let owner = self.sleepers.iter().rposition(|s| s.processor.is_some());
        let sleeper = match owner.or(last) {
            Some(index) => Some(self.sleepers.remove(index)),
            None if mutated!("idle.forgets_the_poller") => None,
            None => self.poller.take(),
        };
        let (own, machine) = sleeper.map_or((None, None), |s| (s.processor, Some(s.machine)));
        let own = own.filter(|_| !mutated!("idle.wakes_with_any_processor"));
        Some((own.or_else(|| self.take_processor())?, machine))
    }

    /// Takes out a machine that waits for no timers, for a processor that is not here.
    fn take_free(&mut self) -> Option<Arc<Machine<P>>> {
        let suits = |s: &Sleeper<P>| s.is_free() || mutated!("idle.hands_over_to_anybody");
        let sleeper = match self.sleepers.iter().rposition(suits) {
            Some(index) => self.sleepers.remove(index),
            None => self.poller.take_if(|poller| suits(poller))?,
        };
        self.spare.extend(sleeper.processor);
        Some(sleeper.machine)
    }
}

impl<P: 'static> Idle<P> {
    pub fn new() -> Idle<P> {
        Idle {
            word: CachePadded(AtomicU64::new(0)),
            set: Mutex::new(Set {
                sleepers: Vec::new(),
                poller: None,
                spare: Vec::new(),
            }),
        }
    }

    /// A hint: somebody is idle and nobody searches.
    #[inline]
    pub fn worth_waking(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        searching(word) == 0 && idle(word) > 0
    }

    /// For whoever has just made work visible outside of the rings: is somebody to be woken for it?
    #[inline]
    pub fn must_wake_for_push(&self) -> bool {
        // Between the push and the look at who sleeps and searches; partner: `must_wake_for_rest`.
        fence(Ordering::SeqCst); // pusher
        self.worth_waking()
    }

    /// For whoever has just given up a processor or a search, on which pushers may have relied: is
    /// somebody to be woken for what `has_work` finds?
    pub fn must_wake_for_rest(&self, has_work: impl FnOnce() -> bool) -> bool {
        // Between the change of the word and the last look for work; partner: `must_wake_for_push`.
        fence(Ordering::SeqCst); // sleeper
        has_work() && self.worth_waking()
    }

    /// How many processors are idle; a snapshot.
    pub fn processors(&self) -> usize {
        idle(self.word.load(Ordering::Relaxed)) as usize
    }

    /// Puts an idle processor without timers here. Then asks `must_wake_for_rest`.
    pub fn release(&self, processor: &'static P) {
        let mut set = self.set.lock();
        set.spare.push(processor);
        // Relaxed: the fence that comes next orders it (see the module).
        self.word.fetch_add(IDLE, Ordering::Relaxed);
    }

    /// Puts a machine and the processor it had here. Returns how many machines sleep.
    ///
    /// The caller then asks `must_wake_for_rest`.
    pub fn enter(&self, sleeper: Sleeper<P>, was_searching: bool) -> usize {
        let mut set = self.set.lock();
        let mut change = 0;
        if sleeper.processor.is_some() {
            change += IDLE;
        }
        if was_searching {
            change = change.wrapping_sub(SEARCHER);
        }
        set.sleepers.push(sleeper);
        // Relaxed: as in `release`.
        self.word.fetch_add(change, Ordering::Relaxed);
        set.sleepers.len()
    }

    /// Takes `machine` out, with a processor if there is one: its own or any.
    pub fn leave(&self, machine: &Arc<Machine<P>>) -> Left<P> {
        let mut set = self.set.lock();
        let Some(sleeper) = set.remove(machine) else {
            return Left::Assigned;
        };
        if mutated!("idle.leaves_processor_behind") {
            return Left::Nothing;
        }
        match sleeper.processor.or_else(|| set.take_processor()) {
            Some(processor) => {
                self.word.fetch_sub(IDLE, Ordering::Relaxed);
                Left::Processor(processor)
            }
            None => Left::Nothing,
        }
    }

    /// Takes `machine` out with its own processor. `None`: that is in use, and `machine` stays.
    pub fn leave_with_own(&self, machine: &Arc<Machine<P>>) -> Option<Left<P>> {
        let mut set = self.set.lock();
        let is_it = |sleeper: &&mut Sleeper<P>| Arc::ptr_eq(&sleeper.machine, machine);
        let Set {
            sleepers, poller, ..
        } = &mut *set;
        match sleepers.iter_mut().chain(poller).find(is_it) {
            Some(sleeper) => {
                let processor = sleeper.processor.take()?;
                set.remove(machine);
                self.word.fetch_sub(IDLE, Ordering::Relaxed);
                Some(Left::Processor(processor))
            }
            None => Some(Left::Assigned),
        }
    }

    /// Takes out `machine`, which waits for no timers, for good. `false`: it has been assigned a
    /// processor, or nobody else is the poller, which it may have been a moment ago.
    #[must_use]
    pub fn retire(&self, machine: &Arc<Machine<P>>) -> bool {
        let mut set = self.set.lock();
        if set.poller.is_none() {
            return false;
        }
        let Some(sleeper) = set.remove(machine) else {
            return false;
        };
        debug_assert!(sleeper.is_free(), "nobody would fire these timers");
        set.spare.extend(sleeper.processor);
        true
    }

    /// A processor for a machine that is awake.
    pub fn take_processor(&self) -> Option<&'static P> {
        let mut set = self.set.lock();
        let processor = set.take_processor()?;
        self.word.fetch_sub(IDLE, Ordering::Relaxed);
        Some(processor)
    }

    /// Moves `machine` from those that sleep to the poller's place, if that is free.
    ///
    /// Refused while no processor is idle: a poller that cannot run what it finds would be woken for
    /// every single event, on a CPU that the workers need. They poll themselves; and whoever puts an
    /// idle processor here either sleeps as the poller or sees to it that somebody does.
    #[must_use]
    pub fn begin_polling(&self, machine: &Arc<Machine<P>>) -> bool {
        let mut set = self.set.lock();
        if set.poller.is_none() && self.processors() > 0 {
            set.poller = set.remove(machine);
            return set.poller.is_some();
        }
        false
    }

    /// Moves the poller back to those that sleep, unless it has been assigned a processor.
    pub fn end_polling(&self, machine: &Arc<Machine<P>>) {
        let mut set = self.set.lock();
        if let Some(sleeper) = set.remove(machine) {
            set.sleepers.push(sleeper);
        }
    }

    /// Whether somebody waits in the reactor, or is about to.
    pub fn has_poller(&self) -> bool {
        self.set.lock().poller.is_some()
    }

    /// Gives some sleeping machine an idle processor, if nobody searches.
    pub fn wake_one(&self) -> Woken<P> {
        let mut set = self.set.lock();
        let somebody_searches = searching(self.word.load(Ordering::Relaxed)) > 0;
        if self.processors() == 0 || somebody_searches && !mutated!("idle.wakes_despite_searcher") {
            return Woken::Nobody;
        }
        let Some((processor, machine)) = set.take_pair() else {
            return Woken::Nobody;
        };
        self.word
            .fetch_add(SEARCHER.wrapping_sub(IDLE), Ordering::Relaxed);
        Self::give(set, processor, machine)
    }

    /// Gives some sleeping machine a processor that is not idle.
    pub fn hand_over(&self, processor: &'static P) -> Woken<P> {
        let mut set = self.set.lock();
        self.word.fetch_add(SEARCHER, Ordering::Relaxed);
        let machine = set.take_free();
        Self::give(set, processor, machine)
    }

    fn give(
        set: MutexGuard<'_, Set<P>>,
        processor: &'static P,
        machine: Option<Arc<Machine<P>>>,
    ) -> Woken<P> {
        let Some(machine) = machine else {
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
        set.spare.push(processor);
        self.word
            .fetch_add(IDLE.wrapping_sub(SEARCHER), Ordering::Relaxed);
    }

    /// Makes every machine look around; `true`: the reactor has to be interrupted, too.
    #[must_use]
    pub fn unpark_all(&self) -> bool {
        let machines: Vec<_> = {
            let set = self.set.lock();
            let poller =
                (set.poller.as_ref()).filter(|_| !mutated!("idle.closes_without_the_poller"));
            let sleepers = set.sleepers.iter().chain(poller);
            sleepers.map(|sleeper| sleeper.machine.clone()).collect()
        };
        machines
            .iter()
            .filter(|machine| machine.parker.unpark() == Unparked::InterruptReactor)
            .count()
            > 0
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
    /// Then the caller asks `must_wake_for_rest`.
    #[must_use]
    pub fn end_search(&self) -> bool {
        searching(self.word.fetch_sub(SEARCHER, Ordering::Relaxed)) == 1
    }
}
