//! Matches goroutines (G) to threads (M, "machines") through processors (P).
//!
//! `README.md` in this folder describes the protocol; the modules:
//!
//! - [`processor`]: a P with its ring ([`queue`]), [`runnext`], timers and live goroutines;
//! - [`worker`]: an M at work: find a goroutine, run it, park;
//! - [`injector`]: the global queue;
//! - [`idle`], [`parker`], [`sleep`]: who sleeps, and how one wakes as few of them as possible;
//! - [`sysmon`]: the thread that watches;
//! - [`blocking`]: the pool for blocking calls;
//! - [`depot`]: schedulers are never freed, since wakers may outlive their runtime: a runtime holds
//!   a [`Lease`] on one, and returns it there;
//! - [`current`]: what this thread is doing.

pub(crate) mod blocking;
pub(crate) mod current;
pub(crate) mod depot;
pub(crate) mod idle;
pub(crate) mod injector;
pub(crate) mod parker;
pub(crate) mod processor;
pub(crate) mod queue;
pub(crate) mod runnext;
pub(crate) mod shutdown;
pub(crate) mod sleep;
mod sysmon;
pub(crate) mod threads;
pub(crate) mod worker;

use std::future::Future;
use std::io;
use std::panic::Location;

use crate::primitive::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use crate::reactor::Reactor;
use crate::runtime::UnhandledPanic;
use crate::task::cell::{Name, Panicked, Why, allocate};
use crate::task::{JoinHandle, Runnable, Who, panic_message};
use crate::timer::{Shard, clock};
use crate::wait::batch::WakeBatch;

pub(crate) use depot::Lease;
use idle::{Idle, Woken};
use injector::Injector;
use processor::{Counters, Owner, Processor};
pub(crate) use threads::Config;

/// All that the machines of one runtime share. Never freed; see [`depot`].
pub(crate) struct Scheduler {
    pub(crate) processors: Box<[Processor]>,
    pub(crate) injector: Injector,
    pub(crate) idle: Idle<Processor>,
    pub(crate) reactor: Reactor,
    /// For threads that hold no processor; looked after by the poller and by whoever is awake.
    pub(crate) shared_timers: Shard,
    /// Goroutines started by threads that hold no processor.
    pub(crate) outside: Owner,
    pub(crate) spawned_outside: AtomicU64,
    pub(crate) threads: threads::Threads,
    pub(crate) blocking: blocking::Pool,
    /// The runtime is going: machines leave, nothing new starts.
    closing: AtomicBool,
    abort_on_unhandled_panic: AtomicBool,
}

impl Scheduler {
    pub(crate) fn is_closing(&self) -> bool {
        // Acquire: partner `set_closing`.
        self.closing.load(Ordering::Acquire)
    }

    fn set_closing(&self, closing: bool) {
        // Release: partner `is_closing`.
        self.closing.store(closing, Ordering::Release);
    }

    /// Puts a goroutine in the right queue and wakes somebody if need be.
    #[inline]
    pub(crate) fn schedule(&'static self, runnable: Runnable, why: Why) {
        let (processor, in_poll) = current::processor_and_poll();
        match processor {
            Some(processor) if self.owns(processor) => {
                self.schedule_here(processor, runnable.into_raw(), why, in_poll);
            }
            _ => self.schedule_outside(runnable),
        }
    }

    #[inline]
    fn owns(&self, processor: &Processor) -> bool {
        self.processors
            .as_ptr_range()
            .contains(&(processor as *const Processor))
    }

    /// For the thread that holds `processor`.
    #[inline]
    fn schedule_here(
        &'static self,
        processor: &Processor,
        mut entry: queue::Entry,
        why: Why,
        in_poll: bool,
    ) {
        if why == Why::Woken && in_poll {
            match processor.runnext.put(entry) {
                Some(displaced) => entry = displaced,
                None if processor.ring.len() == 0 => return,
                None => return self.wake_for(processor),
            }
        }
        if let Err(entry) = processor.ring.push(entry) {
            // SAFETY: the run right came with the entry.
            let overflow = unsafe { Runnable::from_raw(entry) };
            return self.schedule_outside(overflow);
        }
        if in_poll {
            self.wake_for(processor);
        }
    }

    /// Wakes a thief if there are two to run and somebody sleeps. No fence: such a wake-up may be
    /// late, but the owner looks again after its poll, and sysmon looks, too.
    #[inline]
    pub(crate) fn wake_for(&'static self, processor: &Processor) {
        let runnable = processor.ring.len() + usize::from(!processor.runnext.is_empty());
        if runnable >= 2 && self.idle.worth_waking() {
            self.wake_one();
        }
    }

