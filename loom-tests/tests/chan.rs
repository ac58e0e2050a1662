//! Channels: those who send, receive, close and give up, against each other.
#![cfg(gorust_loom)]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize as StdAtomicUsize, Ordering as StdOrdering};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream;
use gorust::chan;
use gorust::chan::{Receiver, Sender};
use gorust::units::atomic::{AtomicUsize, Ordering};
use gorust::units::{Arc, UnsafeCell, block_on};
use loom::thread::{JoinHandle, spawn};
use loom_tests::{Model, Named, Outcomes, Relaxed, Weaken};

/// A value whose loss loom reports, as it reports a read of its number that races with the write.
type Value = Arc<UnsafeCell<u32>>;

fn value(number: u32) -> Value {
    Arc::new(UnsafeCell::new(number))
}

fn number(value: Value) -> u32 {
    // SAFETY: whoever wrote it has sent it, and we have received it.
    value.with(|number| unsafe { *number })
}

/// Waits on a thread of its own; the flag says whether it had to.
fn wait<F: Future>(future: F) -> (F::Output, bool) {
    let mut future = pin!(future);
    let mut waited = false;
    let output = loom::future::block_on(std::future::poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        waited |= poll.is_pending();
        poll
    }));
    (output, waited)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn receiving(rx: &Receiver<Value>) -> JoinHandle<(Option<u32>, bool)> {
    let rx = rx.clone();
    spawn(move || {
        let (value, waited) = wait(rx.recv());
        (value.map(number), waited)
    })
}

fn sending(tx: &Sender<Value>, number: u32) -> JoinHandle<(Result<(), u32>, bool)> {
    let tx = tx.clone();
    spawn(move || {
        let (sent, waited) = wait(tx.send(value(number)));
        (sent.map_err(|error| self::number(error.0)), waited)
    })
}

const LIST: &str = "src/wait/list.rs";

/// Where whoever ends a wait gives the waiter back.
const SETTLE: Weaken = Weaken {
    file: LIST,
    snippet: "waiter.phase.store(phase as u8, Ordering::Release);",
    to: Relaxed,
};

/// Where the one who waited takes it.
const PHASE: Weaken = Weaken {
    file: LIST,
    snippet: "Phase::from_bits(self.phase.load(Ordering::Acquire))",
    to: Relaxed,
};

#[test]
fn rendezvous() {
    Model::new("chan::rendezvous")
        .promise("sender and receiver meet, whoever comes first; the value is visible")
        .outcomes(&["receiver waited", "sender waited"])
        .least_executions(370)
        .preemptions(3)
        .mutation(SETTLE)
        .mutation(PHASE)
        .mutation(Named("chan.trust_hint"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let sender = sending(&tx, 1);
            let (received, waited) = wait(rx.recv());
            assert_eq!(received.map(number), Some(1));
            let (sent, sender_waited) = sender.join().unwrap();
            assert_eq!(sent, Ok(()));
            // The sender may wait, and be served before the receiver looks: then only it waited.
            assert!(waited != sender_waited);
            out.saw(if waited {
                "receiver waited"
            } else {
                "sender waited"
            });
        });
}

#[test]
fn bounded() {
    Model::new("chan::bounded")
        .promise("a full channel makes the sender wait until there is room; order is kept")
        .outcomes(&["sender waited", "sender went through"])
        .least_executions(90)
        .preemptions(3)
        .mutation(Named("chan.no_refill"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(1);
            tx.try_send(value(0)).unwrap();
            let sender = sending(&tx, 1);
            assert_eq!(wait(rx.recv()).0.map(number), Some(0));
            // Nobody has to receive again for the sender to go on.
            let (sent, waited) = sender.join().unwrap();
            assert_eq!(sent, Ok(()));
            assert_eq!(rx.try_recv().ok().map(number), Some(1));
            out.saw(match waited {
                true => "sender waited",
                false => "sender went through",
            });
        });
}

#[test]
fn two_senders() {
    Model::new("chan::two_senders")
        .promise("each of two senders gets its value through, once")
        .outcomes(&["ab", "ba"])
        .least_executions(2500)
        .preemptions(3)
        .mutation(Named("chan.trust_hint"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let other = sending(&tx, 1);
            let mut own = Box::pin(tx.send(value(2)));
            assert!(poll(own.as_mut()).is_pending());
            let order = [0; 2].map(|_| wait(rx.recv()).0.map(number));
            assert_eq!(other.join().unwrap().0, Ok(()));
            assert!(poll(own.as_mut()).is_ready());
            out.saw(match order {
                [Some(1), Some(2)] => "ab",
                [Some(2), Some(1)] => "ba",
                _ => "lost or doubled",
            });
        });
}

