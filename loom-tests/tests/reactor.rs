//! One direction of a descriptor: events, waits, clears and withdrawals.
#![cfg(gorust_loom)]

use std::future::poll_fn;
use std::sync::Arc as StdArc;
use std::sync::atomic::AtomicUsize as StdAtomicUsize;
use std::task::{Context, Poll, Wake, Waker};

use gorust::units::atomic::{AtomicUsize, Ordering};
use gorust::units::reactor::{Event, Readiness, Waiter};
use gorust::units::{Arc, UnsafeCell, WakeBatch};
use loom::future::block_on;
use loom::thread::spawn;
use loom_tests::{Acquire, Model, Named, Outcomes, Relaxed, Release, Weaken};

const FILE: &str = "src/reactor/readiness.rs";
const SEEN: &str = "self.word.load(Ordering::Acquire)";
const EVENT: &str = "self.word.compare_exchange_weak(word.0, word.after(event).0, Ordering::AcqRel";
const CLAIM: &str =
    "self.word.compare_exchange_weak(word.0, word.with_slot(Slot::Busy).0, Ordering::Acquire";
const LOOK: &str =
    "self.word.compare_exchange(word.0, word.with_slot(Slot::Busy).0, Ordering::Acquire";
const PUBLISH: &str =
    "self.word.compare_exchange_weak(word.0, word.with_slot(kind).0, Ordering::Release";
const FREE: &str = "self.word.fetch_and(!Word::SLOT, Ordering::Release)";

fn weaken(snippet: &'static str, to: Ordering) -> Weaken {
    Weaken {
        file: FILE,
        snippet,
        to,
    }
}

/// A socket: the bytes that have come, and its readiness.
struct Socket {
    bytes: AtomicUsize,
    readiness: Readiness,
}

impl Socket {
    /// One that has been read until it would have blocked.
    fn drained() -> Arc<Socket> {
        let socket = Self::fresh();
        socket.readiness.clear(socket.readiness.seen());
        socket
    }

    fn fresh() -> Arc<Socket> {
        Arc::new(Socket {
            bytes: AtomicUsize::new(0),
            readiness: Readiness::assumed_ready(),
        })
    }

    /// The poller's part: a byte has come.
    fn receive(&self) {
        self.bytes.fetch_add(1, Ordering::Relaxed);
        self.event();
    }

    fn event(&self) {
        let mut batch = WakeBatch::new();
        self.readiness.event(Event::READY, &mut batch);
        batch.wake_all();
    }