    /// Queues a goroutine in the injector.
    #[cold]
    fn schedule_outside(&'static self, runnable: Runnable) {
        if self.injector.push(runnable).is_ok() {
            self.notify_outside();
        }
    }

    /// Wakes somebody for what was just made visible outside of the rings.
    fn notify_outside(&'static self) {
        if self.idle.must_wake_for_push() {
            self.wake_one();
        }
    }

    /// Gives a sleeping machine an idle processor, if nobody searches.
    #[cold]
    pub(crate) fn wake_one(&'static self) {
        let woken = self.idle.wake_one();
        self.finish_waking(woken);
    }

    /// Gives a sleeping machine this processor, which has something to do.
    pub(crate) fn hand_over(&'static self, processor: &'static Processor) {
        let woken = self.idle.hand_over(processor);
        self.finish_waking(woken);
    }

    fn finish_waking(&'static self, woken: Woken<Processor>) {
        match woken {
            Woken::Nobody | Woken::Machine => {}
            Woken::Poller => self.reactor.interrupt(),
            Woken::NeedsThread(processor) => {
                if self.threads.start_machine(self, Some(processor)).is_err() {
                    // No thread to be had: whoever is awake does the work, and sysmon tries again.
                    self.idle.take_back(processor);
                    sysmon::nudge();
                }
            }
        }
    }

    /// Whether a machine that is about to sleep should not.
    pub(crate) fn has_work(&self) -> bool {
        self.injector.len() > 0
            || self
                .processors
                .iter()
                .any(|processor| processor.ring.len() > 0)
    }

    /// Whether `processor`, left by its owner, needs another right away.
    fn needs_owner(&self, processor: &Processor) -> bool {
        processor.has_work()
            || self.injector.len() > 0
            || has_timers(&processor.timers)
            || self.is_unwatched()
    }

    /// Whether events or shared timers may come while nobody waits for them in the reactor.
    fn is_unwatched(&self) -> bool {
        (self.reactor.has_sources() || has_timers(&self.shared_timers)) && !self.idle.has_poller()
    }

