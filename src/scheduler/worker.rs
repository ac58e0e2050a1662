//! A machine at work: finds goroutines, runs them, sleeps.

use std::sync::Arc as StdArc;
use std::time::{Duration, Instant};

use super::idle::{Left, Machine, Sleeper};
use super::parker::Parker;
use super::processor::{Counters, Processor};
use super::queue::Entry;
use super::sleep::{Polled, SURPLUS_LIFE, Sleep, Slept, Surroundings, wait_until};
use super::{Lease, Scheduler, current};
use crate::primitive::Arc;
use crate::primitive::atomic::{Ordering, fence};
use crate::primitive::thread::spin_loop;
use crate::task::cell::Why;
use crate::task::{Runnable, Turn};
use crate::timer::clock;
use crate::wait::batch::WakeBatch;

/// Every so many goroutines a worker looks at what is not in its ring.
const LOOK_AROUND: u32 = 61;
/// So many in a row may come from `runnext` before one from the ring goes first.
const RUNNEXT_STREAK: u32 = 64;
/// The most taken from the injector at once.
const INJECTOR_BATCH: usize = super::queue::CAPACITY / 2;
/// Rounds over all victims before a searcher gives up.
const SEARCH_ROUNDS: u32 = 4;
/// A victim that has not moved for so long is stuck, and loses its `runnext`.
const STUCK_AFTER: Duration = Duration::from_micros(50);

pub(crate) type PMachine = Machine<Processor>;

/// The future that a thread in `block_on` waits for, between runs of goroutines.
pub(crate) trait Root {
    /// Whether it should be polled.
    fn is_woken(&self) -> bool;
    /// Polls it. `false`: it is being polled, or done.
    fn poll(&self) -> bool;
    /// The same in the middle of a goroutine's poll.
    fn poll_from_within(&self) -> bool;
    fn is_done(&self) -> bool;
}

/// For threads that only run goroutines.
pub(crate) struct NoRoot;

impl Root for NoRoot {
    fn is_woken(&self) -> bool {
        false
    }
    fn poll(&self) -> bool {
        false
    }
    fn poll_from_within(&self) -> bool {
        false
    }
    fn is_done(&self) -> bool {
        false
    }
}

/// See the module.
pub(crate) struct Worker {
    scheduler: &'static Scheduler,
    machine: Arc<PMachine>,
    searching: bool,
    /// A thread of our own, which may leave when there are too many.
    is_ours: bool,
    until_look_around: u32,
    streak: u32,
    random: u32,
    batch: WakeBatch,
    busy_since: Instant,
}

impl Worker {
    /// A worker for the calling thread, which is inside `lease`.
    pub(crate) fn new(lease: &StdArc<Lease>, machine: Arc<PMachine>, is_ours: bool) -> Worker {
        let seed = &raw const *machine as usize as u32;
        Worker {
            scheduler: lease.scheduler,
            machine,
            searching: false,
            is_ours,
            until_look_around: LOOK_AROUND,
            streak: 0,
            random: seed | 1,
            batch: WakeBatch::new(),
            busy_since: Instant::now(),
        }
    }

    /// Begins with a processor that the thread was started for.
    pub(crate) fn begin_with(&mut self, processor: Option<&'static Processor>) {
        self.searching = processor.is_some();
        current::set_processor(processor);
        super::sysmon::nudge();
    }