#[test]
fn close_against_recv() {
    Model::new("chan::close_against_recv")
        .promise("a receiver learns of the end, whether it waits already or not")
        .outcomes(&["waited", "found it closed"])
        .least_executions(70)
        .preemptions(3)
        .mutation(Named("chan.trust_hint"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(1);
            let receiver = receiving(&rx);
            drop(tx);
            let (received, waited) = receiver.join().unwrap();
            assert_eq!(received, None);
            out.saw(if waited { "waited" } else { "found it closed" });
        });
}

#[test]
fn close_against_send() {
    Model::new("chan::close_against_send")
        .promise("a sender gets its value back, whether it waits already or not")
        .outcomes(&["waited", "found it closed"])
        .least_executions(50)
        .preemptions(3)
        .mutation(Named("chan.close_forgets_senders"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let sender = sending(&tx, 7);
            drop(rx);
            let (sent, waited) = sender.join().unwrap();
            assert_eq!(sent, Err(7));
            out.saw(if waited { "waited" } else { "found it closed" });
        });
}

#[test]
fn close_against_try_send() {
    Model::new("chan::close_against_try_send")
        .promise("what was sent before the end is received before it, and after it nothing is sent")
        .outcomes(&["sent", "refused"])
        .least_executions(110)
        .preemptions(3)
        .mutation(Named("chan.send_after_close"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(1);
            let sender = spawn(move || tx.try_send(value(1)).is_ok());
            rx.close();
            let received = wait(rx.recv()).0.map(number);
            let sent = sender.join().unwrap();
            assert_eq!(received, sent.then_some(1));
            out.saw(if sent { "sent" } else { "refused" });
        });
}

#[test]
fn handed_and_dropped() {
    Model::new("chan::handed_and_dropped")
        .promise("a value in the hands of a dropped recv goes to the next receiver")
        .outcomes(&["to one that waits", "to one that comes"])
        .least_executions(120)
        .preemptions(3)
        .mutation(Named("chan.keep_returned"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let mut first = Box::pin(rx.recv());
            assert!(poll(first.as_mut()).is_pending());
            let second = receiving(&rx);
            tx.try_send(value(1)).unwrap();
            drop(first);
            let (received, waited) = second.join().unwrap();
            assert_eq!(received, Some(1));
            out.saw(match waited {
                true => "to one that waits",
                false => "to one that comes",
            });
        });
}

#[test]
fn recv_dropped_against_send() {
    Model::new("chan::recv_dropped_against_send")
        .promise("a recv that gives up as a value comes leaves the value in the channel")
        .outcomes(&["handed", "not handed"])
        .least_executions(30)
        .preemptions(3)
        .mutation(Named("chan.leave_blindly"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let mut receiver = Box::pin(rx.recv());
            assert!(poll(receiver.as_mut()).is_pending());
            let sender = spawn({
                let tx = tx.clone();
                move || tx.try_send(value(1)).is_ok()
            });
            drop(receiver);
            let sent = sender.join().unwrap();
            assert_eq!(rx.try_recv().ok().map(number), sent.then_some(1));
            out.saw(if sent { "handed" } else { "not handed" });
        });
}

#[test]
fn send_dropped_against_recv() {
    Model::new("chan::send_dropped_against_recv")
        .promise("a send that gives up has sent its value, or drops it, and no other")
        .outcomes(&["sent", "dropped"])
        .least_executions(30)
        .preemptions(3)
        .mutation(Named("chan.leave_blindly"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let mut sender = Box::pin(tx.send(value(1)));
            assert!(poll(sender.as_mut()).is_pending());
            let mut next = Box::pin(tx.send(value(2)));
            assert!(poll(next.as_mut()).is_pending());
            let receiver = spawn({
                let rx = rx.clone();
                move || rx.try_recv().ok().map(number)
            });
            drop(sender);
            let received = receiver.join().unwrap();
            if received == Some(2) {
                assert!(poll(next.as_mut()).is_ready());
            } else {
                assert_eq!(rx.try_recv().ok().map(number), Some(2));
            }
            out.saw(match received {
                Some(1) => "sent",
                Some(2) => "dropped",
                _ => "lost",
            });
        });
}

