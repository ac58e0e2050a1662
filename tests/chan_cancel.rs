//! Futures of channels dropped at any moment: every value is received once, or comes back, or is
//! dropped, and whoever can go on is woken.

mod by_hand;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use by_hand::{Hand, hand, now, waiting};
use futures_lite::StreamExt;
use gorust::chan::{Receiver, SendError, Sender, TryRecvError, TrySendError};
use gorust::{block_on, chan, go};

/// Where the tokens are.
#[derive(Default)]
struct Ledger {
    /// Per token: how often it was dropped.
    drops: Mutex<Vec<u32>>,
}

/// A value that can be traced.
struct Token {
    number: usize,
    ledger: Arc<Ledger>,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.ledger.drops.lock().unwrap()[self.number] += 1;
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "token {}", self.number)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Token) -> bool {
        self.number == other.number
    }
}

impl Ledger {
    fn token(self: &Arc<Self>) -> Token {
        let mut drops = self.drops.lock().unwrap();
        drops.push(0);
        Token {
            number: drops.len() - 1,
            ledger: self.clone(),
        }
    }

    fn dropped(&self) -> u32 {
        self.drops.lock().unwrap().iter().sum()
    }

    /// Every token was dropped once.
    #[track_caller]
    fn closes(&self) {
        let drops = self.drops.lock().unwrap();
        assert!(drops.iter().all(|&drops| drops == 1), "{drops:?}");
    }
}

/// A channel with traced values.
fn traced(capacity: usize) -> (Arc<Ledger>, Sender<Token>, Receiver<Token>) {
    let (tx, rx) = chan(capacity);
    (Arc::default(), tx, rx)
}

fn number(token: Option<Token>) -> Option<usize> {
    token.map(|token| token.number)
}

const CAPACITIES: [usize; 3] = [0, 1, 5];

// One future, at each point of its life

#[test]
fn recv_dropped_before_its_first_poll() {
    for capacity in CAPACITIES {
        let (ledger, tx, rx) = traced(capacity);
        drop(rx.recv());
        let mut other = waiting(rx.recv());
        drop(rx.recv());
        tx.try_send(ledger.token()).unwrap();
        assert_eq!(number(other.ready()), Some(0));
        ledger.closes();
    }
}

#[test]
fn recv_dropped_while_it_waits() {
    for capacity in CAPACITIES {
        for leaver in 0..3 {
            let (ledger, tx, rx) = traced(capacity);
            let mut line: Vec<_> = (0..3).map(|_| waiting(rx.recv())).collect();
            assert!(line[leaver].is_registered());
            drop(line.remove(leaver));
            for (expected, receiver) in line.iter_mut().enumerate() {
                tx.try_send(ledger.token()).unwrap();
                assert_eq!(receiver.wakes(), 1);
                assert_eq!(number(receiver.ready()), Some(expected));
            }
            ledger.closes();
        }
    }
}

#[test]
fn recv_dropped_with_a_value_for_the_next() {
    for capacity in CAPACITIES {
        let (ledger, tx, rx) = traced(capacity);
        let first = waiting(rx.recv());
        let mut second = waiting(rx.recv());
        tx.try_send(ledger.token()).unwrap();
        assert_eq!((first.wakes(), second.wakes()), (1, 0));
        drop(first);
        assert_eq!(second.wakes(), 1);
        assert_eq!(number(second.ready()), Some(0));
        ledger.closes();
    }
}

#[test]
fn recv_dropped_with_a_value_for_nobody() {
    for capacity in CAPACITIES {
        let (ledger, tx, rx) = traced(capacity);
        let receiver = waiting(rx.recv());
        tx.try_send(ledger.token()).unwrap();
        assert_eq!(tx.len(), 0);
        drop(receiver);
        assert_eq!((tx.len(), ledger.dropped()), (1, 0));
        assert_eq!(number(now(rx.recv())), Some(0));
        ledger.closes();
    }
}

