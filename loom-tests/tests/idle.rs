//! Who has nothing to do, and whom to wake.
#![cfg(gorust_loom)]

mod support;

use gorust::units::atomic::{AtomicBool, AtomicUsize, Ordering};
use gorust::units::scheduler::{
    Idle, Left, Machine, Parker, Polled, Sleep, Sleeper, Slept, Surroundings, Woken,
};
use gorust::units::{Arc, UnsafeCell};
use loom::thread::spawn;
use loom_tests::{Model, Named, Relaxed, Weaken};
use support::{Reactor, leak};

/// Where most of the mutated operations are.
const IDLE: &str = "src/scheduler/idle.rs";

const fn weaken(snippet: &'static str) -> Weaken {
    Weaken {
        file: IDLE,
        snippet,
        to: Relaxed,
    }
}

const PUSHER: Weaken = weaken("fence(Ordering::SeqCst); // pusher");
const SLEEPER: Weaken = weaken("fence(Ordering::SeqCst); // sleeper");

/// A processor: something that one may use at a time.
#[derive(Debug)]
struct Processor(UnsafeCell<()>);

// SAFETY: the cell holds nothing; that uses exclude each other is what loom checks.
unsafe impl Sync for Processor {}

impl Processor {
    fn new() -> &'static Processor {
        leak(Processor(UnsafeCell::new(())))
    }
    fn make_use(&self) {
        self.0.with_mut(|_| ());
    }
}

type Member = Arc<Machine<Processor>>;

/// A scheduler with a number for its queue.
struct Crew {
    idle: Idle<Processor>,
    reactor: Reactor,
    queue: AtomicUsize,
    done: AtomicUsize,
    closing: AtomicBool,
}

impl Crew {
    fn new() -> Arc<Crew> {
        Arc::new(Crew {
            idle: Idle::new(),
            reactor: Reactor::new(),
            queue: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        })
    }

    fn has_work(&self) -> bool {
        self.queue.load(Ordering::Relaxed) > 0
    }

    /// `true`: it took something from the queue.
    fn take_work(&self) -> bool {
        self.queue
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |len| {
                len.checked_sub(1)
            })
            .is_ok()
    }

    /// What a worker does, until `count` have been worked on by all. How many were here.
    fn work_until_done(&self, count: usize) -> usize {
        let machine = Arc::new(Machine::for_this_thread());
        let mut processor = Some(Processor::new());
        let mut is_searching = false;
        let mut here = 0;
        while !self.closing.load(Ordering::Relaxed) {
            if processor.is_none() || !self.take_work() {
                (processor, is_searching) = self.park(&machine, processor, is_searching);
                continue;
            }
            here += 1;
            if std::mem::take(&mut is_searching) && self.idle.end_search() {
                self.look_again();
            }
            if self.done.fetch_add(1, Ordering::Relaxed) + 1 == count {
                self.close();
            }
        }
        here
    }

    /// Returns whether somebody was in the reactor.
    fn close(&self) -> bool {
        self.closing.store(true, Ordering::Relaxed);
        let in_reactor = self.idle.unpark_all();
        if in_reactor {
            self.reactor.interrupt();
        }
        in_reactor
    }

    /// As `Scheduler::schedule_outside`. `true`: somebody was woken.
    fn push(&self) -> bool {
        self.queue.fetch_add(1, Ordering::Relaxed);
        self.idle.must_wake_for_push() && self.wake_one()
    }

    /// For whoever gave up a processor or a search. `true`: somebody was woken.
    fn look_again(&self) -> bool {
        self.idle.must_wake_for_rest(|| self.has_work()) && self.wake_one()
    }

    fn wake_one(&self) -> bool {
        self.finish_waking(self.idle.wake_one())
    }

    fn finish_waking(&self, woken: Woken<Processor>) -> bool {
        match woken {
            Woken::Nobody => return false,
            Woken::Machine => {}
            Woken::Poller => self.reactor.interrupt(),
            Woken::NeedsThread(_) => panic!("there is a machine"),
        }
        true
    }

    /// As `Worker::park`. What it has afterwards, and whether it counts as a searcher.
    fn park(
        &self,
        machine: &Member,
        processor: Option<&'static Processor>,
        was_searching: bool,
    ) -> (Option<&'static Processor>, bool) {
        let sleeper = Sleeper {
            machine: machine.clone(),
            processor,
            has_timers: false,
        };
        self.idle.enter(sleeper, was_searching);
        self.look_again();
        self.sleep(machine)
    }

    fn sleep(&self, machine: &Member) -> (Option<&'static Processor>, bool) {
        let sleep = Sleep {
            idle: &self.idle,
            machine,
            deadline: u64::MAX,
            gives_up: None,
        };
        match sleep.run(&mut Around(self)) {
            Slept::Left(Left::Processor(processor)) => (Some(processor), false),
            Slept::Left(Left::Assigned) => {
                let processor = machine.take_assigned();
                assert!(processor.is_some());
                (processor, true)
            }
            Slept::Left(Left::Nothing) => (None, false),
            Slept::Retired => panic!("it never gives up"),
        }
    }

    /// A machine that sleeps, with or without a processor; its thread is not part of the model.
    fn sleeper(&self, processor: Option<&'static Processor>, has_timers: bool) -> Member {
        let machine = Arc::new(Machine::for_this_thread());
        let sleeper = Sleeper {
            machine: machine.clone(),
            processor,
            has_timers,
        };
        self.idle.enter(sleeper, false);
        machine
    }
}

