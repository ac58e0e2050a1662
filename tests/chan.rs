//! Channels on the runtime, between threads, and as streams.

mod by_hand;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use by_hand::{Hand, hand, now, waiting};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use futures_lite::StreamExt;
use gorust::chan::{
    Receiver, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError, TrySendError,
    never, unbounded,
};
use gorust::runtime::{Builder, Runtime};
use gorust::{block_on, chan, go};

const A_WHILE: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

/// Many senders, many receivers: what was received by each, in its order. A value is its sender's
/// number times `each`, plus its place.
async fn many_to_many(
    (tx, rx): (Sender<usize>, Receiver<usize>),
    senders: usize,
    receivers: usize,
    each: usize,
) -> Vec<Vec<usize>> {
    let receivers: Vec<_> = (0..receivers)
        .map(|_| {
            let rx = rx.clone();
            go(async move {
                let mut received = Vec::new();
                while let Some(value) = rx.recv().await {
                    received.push(value);
                }
                received
            })
        })
        .collect();
    for sender in 0..senders {
        let tx = tx.clone();
        drop(go(async move {
            for place in 0..each {
                tx.send(sender * each + place).await.unwrap();
            }
        }));
    }
    drop(tx);
    let mut all = Vec::new();
    for receiver in receivers {
        all.push(receiver.await.unwrap());
    }
    all
}

/// Each value arrived once, and those of one sender at one receiver in order.
fn check(received: Vec<Vec<usize>>, count: usize, each: usize) {
    for values in &received {
        for sender in 0..count / each {
            let theirs: Vec<_> = values.iter().filter(|&&v| v / each == sender).collect();
            assert!(theirs.is_sorted(), "out of order");
        }
    }
    let mut all: Vec<usize> = received.into_iter().flatten().collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..count), "lost or doubled");
}

#[test]
fn one_to_one_is_in_order() {
    for capacity in [0, 1, 2, 100, 5000] {
        let received = block_on(many_to_many(chan(capacity), 1, 1, 2000));
        assert!(received[0].iter().copied().eq(0..2000));
    }
}

#[test]
fn many_to_many_rendezvous() {
    check(block_on(many_to_many(chan(0), 8, 8, 500)), 4000, 500);
}

#[test]
fn many_to_many_bounded() {
    for capacity in [1, 7, 1024] {
        let received = block_on(many_to_many(chan(capacity), 8, 8, 500));
        check(received, 4000, 500);
    }
}

#[test]
fn many_to_many_unbounded() {
    check(block_on(many_to_many(unbounded(), 8, 8, 500)), 4000, 500);
}

#[test]
fn one_to_many_and_many_to_one() {
    check(block_on(many_to_many(chan(0), 1, 16, 2000)), 2000, 2000);
    check(block_on(many_to_many(chan(3), 16, 1, 200)), 3200, 200);
}

#[test]
fn ping_pong() {
    block_on(async {
        let (ping_tx, ping) = chan::<u32>(0);
        let (pong_tx, pong) = chan::<u32>(0);
        let partner = go(async move {
            while let Some(value) = ping.recv().await {
                pong_tx.send(value + 1).await.unwrap();
            }
        });
        for value in 0..10_000 {
            ping_tx.send(value).await.unwrap();
            assert_eq!(pong.recv().await, Some(value + 1));
        }
        drop(ping_tx);
        partner.await.unwrap();
    });
}

/// A chain of goroutines, as in Go's prime sieve.
#[test]
fn prime_sieve() {
    block_on(async {
        let (tx, mut numbers) = chan::<u32>(0);
        drop(go(async move {
            for number in 2.. {
                if tx.send(number).await.is_err() {
                    return;
                }
            }
        }));
        let mut primes = Vec::new();
        for _ in 0..50 {
            let prime = numbers.recv().await.unwrap();
            primes.push(prime);
            let (tx, rest) = chan::<u32>(0);
            let before = std::mem::replace(&mut numbers, rest);
            drop(go(async move {
                while let Some(number) = before.recv().await {
                    if number % prime != 0 && tx.send(number).await.is_err() {
                        return;
                    }
                }
            }));
        }
        assert_eq!(primes[..5], [2, 3, 5, 7, 11]);
        assert_eq!(primes[49], 229);
    });
}