#[test]
fn recv_dropped_with_a_value_that_nobody_will_receive() {
    let (ledger, tx, rx) = traced(1);
    let receiver = waiting(rx.recv());
    tx.try_send(ledger.token()).unwrap();
    drop(receiver);
    drop(rx);
    ledger.closes();
    assert!(tx.is_closed());
}

#[test]
fn recv_dropped_after_it_was_ready() {
    for capacity in CAPACITIES {
        let (ledger, tx, rx) = traced(capacity);
        let mut receiver = waiting(rx.recv());
        tx.try_send(ledger.token()).unwrap();
        assert_eq!(number(receiver.ready()), Some(0));
        drop(receiver);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        ledger.closes();
    }
}

#[test]
fn recv_dropped_after_the_channel_closed() {
    let (ledger, tx, rx) = traced(1);
    let receiver = waiting(rx.recv());
    drop(tx);
    assert_eq!(receiver.wakes(), 1);
    drop(receiver);
    assert_eq!(now(rx.recv()), None);
    ledger.closes();
}

#[test]
fn a_value_that_is_passed_on_again_and_again() {
    let (ledger, tx, rx) = traced(0);
    let mut line: Vec<_> = (0..10).map(|_| waiting(rx.recv())).collect();
    let mut last = waiting(rx.recv());
    tx.try_send(ledger.token()).unwrap();
    while !line.is_empty() {
        assert_eq!((line[0].wakes(), last.wakes()), (1, 0));
        drop(line.remove(0));
    }
    assert_eq!(number(last.ready()), Some(0));
    ledger.closes();
}

/// Those with values in their hands leave in any order: the values keep theirs.
#[test]
fn values_that_come_back_keep_their_order() {
    for leaving in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let (ledger, tx, rx) = traced(4);
        let mut line: Vec<_> = (0..3).map(|_| Some(waiting(rx.recv()))).collect();
        for _ in 0..5 {
            tx.try_send(ledger.token()).unwrap();
        }
        leaving.into_iter().for_each(|place| line[place] = None);
        for expected in 0..5 {
            assert_eq!(number(rx.try_recv().ok()), Some(expected));
        }
        ledger.closes();
    }
}

#[test]
fn values_that_come_back_twice_keep_their_order() {
    let (ledger, tx, rx) = traced(0);
    let first = waiting(rx.recv());
    let second = waiting(rx.recv());
    tx.try_send(ledger.token()).unwrap();
    tx.try_send(ledger.token()).unwrap();
    let third = waiting(rx.recv());
    let fourth = waiting(rx.recv());
    // 1 goes to the third, 0 to the fourth.
    drop(second);
    drop(first);
    assert_eq!((third.wakes(), fourth.wakes()), (1, 1));
    drop(third);
    drop(fourth);
    assert_eq!(number(rx.try_recv().ok()), Some(0));
    assert_eq!(number(rx.try_recv().ok()), Some(1));
    ledger.closes();
}

#[test]
fn send_dropped_before_its_first_poll() {
    for capacity in CAPACITIES {
        let (ledger, tx, rx) = traced(capacity);
        drop(tx.send(ledger.token()));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        ledger.closes();
    }
}

#[test]
fn send_dropped_while_it_waits() {
    for capacity in CAPACITIES {
        for leaver in 0..3 {
            let (ledger, tx, rx) = traced(capacity);
            for _ in 0..capacity {
                tx.try_send(ledger.token()).unwrap();
            }
            let mut line: Vec<_> = (0..3).map(|_| waiting(tx.send(ledger.token()))).collect();
            drop(line.remove(leaver));
            assert_eq!(ledger.dropped(), 1, "its own value, no other");
            let rest: Vec<usize> = std::iter::from_fn(|| number(rx.try_recv().ok())).collect();
            let others = (0..capacity + 3).filter(|&token| token != capacity + leaver);
            assert!(rest.into_iter().eq(others));
            for sender in &mut line {
                assert_eq!((sender.wakes(), sender.ready()), (1, Ok(())));
            }
            ledger.closes();
        }
    }
}