#[test]
fn two_receivers_one_value() {
    Model::new("chan::two_receivers_one_value")
        .promise("one of two receivers gets the value, the other the end, after that")
        .outcomes(&["first", "second"])
        .least_executions(920)
        .preemptions(3)
        .mutation(Named("chan.last_taker_sleeps"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(1);
            let other = receiving(&rx);
            tx.try_send(value(1)).unwrap();
            drop(tx);
            let (received, _) = wait(rx.recv());
            out.saw(match (received.map(number), other.join().unwrap().0) {
                (Some(1), None) => "first",
                (None, Some(1)) => "second",
                _ => "lost or doubled",
            });
        });
}

#[test]
fn taken_against_close() {
    Model::new("chan::taken_against_close")
        .promise("the last value is taken as the channel closes: whoever waits learns of the end")
        .outcomes(&["waited", "found the end"])
        .least_executions(3200)
        .preemptions(3)
        .mutation(Named("chan.last_taker_sleeps"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let mut first = Box::pin(rx.recv());
            assert!(poll(first.as_mut()).is_pending());
            tx.try_send(value(1)).unwrap();
            let second = receiving(&rx);
            let closer = spawn(move || drop(tx));
            let Poll::Ready(Some(taken)) = poll(first.as_mut()) else {
                panic!("it was handed a value");
            };
            assert_eq!(number(taken), 1);
            closer.join().unwrap();
            let (received, waited) = second.join().unwrap();
            assert_eq!(received, None);
            out.saw(if waited { "waited" } else { "found the end" });
        });
}

#[test]
fn none_is_the_end() {
    Model::new("chan::none_is_the_end")
        .promise("no receiver is told of the end while a value may still come back")
        .outcomes(&["waited", "found it"])
        .least_executions(180)
        .preemptions(3)
        .mutation(Named("chan.none_early"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let mut first = Box::pin(rx.recv());
            assert!(poll(first.as_mut()).is_pending());
            tx.try_send(value(1)).unwrap();
            let second = receiving(&rx);
            drop(tx);
            drop(first);
            let (received, waited) = second.join().unwrap();
            assert_eq!(received, Some(1));
            out.saw(if waited { "waited" } else { "found it" });
        });
}

#[test]
fn dropped_stream_against_recv() {
    Model::new("chan::dropped_stream_against_recv")
        .promise("a stream that is dropped passes the wake-up for a value on")
        .outcomes(&["the stream was woken", "the stream had gone"])
        .least_executions(30)
        .preemptions(3)
        .mutation(Named("chan.stream_keeps_wake"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let mut stream = rx.clone();
            let streams = StdArc::new(Counter::default());
            let waker = Waker::from(streams.clone());
            let polled = Pin::new(&mut stream).poll_next(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            // Behind the stream.
            let counter = StdArc::new(Counter::default());
            let waker = Waker::from(counter.clone());
            let mut receiver = Box::pin(rx.recv());
            let polled = receiver.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            let dropper = spawn(move || drop(stream));
            tx.try_send(value(1)).unwrap();
            dropper.join().unwrap();
            assert_eq!(counter.0.load(StdOrdering::Relaxed), 1);
            let Poll::Ready(Some(received)) = poll(receiver.as_mut()) else {
                panic!("it has a value");
            };
            assert_eq!(number(received), 1);
            out.saw(match streams.0.load(StdOrdering::Relaxed) {
                1 => "the stream was woken",
                _ => "the stream had gone",
            });
        });
}

/// Counts its wake-ups; loom need not see that.
#[derive(Default)]
struct Counter(StdAtomicUsize);

impl Wake for Counter {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, StdOrdering::Relaxed);
    }
}

/// The next value of a stream.
async fn next(stream: &mut Receiver<Value>) -> Option<Value> {
    std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}

#[test]
fn stream_against_recv() {
    Model::new("chan::stream_against_recv")
        .promise("a stream and a recv in one line get one value each")
        .outcomes(&["stream first", "recv first"])
        .least_executions(870)
        .preemptions(3)
        .mutation(Named("chan.promise_uncounted"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(2);
            let other = receiving(&rx);
            let mut stream = rx;
            let mut streaming = Box::pin(next(&mut stream));
            assert!(poll(streaming.as_mut()).is_pending());
            for number in 1..=2 {
                tx.try_send(value(number)).unwrap();
            }
            let streamed = wait(streaming).0.map(number);
            out.saw(match (streamed, other.join().unwrap().0) {
                (Some(1), Some(2)) => "stream first",
                (Some(2), Some(1)) => "recv first",
                _ => "lost or doubled",
            });
        });
}

