//! Schedulers are recycled, never freed.
//!
//! A waker may outlive its runtime: a foreign thread may sit between its wake-up of a goroutine and
//! the push into the injector while the runtime goes. So the memory that it will touch is never
//! freed. A runtime, its handles and its threads share a [`Lease`] on a scheduler; when the last of
//! them is gone, the scheduler waits here for the next runtime of its size.

use std::io;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, OnceLock};

use super::processor::{Owner, Processor};
use super::{Config, Scheduler, blocking, threads};
use crate::primitive::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::reactor::Reactor;
use crate::timer::Shard;

static DEPOT: Mutex<Vec<&'static Scheduler>> = Mutex::new(Vec::new());

/// A scheduler in use, with the configuration of the runtime that uses it.
pub(crate) struct Lease {
    pub(crate) scheduler: &'static Scheduler,
    pub(crate) config: Config,
    /// Set when the runtime has been shut down, for handles that are left.
    pub(crate) ended: OnceLock<()>,
}

impl Lease {
    /// Leases a scheduler with as many processors as `config` says.
    pub(crate) fn new(config: Config) -> io::Result<Arc<Lease>> {
        let scheduler = match take(config.processors) {
            Some(scheduler) => scheduler,
            None => build(config.processors)?,
        };
        scheduler.reopen(&config);
        let lease = Arc::new(Lease {
            scheduler,
            config,
            ended: OnceLock::new(),
        });
        scheduler.threads.set_lease(&lease);
        super::sysmon::watch(scheduler);
        Ok(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        super::sysmon::forget(self.scheduler);
        // Whatever could not be ended in time keeps its scheduler out of use for ever.
        if self.scheduler.is_clean() {
            lock().push(self.scheduler);
        }
    }
}

fn lock() -> std::sync::MutexGuard<'static, Vec<&'static Scheduler>> {
    DEPOT.lock().unwrap_or_else(|poison| poison.into_inner())
}

fn take(processors: usize) -> Option<&'static Scheduler> {
    let mut depot = lock();
    let index = depot
        .iter()
        .position(|scheduler| scheduler.processors.len() == processors)?;
    Some(depot.swap_remove(index))
}

fn build(processors: usize) -> io::Result<&'static Scheduler> {
    let reactor = Reactor::new()?;
    let place: &'static mut MaybeUninit<Scheduler> = Box::leak(Box::new_uninit());
    let address: NonNull<Scheduler> = NonNull::from(&mut *place).cast();
    // The parts keep `address`, and do not look there before a goroutine exists.
    let scheduler: &'static Scheduler = place.write(Scheduler {
        processors: (0..processors).map(|_| Processor::new(address)).collect(),
        injector: super::injector::Injector::new(),
        idle: super::idle::Idle::new(),
        reactor,
        shared_timers: Shard::new(),
        outside: Owner::new(address),
        spawned_outside: AtomicU64::new(0),
        threads: threads::Threads::new(),
        blocking: blocking::Pool::new(),
        closing: AtomicBool::new(true),
        abort_on_unhandled_panic: AtomicBool::new(false),
    });
    for processor in &scheduler.processors {
        scheduler.idle.release(processor);
    }
    Ok(scheduler)
}

impl Scheduler {
    /// Makes a new or a recycled scheduler ready for a runtime.
    fn reopen(&'static self, config: &Config) {
        self.set_unhandled_panic(config.unhandled_panic);
        self.blocking.reopen(config.max_blocking_threads);
        self.spawned_outside.store(0, Ordering::Relaxed);
        for processor in &self.processors {
            processor.counters.reset();
            processor.timers.open();
        }
        self.shared_timers.open();
        self.set_accepting(true);
        self.set_closing(false);
    }

    /// Every list of live goroutines, and the injector, take goroutines or refuse them.
    pub(super) fn set_accepting(&self, accepting: bool) {
        self.injector.set_closed(!accepting);
        for owner in self.owners() {
            owner.live.set_closed(!accepting);
        }
    }

    /// All lists of live goroutines.
    pub(crate) fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.processors
            .iter()
            .map(|processor| &processor.owner)
            .chain([&self.outside])
    }

    /// Nothing of the last runtime is left.
    fn is_clean(&self) -> bool {
        self.idle.processors() == self.processors.len()
            && self.owners().all(|owner| owner.live.len() == 0)
            && !self.processors.iter().any(Processor::has_work)
            && self.injector.len() == 0
    }
}
