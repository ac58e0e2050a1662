//! The table of `chan`, cell by cell: each row runs on a fresh channel in each state.

use super::*;
use crate::by_hand::{Hand, hand, now, waiting};

/// Values that state `at` holds are 1, 2, ..; those that the row sends are 10, 11, ..
struct At {
    tx: std::sync::Arc<Sender<u32>>,
    rx: std::sync::Arc<Receiver<u32>>,
    receivers: Vec<Hand<'static, Option<u32>>>,
    senders: Vec<Hand<'static, Result<(), SendError<u32>>>>,
}

impl At {
    fn new(capacity: usize) -> At {
        let (tx, rx) = chan(capacity);
        At {
            tx: tx.into(),
            rx: rx.into(),
            receivers: Vec::new(),
            senders: Vec::new(),
        }
    }

    fn recv(&self) -> Hand<'static, Option<u32>> {
        let rx = self.rx.clone();
        hand(async move { rx.recv().await })
    }

    fn send(&self, value: u32) -> Hand<'static, Result<(), SendError<u32>>> {
        let tx = self.tx.clone();
        hand(async move { tx.send(value).await })
    }

    fn with_receivers(mut self, count: usize) -> At {
        for _ in 0..count {
            let mut receiver = self.recv();
            receiver.waits();
            self.receivers.push(receiver);
        }
        self
    }

    fn with_senders(mut self, values: &[u32]) -> At {
        for &value in values {
            let mut sender = self.send(value);
            sender.waits();
            self.senders.push(sender);
        }
        self
    }

    fn with(self, values: &[u32]) -> At {
        values
            .iter()
            .for_each(|&value| self.tx.try_send(value).unwrap());
        self
    }

    fn closed(self) -> At {
        assert!(self.tx.close());
        self
    }

    fn rest(&self) -> Vec<u32> {
        std::iter::from_fn(|| self.rx.try_recv().ok()).collect()
    }
}

fn empty() -> At {
    At::new(2)
}
fn partly() -> At {
    At::new(2).with(&[1])
}
fn full() -> At {
    At::new(2).with(&[1, 2])
}
/// A rendezvous nobody has come to: empty and full.
fn rendezvous() -> At {
    At::new(0)
}
fn r() -> At {
    At::new(2).with_receivers(2)
}
fn r_rendezvous() -> At {
    At::new(0).with_receivers(2)
}
fn s() -> At {
    At::new(1).with(&[1]).with_senders(&[2, 3])
}
fn s_rendezvous() -> At {
    At::new(0).with_senders(&[1, 2])
}
fn left() -> At {
    At::new(2).with(&[1]).closed()
}
fn out() -> At {
    At::new(2).with_receivers(1).with(&[1]).closed()
}
fn drained() -> At {
    At::new(2).closed()
}

#[test]
fn send() {
    for at in [empty(), partly()] {
        assert_eq!(at.send(10).ready(), Ok(()));
        assert_eq!(at.rest().last(), Some(&10));
    }
    for at in [full(), rendezvous(), s(), s_rendezvous()] {
        let mut sender = at.send(10);
        sender.waits();
        assert_eq!(at.rest().last(), Some(&10));
        assert_eq!(sender.wakes(), 1);
        assert_eq!(sender.ready(), Ok(()));
    }
    for mut at in [r(), r_rendezvous()] {
        assert_eq!(at.send(10).ready(), Ok(()));
        assert_eq!((at.receivers[0].wakes(), at.receivers[1].wakes()), (1, 0));
        assert_eq!(at.receivers[0].ready(), Some(10));
        at.receivers[1].waits();
    }
    for at in [left(), out(), drained()] {
        assert_eq!(at.send(10).ready(), Err(SendError(10)));
    }
}