#[test]
fn another_task_against_send() {
    Model::new("chan::another_task_against_send")
        .promise("a recv that moves to another task as a value comes wakes that task, or is ready")
        .outcomes(&["woken", "ready"])
        .least_executions(70)
        .preemptions(3)
        .mutation(Named("list.renew_blindly"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(0);
            let mut receiver = Box::pin(rx.recv());
            let first = StdArc::new(Counter::default());
            let polled = receiver
                .as_mut()
                .poll(&mut Context::from_waker(&Waker::from(first.clone())));
            assert!(polled.is_pending());
            let sender = spawn(move || tx.try_send(value(1)).unwrap());
            let second = StdArc::new(Counter::default());
            let polled = receiver
                .as_mut()
                .poll(&mut Context::from_waker(&Waker::from(second.clone())));
            sender.join().unwrap();
            let woken = [first, second].map(|counter| counter.0.load(StdOrdering::Relaxed));
            match polled {
                Poll::Ready(received) => {
                    assert_eq!((received.map(number), woken), (Some(1), [1, 0]));
                    out.saw("ready");
                }
                Poll::Pending => {
                    assert_eq!(woken, [0, 1], "the task that waits is not woken");
                    let Poll::Ready(Some(received)) = poll(receiver.as_mut()) else {
                        panic!("it was handed a value");
                    };
                    assert_eq!(number(received), 1);
                    out.saw("woken");
                }
            }
        });
}

#[test]
fn last_handles() {
    Model::new("chan::last_handles")
        .promise("of two senders that go at once, one is the last, after both have sent")
        .outcomes(&["12", "21"])
        .least_executions(2400)
        .preemptions(3)
        .mutation(Named("chan.count_in_two_steps"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(2);
            let other = spawn({
                let tx = tx.clone();
                move || tx.try_send(value(2)).unwrap()
            });
            tx.try_send(value(1)).unwrap();
            drop(tx);
            let order = [0; 3].map(|_| wait(rx.recv()).0.map(number));
            other.join().unwrap();
            out.saw(match order {
                [Some(1), Some(2), None] => "12",
                [Some(2), Some(1), None] => "21",
                _ => "lost or doubled",
            });
        });
}

#[test]
fn upgrade_against_last_sender() {
    Model::new("chan::upgrade_against_last_sender")
        .promise("a weak sender becomes a sender of an open channel, or none")
        .outcomes(&["upgraded", "gone"])
        .least_executions(30)
        .preemptions(3)
        .mutation(Named("chan.upgrade_blindly"))
        .run(|out: &Outcomes| {
            let (tx, rx) = chan(1);
            let weak = tx.downgrade();
            let dropper = spawn(move || drop(tx));
            let upgraded = weak.upgrade();
            dropper.join().unwrap();
            assert_eq!(upgraded.is_some(), !rx.is_closed());
            out.saw(match upgraded {
                Some(tx) => {
                    tx.try_send(value(1)).unwrap();
                    "upgraded"
                }
                None => "gone",
            });
        });
}

#[test]
fn blocked_thread() {
    const BLOCKING: &str = "src/wait/blocking.rs";
    Model::new("chan::blocked_thread")
        .promise("a blocked thread polls again after a wake-up, and sees what came before that")
        .outcomes(&["at once", "after one", "after both"])
        .least_executions(720)
        .mutation(Weaken {
            file: BLOCKING,
            snippet: "self.woken.swap(true, Ordering::Release)",
            to: Relaxed,
        })
        .mutation(Weaken {
            file: BLOCKING,
            snippet: "unparker.woken.swap(false, Ordering::Acquire)",
            to: Relaxed,
        })
        .run(|out: &Outcomes| {
            // Not by the main thread: loom wakes one that joins by an unpark that comes late.
            let blocked = spawn(|| {
                let data = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
                let mut wakers = Vec::new();
                let mut polls = 0;
                block_on(std::future::poll_fn(|cx| {
                    polls += 1;
                    if wakers.is_empty() {
                        wakers.extend((0..2).map(|index| {
                            let (data, waker) = (data.clone(), cx.waker().clone());
                            spawn(move || {
                                data[index].store(1, Ordering::Relaxed);
                                waker.wake();
                            })
                        }));
                    }
                    // A poll that does not see what a wake-up announced would be the last.
                    match data.iter().map(|data| data.load(Ordering::Relaxed)).sum() {
                        2 => Poll::Ready(()),
                        _ => Poll::Pending,
                    }
                }));
                (polls, wakers)
            });
            let (polls, wakers) = blocked.join().unwrap();
            for waker in wakers {
                waker.join().unwrap();
            }
            out.saw(match polls {
                1 => "at once",
                2 => "after one",
                _ => "after both",
            });
        });
}