struct Around<'a>(&'a Crew);

impl Surroundings for Around<'_> {
    fn is_called(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    fn poll(&mut self, parker: &Parker, _deadline: u64) -> Polled {
        let Some(held) = self.0.reactor.try_hold() else {
            return Polled::Busy;
        };
        if parker.begin_reactor() {
            self.0.reactor.wait();
            parker.end_reactor();
        }
        drop(held);
        match self.0.reactor.take_event() {
            true => Polled::Events,
            false => Polled::Nothing,
        }
    }
}

#[test]
fn push_against_park() {
    Model::new("idle::push_against_park")
        .promise("work pushed from outside is seen by the machine that goes to sleep, or wakes it")
        .outcomes(&["woken", "seen"])
        .least_executions(2)
        .mutation(PUSHER)
        .mutation(SLEEPER)
        .run(|out| {
            let crew = Crew::new();
            let pusher = spawn({
                let crew = crew.clone();
                move || crew.push()
            });
            let machine = Arc::new(Machine::for_this_thread());
            let mut has = (Some(Processor::new()), false);
            while !crew.take_work() {
                has.0.expect("a processor").make_use();
                has = crew.park(&machine, has.0, has.1);
            }
            out.saw(match pusher.join().unwrap() {
                true => "woken",
                false => "seen",
            });
        });
}

#[test]
fn push_against_a_search_in_vain() {
    Model::new("idle::push_against_a_search_in_vain")
        .promise("who relies on a searcher that finds nothing has its work seen before that sleeps")
        .outcomes(&["woken", "seen"])
        .least_executions(2)
        .mutation(PUSHER)
        .mutation(SLEEPER)
        .run(|out| {
            let crew = Crew::new();
            assert!(crew.idle.begin_search(1));
            let pusher = spawn({
                let crew = crew.clone();
                move || crew.push()
            });
            let machine = Arc::new(Machine::for_this_thread());
            let mut has = (Some(Processor::new()), true);
            while !crew.take_work() {
                has = crew.park(&machine, has.0, has.1);
            }
            out.saw(match pusher.join().unwrap() {
                true => "woken",
                false => "seen",
            });
        });
}

#[test]
fn push_against_the_last_search() {
    Model::new("idle::push_against_the_last_search")
        .promise(
            "who relies on the last searcher has somebody woken by it when it finds other work",
        )
        .outcomes(&["by the pusher", "by the searcher"])
        .least_executions(2)
        .mutation(PUSHER)
        .mutation(SLEEPER)
        .run(|out| {
            let crew = Crew::new();
            let sleeper = crew.sleeper(Some(Processor::new()), false);
            assert!(crew.idle.begin_search(1));
            let pusher = spawn({
                let crew = crew.clone();
                move || crew.push()
            });
            let by_searcher = crew.idle.end_search() && crew.look_again();
            let by_pusher = pusher.join().unwrap();
            assert!(sleeper.take_assigned().is_some());
            out.saw(match (by_pusher, by_searcher) {
                (true, false) => "by the pusher",
                (false, true) => "by the searcher",
                _ => "woken by both",
            });
        });
}

#[test]
fn push_against_a_processor_given_up() {
    Model::new("idle::push_against_a_processor_given_up")
        .promise("work pushed while nobody is idle is seen by whoever gives up its processor")
        .outcomes(&["by the pusher", "by the one who left"])
        .least_executions(2)
        .mutation(PUSHER)
        .mutation(SLEEPER)
        .run(|out| {
            let crew = Crew::new();
            let sleeper = crew.sleeper(None, false);
            let pusher = spawn({
                let crew = crew.clone();
                move || crew.push()
            });
            crew.idle.release(Processor::new());
            let by_leaver = crew.look_again();
            let by_pusher = pusher.join().unwrap();
            assert!(sleeper.take_assigned().is_some());
            out.saw(match (by_pusher, by_leaver) {
                (true, false) => "by the pusher",
                (false, true) => "by the one who left",
                _ => "woken by both",
            });
        });
}