#[test]
fn try_send() {
    for at in [empty(), partly()] {
        assert_eq!(at.tx.try_send(10), Ok(()));
        assert_eq!(at.rest().last(), Some(&10));
    }
    for at in [full(), rendezvous(), s(), s_rendezvous()] {
        assert_eq!(at.tx.try_send(10), Err(TrySendError::Full(10)));
    }
    for mut at in [r(), r_rendezvous()] {
        assert_eq!(at.tx.try_send(10), Ok(()));
        assert_eq!((at.receivers[0].wakes(), at.receivers[1].wakes()), (1, 0));
        assert_eq!(at.receivers[0].ready(), Some(10));
    }
    for at in [left(), out(), drained()] {
        assert_eq!(at.tx.try_send(10), Err(TrySendError::Closed(10)));
    }
}

#[test]
fn recv() {
    for at in [empty(), rendezvous(), r(), r_rendezvous()] {
        let mut receiver = at.recv();
        receiver.waits();
        for value in 10..=10 + at.receivers.len() as u32 {
            at.tx.try_send(value).unwrap();
        }
        assert_eq!(receiver.wakes(), 1);
        assert_eq!(receiver.ready(), Some(10 + at.receivers.len() as u32));
    }
    for at in [partly(), full(), left()] {
        assert_eq!(at.recv().ready(), Some(1));
    }
    for mut at in [s(), s_rendezvous()] {
        assert_eq!(at.recv().ready(), Some(1));
        assert_eq!((at.senders[0].wakes(), at.senders[1].wakes()), (1, 0));
        assert_eq!(at.senders[0].ready(), Ok(()));
        at.senders[1].waits();
        assert_eq!(at.recv().ready(), Some(2));
    }
    let mut at = out();
    let mut receiver = at.recv();
    receiver.waits();
    assert_eq!(at.receivers[0].ready(), Some(1));
    assert_eq!(receiver.wakes(), 1);
    assert_eq!(receiver.ready(), None);
    assert_eq!(drained().recv().ready(), None);
}