#[test]
fn send_dropped_after_its_value_was_taken() {
    for capacity in CAPACITIES {
        let (ledger, tx, rx) = traced(capacity);
        for _ in 0..capacity {
            tx.try_send(ledger.token()).unwrap();
        }
        let sender = waiting(tx.send(ledger.token()));
        for expected in 0..=capacity {
            assert_eq!(number(rx.try_recv().ok()), Some(expected));
        }
        assert_eq!(sender.wakes(), 1);
        drop(sender);
        ledger.closes();
    }
}

#[test]
fn send_dropped_after_the_channel_closed() {
    let (ledger, tx, rx) = traced(0);
    let sender = waiting(tx.send(ledger.token()));
    let mut other = waiting(tx.send(ledger.token()));
    rx.close();
    drop(sender);
    assert_eq!(ledger.dropped(), 1);
    assert_eq!(other.ready().unwrap_err().into_inner().number, 1);
    ledger.closes();
}

#[test]
fn send_dropped_after_it_was_ready() {
    let (ledger, tx, rx) = traced(1);
    let mut sender = hand(tx.send(ledger.token()));
    sender.ready().unwrap();
    drop(sender);
    assert_eq!(number(rx.try_recv().ok()), Some(0));
    ledger.closes();
}

#[test]
fn timeouts_dropped_in_each_phase() {
    block_on(async {
        let limit = Duration::from_secs(60);
        let (ledger, tx, rx) = traced(0);
        drop((
            rx.recv_timeout(limit),
            tx.send_timeout(ledger.token(), limit),
        ));
        drop(waiting(rx.recv_timeout(limit)));
        drop(waiting(tx.send_timeout(ledger.token(), limit)));
        assert_eq!(ledger.dropped(), 2);
        let receiver = waiting(rx.recv_timeout(limit));
        tx.try_send(ledger.token()).unwrap();
        drop(receiver);
        assert_eq!(number(rx.try_recv().ok()), Some(2));
        let sender = waiting(tx.send_timeout(ledger.token(), limit));
        assert_eq!(number(rx.try_recv().ok()), Some(3));
        drop(sender);
        ledger.closes();
    });
}

/// The value comes after the last poll, and before the time is up: it is not thrown away.
#[test]
fn a_value_that_comes_just_before_the_limit() {
    let limit = Duration::from_millis(5);
    let (ledger, tx, rx) = traced(0);
    let mut receiver = waiting(rx.recv_timeout(limit));
    tx.try_send(ledger.token()).unwrap();
    std::thread::sleep(limit * 2);
    assert_eq!(receiver.ready().map(|token| token.number), Ok(0));
    let mut sender = waiting(tx.send_timeout(ledger.token(), limit));
    assert_eq!(number(rx.try_recv().ok()), Some(1));
    std::thread::sleep(limit * 2);
    assert_eq!(sender.ready(), Ok(()));
    ledger.closes();
}

#[test]
fn stream_dropped_in_each_phase() {
    let (ledger, tx, rx) = traced(1);
    // Never polled.
    drop(rx.clone());
    // In line.
    let mut stream = rx.clone();
    hand(stream.next()).waits();
    drop(stream);
    // Woken: the value is in the buffer.
    let mut stream = rx.clone();
    hand(stream.next()).waits();
    tx.try_send(ledger.token()).unwrap();
    drop(stream);
    assert_eq!(number(rx.try_recv().ok()), Some(0));
    // Woken by the end.
    let mut stream = rx.clone();
    hand(stream.next()).waits();
    drop(tx);
    drop(stream);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    ledger.closes();
}

// Many futures, at random

/// A xorshift generator: the same seed, the same story.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

type Receiving = Hand<'static, Option<Token>>;
type Sending = Hand<'static, Result<(), SendError<Token>>>;