    /// What an operation does that wants `wanted` bytes to be there.
    fn poll_read(&self, cx: &mut Context<'_>, waiter: &mut Waiter, wanted: usize) -> Poll<()> {
        loop {
            let seen = self.readiness.seen();
            if seen.is_ready() {
                if self.bytes.load(Ordering::Relaxed) >= wanted {
                    return Poll::Ready(());
                }
                self.readiness.clear(seen);
            } else if self.readiness.poll_wait(cx, waiter).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Reads to the end; `true` if it had to wait.
    fn read(&self, wanted: usize) -> bool {
        let mut waiter = Waiter::new();
        let mut waited = false;
        block_on(poll_fn(|cx| {
            let poll = self.poll_read(cx, &mut waiter, wanted);
            waited |= poll.is_pending();
            poll
        }));
        self.readiness.withdraw(&mut waiter);
        waited
    }
}

/// A waker that counts.
#[derive(Default)]
struct Count(StdAtomicUsize);

impl Count {
    fn new() -> (StdArc<Count>, Waker) {
        let count = StdArc::new(Count::default());
        (count.clone(), Waker::from(count))
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn waited(out: &Outcomes, waited: bool) {
    out.saw(if waited { "waited" } else { "at once" });
}

#[test]
fn event_against_wait() {
    Model::new("reactor::event_against_wait")
        .promise("a waiter sees the event or is woken by it, and then what came before it")
        .outcomes(&["waited", "at once"])
        .least_executions(200)
        .mutation(Named("readiness.publish_late"))
        .mutation(weaken(SEEN, Relaxed))
        .mutation(weaken(EVENT, Acquire))
        .mutation(weaken(EVENT, Release))
        .mutation(weaken(PUBLISH, Relaxed))
        .run(|out| {
            let shared = Arc::new((Socket::drained(), UnsafeCell::new(0)));
            let poller = spawn({
                let shared = shared.clone();
                move || {
                    // SAFETY: nobody reads it before the event.
                    shared.1.with_mut(|value| unsafe { *value = 1 });
                    shared.0.receive();
                }
            });
            waited(out, shared.0.read(1));
            // SAFETY: it was written before the event, and not since.
            shared.1.with(|value| assert_eq!(unsafe { *value }, 1));
            poller.join().unwrap();
        });
}

#[test]
fn stale_clear_against_event() {
    Model::new("reactor::stale_clear_against_event")
        .promise("a system call that would have blocked does not undo an event that came after it")
        .outcomes(&["waited", "at once"])
        .least_executions(400)
        .mutation(Named("readiness.event_keeps_tick"))
        .run(|out| {
            let socket = Socket::fresh();
            let poller = spawn({
                let socket = socket.clone();
                move || socket.receive()
            });
            waited(out, socket.read(1));
            poller.join().unwrap();
        });
}

#[test]
fn withdrawal_against_event() {
    Model::new("reactor::withdrawal_against_event")
        .promise("a waiter dropped during an event leaves nothing behind")
        .outcomes(&["woken", "withdrawn"])
        .least_executions(400)
        .mutation(Named("readiness.publish_late"))
        .run(|out| {
            let socket = Socket::drained();
            let (count, waker) = Count::new();
            let poller = spawn({
                let socket = socket.clone();
                move || socket.receive()
            });
            let mut waiter = Waiter::new();
            let mut cx = Context::from_waker(&waker);
            let _ = socket.readiness.poll_wait(&mut cx, &mut waiter);
            socket.readiness.withdraw(&mut waiter);
            // The next one finds the slot as the withdrawal or the event left it.
            let _ = socket.poll_read(&mut cx, &mut waiter, 2);
            socket.readiness.withdraw(&mut waiter);
            poller.join().unwrap();
            drop(waker);
            out.saw(match count.wakes() {
                0 => "withdrawn",
                _ => "woken",
            });
            assert_eq!(StdArc::strong_count(&count), 1, "a waker stayed behind");
        });
}

#[test]
fn a_slot_changes_hands() {
    Model::new("reactor::a_slot_changes_hands")
        .promise("a waiter uses the slot only when the event before is done with it")
        .outcomes(&["waits", "looks again"])
        .least_executions(1000)
        .preemptions(3)
        .mutation(weaken(CLAIM, Relaxed))
        .mutation(weaken(FREE, Relaxed))
        .run(|out| {
            let socket = Socket::drained();
            let poller = spawn({
                let socket = socket.clone();
                move || socket.event()
            });
            let (_, waker) = Count::new();
            let mut cx = Context::from_waker(&waker);
            let _ = socket.readiness.poll_wait_shared(&mut cx);
            socket.readiness.clear(socket.readiness.seen());
            out.saw(match socket.readiness.poll_wait_shared(&mut cx) {
                Poll::Pending => "waits",
                Poll::Ready(()) => "looks again",
            });
            poller.join().unwrap();
        });
}

#[test]
fn withdrawal_after_an_event() {
    Model::new("reactor::withdrawal_after_an_event")
        .promise("a waiter that an event has reached does not withdraw the waiter after it")
        .outcomes(&["waited", "at once"])
        .least_executions(1500)
        .mutation(Named("readiness.withdraw_any"))
        .run(|out| {
            let socket = Socket::drained();
            let poller = spawn({
                let socket = socket.clone();
                move || {
                    socket.receive();
                    socket.receive();
                }
            });
            let ((_, first_waker), (count, second_waker)) = (Count::new(), Count::new());
            let mut first = Waiter::new();
            let mut cx = Context::from_waker(&first_waker);
            let _ = socket.readiness.poll_wait(&mut cx, &mut first);
            let mut second = Waiter::new();
            let mut cx = Context::from_waker(&second_waker);
            let must_wait = socket.poll_read(&mut cx, &mut second, 2).is_pending();
            socket.readiness.withdraw(&mut first);
            poller.join().unwrap();
            assert!(
                count.wakes() >= usize::from(must_wait),
                "both bytes are there"
            );
            waited(out, must_wait);
        });
}

#[test]
fn two_waiters_and_one_event() {
    Model::new("reactor::two_waiters_and_one_event")
        .promise(
            "one event wakes all who wait for the same direction, and nobody who need not wait",
        )
        .outcomes(&["both wait", "one waits", "none waits"])
        .least_executions(500)
        .preemptions(1)
        .mutation(Named("readiness.list_unchecked"))
        .mutation(Named("readiness.publish_late"))
        .run(|out| {
            let socket = Socket::drained();
            let poller = spawn({
                let socket = socket.clone();
                move || socket.event()
            });
            let wait = |socket: Arc<Socket>| {
                let (count, waker) = Count::new();
                let mut waiter = Waiter::new();
                let mut cx = Context::from_waker(&waker);
                let waits = socket.readiness.poll_wait(&mut cx, &mut waiter);
                (usize::from(waits.is_pending()), count)
            };
            let other = spawn({
                let socket = socket.clone();
                move || wait(socket)
            });
            let waiters = [wait(socket), other.join().unwrap()];
            poller.join().unwrap();
            for (waits, count) in &waiters {
                assert_eq!(count.wakes(), *waits);
                assert_eq!(StdArc::strong_count(count), 1, "a waker stayed behind");
            }
            out.saw(["none waits", "one waits", "both wait"][waiters[0].0 + waiters[1].0]);
        });
}

#[test]
fn shared_wait_against_event() {
    Model::new("reactor::shared_wait_against_event")
        .promise("whoever asked through a poll function is woken, also while another asks")
        .outcomes(&["both pending", "second looks again", "first at once"])
        .least_executions(300)
        .mutation(Named("readiness.shared_forgotten"))
        .mutation(Named("readiness.list_unchecked"))
        .run(|out| {
            let socket = Socket::drained();
            let ((first, first_waker), (second, second_waker)) = (Count::new(), Count::new());
            let poller = spawn({
                let socket = socket.clone();
                move || socket.event()
            });
            let wait = |waker: &Waker| {
                let mut cx = Context::from_waker(waker);
                socket.readiness.poll_wait_shared(&mut cx).is_pending()
            };
            let waits = [wait(&first_waker), wait(&second_waker)];
            poller.join().unwrap();
            out.saw(match waits {
                [true, true] => "both pending",
                [true, false] => "second looks again",
                [false, _] => "first at once",
            });
            assert_eq!(waits.map(usize::from), [first.wakes(), second.wakes()]);
            drop((first_waker, second_waker));
            assert_eq!(
                [first, second].map(|count| StdArc::strong_count(&count)),
                [1, 1]
            );
        });
}

#[test]
fn two_shared_waits() {
    Model::new("reactor::two_shared_waits")
        .promise("a poll function that looks into the slot sees what another put there")
        .outcomes(&["pending"])
        .least_executions(100)
        .mutation(weaken(LOOK, Relaxed))
        .mutation(weaken(PUBLISH, Relaxed))
        .run(|out| {
            let socket = Socket::drained();
            let (count, waker) = Count::new();
            let other = spawn({
                let (socket, waker) = (socket.clone(), waker.clone());
                move || {
                    let mut cx = Context::from_waker(&waker);
                    let _ = socket.readiness.poll_wait_shared(&mut cx);
                }
            });
            let mut cx = Context::from_waker(&waker);
            let _ = socket.readiness.poll_wait_shared(&mut cx);
            out.saw("pending");
            other.join().unwrap();
            socket.event();
            assert!(count.wakes() >= 1);
        });
}

#[test]
fn shut_down_against_wait() {
    Model::new("reactor::shut_down_against_wait")
        .promise("when the runtime goes, whoever waits learns it, and so does whoever comes later")
        .outcomes(&["waited", "at once"])
        .least_executions(200)
        .mutation(Named("readiness.publish_late"))
        .mutation(Named("readiness.cleared_when_shut_down"))
        .run(|out| {
            let socket = Socket::drained();
            let closer = spawn({
                let socket = socket.clone();
                move || {
                    let mut batch = WakeBatch::new();
                    socket.readiness.shut_down(&mut batch);
                    batch.wake_all();
                }
            });
            let mut waiter = Waiter::new();
            let mut had_to_wait = false;
            block_on(poll_fn(|cx| {
                loop {
                    let seen = socket.readiness.seen();
                    if seen.is_shut_down() {
                        return Poll::Ready(());
                    }
                    if socket.readiness.poll_wait(cx, &mut waiter).is_pending() {
                        had_to_wait = true;
                        return Poll::Pending;
                    }
                }
            }));
            waited(out, had_to_wait);
            closer.join().unwrap();
            let seen = socket.readiness.seen();
            socket.readiness.clear(seen);
            assert!(socket.readiness.seen().is_ready());
        });
}