#[test]
fn rendezvous_send_waits_for_its_receiver() {
    let (tx, rx) = chan::<u32>(0);
    let mut first = waiting(tx.send(1));
    let mut second = waiting(tx.send(2));
    assert_eq!((tx.len(), tx.is_full(), tx.is_empty()), (0, true, true));
    assert_eq!(now(rx.recv()), Some(1));
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    assert_eq!(first.ready(), Ok(()));
    second.waits();
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(second.ready(), Ok(()));
}

#[test]
fn rendezvous_try_send_needs_a_waiting_receiver() {
    let (tx, rx) = chan::<u32>(0);
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    let mut receiver = waiting(rx.recv());
    assert_eq!(tx.try_send(2), Ok(()));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(receiver.ready(), Some(2));
}

#[test]
fn receivers_are_served_in_the_order_they_came() {
    for capacity in [0, 3] {
        let (tx, rx) = chan::<usize>(capacity);
        let mut receivers: Vec<_> = (0..10).map(|_| waiting(rx.recv())).collect();
        for value in 0..10 {
            tx.try_send(value).unwrap();
        }
        for (value, receiver) in receivers.iter_mut().enumerate() {
            assert_eq!((receiver.wakes(), receiver.ready()), (1, Some(value)));
        }
    }
}

#[test]
fn senders_are_served_in_the_order_they_came() {
    let (tx, rx) = chan::<usize>(2);
    assert_eq!((now(tx.send(0)), now(tx.send(1))), (Ok(()), Ok(())));
    let mut senders: Vec<_> = (2..10).map(|value| waiting(tx.send(value))).collect();
    for value in 0..10 {
        assert_eq!(now(rx.recv()), Some(value));
    }
    for sender in &mut senders {
        assert_eq!((sender.wakes(), sender.ready()), (1, Ok(())));
    }
}

#[test]
fn who_comes_later_does_not_overtake() {
    let (tx, rx) = chan::<u32>(1);
    tx.try_send(1).unwrap();
    let mut sender = waiting(tx.send(2));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(sender.ready(), Ok(()));
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
fn close_ends_all_loops() {
    block_on(async {
        let (tx, rx) = chan::<u32>(0);
        let receivers: Vec<_> = (0..100)
            .map(|_| {
                let rx = rx.clone();
                go(async move { rx.recv().await })
            })
            .collect();
        gorust::yield_now().await;
        assert!(rx.close());
        assert!(!tx.close());
        for receiver in receivers {
            assert_eq!(receiver.await.unwrap(), None);
        }
        assert_eq!(tx.send(1).await, Err(SendError(1)));
    });
}

#[test]
fn close_gives_waiting_senders_their_values() {
    block_on(async {
        let (tx, rx) = chan::<usize>(2);
        let senders: Vec<_> = (0..10)
            .map(|value| {
                let tx = tx.clone();
                go(async move { tx.send(value).await })
            })
            .collect();
        while !rx.is_full() {
            gorust::yield_now().await;
        }
        rx.close();
        let mut seen = BTreeSet::new();
        for sender in senders {
            if let Err(SendError(value)) = sender.await.unwrap() {
                seen.insert(value);
            }
        }
        assert_eq!(seen.len(), 8);
        while let Some(value) = rx.recv().await {
            assert!(seen.insert(value));
        }
        assert_eq!(seen.len(), 10);
    });
}

#[test]
fn last_receiver_gone_returns_and_drops() {
    let counted = Arc::new(());
    let (tx, rx) = chan::<Arc<()>>(2);
    tx.try_send(counted.clone()).unwrap();
    tx.try_send(counted.clone()).unwrap();
    let mut sender = waiting(tx.send(counted.clone()));
    let clone = rx.clone();
    drop(rx);
    assert_eq!((sender.wakes(), Arc::strong_count(&counted)), (0, 4));
    drop(clone);
    assert_eq!(Arc::strong_count(&counted), 2, "what was buffered is gone");
    assert!(Arc::ptr_eq(&sender.ready().unwrap_err().0, &counted));
}

#[test]
fn last_sender_gone_closes_after_what_is_buffered() {
    block_on(async {
        let (tx, rx) = chan::<u32>(4);
        let clone = tx.clone();
        tx.send(1).await.unwrap();
        drop(tx);
        assert!(!rx.is_closed());
        clone.send(2).await.unwrap();
        drop(clone);
        assert!(rx.is_closed());
        assert_eq!(
            (rx.recv().await, rx.recv().await, rx.recv().await),
            (Some(1), Some(2), None)
        );
    });
}

// Threads

#[test]
fn threads_talk_to_threads() {
    for capacity in [0, 1, 100] {
        let (tx, rx) = chan::<usize>(capacity);
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let rx = rx.clone();
                thread::spawn(move || rx.iter_blocking().collect::<Vec<_>>())
            })
            .collect();
        drop(rx);
        let senders: Vec<_> = (0..3)
            .map(|sender| {
                let tx = tx.clone();
                thread::spawn(move || {
                    for place in 0..300 {
                        tx.send_blocking(sender * 300 + place).unwrap();
                    }
                })
            })
            .collect();
        drop(tx);
        senders.into_iter().for_each(|s| s.join().unwrap());
        let received = receivers.into_iter().map(|r| r.join().unwrap()).collect();
        check(received, 900, 300);
    }
}

