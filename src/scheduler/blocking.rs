//! The pool for blocking calls: threads that come with the work and go when there is none.
//!
//! A job is an ordinary cell whose future runs the closure in its first poll, so a `JoinHandle`,
//! panics and aborts before the start work as for goroutines. Jobs are queued first come, first
//! served; each new one is given to a waiting thread, else to a new one, up to the limit.
//!
//! Invariants, under the lock: `promised <= waiting`, where `promised` counts the waiting threads
//! that have been notified and have not woken up yet; every queued job was promised a waiting
//! thread, or a busy or starting one will see it before it waits.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::threads::start;
use super::{Lease, Scheduler, current, report};
use crate::primitive::{Condvar, Mutex, MutexGuard, mutated};
use crate::task::cell::allocate;
use crate::task::{JoinHandle, Runnable};

/// How long a thread waits for another job.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The pool.
pub struct Pool {
    state: Mutex<State>,
    /// A job for a waiting thread, or the end.
    available: Condvar,
    /// A thread has become idle or has ended.
    idle: Condvar,
}

struct State {
    jobs: VecDeque<Runnable>,
    /// Threads that have not ended.
    threads: usize,
    waiting: usize,
    promised: usize,
    limit: usize,
    closed: bool,
}

/// What a new job asks of whoever brings it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Pushed {
    Queued,
    /// Start a thread, which runs [`Pool::work`]; if that fails, say so to `thread_failed`.
    StartThread,
    Refused,
}

/// What a thread gets.
enum Next {
    Job(Runnable),
    Leave,
}

impl Pool {
    pub fn new() -> Pool {
        Pool {
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                threads: 0,
                waiting: 0,
                promised: 0,
                limit: 1,
                closed: true,
            }),
            available: Condvar::new(),
            idle: Condvar::new(),
        }
    }

    /// Takes jobs (again), with at most `limit` threads.
    pub fn reopen(&self, limit: usize) {
        let mut state = self.state.lock();
        state.limit = limit;
        state.closed = false;
    }

    /// Takes no more jobs, and ends those that have not begun.
    pub fn close(&self) {
        let jobs = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.jobs)
        };
        self.available.notify_all();
        drop(jobs); // outside the lock: destructors of the user's
    }

    /// Queues a job.
    pub fn push(&self, job: Runnable) -> Pushed {
        let mut state = self.state.lock();
        if state.closed && !mutated!("blocking.push_into_closed") {
            drop(state);
            drop(job); // outside the lock: a destructor of the user's
            return Pushed::Refused;
        }
        state.jobs.push_back(job);
        let is_free = state.promised < state.waiting;
        if is_free || state.waiting > 0 && mutated!("blocking.promises_twice") {
            state.promised += 1;
            drop(state);
            if !mutated!("blocking.promises_in_silence") {
                self.available.notify_one();
            }
            return Pushed::Queued;
        }
        if state.threads < state.limit {
            state.threads += 1;
            return Pushed::StartThread;
        }
        Pushed::Queued
    }

    /// The thread that `push` asked for could not be started. `true`: others will do the job.
    pub fn thread_failed(&self) -> bool {
        let mut state = self.state.lock();
        state.threads -= 1;
        state.threads > 0
    }

    /// Runs jobs until there have been none for a while.
    pub fn work(&self, keep_alive: Duration) {
        while let Next::Job(job) = self.next(keep_alive) {
            let task = job.header();
            // A closure never waits, so its one turn is its last.
            let _done = current::while_blocking(task, || job.run(|| false));
        }
    }

    fn next(&self, keep_alive: Duration) -> Next {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Next::Job(job);
            }
            if state.closed {
                break;
            }
            let (guard, has_promise) = self.wait(state, keep_alive);
            state = guard;
            if !has_promise {
                break;
            }
        }
        state.threads -= 1;
        if !mutated!("blocking.leaves_silently") {
            self.idle.notify_all();
        }
        Next::Leave
    }

    /// Waits for a promise. `false`: the time ran out, or the pool is closed.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        keep_alive: Duration,
    ) -> (MutexGuard<'a, State>, bool) {
        state.waiting += 1;
        self.idle.notify_all();
        let has_promise = loop {
            let (guard, timed_out) = self.available.wait_timeout(state, keep_alive);
            state = guard;
            // Whoever wakes up makes good a promise; which thread that is does not matter.
            if state.promised > 0 {
                state.promised -= 1;
                break true;
            }
            if state.closed || timed_out {
                break false;
            }
        };
        state.waiting -= 1;
        (state, has_promise)
    }

    /// Waits until no thread has a job, or the time has come. `true`: none has.
    pub fn wait_until_idle(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while state.threads > state.waiting {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (state, _) = self.idle.wait_timeout(state, left);
        }
        true
    }

    /// Threads that have not ended.
    pub fn threads(&self) -> usize {
        self.state.lock().threads
    }
}

/// Runs a closure in its first poll.
struct Job<F>(Option<F>);

impl<F> Unpin for Job<F> {}

impl<F: FnOnce() -> T, T> Future for Job<F> {
    type Output = T;
    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<T> {
        let code = self.0.take().expect("a job runs once");
        Poll::Ready(code())
    }
}

impl Scheduler {
    /// Runs `code` on the pool.
    pub(crate) fn go_blocking<F, T>(
        &'static self,
        code: F,
        location: &'static Location<'static>,
    ) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let job = Job(Some(code));
        let cell = allocate(job, (), &self.outside, crate::task::next_id(), location);
        // SAFETY: `allocate` gave us the run right and the handle's reference; `T` is the output.
        let (runnable, handle) = unsafe { (Runnable::from_raw(cell), JoinHandle::new(cell)) };
        // Not on the list of live goroutines: shutdown does not wait for it, and the queue or the
        // thread that has the run right will close it. The list's reference goes then, too.
        if self.blocking.push(runnable) == Pushed::StartThread {
            self.start_blocking_thread();
        }
        handle
    }

    fn start_blocking_thread(&'static self) {
        let started = self.threads.lease().map(|lease| {
            let inside: std::sync::Arc<Lease> = lease.clone();
            start(&lease, "-blocking", move || {
                let scheduler = inside.scheduler;
                let _entered = current::Entered::new(inside);
                scheduler.blocking.work(KEEP_ALIVE);
            })
        });
        if matches!(started, Some(Ok(()))) || self.blocking.thread_failed() {
            return;
        }
        report(format_args!(
            "no thread can be started for blocking calls; one waits for the next"
        ));
    }
}