    /// Runs goroutines until `root` is done, the runtime goes, or this thread is one too many.
    /// Returns whether `root` is done.
    pub(crate) fn run(&mut self, root: &dyn Root) -> bool {
        current::set_machine(&self.machine);
        let _rooted = current::Rooted::new(root);
        // So many goroutines go before the root future, which went to the back of the queue.
        let mut ahead = 0;
        loop {
            if current::processor().is_none() {
                // At the beginning, or lost to another machine while a poll blocked this thread.
                current::set_processor(self.scheduler.take_processor());
            }
            if ahead == 0 && root.is_woken() {
                // Whoever relies on our search must not wait for that poll, which may be long.
                self.stop_searching();
                root.poll();
                if root.is_woken() {
                    // By itself: it yields, or has no budget left.
                    ahead = self.queued();
                }
            }
            // Also if a goroutine that blocked this thread polled it (`poll_root_of_this_thread`).
            if root.is_done() {
                self.leave();
                return true;
            }
            if self.scheduler.is_closing() {
                self.leave();
                return false;
            }
            let goes_on = match current::processor() {
                Some(processor) => match (self.find(processor), current::processor()) {
                    (Some(entry), now) => {
                        ahead = ahead.saturating_sub(1);
                        self.run_one(now.unwrap_or(processor), entry);
                        continue;
                    }
                    (None, Some(processor)) if !root.is_woken() => self.park(Some(processor), root),
                    (None, _) => {
                        // The root future is next, or a waker blocked this thread.
                        ahead = 0;
                        continue;
                    }
                },
                None => self.park(None, root),
            };
            ahead = 0;
            if !goes_on {
                return false;
            }
        }
    }

    /// How many goroutines wait for this thread: what it has, and its share of the injector.
    fn queued(&self) -> usize {
        current::processor().map_or(0, |processor| {
            processor.ring.len()
                + usize::from(!processor.runnext.is_empty())
                + self.share_of_injected()
        })
    }

    /// Gives up the processor, if there still is one.
    fn leave(&mut self) {
        self.stop_searching();
        if let Some(processor) = current::processor() {
            processor.counters.add_busy(self.busy_since.elapsed());
            current::set_processor(None);
            self.scheduler.leave(processor);
        }
        self.scheduler.sweep_after();
    }

    fn run_one(&mut self, processor: &'static Processor, entry: Entry) {
        if self.searching {
            self.stop_searching();
        }
        Counters::add(&processor.counters.polls, 1);
        // Who pushed without waking anybody relied on this look (see `Scheduler::wake_for`).
        if processor.ring.len() > 0 && self.scheduler.idle.worth_waking() {
            self.scheduler.wake_one();
        }
        // SAFETY: what is in a queue carries its run right.
        let runnable = unsafe { Runnable::from_raw(entry) };
        let turn = current::while_polling(Some(entry), || runnable.run(current::take_yielded));
        match turn {
            Turn::Idle | Turn::Done => {}
            Turn::Again(runnable) => self.scheduler.schedule(runnable, Why::Yielded),
        }
    }

    /// The next goroutine for `processor`.
    fn find(&mut self, processor: &'static Processor) -> Option<Entry> {
        self.until_look_around -= 1;
        if self.until_look_around == 0 {
            self.until_look_around = LOOK_AROUND;
            if let Some(entry) = self.look_around(processor) {
                return Some(entry);
            }
        }
        let processor = current::processor()?;
        if let Some(entry) = self.next_local(processor) {
            return Some(entry);
        }
        self.fire_timers(processor);
        self.poll_reactor();
        // A waker of the user's that blocked has given the processor away.
        let processor = current::processor()?;
        if let Some(entry) = self
            .next_local(processor)
            .or_else(|| self.take_injected(processor))
        {
            return Some(entry);
        }
        self.search(processor)
    }

    #[inline]
    fn next_local(&mut self, processor: &Processor) -> Option<Entry> {
        if self.streak < RUNNEXT_STREAK {
            if let Some(entry) = processor.runnext.take() {
                self.streak += 1;
                return Some(entry);
            }
        }
        self.streak = 0;
        processor.ring.pop().or_else(|| processor.runnext.take())
    }

    /// What a busy ring must not make us forget: timers, sockets, the injector.
    #[cold]
    fn look_around(&mut self, processor: &'static Processor) -> Option<Entry> {
        self.fire_timers(processor);
        self.poll_reactor();
        self.take_injected_up_to(current::processor()?, 1)
    }

    fn fire_timers(&mut self, processor: &Processor) {
        Scheduler::fire_due(&processor.timers, &mut self.batch);
        Scheduler::fire_due(&self.scheduler.shared_timers, &mut self.batch);
        self.wake_batch();
    }