    /// A processor for this thread, which is awake.
    pub(crate) fn take_processor(&self) -> Option<&'static Processor> {
        let processor = self.idle.take_processor()?;
        sysmon::nudge();
        Some(processor)
    }

    /// Gives up `processor`: to another machine if it is needed, else to the idle ones.
    pub(crate) fn leave(&'static self, processor: &'static Processor) {
        if !self.is_closing() && self.needs_owner(processor) {
            return self.hand_over(processor);
        }
        self.idle.release(processor);
        let needed = || !self.is_closing() && (self.has_work() || self.is_unwatched());
        if self.idle.must_wake_for_rest(needed) {
            self.wake_one();
        }
    }

    /// Makes sure that somebody will wait in the reactor: whoever is awake does so when it has
    /// nothing else to do, but a runtime of one processor may have no thread at all.
    fn ensure_watched(&'static self) {
        if self.idle.processors() == self.processors.len() && !self.idle.has_poller() {
            self.wake_one();
        }
    }

    /// Reports a panic that nobody waits for.
    pub(crate) fn unhandled_panic(&self, panicked: &Panicked<'_>) {
        let who = Who {
            id: panicked.id,
            name: panicked.name,
            location: panicked.location,
        };
        let message = panic_message(panicked.payload).unwrap_or("(no message)");
        report(format_args!(
            "{who}, panicked and nobody waits for it: {message}"
        ));
        if self.abort_on_unhandled_panic.load(Ordering::Relaxed) {
            std::process::abort();
        }
    }

    pub(crate) fn set_unhandled_panic(&self, policy: UnhandledPanic) {
        self.abort_on_unhandled_panic
            .store(policy == UnhandledPanic::Abort, Ordering::Relaxed);
    }

    /// Fires what is due in `shard`, collecting whom to wake.
    pub(crate) fn fire_due(shard: &Shard, batch: &mut WakeBatch) {
        if shard.next_deadline() != clock::NEVER {
            let now = clock::now();
            if shard.next_deadline() <= now {
                shard.fire(now, batch);
            }
        }
    }

    /// Starts a goroutine from this thread, which may hold a processor of ours or not.
    pub(crate) fn spawn<F, N>(
        &'static self,
        future: F,
        name: N,
        location: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        N: Name,
    {
        match current::processor() {
            Some(processor) if self.owns(processor) => {
                self.spawn_here(processor, future, name, location)
            }
            _ => {
                self.spawned_outside.fetch_add(1, Ordering::Relaxed);
                let cell = allocate(
                    future,
                    name,
                    &self.outside,
                    crate::task::next_id(),
                    location,
                );
                // SAFETY: all that `allocate` gave goes on; the output is `F::Output`.
                unsafe {
                    self.outside
                        .live
                        .start(cell, |runnable| self.schedule_outside(runnable))
                }
            }
        }
    }

    #[inline]
    fn spawn_here<F, N>(
        &'static self,
        processor: &'static Processor,
        future: F,
        name: N,
        location: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        N: Name,
    {
        // SAFETY: this thread holds the processor.
        let id = unsafe { processor.next_id() };
        Counters::add(&processor.counters.spawned, 1);
        let cell = allocate(future, name, &processor.owner, id, location);
        let queue = |runnable: Runnable| {
            self.schedule_here(
                processor,
                runnable.into_raw(),
                Why::Spawned,
                current::in_poll(),
            );
        };
        // SAFETY: all that `allocate` gave goes on; the output is `F::Output`.
        unsafe { processor.owner.live.start(cell, queue) }
    }
}

fn has_timers(shard: &Shard) -> bool {
    shard.next_deadline() != clock::NEVER
}

/// Prints a line on stderr, in one write, so that what other threads print (the panic hook takes no
/// lock) does not come in between. Nobody to tell if that fails.
pub(crate) fn report(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let line = format!("gorust: {line}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Starts a goroutine on the current runtime, else on the default one.
#[inline]
pub(crate) fn spawn_current<F, N>(
    future: F,
    name: N,
    location: &'static Location<'static>,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    N: Name,
{
    current_scheduler().spawn(future, name, location)
}

/// The scheduler of the current runtime, else of the default one.
#[inline]
pub(crate) fn current_scheduler() -> &'static Scheduler {
    current::scheduler().unwrap_or_else(|| crate::runtime::default_lease().scheduler)
}

/// The timer shard that a timer armed on this thread belongs to: its processor's, else the shared
/// one of the current (or default) runtime.
pub(crate) fn timer_shard() -> &'static Shard {
    let own = current::scheduler().filter(|scheduler| !scheduler.is_closing());
    match (own, current::processor()) {
        (Some(_), Some(processor)) => &processor.timers,
        _ => &timer_scheduler().shared_timers,
    }
}

/// Who fires the timers that are armed on this thread: the current runtime, unless it is shutting
/// down and will fire none any more (a destructor may sleep even then); else the default one.
fn timer_scheduler() -> &'static Scheduler {
    match current::scheduler() {
        Some(scheduler) if !scheduler.is_closing() => scheduler,
        _ => crate::runtime::default_lease().scheduler,
    }
}

/// Called after arming a timer that became the earliest of `shard`, with no lock held.
pub(crate) fn earliest_timer_changed(shard: &'static Shard) {
    if current::processor().is_some_and(|processor| std::ptr::eq(&processor.timers, shard)) {
        return; // its owner looks before it sleeps
    }
    let scheduler = timer_scheduler();
    // Between publishing the deadline and the look at who waits; partners: the fence before a wait in
    // the reactor (`worker::Around`), and that of `Scheduler::leave`.
    fence(Ordering::SeqCst);
    if scheduler.idle.has_poller() {
        scheduler.reactor.interrupt();
    } else {
        scheduler.ensure_watched();
    }
    sysmon::nudge();
}

/// The reactor of the current runtime, else of the default one.
///
/// # Errors
/// If the runtime is shutting down.
pub(crate) fn current_reactor() -> io::Result<&'static Reactor> {
    let scheduler = current_scheduler();
    if scheduler.is_closing() {
        return Err(io::Error::other(
            "the gorust runtime of this thread is shutting down",
        ));
    }
    Ok(&scheduler.reactor)
}

/// Called after something was registered with `current_reactor`.
pub(crate) fn source_added() {
    // Between counting the source and the look at who sleeps; partner: the fence in
    // `Scheduler::leave`.
    fence(Ordering::SeqCst);
    current_scheduler().ensure_watched();
    sysmon::nudge();
}

/// Runs code that may block this thread for long. On a worker, the processor goes to another
/// machine first, and comes back afterwards if one is idle.
pub(crate) fn block_in_place<R>(code: impl FnOnce() -> R) -> R {
    struct TakeBack(&'static Scheduler);
    impl Drop for TakeBack {
        fn drop(&mut self) {
            if !self.0.is_closing() {
                current::set_processor(self.0.take_processor());
            }
        }
    }
    let (Some(scheduler), Some(processor)) = (current::scheduler(), current::processor()) else {
        return crate::coop::unconstrained(code);
    };
    current::set_processor(None);
    scheduler.leave(processor);
    let _take_back = TakeBack(scheduler);
    // What runs here has left the slice, and its budget with it.
    crate::coop::unconstrained(code)
}