#[test]
fn two_pushers() {
    Model::new("idle::two_pushers")
        .promise("while one who was woken searches, nobody else is woken")
        .outcomes(&["first", "second"])
        .least_executions(2)
        .mutation(Named("idle.wakes_despite_searcher"))
        .run(|out| {
            let crew = Crew::new();
            let sleepers = [0, 1].map(|_| crew.sleeper(Some(Processor::new()), false));
            let pusher = spawn({
                let crew = crew.clone();
                move || crew.push()
            });
            let first = crew.push();
            let second = pusher.join().unwrap();
            assert_eq!(sleepers.map(|s| s.is_assigned()), [false, true]);
            out.saw(match (first, second) {
                (true, false) => "first",
                (false, true) => "second",
                _ => "both or neither",
            });
        });
}

#[test]
fn hand_over_against_sleep() {
    Model::new("idle::hand_over_against_sleep")
        .promise("a processor handed to a machine is its alone, with all that was done with it")
        .outcomes(&["before it slept", "while it slept"])
        .least_executions(2)
        .mutation(weaken(
            ".store(ptr::from_ref(processor).cast_mut(), Ordering::Release)",
        ))
        .mutation(weaken(
            "self.assigned.swap(ptr::null_mut(), Ordering::Acquire)",
        ))
        .run(|out| {
            let crew = Crew::new();
            let machine = crew.sleeper(None, false);
            let blocks = spawn({
                let crew = crew.clone();
                move || {
                    let processor = Processor::new();
                    processor.make_use();
                    crew.finish_waking(crew.idle.hand_over(processor))
                }
            });
            out.saw(match machine.is_assigned() {
                true => "before it slept",
                false => "while it slept",
            });
            let (processor, searching) = crew.sleep(&machine);
            processor.expect("what it was woken for").make_use();
            assert!(searching && crew.idle.end_search());
            assert!(blocks.join().unwrap());
        });
}

#[test]
fn two_who_leave_a_processor_for_one() {
    Model::new("idle::two_who_leave_a_processor_for_one")
        .promise("a machine that leaves while it is assigned a processor has it, and only one")
        .outcomes(&["left with its own", "assigned its own"])
        .least_executions(2)
        .mutation(Named("idle.leaves_processor_behind"))
        .run(|out| {
            let crew = Crew::new();
            let own = Processor::new();
            let machine = crew.sleeper(Some(own), false);
            let pusher = spawn({
                let crew = crew.clone();
                move || crew.idle.wake_one()
            });
            let (got, outcome) = match crew.idle.leave(&machine) {
                Left::Processor(processor) => (Some(processor), "left with its own"),
                Left::Assigned => (machine.take_assigned(), "assigned its own"),
                Left::Nothing => (None, "nothing"),
            };
            let woken = pusher.join().unwrap();
            assert_eq!(
                matches!(woken, Woken::Machine),
                outcome == "assigned its own"
            );
            assert!(got.is_some_and(|got| std::ptr::eq(got, own)));
            assert_eq!(crew.idle.processors(), 0);
            out.saw(outcome);
        });
}

#[test]
fn timers_keep_their_sleeper() {
    Model::new("idle::timers_keep_their_sleeper")
        .promise("an idle processor with timers stays with the sleeper who wakes up for them")
        .outcomes(&["woken with it", "still asleep"])
        .least_executions(2)
        .mutation(Named("idle.wakes_with_any_processor"))
        .mutation(Named("idle.hands_over_to_anybody"))
        .run(|out| {
            let crew = Crew::new();
            let [own, other, third] = std::array::from_fn(|_| Processor::new());
            let is_free = crew.sleeper(Some(other), false);
            let has_timers = crew.sleeper(Some(own), true);
            let blocks = spawn({
                let crew = crew.clone();
                move || crew.finish_waking(crew.idle.hand_over(third))
            });
            crew.wake_one();
            assert!(blocks.join().unwrap());
            let handed = is_free.take_assigned();
            assert!(handed.is_some_and(|handed| std::ptr::eq(handed, third)));
            let (got, outcome) = match has_timers.take_assigned() {
                Some(processor) => (processor, "woken with it"),
                None => match crew.idle.leave_with_own(&has_timers) {
                    Some(Left::Processor(processor)) => (processor, "still asleep"),
                    left => panic!("its processor is not there: {left:?}"),
                },
            };
            assert!(std::ptr::eq(got, own));
            assert_eq!(crew.idle.processors(), 1, "the other one's");
            out.saw(outcome);
        });
}