/// A future, and how often it had been woken when it was last polled.
struct Waits<T> {
    future: Hand<'static, T>,
    seen: Option<usize>,
}

impl<T> Waits<T> {
    fn new(future: Hand<'static, T>) -> Waits<T> {
        Waits { future, seen: None }
    }

    fn poll(&mut self) -> Option<T> {
        self.seen = Some(self.future.wakes());
        match self.future.poll() {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }

    fn is_woken(&self) -> bool {
        self.seen.is_some_and(|seen| self.future.wakes() > seen)
    }

    fn is_waiting(&self) -> bool {
        self.seen.is_some()
    }
}

struct Story {
    ledger: Arc<Ledger>,
    tx: Arc<Sender<Token>>,
    rx: Arc<Receiver<Token>>,
    capacity: usize,
    receiving: Vec<Waits<Option<Token>>>,
    sending: Vec<Waits<Result<(), SendError<Token>>>>,
    received: Vec<usize>,
    ended: bool,
}

impl Story {
    fn new(capacity: usize) -> Story {
        let (ledger, tx, rx) = traced(capacity);
        Story {
            ledger,
            tx: tx.into(),
            rx: rx.into(),
            capacity,
            receiving: Vec::new(),
            sending: Vec::new(),
            received: Vec::new(),
            ended: false,
        }
    }

    fn recv(&self) -> Receiving {
        let rx = self.rx.clone();
        hand(async move { rx.recv().await })
    }

    /// A stream of its own for one value.
    fn next(&self) -> Receiving {
        let mut rx = (*self.rx).clone();
        hand(async move { rx.next().await })
    }

    fn send(&self) -> Sending {
        let (tx, token) = (self.tx.clone(), self.ledger.token());
        hand(async move { tx.send(token).await })
    }

    fn accept(&mut self, token: Option<Token>) {
        match token {
            Some(token) => self.received.push(token.number),
            None => assert!(self.ended, "the end before the end"),
        }
    }

    fn poll_receiving(&mut self, place: usize) {
        if let Some(token) = self.receiving[place].poll() {
            self.receiving.remove(place);
            self.accept(token);
        }
    }

    fn poll_sending(&mut self, place: usize) {
        if let Some(sent) = self.sending[place].poll() {
            self.sending.remove(place);
            assert!(sent.is_ok() || self.ended, "closed before the end");
        }
    }

    fn step(&mut self, dice: &mut Dice, streams: bool) {
        match dice.below(12) {
            0 | 1 => self.receiving.push(Waits::new(self.recv())),
            2 if streams => self.receiving.push(Waits::new(self.next())),
            2..=4 => self.sending.push(Waits::new(self.send())),
            5 | 6 if !self.receiving.is_empty() => {
                let place = dice.below(self.receiving.len());
                self.poll_receiving(place);
            }
            7 | 8 if !self.sending.is_empty() => {
                let place = dice.below(self.sending.len());
                self.poll_sending(place);
            }
            9 if !self.receiving.is_empty() => {
                let place = dice.below(self.receiving.len());
                drop(self.receiving.remove(place));
            }
            10 if !self.sending.is_empty() => {
                let place = dice.below(self.sending.len());
                drop(self.sending.remove(place));
            }
            11 if dice.below(2) == 0 => match self.rx.try_recv() {
                Ok(token) => self.accept(Some(token)),
                Err(error) => assert_eq!(error.is_closed(), self.ended),
            },
            11 => match self.tx.try_send(self.ledger.token()) {
                Ok(()) => assert!(!self.ended),
                Err(TrySendError::Full(_)) => assert!(self.tx.len() >= self.capacity),
                Err(TrySendError::Closed(_)) => assert!(self.ended),
            },
            _ => {}
        }
    }

