//! The watcher: one thread for all runtimes, which sees to it that nothing is forgotten.
//!
//! Workers push without a fence and may so miss that somebody sleeps; and a worker in a long poll
//! looks neither at its timers nor at the reactor. While any processor of any runtime is in use the
//! watcher looks every 10 ms: it wakes a thief for queued work, fires timers that are overdue, and
//! polls a reactor that nobody polls. After a second of idleness everywhere it sleeps until somebody
//! wakes a machine (`nudge`).
//!
//! Standing in for workers that block comes later; what it needs is here: each processor counts its
//! polls, and everything of a stuck one is within reach of others.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::processor::Processor;
use super::{Scheduler, report};
use crate::primitive::GlobalFlag;
use crate::primitive::atomic::{Ordering, fence};
use crate::timer::{Shard, clock};
use crate::wait::batch::WakeBatch;

const PERIOD: Duration = Duration::from_millis(10);
/// Looks without anybody at work before the watcher sleeps.
const IDLE_LOOKS: u32 = 100;
/// A timer of a running worker is overdue after so long, in ticks of the clock.
const OVERDUE_TICKS: u64 = 2_000_000 >> 16;

struct Watch {
    schedulers: Vec<&'static Scheduler>,
    has_thread: bool,
}

static WATCH: Mutex<Watch> = Mutex::new(Watch {
    schedulers: Vec::new(),
    has_thread: false,
});
static WAKE: Condvar = Condvar::new();
static ASLEEP: GlobalFlag = GlobalFlag::new(false);

fn lock() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(|poison| poison.into_inner())
}

/// Begins to watch a scheduler.
pub(super) fn watch(scheduler: &'static Scheduler) {
    let mut watch = lock();
    watch.schedulers.push(scheduler);
    if !watch.has_thread {
        let started = std::thread::Builder::new()
            .name("gorust-sysmon".into())
            .spawn(run);
        match started {
            Ok(_) => watch.has_thread = true,
            Err(error) => report(format_args!(
                "the watcher thread cannot be started: {error}"
            )),
        }
    }
}

/// Ends that.
pub(super) fn forget(scheduler: &'static Scheduler) {
    lock()
        .schedulers
        .retain(|watched| !std::ptr::eq(*watched, scheduler));
}

/// Somebody goes to work: wakes the watcher if it sleeps.
#[inline]
pub(super) fn nudge() {
    // Between the change of who is idle and the look at whether the watcher sleeps; partner: the
    // fence in `run`.
    fence(Ordering::SeqCst);
    if ASLEEP.get() {
        wake_watcher();
    }
}

#[cold]
fn wake_watcher() {
    let _watch = lock();
    ASLEEP.set(false);
    WAKE.notify_one();
}

fn run() {
    let mut batch = WakeBatch::new();
    let mut schedulers = Vec::new();
    let mut idle_looks = 0;
    loop {
        std::thread::sleep(PERIOD);
        idle_looks = if look(&mut schedulers, &mut batch) {
            0
        } else {
            idle_looks + 1
        };
        if idle_looks >= IDLE_LOOKS {
            sleep();
            idle_looks = 0;
        }
    }
}

fn sleep() {
    let mut watch = lock();
    ASLEEP.set(true);
    // Between saying that we sleep and the last look; partner: the fence in `nudge`.
    fence(Ordering::SeqCst);
    let anybody_works = watch
        .schedulers
        .iter()
        .any(|scheduler| !is_at_rest(scheduler));
    if anybody_works {
        ASLEEP.set(false);
    }
    while ASLEEP.get() {
        watch = WAKE
            .wait(watch)
            .unwrap_or_else(|poison| poison.into_inner());
    }
}

/// Whether nobody works, nor should (there may be work for which no thread could be started).
fn is_at_rest(scheduler: &Scheduler) -> bool {
    scheduler.idle.processors() == scheduler.processors.len() && !scheduler.has_work()
}

/// Looks at every scheduler once; `true`: somebody works.
fn look(schedulers: &mut Vec<&'static Scheduler>, batch: &mut WakeBatch) -> bool {
    // Not under the lock: what happens here may end a runtime, which takes it. Schedulers are never
    // freed, and a look too many does no harm.
    schedulers.clone_from(&lock().schedulers);
    let mut any = false;
    for scheduler in schedulers
        .iter()
        .filter(|scheduler| !scheduler.is_closing())
    {
        any |= look_at(scheduler, batch);
    }
    any
}

fn look_at(scheduler: &'static Scheduler, batch: &mut WakeBatch) -> bool {
    let mut hostages = false;
    for processor in &scheduler.processors {
        hostages |= watch_processor(processor, batch);
    }
    fire_overdue(&scheduler.shared_timers, batch);
    poll_forgotten_reactor(scheduler, batch);
    batch.wake_all();
    if (hostages || scheduler.has_work()) && scheduler.idle.worth_waking() {
        scheduler.wake_one();
    }
    !is_at_rest(scheduler)
}

/// Fires what a stuck worker left. `true`: it keeps a goroutine in `runnext`.
fn watch_processor(processor: &Processor, batch: &mut WakeBatch) -> bool {
    let polls = processor.counters.polls.load(Ordering::Relaxed);
    let moved = processor.counters.polls_seen.swap(polls, Ordering::Relaxed) != polls;
    fire_overdue(&processor.timers, batch);
    !moved && !processor.runnext.is_empty()
}

fn fire_overdue(shard: &Shard, batch: &mut WakeBatch) {
    let deadline = shard.next_deadline();
    if deadline != clock::NEVER {
        let now = clock::now();
        if deadline.saturating_add(OVERDUE_TICKS) <= now {
            shard.fire(now, batch);
        }
    }
}

/// Collects the events that nobody waits for.
fn poll_forgotten_reactor(scheduler: &'static Scheduler, batch: &mut WakeBatch) {
    if !scheduler.reactor.has_sources() {
        return;
    }
    let Some(mut poller) = scheduler.reactor.try_poller() else {
        return;
    };
    if let Err(error) = poller.poll(Some(Duration::ZERO), batch) {
        report(format_args!("the reactor failed: {error}"));
    }
}