#[test]
fn threads_talk_to_goroutines() {
    let (tx, rx) = chan::<u32>(0);
    let (back_tx, back) = chan::<u32>(1);
    drop(go(async move {
        while let Some(value) = rx.recv().await {
            back_tx.send(value * 2).await.unwrap();
        }
    }));
    for value in 0..1000 {
        tx.send_blocking(value).unwrap();
        assert_eq!(back.recv_blocking(), Some(value * 2));
    }
    drop(tx);
    assert_eq!(back.recv_blocking(), None);
}

#[test]
fn a_goroutine_that_blocks_its_thread_does_not_block_the_others() {
    let runtime = Builder::new().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let (tx, rx) = chan::<u32>(0);
        let (back_tx, back) = chan::<u32>(0);
        let blocks = go(async move {
            let value = rx.recv_blocking().unwrap();
            back_tx.send_blocking(value + 1).unwrap();
        });
        gorust::yield_now().await;
        tx.send(1).await.unwrap();
        assert_eq!(back.recv().await, Some(2));
        blocks.await.unwrap();
    });
}

#[test]
fn blocking_calls_end_with_the_channel() {
    let (tx, rx) = chan::<u32>(0);
    let receiver = thread::spawn({
        let rx = rx.clone();
        move || rx.recv_blocking()
    });
    let sender = thread::spawn({
        let tx = tx.clone();
        let (_, other) = chan::<u32>(0);
        move || (tx.same_channel(&other), tx.downgrade().upgrade().is_some())
    });
    assert_eq!(sender.join().unwrap(), (false, true));
    thread::sleep(A_WHILE);
    rx.close();
    assert_eq!(receiver.join().unwrap(), None);
    assert_eq!(tx.send_blocking(1), Err(SendError(1)));
    let (tx, rx) = chan::<u32>(0);
    let sender = thread::spawn(move || tx.send_blocking(2));
    thread::sleep(A_WHILE);
    drop(rx);
    assert_eq!(sender.join().unwrap(), Err(SendError(2)));
}

#[test]
fn a_stray_unpark_does_not_end_a_blocking_call() {
    let (tx, rx) = chan::<u32>(0);
    let receiver = thread::spawn(move || rx.recv_blocking());
    for _ in 0..10 {
        receiver.thread().unpark();
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!receiver.is_finished());
    tx.send_blocking(5).unwrap();
    assert_eq!(receiver.join().unwrap(), Some(5));
}

// Time

#[test]
fn send_timeout_gives_the_value_back() {
    block_on(async {
        let (tx, rx) = chan::<u32>(1);
        assert_eq!(tx.send_timeout(1, Duration::ZERO).await, Ok(()));
        let start = Instant::now();
        let late = tx.send_timeout(2, A_WHILE).await;
        assert_eq!(late, Err(SendTimeoutError::Timeout(2)));
        assert!(start.elapsed() >= A_WHILE);
        assert_eq!(rx.try_recv(), Ok(1));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "it left the line");
        rx.close();
        let closed = tx.send_timeout(3, LONG).await;
        assert_eq!(closed, Err(SendTimeoutError::Closed(3)));
    });
}