    /// Wakers may take long, and nobody else is woken while we count as a searcher.
    fn wake_batch(&mut self) {
        if !self.batch.is_empty() {
            self.stop_searching();
            self.batch.wake_all();
        }
    }

    /// Collects what is ready without waiting.
    fn poll_reactor(&mut self) {
        if !self.scheduler.reactor.has_sources() {
            return;
        }
        if let Some(mut poller) = self.scheduler.reactor.try_poller() {
            if let Err(error) = poller.poll(Some(Duration::ZERO), &mut self.batch) {
                super::report(format_args!("the reactor failed: {error}"));
            }
        }
        self.wake_batch();
    }

    fn take_injected(&mut self, processor: &'static Processor) -> Option<Entry> {
        let share = self.share_of_injected();
        self.take_injected_up_to(processor, share)
    }

    fn share_of_injected(&self) -> usize {
        let waiting = self.scheduler.injector.len();
        (waiting / self.scheduler.processors.len() + 1).min(INJECTOR_BATCH)
    }

    /// Takes up to `limit`: the first to run, the others to the ring.
    fn take_injected_up_to(&mut self, processor: &Processor, limit: usize) -> Option<Entry> {
        let room = super::queue::CAPACITY - processor.ring.len();
        let mut first = None;
        let mut overflow = None;
        self.scheduler.injector.pop_batch(limit.min(room), |entry| {
            if first.is_none() {
                first = Some(entry);
            } else if let Err(entry) = processor.ring.push(entry) {
                overflow = Some(entry);
            }
        });
        debug_assert!(
            overflow.is_none(),
            "there was room, and only the owner pushes"
        );
        first
    }

    fn next_random(&mut self) -> u32 {
        // Marsaglia's xorshift ("Xorshift RNGs", 2003).
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }

    /// Looks for work at the other processors.
    fn search(&mut self, processor: &'static Processor) -> Option<Entry> {
        let count = self.scheduler.processors.len();
        if count == 1 {
            return None;
        }
        if !self.searching {
            self.searching = self.scheduler.idle.begin_search((count as u64 / 2).max(1));
            if !self.searching {
                return None;
            }
        }
        for _ in 0..SEARCH_ROUNDS {
            if let Some(entry) = self.steal(processor) {
                return Some(entry);
            }
            if let Some(entry) = self.take_injected(processor) {
                return Some(entry);
            }
            spin_loop();
        }
        self.rob_the_stuck(processor)
    }

