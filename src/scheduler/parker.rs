//! One thread's place to sleep: a token, and two ways to wait for it.
//!
//! A thread waits for its token either on std's parking or, as the poller, inside the reactor's
//! wait. `unpark` leaves the token and wakes the thread in the way in which it sleeps. Tokens do
//! not add up, and a wait may end without one: callers look at what they wait for in a loop.

use std::time::Duration;

use crate::primitive::atomic::{AtomicU32, Ordering};
use crate::primitive::mutated;
use crate::primitive::thread::{self, Thread};

const EMPTY: u32 = 0;
const TOKEN: u32 = 1;
const PARKED: u32 = 2;
const IN_REACTOR: u32 = 3;

/// The token and its owner.
#[derive(Debug)]
pub struct Parker {
    state: AtomicU32,
    thread: Thread,
}

/// What `unpark` found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Unparked {
    /// The thread will see the token, or has been woken.
    Done,
    /// The thread sleeps in the reactor: the caller has to interrupt that.
    InterruptReactor,
}

impl Parker {
    /// A parker for the calling thread.
    pub fn for_this_thread() -> Parker {
        Parker {
            state: AtomicU32::new(EMPTY),
            thread: thread::current(),
        }
    }

    /// Waits for the token, at most for `limit`, and takes it. Owner only.
    pub fn park(&self, limit: Option<Duration>) {
        if !self.begin(PARKED) {
            return;
        }
        match limit {
            None => thread::park(),
            Some(limit) => thread::park_timeout(limit),
        }
        self.end();
    }

    /// Says that the owner is about to wait in the reactor. `false`: there was a token, and it has
    /// been taken. Every `true` is followed by `end_reactor`.
    pub fn begin_reactor(&self) -> bool {
        self.begin(IN_REACTOR)
    }

    /// The wait in the reactor is over; takes the token if there is one.
    pub fn end_reactor(&self) {
        self.end();
    }

    fn begin(&self, how: u32) -> bool {
        // Relaxed: that there is no token says nothing; if there is one, `end` sees what comes with it.
        if self
            .state
            .compare_exchange(EMPTY, how, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            return true;
        }
        self.end();
        mutated!("parker.sleeps_on_its_token")
    }

    fn end(&self) {
        // Acquire: what the unparker did before is seen (partner: `unpark`).
        self.state.swap(EMPTY, Ordering::Acquire);
    }

    /// Wakes the thread if it sleeps in std's parking for another reason than its token.
    pub fn unpark_blocked(&self) {
        self.thread.unpark();
    }

    /// Leaves the token. For anybody.
    pub fn unpark(&self) -> Unparked {
        // Release: the owner sees what came before (partner: `end`).
        match self.state.swap(TOKEN, Ordering::Release) {
            PARKED => {
                self.thread.unpark();
                Unparked::Done
            }
            IN_REACTOR if !mutated!("parker.reactor_is_not_told") => Unparked::InterruptReactor,
            _ => Unparked::Done,
        }
    }
}