#[test]
fn recv_timeout_says_why() {
    block_on(async {
        let (tx, rx) = chan::<u32>(1);
        let start = Instant::now();
        let late = rx.recv_timeout(A_WHILE).await;
        assert_eq!(late, Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= A_WHILE);
        tx.send(1).await.unwrap();
        assert_eq!(rx.recv_timeout(Duration::ZERO).await, Ok(1));
        drop(tx);
        let closed = rx.recv_timeout(LONG).await;
        assert_eq!(closed, Err(RecvTimeoutError::Closed));
    });
}

#[test]
fn an_endless_limit_is_none() {
    block_on(async {
        let (tx, rx) = chan::<u32>(0);
        let receiver = go({
            let rx = rx.clone();
            async move { rx.recv_timeout(Duration::MAX).await }
        });
        assert_eq!(tx.send_timeout(1, Duration::MAX).await, Ok(()));
        assert_eq!(receiver.await.unwrap(), Ok(1));
    });
}

#[test]
fn a_limit_is_counted_from_the_call() {
    block_on(async {
        let (_tx, rx) = chan::<u32>(0);
        let recv = rx.recv_timeout(A_WHILE);
        gorust::time::sleep(A_WHILE * 2).await;
        let start = Instant::now();
        assert_eq!(recv.await, Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() < LONG);
    });
}

#[test]
fn limits_lose_no_value() {
    const COUNT: usize = 2000;
    block_on(async {
        let (tx, rx) = chan::<usize>(0);
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let rx = rx.clone();
                go(async move {
                    let mut received = Vec::new();
                    loop {
                        match rx.recv_timeout(Duration::from_micros(70)).await {
                            Ok(value) => received.push(value),
                            Err(RecvTimeoutError::Timeout) => {}
                            Err(RecvTimeoutError::Closed) => return received,
                        }
                    }
                })
            })
            .collect();
        for value in 0..COUNT {
            let mut value = value;
            while let Err(error) = tx.send_timeout(value, Duration::from_micros(70)).await {
                assert!(error.is_timeout());
                value = error.into_inner();
            }
        }
        drop(tx);
        let mut all = Vec::new();
        for receiver in receivers {
            all.append(&mut receiver.await.unwrap());
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..COUNT));
    });
}

// Streams

#[test]
fn a_receiver_is_a_stream() {
    block_on(async {
        for capacity in [0, 1, 100] {
            let (tx, rx) = chan::<u32>(capacity);
            let sender = go(async move {
                for value in 0..1000 {
                    tx.send(value).await.unwrap();
                }
            });
            assert_eq!(rx.fold(0, |sum, value| sum + value).await, 499_500);
            sender.await.unwrap();
        }
    });
}

#[test]
fn streams_share_the_values() {
    block_on(async {
        let (tx, rx) = chan::<usize>(2);
        let streams: Vec<_> = (0..4)
            .map(|_| go(rx.clone().collect::<Vec<usize>>()))
            .collect();
        drop(rx);
        for value in 0..2000 {
            tx.send(value).await.unwrap();
        }
        drop(tx);
        let mut received = Vec::new();
        for stream in streams {
            received.push(stream.await.unwrap());
        }
        check(received, 2000, 2000);
    });
}

fn next(stream: &mut Receiver<u32>) -> Hand<'_, Option<u32>> {
    hand(stream.next())
}

#[test]
fn a_stream_counts_as_a_waiting_receiver() {
    let (tx, mut rx) = chan::<u32>(0);
    let mut waits = next(&mut rx);
    waits.waits();
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!((waits.wakes(), tx.len()), (1, 1));
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!(waits.ready(), Some(1));
}