    fn victims(&mut self, thief: &'static Processor) -> impl Iterator<Item = &'static Processor> {
        let all = &self.scheduler.processors;
        let start = self.next_random() as usize % all.len();
        (0..all.len())
            .map(move |i| &all[(start + i) % all.len()])
            .filter(move |victim| !std::ptr::eq(*victim, thief))
    }

    fn steal(&mut self, thief: &'static Processor) -> Option<Entry> {
        for victim in self.victims(thief) {
            let count = victim.ring.steal_into(&thief.ring);
            if count > 0 {
                Counters::add(&thief.counters.steals, count as u64);
                return thief.ring.pop();
            }
        }
        None
    }

    /// Takes the `runnext` of an owner that does not move, and would keep it for who knows how
    /// long.
    fn rob_the_stuck(&mut self, thief: &'static Processor) -> Option<Entry> {
        let polls = |victim: &Processor| victim.counters.polls.load(Ordering::Relaxed);
        let seen: Vec<_> = self
            .victims(thief)
            .filter(|victim| !victim.runnext.is_empty())
            .map(|victim| (victim, polls(victim)))
            .collect();
        if seen.is_empty() {
            return None;
        }
        let start = Instant::now();
        while start.elapsed() < STUCK_AFTER {
            spin_loop();
        }
        let stuck = seen
            .iter()
            .find(|(victim, before)| polls(victim) == *before)?;
        let entry = stuck.0.runnext.take()?;
        Counters::add(&thief.counters.steals, 1);
        Some(entry)
    }

    /// Found something: wakes the next searcher if this was the last and there is more.
    fn stop_searching(&mut self) {
        if !std::mem::take(&mut self.searching) {
            return;
        }
        let idle = &self.scheduler.idle;
        if idle.end_search() && idle.must_wake_for_rest(|| self.scheduler.has_work()) {
            self.scheduler.wake_one();
        }
    }

    /// Gives `processor` to the idle ones and sleeps. `false`: this thread is one too many.
    fn park(&mut self, processor: Option<&'static Processor>, root: &dyn Root) -> bool {
        let deadline = processor.map_or(clock::NEVER, |processor| {
            processor.counters.add_busy(self.busy_since.elapsed());
            Counters::add(&processor.counters.parks, 1);
            processor.timers.next_deadline()
        });
        current::set_processor(None);
        let was_searching = std::mem::take(&mut self.searching);
        let has_timers = deadline != clock::NEVER;
        let sleeper = Sleeper {
            machine: self.machine.clone(),
            processor,
            has_timers,
        };
        let idle = &self.scheduler.idle;
        let asleep = idle.enter(sleeper, was_searching);
        if idle.must_wake_for_rest(|| self.scheduler.has_work()) {
            self.scheduler.wake_one();
        }
        let surplus = self.is_ours && !has_timers && asleep > self.scheduler.processors.len();
        let sleep = Sleep {
            idle,
            machine: &self.machine,
            deadline,
            gives_up: surplus.then(|| Instant::now() + SURPLUS_LIFE),
        };
        let slept = sleep.run(&mut Around {
            scheduler: self.scheduler,
            batch: &mut self.batch,
            root,
        });
        self.busy_since = Instant::now();
        let Slept::Left(left) = slept else {
            return false;
        };
        self.go_on_with(left);
        super::sysmon::nudge();
        // With a processor they go to its ring, and `run_one` wakes at most one thief for them.
        self.wake_batch();
        true
    }

    /// Goes on with what it left the idle ones with.
    fn go_on_with(&mut self, left: Left<Processor>) {
        match left {
            Left::Processor(processor) => current::set_processor(Some(processor)),
            Left::Assigned => {
                self.take_assigned();
            }
            Left::Nothing => {}
        }
    }

    fn take_assigned(&mut self) -> bool {
        let Some(processor) = self.machine.take_assigned() else {
            return false;
        };
        current::set_processor(Some(processor));
        self.searching = true;
        true
    }
}

/// Polls the future for which this thread is in `block_on`, if it is woken and not being polled:
/// for code that blocks the thread in the middle of a goroutine's poll, and for which that future
/// must not wait: no other thread may poll it, and it may be what the goroutine waits for. `true`: it
/// was polled.
pub(crate) fn poll_root_of_this_thread() -> bool {
    current::with_root(|root| root.is_woken() && root.poll_from_within()).unwrap_or(false)
}

/// What a worker minds while it sleeps.
struct Around<'a> {
    scheduler: &'static Scheduler,
    batch: &'a mut WakeBatch,
    root: &'a dyn Root,
}

impl Surroundings for Around<'_> {
    fn is_called(&self) -> bool {
        self.root.is_woken() || self.scheduler.is_closing()
    }

    fn poll(&mut self, parker: &Parker, deadline: u64) -> Polled {
        let Some(mut poller) = self.scheduler.reactor.try_poller() else {
            return Polled::Busy;
        };
        if parker.begin_reactor() {
            // Between publishing that we wait and the look at the deadline; partner:
            // `earliest_timer_changed`.
            fence(Ordering::SeqCst);
            let earliest = deadline.min(self.scheduler.shared_timers.next_deadline());
            if let Err(error) = poller.poll(wait_until(earliest), self.batch) {
                super::report(format_args!("the reactor failed: {error}"));
            }
            parker.end_reactor();
        }
        drop(poller);
        Scheduler::fire_due(&self.scheduler.shared_timers, self.batch);
        if self.batch.is_empty() {
            Polled::Nothing
        } else {
            Polled::Events
        }
    }
}
