//! One thread's place to sleep.
#![cfg(gorust_loom)]

mod support;

use gorust::units::Arc;
use gorust::units::atomic::{AtomicUsize, Ordering};
use gorust::units::scheduler::{Parker, Unparked};
use loom::thread::{JoinHandle, spawn};
use loom_tests::{Model, Named, Relaxed, Weaken};
use support::Reactor;

const fn weaken(snippet: &'static str) -> Weaken {
    Weaken {
        file: "src/scheduler/parker.rs",
        snippet,
        to: Relaxed,
    }
}

const UNPARK: &str = "self.state.swap(TOKEN, Ordering::Release)";
const END: &str = "self.state.swap(EMPTY, Ordering::Acquire)";

/// A thread that waits for two messages, each followed by an unpark.
struct Sleeper {
    parker: Parker,
    messages: [AtomicUsize; 2],
    reactor: Reactor,
}

impl Sleeper {
    fn new() -> (Arc<Sleeper>, [JoinHandle<()>; 2]) {
        let sleeper = Arc::new(Sleeper {
            parker: Parker::for_this_thread(),
            messages: [AtomicUsize::new(0), AtomicUsize::new(0)],
            reactor: Reactor::new(),
        });
        let wakers = [0, 1].map(|which| {
            let sleeper = sleeper.clone();
            spawn(move || {
                sleeper.messages[which].store(1, Ordering::Relaxed);
                if sleeper.parker.unpark() == Unparked::InterruptReactor {
                    sleeper.reactor.interrupt();
                }
            })
        });
        (sleeper, wakers)
    }

    fn has_both(&self) -> bool {
        self.messages
            .iter()
            .all(|message| message.load(Ordering::Relaxed) == 1)
    }
}

fn waits(count: usize) -> &'static str {
    ["no wait", "one wait", "two waits", "three waits"][count]
}

#[test]
fn two_wakers_against_park() {
    Model::new("parker::two_wakers_against_park")
        .promise("a token ends a wait, now or the next, and what came before it is seen")
        .outcomes(&["no wait", "one wait", "two waits"])
        .least_executions(2)
        .mutation(weaken(UNPARK))
        .mutation(weaken(END))
        .mutation(Named("parker.sleeps_on_its_token"))
        .run(|out| {
            let (sleeper, wakers) = Sleeper::new();
            let mut count = 0;
            while !sleeper.has_both() {
                sleeper.parker.park(None);
                count += 1;
            }
            wakers.into_iter().for_each(|waker| waker.join().unwrap());
            out.saw(waits(count));
        });
}

#[test]
fn two_wakers_against_the_reactor() {
    Model::new("parker::two_wakers_against_the_reactor")
        .promise("who sleeps in the reactor is interrupted by the first of those who wake it")
        .outcomes(&["no wait", "one wait", "two waits"])
        .least_executions(2)
        .mutation(weaken(UNPARK))
        .mutation(weaken(END))
        .mutation(Named("parker.reactor_is_not_told"))
        .run(|out| {
            let (sleeper, wakers) = Sleeper::new();
            let mut count = 0;
            while !sleeper.has_both() {
                if sleeper.parker.begin_reactor() {
                    sleeper.reactor.wait();
                    sleeper.parker.end_reactor();
                }
                count += 1;
            }
            wakers.into_iter().for_each(|waker| waker.join().unwrap());
            out.saw(waits(count));
        });
}
