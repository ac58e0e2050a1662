//! Starting machines, and counting those that have not ended.

use std::io;
use std::sync::{Arc as StdArc, Weak};
use std::time::{Duration, Instant};

use super::processor::Processor;
use super::worker::{NoRoot, PMachine, Worker};
use super::{Lease, Scheduler, current};
use crate::primitive::{Arc, Condvar, Mutex};
use crate::runtime::UnhandledPanic;
use crate::wait::batch::drop_quietly;

/// A hook of the user's.
pub(crate) type Hook = StdArc<dyn Fn() + Send + Sync>;

/// What a runtime was built with.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) processors: usize,
    /// Machines that are started with the runtime.
    pub(crate) machines: usize,
    pub(crate) max_blocking_threads: usize,
    pub(crate) thread_name: String,
    pub(crate) stack_size: Option<usize>,
    pub(crate) on_thread_start: Option<Hook>,
    pub(crate) on_thread_stop: Option<Hook>,
    pub(crate) unhandled_panic: UnhandledPanic,
}

/// The threads of one runtime.
pub(crate) struct Threads {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    lease: Weak<Lease>,
    /// Machines that have not ended, threads in `block_on` that run goroutines included.
    live: usize,
    waiting: bool,
}

impl Threads {
    pub(crate) fn new() -> Threads {
        let state = State {
            lease: Weak::new(),
            live: 0,
            waiting: false,
        };
        Threads {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub(super) fn set_lease(&self, lease: &StdArc<Lease>) {
        self.state.lock().lease = StdArc::downgrade(lease);
    }

    pub(crate) fn lease(&self) -> Option<StdArc<Lease>> {
        self.state.lock().lease.upgrade()
    }

    /// Starts a machine, with a processor to begin with or without.
    pub(crate) fn start_machine(
        &self,
        scheduler: &'static Scheduler,
        processor: Option<&'static Processor>,
    ) -> io::Result<()> {
        let lease = self
            .lease()
            .ok_or_else(|| io::Error::other("the runtime is gone"))?;
        let guest = Guest::new(scheduler);
        start(&lease.clone(), "", move || {
            let machine = Arc::new(PMachine::for_this_thread());
            let _entered = current::Entered::new(lease.clone());
            let mut worker = Worker::new(&lease, machine, true);
            worker.begin_with(processor);
            worker.run(&NoRoot);
            guest
        })
    }

    /// Waits until all machines have ended. `false`: the time has come first.
    pub(crate) fn wait_until_ended(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while state.live > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state.waiting = true;
            (state, _) = self.changed.wait_timeout(state, left);
        }
        true
    }

    pub(crate) fn live(&self) -> usize {
        self.state.lock().live
    }
}

/// A thread that runs goroutines of a scheduler, counted until this is dropped.
pub(crate) struct Guest(&'static Scheduler);

impl Guest {
    pub(crate) fn new(scheduler: &'static Scheduler) -> Guest {
        scheduler.threads.state.lock().live += 1;
        Guest(scheduler)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut state = self.0.threads.state.lock();
        state.live -= 1;
        if state.live == 0 && state.waiting {
            self.0.threads.changed.notify_all();
        }
    }
}

/// Starts a thread with the runtime's name, stack and hooks. What `run` returns is dropped after the
/// last hook.
pub(crate) fn start<K>(
    lease: &Lease,
    suffix: &str,
    run: impl FnOnce() -> K + Send + 'static,
) -> io::Result<()> {
    let config = &lease.config;
    let mut builder = std::thread::Builder::new().name(format!("{}{suffix}", config.thread_name));
    if let Some(size) = config.stack_size {
        builder = builder.stack_size(size);
    }
    let (begin, end) = (
        config.on_thread_start.clone(),
        config.on_thread_stop.clone(),
    );
    builder.spawn(move || {
        call(begin);
        let _kept = run();
        call(end);
    })?;
    Ok(())
}

/// Runs a hook; a panic in it is reported by the panic hook and ends here.
fn call(hook: Option<Hook>) {
    let Some(hook) = hook else { return };
    if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hook())) {
        drop_quietly(payload);
    }
}

/// How long dropping a runtime waits for running polls.
pub(crate) const DROP_LIMIT: Duration = Duration::from_secs(1);