#[test]
fn streams_and_receivers_stand_in_one_line() {
    let (tx, rx) = chan::<u32>(0);
    let mut stream = rx.clone();
    let mut first = waiting(rx.recv());
    let mut second = next(&mut stream);
    second.waits();
    let mut third = waiting(rx.recv());
    for (value, receiver) in (1..).zip([&mut first, &mut second, &mut third]) {
        tx.try_send(value).unwrap();
        assert_eq!((receiver.wakes(), receiver.ready()), (1, Some(value)));
    }
}

#[test]
fn a_dropped_stream_passes_its_wake_on() {
    let (tx, rx) = chan::<u32>(0);
    let mut stream = rx.clone();
    next(&mut stream).waits();
    let mut other = waiting(rx.recv());
    tx.try_send(1).unwrap();
    assert_eq!(other.wakes(), 0);
    drop(stream);
    assert_eq!((other.wakes(), other.ready()), (1, Some(1)));
}

#[test]
fn a_dropped_stream_passes_its_wake_on_to_a_stream() {
    let (tx, rx) = chan::<u32>(0);
    let (mut first, mut second) = (rx.clone(), rx);
    next(&mut first).waits();
    let mut other = next(&mut second);
    other.waits();
    tx.try_send(1).unwrap();
    drop(first);
    assert_eq!((other.wakes(), other.ready()), (1, Some(1)));
}

#[test]
fn a_dropped_stream_that_only_waited_leaves_the_line() {
    let (tx, rx) = chan::<u32>(0);
    let mut stream = rx.clone();
    next(&mut stream).waits();
    drop(stream);
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(rx.receiver_count(), 1);
}

#[test]
fn another_may_take_what_a_stream_was_woken_for() {
    let (tx, mut rx) = chan::<u32>(0);
    let other = rx.clone();
    let mut waits = next(&mut rx);
    waits.waits();
    tx.try_send(1).unwrap();
    assert_eq!(other.try_recv(), Ok(1));
    waits.waits();
    tx.try_send(2).unwrap();
    assert_eq!((waits.wakes(), waits.ready()), (2, Some(2)));
}

#[test]
fn order_survives_a_stream_that_is_slow_to_come() {
    let (tx, rx) = chan::<u32>(4);
    let mut stream = rx.clone();
    let mut slow = next(&mut stream);
    slow.waits();
    let mut second = waiting(rx.recv());
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    // The second is not given 2 before 1 is taken: values leave in order.
    assert_eq!(second.ready(), Some(1));
    assert_eq!(slow.ready(), Some(2));
}

#[test]
fn close_does_not_leave_others_behind_a_stream_that_does_not_come() {
    let (tx, rx) = chan::<u32>(0);
    let mut stream = rx.clone();
    next(&mut stream).waits();
    let mut second = waiting(rx.recv());
    let mut third = waiting(rx.recv());
    tx.try_send(1).unwrap();
    drop(tx);
    assert_eq!((second.wakes(), second.ready()), (1, Some(1)));
    assert_eq!((third.wakes(), third.ready()), (1, None));
    assert_eq!(next(&mut stream).ready(), None);
}

#[test]
fn a_stream_ends_once_nothing_can_come_back() {
    let (tx, rx) = chan::<u32>(0);
    let mut stream = rx.clone();
    let receiver = waiting(rx.recv());
    tx.try_send(1).unwrap();
    drop(tx);
    assert!(!stream.is_terminated());
    let mut waits = next(&mut stream);
    waits.waits();
    drop(receiver);
    assert_eq!((waits.wakes(), waits.ready()), (1, Some(1)));
    drop(waits);
    assert!(stream.is_terminated());
    assert_eq!(next(&mut stream).ready(), None);
}

#[test]
fn a_stream_follows_its_task() {
    let (tx, mut rx) = chan::<u32>(0);
    next(&mut rx).waits();
    let mut elsewhere = next(&mut rx);
    elsewhere.waits();
    tx.try_send(1).unwrap();
    assert_eq!((elsewhere.wakes(), elsewhere.ready()), (1, Some(1)));
}

// What one can ask