    /// Polls whoever was woken, until nobody is; then nobody may wait who could go on.
    fn settle(&mut self) {
        loop {
            if let Some(place) = self.receiving.iter().position(Waits::is_woken) {
                self.poll_receiving(place);
            } else if let Some(place) = self.sending.iter().position(Waits::is_woken) {
                self.poll_sending(place);
            } else {
                break;
            }
        }
        let receivers_wait = self.receiving.iter().any(Waits::is_waiting);
        let senders_wait = self.sending.iter().any(Waits::is_waiting);
        let len = self.rx.len();
        assert!(
            !(receivers_wait && len > 0),
            "a receiver sleeps beside a value"
        );
        assert!(!(receivers_wait && senders_wait), "both sides sleep");
        assert!(
            !senders_wait || len >= self.capacity,
            "a sender sleeps beside a slot"
        );
        assert!(
            !self.ended || !(receivers_wait || senders_wait),
            "asleep after the end"
        );
    }

    fn end(mut self, dice: &mut Dice) {
        self.settle();
        for _ in 0..10 {
            self.step(dice, true);
        }
        self.ended = self.tx.close();
        assert!(self.ended);
        self.settle();
        if dice.below(2) == 0 {
            // Whatever was begun and not polled finds the end.
            for waits in std::mem::take(&mut self.receiving) {
                let mut waits = waits;
                if let Some(token) = waits.poll() {
                    self.accept(token);
                } else {
                    self.receiving.push(waits);
                }
            }
            self.settle();
            assert!(self.receiving.is_empty());
        }
        let ledger = self.ledger.clone();
        let received = std::mem::take(&mut self.received);
        drop(self);
        ledger.closes();
        let mut once = received.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), received.len(), "received twice");
    }
}

fn stories(streams: bool) {
    for seed in 1..=400u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut story = Story::new([0, 1, 2, 7][seed as usize % 4]);
        for _ in 0..60 {
            for _ in 0..dice.below(12) {
                story.step(&mut dice, streams);
            }
            story.settle();
        }
        story.end(&mut dice);
    }
}

#[test]
fn random_stories() {
    stories(false);
}

#[test]
fn random_stories_with_streams() {
    stories(true);
}

/// If whoever is woken is polled at once, values come out in the order of their numbers, which is
/// the order in which their senders were first polled.
#[test]
fn random_stories_are_first_in_first_out() {
    for seed in 1..=200u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut story = Story::new([0, 1, 2, 7][seed as usize % 4]);
        for _ in 0..300 {
            match dice.below(5) {
                0 | 1 => {
                    let receiving = Waits::new(story.recv());
                    story.receiving.push(receiving);
                    story.poll_receiving(story.receiving.len() - 1);
                }
                2 | 3 => {
                    let sending = Waits::new(story.send());
                    story.sending.push(sending);
                    story.poll_sending(story.sending.len() - 1);
                }
                _ if dice.below(2) == 0 && !story.sending.is_empty() => {
                    let place = dice.below(story.sending.len());
                    drop(story.sending.remove(place));
                }
                _ if !story.receiving.is_empty() => {
                    let place = dice.below(story.receiving.len());
                    drop(story.receiving.remove(place));
                }
                _ => {}
            }
            story.settle();
        }
        assert!(story.received.is_sorted(), "{:?}", story.received);
        assert!(story.received.len() > 20);
    }
}

// Many goroutines, ended from outside

/// Receivers are aborted all the time; every value that was sent is received by another.
#[test]
fn aborted_receivers_lose_nothing() {
    const COUNT: usize = 3000;
    for capacity in [0, 3] {
        block_on(async {
            let (ledger, tx, rx) = traced(capacity);
            let received = Arc::new(AtomicUsize::new(0));
            let sender = go({
                let ledger = ledger.clone();
                async move {
                    for _ in 0..COUNT {
                        tx.send(ledger.token()).await.unwrap();
                    }
                }
            });
            let mut dice = Dice(7);
            while received.load(Relaxed) < COUNT {
                let receivers: Vec<_> = (0..4)
                    .map(|_| {
                        let (rx, received) = (rx.clone(), received.clone());
                        go(async move {
                            while rx.recv().await.is_some() {
                                received.fetch_add(1, Relaxed);
                            }
                        })
                    })
                    .collect();
                for _ in 0..dice.below(6) {
                    gorust::yield_now().await;
                }
                for receiver in receivers {
                    receiver.abort();
                    let _ = receiver.await;
                }
            }
            sender.await.unwrap();
            assert_eq!(received.load(Relaxed), COUNT);
            assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
            ledger.closes();
        });
    }
}

