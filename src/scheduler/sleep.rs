//! How a machine sleeps: on its parker or, as the poller, in the reactor.
//!
//! A machine that is here has entered [`Idle`], and has looked for work after that. It leaves when it
//! is assigned a processor, is called, has an event to pass on, or must fire its processor's timers.
//!
//! The poller has two things: the *place*, given under the lock of [`Idle`], and the reactor. It may
//! lose the place at any moment, to be assigned a processor; and others hold the reactor for moments,
//! to look without waiting. So a machine never waits for the reactor to be free: the next poller may
//! be the one who holds it, for as long as it likes.

use std::time::{Duration, Instant};

use super::idle::{Idle, Left, Machine};
use super::parker::Parker;
use crate::primitive::Arc;
use crate::primitive::mutated;
use crate::primitive::thread::yield_now;
use crate::timer::clock;

/// What a sleeping machine minds besides the set of idle ones.
pub trait Surroundings {
    /// Whether there is something to do for which it needs no processor.
    fn is_called(&self) -> bool;
    /// Waits in the reactor as long as `parker` allows, until the tick `deadline` at most.
    fn poll(&mut self, parker: &Parker, deadline: u64) -> Polled;
}

/// What came of a wait in the reactor.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Polled {
    /// Somebody to be woken, for which a processor is welcome.
    Events,
    Nothing,
    /// Somebody else has the reactor.
    Busy,
}

/// How a sleep ended.
#[derive(Debug)]
#[must_use]
pub enum Slept<P: 'static> {
    Left(Left<P>),
    /// Nothing came for so long that the machine is one too many.
    Retired,
}

/// How long `machine` sleeps.
#[derive(Debug)]
pub struct Sleep<'a, P: 'static> {
    pub idle: &'a Idle<P>,
    pub machine: &'a Arc<Machine<P>>,
    /// The tick at which a timer of its processor is due.
    pub deadline: u64,
    /// When to retire; only for a machine that waits for no timers.
    pub gives_up: Option<Instant>,
}

/// A machine that is one too many retires after so long.
pub const SURPLUS_LIFE: Duration = Duration::from_secs(10);

/// How long to wait for `tick`; `None` for ever.
pub fn wait_until(tick: u64) -> Option<Duration> {
    (tick != clock::NEVER).then(|| clock::until(tick))
}

impl<P> Sleep<'_, P> {
    /// Sleeps until there is a reason to go on.
    pub fn run(mut self, surroundings: &mut impl Surroundings) -> Slept<P> {
        loop {
            if self.machine.is_assigned() {
                return Slept::Left(Left::Assigned);
            }
            if surroundings.is_called() {
                return Slept::Left(self.idle.leave(self.machine));
            }
            if self.deadline != clock::NEVER && self.deadline <= clock::now() {
                // The processor's timers are ours to fire, unless it is somebody else's by now.
                if let Some(left) = self.idle.leave_with_own(self.machine) {
                    return Slept::Left(left);
                }
                self.deadline = clock::NEVER;
            }
            if self.idle.begin_polling(self.machine) {
                match surroundings.poll(&self.machine.parker, self.deadline) {
                    Polled::Events => return Slept::Left(self.idle.leave(self.machine)),
                    Polled::Nothing => self.idle.end_polling(self.machine),
                    Polled::Busy => {
                        self.idle.end_polling(self.machine);
                        if mutated!("sleep.parks_when_busy") {
                            self.machine.parker.park(None);
                        }
                        yield_now();
                    }
                }
            } else {
                self.wait_on_parker();
            }
            if self.gives_up.is_some_and(|at| Instant::now() >= at) {
                if self.idle.retire(self.machine) {
                    return Slept::Retired;
                }
                self.gives_up = Some(Instant::now() + SURPLUS_LIFE);
            }
        }
    }

    fn wait_on_parker(&self) {
        let until_end = self
            .gives_up
            .map(|at| at.saturating_duration_since(Instant::now()));
        let limit = match (wait_until(self.deadline), until_end) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.machine.parker.park(limit);
    }
}