#[test]
fn observers() {
    let (tx, rx) = chan::<u32>(2);
    assert_eq!((tx.capacity(), rx.capacity()), (Some(2), Some(2)));
    for len in 0..=2 {
        assert_eq!((tx.len(), rx.len()), (len, len));
        assert_eq!((tx.is_empty(), rx.is_full()), (len == 0, len == 2));
        let _ = tx.try_send(7);
    }
    assert_eq!(unbounded::<u32>().0.capacity(), None);
    assert!(!unbounded::<u32>().1.is_full());
    let (alone, _) = chan::<u32>(0);
    assert!(alone.is_closed(), "its receiver is gone");
}

#[test]
fn counts_follow_the_handles() {
    let (tx, rx) = chan::<u32>(2);
    let (tx2, rx2, rx3) = (tx.clone(), rx.clone(), rx.clone());
    assert_eq!((rx.sender_count(), tx.receiver_count()), (2, 3));
    drop((tx2, rx2));
    assert_eq!((tx.sender_count(), rx.receiver_count()), (1, 2));
    assert!(rx.same_channel(&rx3) && rx.same_channel(&tx) && tx.same_channel(&rx3));
    assert!(!chan::<u32>(0).0.same_channel(&tx));
}

#[test]
fn a_weak_sender_keeps_nothing_open() {
    let (tx, rx) = chan::<u32>(2);
    let weak = tx.downgrade();
    let again = weak.clone().upgrade().unwrap();
    assert_eq!(rx.sender_count(), 2);
    again.try_send(1).unwrap();
    drop((tx, again));
    assert!(rx.is_closed() && weak.upgrade().is_none());
    assert_eq!((rx.try_recv(), rx.sender_count()), (Ok(1), 0));
}

#[test]
fn nothing_ever_arrives_on_never() {
    let rx = never::<u32>();
    let mut receiver = waiting(rx.recv());
    assert_eq!((rx.is_closed(), rx.sender_count(), rx.len()), (false, 0, 0));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    receiver.waits();
    drop(receiver);
    let late = block_on(rx.recv_timeout(A_WHILE));
    assert_eq!(late, Err(RecvTimeoutError::Timeout));
}

#[test]
fn handles_and_futures_go_where_they_should() {
    fn travels<T: Send + Sync + Debug>(_: &T) {}
    fn unpin<T: Unpin>(_: &T) {}
    fn unwinds<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>(_: &T) {}
    fn sends<T: Send>(_: &T) {}
    let (tx, rx) = chan::<std::cell::Cell<u32>>(1);
    travels(&tx);
    travels(&rx);
    travels(&tx.downgrade());
    travels(&tx.send(Default::default()));
    travels(&rx.recv());
    sends(&rx.recv_timeout(LONG));
    sends(&tx.send_timeout(Default::default(), LONG));
    travels(&rx.iter_blocking());
    travels(
        &tx.try_send(Default::default())
            .map_err(|error| error.is_full()),
    );
    unpin(&tx);
    unpin(&rx);
    unwinds(&tx);
    unwinds(&rx);
    // What cannot travel can still be sent within a thread.
    let (tx, rx) = chan::<std::rc::Rc<u32>>(1);
    tx.try_send(std::rc::Rc::new(1)).unwrap();
    assert_eq!(*rx.try_recv().unwrap(), 1);
}

#[test]
fn debug_and_display() {
    struct Opaque;
    let (tx, rx) = chan::<Opaque>(3);
    tx.try_send(Opaque).unwrap();
    for text in [
        format!("{tx:?}"),
        format!("{rx:?}"),
        format!("{:?}", rx.recv()),
    ] {
        assert!(
            text.contains("capacity: Some(3)") && text.contains("len: 1"),
            "{text}"
        );
    }
    rx.close();
    let error = tx.try_send(Opaque).unwrap_err();
    assert_eq!(
        format!("{error:?} {error}"),
        "Closed(..) sending on a closed channel"
    );
    let boxed: Box<dyn std::error::Error + Send + Sync> = SendError(7).into();
    assert_eq!(boxed.to_string(), "sending on a closed channel");
    assert_eq!(TrySendError::from(SendError(7)), TrySendError::Closed(7));
    assert_eq!(SendTimeoutError::from(SendError(7)).into_inner(), 7);
    assert!(RecvTimeoutError::Timeout.to_string().contains("timed out"));
}