/// Senders are aborted all the time; a value is received or dropped, and nobody is stuck.
#[test]
fn aborted_senders_harm_nobody_else() {
    for capacity in [0, 3] {
        block_on(async {
            let (ledger, tx, rx) = traced(capacity);
            let receiver = go(async move {
                let mut received = Vec::new();
                while let Some(token) = rx.recv().await {
                    received.push(token.number);
                    gorust::yield_now().await;
                }
                received
            });
            let mut dice = Dice(11);
            for _ in 0..300 {
                let senders: Vec<_> = (0..4)
                    .map(|_| {
                        let (tx, ledger) = (tx.clone(), ledger.clone());
                        go(async move {
                            for _ in 0..3 {
                                tx.send(ledger.token()).await.unwrap();
                            }
                        })
                    })
                    .collect();
                for _ in 0..dice.below(4) {
                    gorust::yield_now().await;
                }
                for sender in senders {
                    sender.abort();
                    let _ = sender.await;
                }
            }
            tx.send(ledger.token()).await.unwrap();
            let last = ledger.drops.lock().unwrap().len() - 1;
            drop(tx);
            let mut received = receiver.await.unwrap();
            assert_eq!(received.last(), Some(&last));
            received.sort_unstable();
            let all = received.len();
            received.dedup();
            assert_eq!(received.len(), all, "received twice");
            ledger.closes();
        });
    }
}

/// Streams that give up while others wait.
#[test]
fn abandoned_streams_lose_nothing() {
    const COUNT: usize = 2000;
    block_on(async {
        let (ledger, tx, rx) = traced(0);
        let received = Arc::new(AtomicUsize::new(0));
        let steady: Vec<_> = (0..2)
            .map(|_| {
                let (rx, received) = (rx.clone(), received.clone());
                go(async move {
                    while rx.recv().await.is_some() {
                        received.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        let fickle = go({
            let received = received.clone();
            async move {
                while received.load(Relaxed) < COUNT {
                    let mut stream = rx.clone();
                    let next = gorust::time::timeout(Duration::from_micros(50), stream.next());
                    if let Ok(Some(_)) = next.await {
                        received.fetch_add(1, Relaxed);
                    }
                }
            }
        });
        for _ in 0..COUNT {
            tx.send(ledger.token()).await.unwrap();
        }
        drop(tx);
        for receiver in steady {
            receiver.await.unwrap();
        }
        fickle.await.unwrap();
        assert_eq!(received.load(Relaxed), COUNT);
        ledger.closes();
    });
}

/// A runtime that shuts down drops its goroutines' futures: what they held goes on.
#[test]
fn a_runtime_that_goes_loses_nothing() {
    for _ in 0..20 {
        let (ledger, tx, rx) = traced(2);
        let received = Arc::new(AtomicUsize::new(0));
        let runtime = gorust::runtime::Runtime::new().unwrap();
        for _ in 0..4 {
            let (rx, received) = (rx.clone(), received.clone());
            drop(runtime.go(async move {
                while rx.recv().await.is_some() {
                    received.fetch_add(1, Relaxed);
                }
            }));
        }
        for _ in 0..100 {
            tx.send_blocking(ledger.token()).unwrap();
        }
        drop(runtime);
        let rest = std::iter::from_fn(|| rx.try_recv().ok()).count();
        assert_eq!(received.load(Relaxed) + rest, 100);
        ledger.closes();
    }
}
