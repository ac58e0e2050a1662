//! The end of a runtime.
//!
//! 1. `closing` is set and everybody is woken: machines leave between two polls.
//! 2. We wait for them, for a limited time. A poll that takes longer keeps its thread, which
//!    leaves when it returns, and its goroutine, which is reported.
//! 3. Nothing new is accepted (from the beginning), and every goroutine is ended whose run right can be had: those in
//!    queues have it in the entry, idle ones give it to whoever wakes them. The run right is the
//!    only way to a future, so each is dropped exactly once, whoever else is at it.
//! 4. What is left after that has its run right elsewhere: in the running polls of (2), or with a
//!    foreign thread between its wake-up and its push into the injector. We wait for the latter,
//!    within the same limit.
//! 5. The injector closes: a late push gives the run right back, and the pusher ends the goroutine.
//!
//! Destructors of futures run here; they may wake others and try to start new goroutines, so (3)
//! is repeated until nothing is left to do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Lease, Scheduler, current};
use crate::task::{Runnable, Who};
use crate::wait::batch::{WakeBatch, drop_quietly};

/// How many idle goroutines are claimed at once.
const CLAIM: usize = 256;

impl Scheduler {
    /// Ends the runtime, unless somebody does or did; returns after `limit` at the latest, plus what
    /// destructors take.
    pub(crate) fn shut_down(
        &'static self,
        lease: &Arc<Lease>,
        limit: Duration,
        blocking: Duration,
    ) {
        if lease.ended.set(()).is_ok() {
            self.end(lease, limit, blocking);
        }
    }

    fn end(&'static self, lease: &Arc<Lease>, limit: Duration, blocking: Duration) {
        // What destructors start, they start here.
        let _entered = current::Entered::new(lease.clone());
        let start = Instant::now();
        let deadline = start.checked_add(limit).unwrap_or_else(|| start + DISTANT);
        for owner in self.owners() {
            owner.live.set_closed(true);
        }
        self.set_closing(true);
        if self.idle.unpark_all() {
            self.reactor.interrupt();
        }
        // Goroutines that block their thread on a socket or a timer would keep it until the limit.
        self.close_waiters();
        self.blocking.close();
        let all_left = self.threads.wait_until_ended(deadline);
        self.end_goroutines(deadline, all_left);
        self.close_waiters();
        self.injector.set_closed(true);
        self.drain();
        if !all_left {
            self.report_running();
        }
        let until = start
            .checked_add(blocking)
            .unwrap_or_else(|| start + DISTANT);
        self.blocking.wait_until_idle(until);
    }

    /// Ends goroutines until none is left, or only those that nobody can end.
    fn end_goroutines(&'static self, deadline: Instant, all_left: bool) {
        loop {
            while self.drain() | self.end_idle() {}
            let left: usize = self.owners().map(|owner| owner.live.len()).sum();
            if left == 0 || (!all_left && left <= self.threads.live()) {
                return;
            }
            if Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Ends what is queued. `true`: there was something.
    pub(super) fn drain(&'static self) -> bool {
        let mut any = false;
        let mut end = |entry| {
            any = true;
            // SAFETY: what is in a queue carries its run right.
            drop(unsafe { Runnable::from_raw(entry) });
        };
        for processor in &self.processors {
            while let Some(entry) = processor
                .ring
                .steal_one()
                .or_else(|| processor.runnext.take())
            {
                end(entry);
            }
        }
        while self.injector.pop_batch(CLAIM, &mut end) > 0 {}
        any
    }

    /// Ends what is idle. `true`: there was something.
    fn end_idle(&'static self) -> bool {
        let mut any = false;
        for owner in self.owners() {
            loop {
                let claimed = owner.live.claim_idle(CLAIM);
                if claimed.is_empty() {
                    break;
                }
                any = true;
                drop(claimed);
            }
        }
        any
    }

    /// Sockets and timers of this runtime that others still wait for learn that it is gone.
    fn close_waiters(&'static self) {
        let mut batch = WakeBatch::new();
        self.reactor.close(&mut batch);
        for processor in &self.processors {
            processor.timers.close(&mut batch);
        }
        self.shared_timers.close(&mut batch);
        batch.wake_all();
    }

    fn report_running(&self) {
        for owner in self.owners() {
            owner.live.for_each(|header| {
                let who = Who {
                    id: header.id(),
                    name: None,
                    location: header.location(),
                };
                super::report(format_args!(
                    "the runtime has ended, but {who}, is still in a poll"
                ));
            });
        }
    }

    /// The last act of a machine that came back from a long poll: nobody else will end what it left.
    pub(super) fn sweep_after(&'static self) {
        if self.is_closing() {
            while self.drain() | self.end_idle() {}
        }
    }
}

/// "Never", for deadlines beyond what the clock can say.
const DISTANT: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// Shuts down from a thread that must not block.
pub(crate) fn in_background(lease: Arc<Lease>, limit: Duration, blocking: Duration) {
    // Before this returns: whoever drops the `Runtime` next must find nothing left to do.
    if lease.ended.set(()).is_err() {
        return;
    }
    let copy = lease.clone();
    let run = move || copy.scheduler.end(&copy, limit, blocking);
    if std::thread::Builder::new()
        .name("gorust-shutdown".into())
        .spawn(run)
        .is_err()
    {
        // No thread to be had: at least nothing new begins, and machines leave.
        lease.scheduler.end(&lease, Duration::ZERO, Duration::ZERO);
    }
    drop_quietly(lease);
}