#[test]
#[should_panic(expected = "`Recv` polled after it was ready")]
fn a_finished_recv_is_not_polled_again() {
    let (tx, rx) = chan::<u32>(1);
    tx.try_send(1).unwrap();
    let mut receiver = hand(rx.recv());
    receiver.ready();
    let _ = receiver.poll();
}

#[test]
#[should_panic(expected = "`Send` polled after it was ready")]
fn a_finished_send_is_not_polled_again() {
    let (tx, _rx) = chan::<u32>(1);
    let mut sender = hand(tx.send(1));
    sender.ready().unwrap();
    let _ = sender.poll();
}

// Company

/// With one worker, a goroutine that always finds its channel ready must still let others run.
#[test]
fn who_never_waits_starves_nobody() {
    async fn send_and_receive(done: Arc<AtomicBool>) {
        let (tx, rx) = unbounded::<u32>();
        while !done.load(Relaxed) {
            tx.send(1).await.unwrap();
            rx.recv().await.unwrap();
        }
    }
    async fn stream(done: Arc<AtomicBool>) {
        let (tx, mut rx) = unbounded::<u32>();
        while !done.load(Relaxed) {
            tx.try_send(1).unwrap();
            rx.next().await.unwrap();
        }
    }
    let runtime = Builder::current_thread().build().unwrap();
    runtime.block_on(async {
        let done = Arc::new(AtomicBool::new(false));
        let greedy = [go(send_and_receive(done.clone())), go(stream(done.clone()))];
        let modest = go({
            let done = done.clone();
            async move { done.store(true, Relaxed) }
        });
        modest.await.unwrap();
        for goroutine in greedy {
            goroutine.await.unwrap();
        }
    });
}

/// Runs a closure whenever it is cloned, woken or dropped.
struct Busy(Box<dyn Fn() + Send + Sync>);

impl Busy {
    fn waker(f: impl Fn() + Send + Sync + 'static) -> Waker {
        Waker::from(Arc::new(Busy(Box::new(f))))
    }
}

