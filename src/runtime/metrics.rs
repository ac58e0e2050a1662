//! What a runtime counts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::primitive::atomic::{AtomicU64, Ordering};
use crate::scheduler::Lease;
use crate::scheduler::processor::Processor;

/// A view of what a runtime has counted: every method reads the present value.
///
/// Counting costs the workers a plain store each, so the numbers of a busy runtime are not all of
/// the same moment.
///
/// ```
/// gorust::block_on(async {
///     gorust::go(async {}).await.unwrap();
///     let metrics = gorust::runtime::Handle::current().metrics();
///     assert!(metrics.spawned() >= 1);
///     assert_eq!(metrics.num_workers(), metrics.workers().count());
/// });
/// ```
#[derive(Clone)]
pub struct Metrics {
    lease: Arc<Lease>,
}

/// What one worker has counted.
#[derive(Clone)]
pub struct WorkerMetrics {
    lease: Arc<Lease>,
    index: usize,
}

impl Metrics {
    pub(super) fn new(lease: Arc<Lease>) -> Metrics {
        Metrics { lease }
    }

    fn sum(&self, counter: impl Fn(&Processor) -> &AtomicU64) -> u64 {
        let processors = &self.lease.scheduler.processors;
        processors
            .iter()
            .map(|processor| counter(processor).load(Ordering::Relaxed))
            .sum()
    }

    /// How many goroutines can run at once.
    pub fn num_workers(&self) -> usize {
        self.lease.scheduler.processors.len()
    }

    /// Goroutines that have been started and are not over.
    pub fn num_goroutine(&self) -> usize {
        self.lease
            .scheduler
            .owners()
            .map(|owner| owner.live.len())
            .sum()
    }

    /// Goroutines started so far.
    pub fn spawned(&self) -> u64 {
        let outside = self.lease.scheduler.spawned_outside.load(Ordering::Relaxed);
        self.sum(|processor| &processor.counters.spawned) + outside
    }

    /// Goroutines that are over: returned, panicked or aborted.
    pub fn completed(&self) -> u64 {
        self.spawned().saturating_sub(self.num_goroutine() as u64)
    }

    /// Goroutines in the global queue.
    pub fn injector_depth(&self) -> usize {
        self.lease.scheduler.injector.len()
    }

    /// Threads of the pool for blocking calls, idle ones included.
    pub fn blocking_threads(&self) -> usize {
        self.lease.scheduler.blocking.threads()
    }

    /// The workers, in order.
    pub fn workers(&self) -> impl Iterator<Item = WorkerMetrics> + '_ {
        (0..self.num_workers()).map(|index| WorkerMetrics {
            lease: self.lease.clone(),
            index,
        })
    }

    /// One worker; `None` if there is none of that number.
    pub fn worker(&self, index: usize) -> Option<WorkerMetrics> {
        (index < self.num_workers()).then(|| WorkerMetrics {
            lease: self.lease.clone(),
            index,
        })
    }
}

impl WorkerMetrics {
    fn processor(&self) -> &Processor {
        &self.lease.scheduler.processors[self.index]
    }

    /// Goroutines polled.
    pub fn polls(&self) -> u64 {
        self.processor().counters.polls.load(Ordering::Relaxed)
    }

    /// Goroutines taken from other workers.
    pub fn steals(&self) -> u64 {
        self.processor().counters.steals.load(Ordering::Relaxed)
    }

    /// How often it went to sleep.
    pub fn parks(&self) -> u64 {
        self.processor().counters.parks.load(Ordering::Relaxed)
    }

    /// Goroutines waiting in its queue.
    pub fn queue_depth(&self) -> usize {
        let processor = self.processor();
        processor.ring.len() + usize::from(!processor.runnext.is_empty())
    }

    /// How long it was awake; counted when it goes to sleep.
    pub fn busy_duration(&self) -> Duration {
        Duration::from_nanos(self.processor().counters.busy_nanos.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("num_workers", &self.num_workers())
            .field("num_goroutine", &self.num_goroutine())
            .field("spawned", &self.spawned())
            .field("completed", &self.completed())
            .field("injector_depth", &self.injector_depth())
            .field("blocking_threads", &self.blocking_threads())
            .field("workers", &self.workers().collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for WorkerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerMetrics")
            .field("polls", &self.polls())
            .field("steals", &self.steals())
            .field("parks", &self.parks())
            .field("queue_depth", &self.queue_depth())
            .field("busy_duration", &self.busy_duration())
            .finish()
    }
}