#[test]
fn try_recv() {
    for at in [empty(), rendezvous(), r(), r_rendezvous(), out()] {
        assert_eq!(at.rx.try_recv(), Err(TryRecvError::Empty));
    }
    for at in [partly(), full(), left()] {
        assert_eq!(at.rx.try_recv(), Ok(1));
    }
    for mut at in [s(), s_rendezvous()] {
        assert_eq!(at.rx.try_recv(), Ok(1));
        assert_eq!((at.senders[0].wakes(), at.senders[1].wakes()), (1, 0));
        assert_eq!(at.senders[0].ready(), Ok(()));
    }
    assert_eq!(drained().rx.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn close() {
    for at in [empty(), partly(), full(), rendezvous()] {
        assert!(at.rx.close() && at.tx.is_closed());
        let count = at.rx.len();
        assert_eq!(at.rest().len(), count);
        assert_eq!(at.rx.try_recv(), Err(TryRecvError::Closed));
    }
    for mut at in [r(), r_rendezvous()] {
        assert!(at.tx.close());
        for receiver in &mut at.receivers {
            assert_eq!(receiver.wakes(), 1);
            assert_eq!(receiver.ready(), None);
        }
    }
    // One of them has a value in its hands: the other has to wait for that.
    let mut at = r().with(&[1]);
    assert!(at.rx.close());
    assert_eq!(at.receivers[1].wakes(), 0);
    at.receivers[1].waits();
    assert_eq!(at.receivers[0].ready(), Some(1));
    assert_eq!(at.receivers[1].ready(), None);
    for (mut at, first) in [(s(), 2), (s_rendezvous(), 1)] {
        assert!(at.rx.close());
        for (sender, value) in at.senders.iter_mut().zip(first..) {
            assert_eq!(sender.wakes(), 1);
            assert_eq!(sender.ready(), Err(SendError(value)));
        }
        assert_eq!(at.rest().len(), first as usize - 1);
    }
    for at in [left(), out(), drained()] {
        assert!(!at.tx.close() && !at.rx.close());
    }
}

#[test]
fn last_sender_gone() {
    for at in [empty(), partly(), full(), rendezvous(), left(), drained()] {
        let count = at.rx.len();
        drop(at.tx);
        assert!(at.rx.is_closed());
        assert_eq!(std::iter::from_fn(|| now(at.rx.recv())).count(), count);
    }
    for at in [r(), r_rendezvous()] {
        drop(at.tx);
        for mut receiver in at.receivers {
            assert_eq!((receiver.wakes(), receiver.ready()), (1, None));
        }
    }
    let mut at = out();
    drop(at.tx);
    assert_eq!(at.rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(at.receivers[0].ready(), Some(1));
    assert_eq!(at.rx.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn last_receiver_gone() {
    for at in [empty(), partly(), full(), rendezvous(), left(), drained()] {
        drop(at.rx);
        assert!(at.tx.is_closed() && at.tx.is_empty());
        assert_eq!(at.tx.try_send(10), Err(TrySendError::Closed(10)));
        assert_eq!(now(at.tx.send(10)), Err(SendError(10)));
        assert!(!at.tx.close());
    }
    for (at, first) in [(s(), 2), (s_rendezvous(), 1)] {
        drop(at.rx);
        assert!(at.tx.is_empty());
        for (mut sender, value) in at.senders.into_iter().zip(first..) {
            assert_eq!(sender.wakes(), 1);
            assert_eq!(sender.ready(), Err(SendError(value)));
        }
    }
}

#[test]
fn waiting_send_dropped() {
    for (mut at, rest) in [(s(), &[1, 3][..]), (s_rendezvous(), &[2])] {
        drop(at.senders.remove(0));
        assert_eq!(at.senders[0].wakes(), 0);
        assert_eq!(at.rest(), rest);
        assert_eq!(at.senders[0].ready(), Ok(()));
    }
    for (mut at, rest) in [(s(), &[1, 2][..]), (s_rendezvous(), &[1])] {
        drop(at.senders.pop());
        assert_eq!(at.rest(), rest);
    }
}

#[test]
fn waiting_recv_dropped() {
    for mut at in [r(), r_rendezvous()] {
        drop(at.receivers.remove(0));
        assert_eq!(at.receivers[0].wakes(), 0);
        at.tx.try_send(10).unwrap();
        assert_eq!(at.receivers[0].ready(), Some(10));
    }
    let mut at = out();
    let mut leaver = at.recv();
    leaver.waits();
    drop(leaver);
    assert_eq!(at.receivers[0].ready(), Some(1));
    assert_eq!(at.rx.try_recv(), Err(TryRecvError::Closed));
}

/// A channel in whatever state, and a receiver with 1 in its hands.
fn with_value_in_hand(capacity: usize) -> (At, Hand<'static, Option<u32>>) {
    let mut at = At::new(capacity).with_receivers(1).with(&[1]);
    let receiver = at.receivers.remove(0);
    assert_eq!(receiver.wakes(), 1);
    (at, receiver)
}

#[test]
fn recv_dropped_with_a_value_in_hand() {
    // Empty; partly; full.
    for (others, rest) in [(&[][..], &[1][..]), (&[2], &[1, 2]), (&[2, 3], &[1, 2, 3])] {
        let (at, receiver) = with_value_in_hand(2);
        let at = at.with(others);
        drop(receiver);
        assert_eq!(at.tx.len(), rest.len());
        assert_eq!(at.tx.is_full(), rest.len() >= 2);
        assert_eq!(at.rest(), rest);
    }
    // A full rendezvous, beyond its capacity now.
    let (at, receiver) = with_value_in_hand(0);
    drop(receiver);
    assert_eq!((at.tx.len(), at.tx.capacity()), (1, Some(0)));
    assert_eq!(at.tx.try_send(10), Err(TrySendError::Full(10)));
    assert_eq!(at.rest(), [1]);
    // Receivers wait: the first gets it.
    for capacity in [0, 2] {
        let (at, receiver) = with_value_in_hand(capacity);
        let mut at = at.with_receivers(2);
        drop(receiver);
        assert_eq!((at.receivers[0].wakes(), at.receivers[1].wakes()), (1, 0));
        assert_eq!(at.receivers[0].ready(), Some(1));
    }
    // Senders wait: they go on when the channel is below its capacity.
    for (capacity, buffered) in [(0, &[][..]), (1, &[2])] {
        let (at, receiver) = with_value_in_hand(capacity);
        let mut at = at.with(buffered).with_senders(&[3]);
        drop(receiver);
        assert_eq!(at.rx.try_recv(), Ok(1));
        assert_eq!(at.senders[0].wakes(), 0);
        assert_eq!(at.rest().last(), Some(&3));
        assert_eq!(at.senders[0].ready(), Ok(()));
    }
    // Closed with values left.
    let (at, receiver) = with_value_in_hand(2);
    let at = at.with(&[2]).closed();
    drop(receiver);
    assert_eq!(at.rest(), [1, 2]);
    // Closed with values out: no one waits, or some do.
    let mut at = out();
    drop(at.receivers.pop());
    assert_eq!(at.rest(), [1]);
    assert_eq!(at.rx.try_recv(), Err(TryRecvError::Closed));
    let mut at = out().with_receivers(2);
    drop(at.receivers.remove(0));
    assert_eq!((at.receivers[0].wakes(), at.receivers[1].wakes()), (1, 0));
    assert_eq!(at.receivers[0].ready(), Some(1));
    assert_eq!(at.receivers[1].ready(), None);
}

#[test]
fn value_in_hand_taken() {
    let mut at = r().with(&[1, 2]).closed();
    let mut others: Vec<_> = (0..2).map(|_| at.recv()).collect();
    others.iter_mut().for_each(Hand::waits);
    assert_eq!(at.receivers[1].ready(), Some(2));
    assert_eq!(others[0].wakes(), 0, "a value is still out");
    assert_eq!(at.receivers[0].ready(), Some(1));
    for other in &mut others {
        assert_eq!((other.wakes(), other.ready()), (1, None));
    }
}

#[test]
fn values_in_hand_come_back_in_their_order() {
    for first in 0..2 {
        let mut at = r().with(&[1, 2, 3]);
        drop(at.receivers.remove(first));
        drop(at.receivers.pop());
        assert_eq!(at.rest(), [1, 2, 3]);
    }
}

#[test]
fn a_capacity_near_the_limit_costs_nothing() {
    let (tx, rx) = chan::<[u64; 100]>(usize::MAX);
    tx.try_send([7; 100]).unwrap();
    assert_eq!(rx.try_recv(), Ok([7; 100]));
    assert_eq!(tx.capacity(), Some(usize::MAX));
    assert!(!tx.is_full());
    let (tx, rx) = chan::<()>(usize::MAX);
    tx.try_send(()).unwrap();
    assert_eq!(rx.len(), 1);
}

#[test]
fn a_channel_is_small() {
    // Two counts of the `Arc`, and what malloc adds.
    let bytes = size_of::<Core<u64>>() + 16 + 16;
    assert!(bytes <= 240, "{bytes}");
    assert_eq!(size_of::<Recv<'_, u64>>(), 56);
    assert_eq!(size_of::<Send<'_, u64>>(), 56);
    assert_eq!(size_of::<Recv<'_, ()>>(), 48);
}

#[test]
fn a_waiting_future_follows_its_task() {
    let (tx, rx) = chan::<u32>(0);
    let mut receiver = waiting(rx.recv());
    receiver.move_to_another_task();
    receiver.waits();
    tx.try_send(1).unwrap();
    assert_eq!(receiver.wakes(), 1);
    drop(receiver);
    let mut sender = waiting(tx.send(2));
    assert_eq!(rx.try_recv(), Ok(1));
    sender.move_to_another_task();
    sender.waits();
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!((sender.wakes(), sender.ready()), (1, Ok(())));
}