impl Wake for Busy {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn wakers_may_use_the_channel() {
    let (tx, rx) = chan::<u32>(1);
    let calls = Arc::new(AtomicUsize::new(0));
    let waker = Busy::waker({
        let (tx, rx, calls) = (tx.clone(), rx.clone(), calls.clone());
        move || {
            calls.fetch_add(1, Relaxed);
            let _ = tx.try_send(9);
            let _ = rx.try_recv();
            let _ = (tx.len(), rx.is_closed(), format!("{tx:?}"));
        }
    });
    let mut cx = Context::from_waker(&waker);
    {
        let mut receiver = Box::pin(rx.recv());
        assert!(receiver.as_mut().poll(&mut cx).is_pending());
        tx.try_send(1).unwrap();
        assert_eq!(receiver.as_mut().poll(&mut cx), Poll::Ready(Some(1)));
        let mut leaves = Box::pin(rx.recv());
        assert!(leaves.as_mut().poll(&mut cx).is_pending());
        drop(leaves);
        tx.try_send(2).unwrap();
        let mut sender = Box::pin(tx.send(3));
        assert!(sender.as_mut().poll(&mut cx).is_pending());
        rx.close();
        assert!(sender.as_mut().poll(&mut cx).is_ready());
    }
    assert!(calls.load(Relaxed) >= 2);
    // The last reference to the channel is in its own waker.
    drop((tx, rx));
    drop(waker);
}

#[test]
fn destructors_may_use_the_channel() {
    struct Nosy(Option<Sender<Nosy>>, Arc<AtomicUsize>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
            if let Some(tx) = self.0.take() {
                let refused = tx.try_send(Nosy(None, self.1.clone()));
                assert!(refused.is_err_and(|error| error.is_closed()));
                let _ = (tx.len(), tx.close());
            }
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let (tx, rx) = chan::<Nosy>(4);
    for _ in 0..3 {
        let nosy = Nosy(Some(tx.clone()), drops.clone());
        assert!(tx.try_send(nosy).is_ok());
    }
    drop(rx);
    assert_eq!(drops.load(Relaxed), 6);
}

#[test]
fn destructors_that_panic_harm_no_other_value() {
    struct Bomb(Arc<AtomicUsize>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            panic!("dropped");
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let (tx, rx) = chan::<Bomb>(4);
    for _ in 0..4 {
        assert!(tx.try_send(Bomb(drops.clone())).is_ok());
    }
    drop(rx);
    assert_eq!(drops.load(Relaxed), 4);
    assert!(tx.is_closed() && tx.is_empty());
}

#[test]
fn a_waker_that_panics_harms_nobody() {
    let (tx, rx) = chan::<u32>(1);
    // It panics when woken, not when dropped.
    let first = AtomicBool::new(true);
    let waker = Busy::waker(move || {
        if first.swap(false, Relaxed) {
            panic!("woken")
        }
    });
    let mut bad = Box::pin(rx.recv());
    let mut cx = Context::from_waker(&waker);
    assert!(bad.as_mut().poll(&mut cx).is_pending());
    let mut good = waiting(rx.recv());
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert_eq!(bad.as_mut().poll(&mut cx), Poll::Ready(Some(1)));
    assert_eq!((good.wakes(), good.ready()), (1, Some(2)));
}

#[test]
fn values_of_all_sizes() {
    fn through<T: Send + Clone + PartialEq + Debug>(value: T) {
        for capacity in [0, 1, 40] {
            let (tx, rx) = chan(capacity);
            let mut receiver = waiting(rx.recv());
            tx.try_send(value.clone()).unwrap();
            assert_eq!(receiver.ready(), Some(value.clone()));
            for _ in 0..capacity {
                tx.try_send(value.clone()).unwrap();
            }
            let mut sender = waiting(tx.send(value.clone()));
            for _ in 0..=capacity {
                assert_eq!(now(rx.recv()), Some(value.clone()));
            }
            assert_eq!(sender.ready(), Ok(()));
        }
    }
    through(());
    through(1u8);
    through([7u64; 200]);
    through(String::from("text"));
    through(Some(Box::new(1)));
}

#[test]
fn a_hundred_thousand_receivers_wait_and_go() {
    const COUNT: usize = 100_000;
    block_on(async {
        let (tx, rx) = chan::<usize>(0);
        let rx = Arc::new(rx);
        let receivers: Vec<_> = (0..COUNT)
            .map(|_| {
                let rx = rx.clone();
                go(async move { rx.recv().await.is_some() })
            })
            .collect();
        for value in 0..COUNT / 2 {
            tx.send(value).await.unwrap();
        }
        tx.close();
        let mut received = 0;
        for receiver in receivers {
            received += usize::from(receiver.await.unwrap());
        }
        assert_eq!(received, COUNT / 2);
    });
}

#[test]
fn a_channel_joins_two_runtimes() {
    let (one, two) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let (tx, rx) = chan::<u32>(0);
    let (back_tx, back) = chan::<u32>(0);
    let partner = two.go(async move {
        while let Some(value) = rx.recv().await {
            back_tx.send(value).await.unwrap();
        }
    });
    one.block_on(async {
        for value in 0..500 {
            tx.send(value).await.unwrap();
            assert_eq!(back.recv().await, Some(value));
        }
        drop(tx);
    });
    two.block_on(partner).unwrap();
}

/// A channel outlives a runtime whose goroutines waited on it.
#[test]
fn a_runtime_that_goes_leaves_the_line() {
    let (tx, rx) = chan::<u32>(0);
    let runtime = Runtime::new().unwrap();
    let receiver = runtime.go({
        let rx = rx.clone();
        async move { rx.recv().await }
    });
    while rx.receiver_count() < 2 || tx.try_send(1).is_err() {
        thread::yield_now();
    }
    // A second one, which is still in line when the runtime goes.
    assert_eq!(runtime.block_on(receiver).unwrap(), Some(1));
    drop(runtime.go({
        let rx = rx.clone();
        async move { rx.recv().await }
    }));
    runtime.block_on(gorust::time::sleep(A_WHILE));
    drop(runtime);
    assert_eq!(rx.receiver_count(), 1);
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    assert!(
        pin!(rx)
            .as_mut()
            .poll_next(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
}