#[test]
fn wake_against_the_reactor() {
    Model::new("idle::wake_against_the_reactor")
        .promise("the poller is woken wherever it is, and a spurious end of its wait loses nothing")
        .outcomes(&["interrupted", "not in the reactor"])
        .least_executions(2)
        .mutation(Named("idle.forgets_the_poller"))
        .run(|out| {
            let crew = Crew::new();
            let machine = crew.sleeper(Some(Processor::new()), false);
            let pusher = spawn({
                let crew = crew.clone();
                move || {
                    let woken = crew.idle.wake_one();
                    let in_reactor = matches!(woken, Woken::Poller);
                    assert!(crew.finish_waking(woken));
                    in_reactor
                }
            });
            let interrupter = spawn({
                let crew = crew.clone();
                move || crew.reactor.interrupt()
            });
            let (processor, searching) = crew.sleep(&machine);
            assert!(processor.is_some() && searching);
            interrupter.join().unwrap();
            out.saw(match pusher.join().unwrap() {
                true => "interrupted",
                false => "not in the reactor",
            });
        });
}

#[test]
fn event_while_the_reactor_is_held() {
    Model::new("idle::event_while_the_reactor_is_held")
        .promise("who finds the reactor held for a moment is the one who waits there after it")
        .outcomes(&["event"])
        .least_executions(2)
        .mutation(Named("sleep.parks_when_busy"))
        .run(|out| {
            let crew = Crew::new();
            let machine = crew.sleeper(Some(Processor::new()), false);
            let watcher = spawn({
                let crew = crew.clone();
                move || {
                    let held = crew.reactor.try_hold();
                    crew.reactor.has_event();
                    drop(held);
                }
            });
            let source = spawn({
                let crew = crew.clone();
                move || crew.reactor.send_event()
            });
            let (processor, searching) = crew.sleep(&machine);
            assert!(processor.is_some() && !searching);
            watcher.join().unwrap();
            source.join().unwrap();
            out.saw("event");
        });
}

#[test]
fn closing_against_sleep() {
    Model::new("idle::closing_against_sleep")
        .promise("when the runtime closes, every machine learns of it, asleep or about to be")
        .outcomes(&["one in the reactor", "none in the reactor"])
        .least_executions(2)
        .mutation(Named("idle.closes_without_the_poller"))
        .run(|out| {
            let crew = Crew::new();
            let machine = Arc::new(Machine::for_this_thread());
            let closer = spawn({
                let crew = crew.clone();
                move || crew.close()
            });
            crew.park(&machine, Some(Processor::new()), false);
            out.saw(match closer.join().unwrap() {
                true => "one in the reactor",
                false => "none in the reactor",
            });
        });
}

#[test]
fn two_machines() {
    Model::new("idle::two_machines")
        .promise("of two machines that sleep, one in the reactor, one does the work, and both end")
        .outcomes(&["this one", "the other"])
        .least_executions(2)
        .preemptions(1)
        .mutation(PUSHER)
        .mutation(SLEEPER)
        .run(|out| {
            let crew = Crew::new();
            let pusher = spawn({
                let crew = crew.clone();
                move || crew.push()
            });
            let other = spawn({
                let crew = crew.clone();
                move || crew.work_until_done(1)
            });
            let here = crew.work_until_done(1);
            let there = other.join().unwrap();
            pusher.join().unwrap();
            assert_eq!(here + there, 1);
            out.saw(if here == 1 { "this one" } else { "the other" });
        });
}

#[test]
fn place_lost_before_the_reactor() {
    Model::new("idle::place_lost_before_the_reactor")
        .promise("a poller that is given a processor does not wait for the next one's reactor")
        .outcomes(&["the next one in the reactor", "not yet"])
        .least_executions(2)
        .mutation(Named("reactor.is_waited_for"))
        .run(|out| {
            let crew = Crew::new();
            let first = crew.sleeper(Some(Processor::new()), false);
            let other = spawn({
                let crew = crew.clone();
                move || {
                    assert!(crew.push());
                    let second = crew.sleeper(Some(Processor::new()), false);
                    let (processor, searching) = crew.sleep(&second);
                    assert!(processor.is_some() && !searching);
                }
            });
            let (processor, searching) = crew.sleep(&first);
            assert!(processor.is_some() && searching && crew.take_work());
            out.saw(match crew.close() {
                true => "the next one in the reactor",
                false => "not yet",
            });
            other.join().unwrap();
        });
}
