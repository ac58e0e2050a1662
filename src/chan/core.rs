//! One core for every capacity: the queue behind its lock, and what is known without the lock.
//!
//! An operation takes the lock once. One that will have to wait needs a clone of its task's waker,
//! and cloning runs the user's code, so it must be made before the lock is taken: `hint` says
//! beforehand whether it will be needed. A receiver whose value was put into its hands takes it
//! without the lock, and counts that in `taken`.
//!
//! Closing and counting meet in one word: whoever closes sets a flag in `taken` under the lock, and
//! a receiver that finds the flag when it counts takes the lock and winds up. As both are
//! read-modify-writes of one word, either the closer sees the count or the receiver the flag.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::node::Node;
use super::queue::{ONE, Queue, Refusal};
use crate::primitive::atomic::{AtomicU8, AtomicUsize, Ordering};
use crate::primitive::{Mutex, mutated};
use crate::wait::batch::{WakeBatch, drop_quietly, wake};
use crate::wait::list::{Phase, Waiter};

/// In `taken`: the channel is closed.
const CLOSED: usize = 1;

/// In `hint`: a send would not wait.
const MAY_SEND: u8 = 1;
/// In `hint`: a receive would not wait.
const MAY_RECEIVE: u8 = 2;

/// What all handles of a channel share.
#[derive(Debug)]
pub(super) struct Core<T> {
    queue: Mutex<Queue<T>>,
    /// How many values were taken from a receiver's hands, in steps of `ONE`, and `CLOSED`.
    taken: AtomicUsize,
    /// Written under the lock, read anywhere; may be wrong.
    hint: AtomicU8,
    /// How many values the buffer takes before senders wait.
    limit: usize,
    bounded: bool,
    pub(super) senders: AtomicUsize,
    pub(super) receivers: AtomicUsize,
}

impl<T> Core<T> {
    pub(super) fn new(capacity: Option<usize>, senders: usize) -> Core<T> {
        Core {
            queue: Mutex::new(Queue::new()),
            taken: AtomicUsize::new(0),
            hint: AtomicU8::new(if capacity == Some(0) { 0 } else { MAY_SEND }),
            limit: capacity.unwrap_or(usize::MAX),
            bounded: capacity.is_some(),
            senders: AtomicUsize::new(senders),
            receivers: AtomicUsize::new(1),
        }
    }

    /// A transition under the lock.
    #[inline]
    fn locked<R>(&self, transition: impl FnOnce(&mut Queue<T>) -> R) -> R {
        let mut queue = self.queue.lock();
        let result = transition(&mut queue);
        let mut hint = 0;
        if queue.closed || !queue.receivers.is_empty() || queue.buffer.len() < self.limit {
            hint |= MAY_SEND;
        }
        if queue.closed || !queue.senders.is_empty() || !queue.buffer.is_empty() {
            hint |= MAY_RECEIVE;
        }
        self.hint.store(hint, Ordering::Relaxed);
        result
    }

    /// Runs `transition`; if it is refused for now, `enqueue` lets the task of `cx` wait.
    #[inline]
    fn now_or_wait<R>(
        &self,
        may: u8,
        cx: &Context<'_>,
        mut transition: impl FnMut(&mut Queue<T>) -> Result<R, Refusal>,
        mut enqueue: impl FnMut(&mut Queue<T>, Waker),
    ) -> Poll<Option<R>> {
        let will_wait = self.hint.load(Ordering::Relaxed) & may == 0;
        let mut waker = will_wait.then(|| cx.waker().clone());
        loop {
            let answer = self.locked(|queue| {
                if will_wait && mutated!("chan.trust_hint") {
                    enqueue(queue, waker.take()?);
                    return Some(Poll::Pending);
                }
                match transition(queue) {
                    Ok(result) => Some(Poll::Ready(Some(result))),
                    Err(Refusal::Closed) => Some(Poll::Ready(None)),
                    Err(Refusal::Later) => {
                        enqueue(queue, waker.take()?);
                        Some(Poll::Pending)
                    }
                }
            });
            if let Some(answer) = answer {
                if let Some(unused) = waker {
                    drop_quietly(unused);
                }
                return answer;
            }
            // The hint was wrong.
            waker = Some(cx.waker().clone());
        }
    }

    /// Sends the value of `source`, which is not called unless the value is sent.
    #[inline]
    pub(super) fn try_send(&self, source: impl FnOnce() -> T) -> Result<(), Refusal> {
        let waker = self.locked(|queue| queue.offer(self.limit, source))?;
        if let Some(waker) = waker {
            wake(waker);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, Refusal> {
        let (value, waker) = self.locked(|queue| self.take(queue))?;
        if let Some(waker) = waker {
            wake(waker);
        }
        Ok(value)
    }

    #[inline]
    fn take(&self, queue: &mut Queue<T>) -> Result<(T, Option<Waker>), Refusal> {
        // A stale count makes a closed channel look unfinished. Whoever adds to it later finds the
        // flag set, because we hold the lock that it was set under, and winds up after us.
        queue.take(self.limit, || self.taken.load(Ordering::Relaxed))
    }

    /// Sends the node's value, or waits. `Err` gives it back.
    pub(super) fn poll_send(
        &self,
        node: Pin<&Node<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), T>> {
        loop {
            match node.phase() {
                Phase::Idle => return self.start_send(node, cx),
                Phase::Waiting => {
                    if node.waiter().still_waits(&self.queue, cx) {
                        return Poll::Pending;
                    }
                }
                Phase::Granted => {
                    node.finish();
                    return Poll::Ready(Ok(()));
                }
                Phase::Released => {
                    node.finish();
                    // SAFETY: released, so the node is ours and its value still there.
                    return Poll::Ready(Err(unsafe { node.take() }));
                }
                Phase::Finished => panic!("`Send` polled after it was ready"),
            }
        }
    }

    #[inline]
    fn start_send(&self, node: Pin<&Node<T>>, cx: &mut Context<'_>) -> Poll<Result<(), T>> {
        let sent = self.now_or_wait(
            MAY_SEND,
            cx,
            // SAFETY: idle, so the node is ours and its value still there; once sent, it is
            // finished below.
            |queue| queue.offer(self.limit, || unsafe { node.take() }),
            // SAFETY: idle, pinned, and `withdraw_send` takes it off; the pointer is the node's.
            |queue, waker| unsafe { queue.senders.push_back(node.link(), Some(waker)) },
        );
        sent.map(|sent| {
            node.finish();
            match sent {
                Some(waker) => {
                    if let Some(waker) = waker {
                        wake(waker);
                    }
                    Ok(())
                }
                // SAFETY: refused, so the value is still there, and the node has stayed ours.
                None => Err(unsafe { node.take() }),
            }
        })
    }

    /// Ends a `Send`. Returns the value if it was neither sent nor given back.
    #[inline]
    pub(super) fn withdraw_send(&self, node: Pin<&Node<T>>) -> Option<T> {
        if node.phase() == Phase::Waiting {
            self.leave(node.waiter(), true);
        }
        match node.phase() {
            Phase::Idle | Phase::Released => {
                node.finish();
                // SAFETY: neither granted nor finished: the value is still there, and nobody else's.
                Some(unsafe { node.take() })
            }
            _ => None,
        }
    }

    /// Receives into the caller's hands, or waits. `None` is the end.
    pub(super) fn poll_recv(&self, node: Pin<&Node<T>>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            match node.phase() {
                Phase::Idle => {
                    let received = self.now_or_wait(
                        MAY_RECEIVE,
                        cx,
                        |queue| self.take(queue),
                        // SAFETY: idle, pinned, and `drop_recv` takes it off; the pointer is the
                        // node's.
                        |queue, waker| unsafe {
                            queue.receivers.push_back(node.link(), Some(waker));
                        },
                    );
                    return received.map(|received| {
                        node.finish();
                        self.received(received)
                    });
                }
                Phase::Waiting => {
                    if node.waiter().still_waits(&self.queue, cx) {
                        return Poll::Pending;
                    }
                }
                Phase::Granted => return Poll::Ready(Some(self.take_from_hands(node))),
                Phase::Released => {
                    node.finish();
                    return Poll::Ready(None);
                }
                Phase::Finished => panic!("`Recv` polled after it was ready"),
            }
        }
    }

    #[inline]
    fn received(&self, received: Option<(T, Option<Waker>)>) -> Option<T> {
        let (value, waker) = received?;
        if let Some(waker) = waker {
            wake(waker);
        }
        Some(value)
    }

    /// The value that was put into a receiver's hands; the receiver is finished.
    #[inline]
    fn take_from_hands(&self, node: Pin<&Node<T>>) -> T {
        debug_assert_eq!(node.phase(), Phase::Granted);
        // SAFETY: granted, so the node is ours and filled.
        let value = unsafe { node.take() };
        node.finish();
        // Relaxed: the word orders itself, and the data that goes with it is under the lock.
        let before = self.taken.fetch_add(ONE, Ordering::Relaxed);
        if before & CLOSED != 0 && !mutated!("chan.last_taker_sleeps") {
            self.wind_up();
        }
        value
    }

    #[cold]
    fn wind_up(&self) {
        let mut wakers = WakeBatch::new();
        self.locked(|queue| queue.wind_up(self.taken.load(Ordering::Relaxed), &mut wakers));
        wakers.wake_all();
    }

    /// Ends a `Recv`. Returns the value in its hands.
    pub(super) fn withdraw_recv(&self, node: Pin<&Node<T>>) -> Option<T> {
        if node.phase() == Phase::Waiting {
            self.leave(node.waiter(), false);
        }
        (node.phase() == Phase::Granted).then(|| self.take_from_hands(node))
    }

    /// Ends a `Recv`: a value in its hands goes to the next receiver, or back in front.
    #[inline]
    pub(super) fn drop_recv(&self, node: Pin<&Node<T>>) {
        if node.phase() == Phase::Waiting {
            self.leave(node.waiter(), false);
        }
        if node.phase() == Phase::Granted {
            self.put_back(node);
        }
    }

    /// Takes a waiter off its list, unless it has just been settled.
    #[cold]
    fn leave(&self, waiter: Pin<&Waiter>, sends: bool) {
        let left = self.locked(|queue| {
            let list = match sends {
                true => &mut queue.senders,
                false => &mut queue.receivers,
            };
            let waits = waiter.phase() == Phase::Waiting || mutated!("chan.leave_blindly");
            // SAFETY: waiting, under the lock, so it is on the list that it was put on.
            waits.then(|| unsafe { list.remove(waiter) })
        });
        drop_quietly(left);
    }

    #[cold]
    fn put_back(&self, node: Pin<&Node<T>>) {
        // SAFETY: granted, so the node is ours and filled.
        let (number, value) = unsafe { (node.number(), node.take()) };
        node.finish();
        let mut wakers = WakeBatch::new();
        self.locked(|queue| {
            let before = self.taken.fetch_add(ONE, Ordering::Relaxed);
            wakers.extend(queue.put_back(number, value));
            if queue.closed {
                queue.wind_up(before.wrapping_add(ONE), &mut wakers);
            }
        });
        wakers.wake_all();
    }

    /// [`poll_recv`](Core::poll_recv) for a stream, whose waiter is woken and tries again.
    pub(super) fn poll_next(&self, waiter: Pin<&Waiter>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // By I1 there is nothing for a stream that still waits.
        if waiter.phase() == Phase::Waiting && waiter.still_waits(&self.queue, cx) {
            return Poll::Pending;
        }
        let received = self.now_or_wait(
            MAY_RECEIVE,
            cx,
            |queue| {
                if waiter.phase() == Phase::Granted {
                    queue.promise_ends();
                }
                waiter.set_phase(Phase::Idle);
                self.take(queue)
            },
            // SAFETY: idle, pinned, and `drop_stream` takes it off.
            |queue, waker| unsafe {
                queue
                    .receivers
                    .push_back(waiter.get_ref().into(), Some(waker))
            },
        );
        received.map(|received| self.received(received))
    }

    /// Ends a stream: the wake-up that it has not answered goes to the next receiver.
    pub(super) fn drop_stream(&self, waiter: Pin<&Waiter>) {
        if waiter.phase() == Phase::Waiting {
            self.leave(waiter, false);
        }
        if waiter.phase() != Phase::Granted || mutated!("chan.stream_keeps_wake") {
            return;
        }
        let mut wakers = WakeBatch::new();
        self.locked(|queue| {
            queue.promise_ends();
            wakers.extend(queue.hand_on());
            if queue.closed {
                queue.wind_up(self.taken.load(Ordering::Relaxed), &mut wakers);
            }
        });
        wakers.wake_all();
    }

    /// Closes the channel; `true` the first time.
    pub(super) fn close(&self) -> bool {
        let mut wakers = WakeBatch::new();
        let first = self.locked(|queue| {
            if queue.closed {
                return false;
            }
            queue.close(&mut wakers);
            let taken = self.taken.fetch_or(CLOSED, Ordering::Relaxed);
            queue.wind_up(taken, &mut wakers);
            true
        });
        wakers.wake_all();
        first
    }

    /// The last receiver is gone: closes, and drops what nobody will receive.
    pub(super) fn disconnect(&self) {
        let mut wakers = WakeBatch::new();
        let rest = self.locked(|queue| {
            queue.close(&mut wakers);
            self.taken.fetch_or(CLOSED, Ordering::Relaxed);
            queue.discard()
        });
        wakers.wake_all();
        rest.into_values().for_each(drop_quietly);
    }

    pub(super) fn len(&self) -> usize {
        self.queue.lock().buffer.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bounded && self.len() >= self.limit
    }

    pub(super) fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    /// Closed, and nothing is left or can come back.
    pub(super) fn is_drained(&self) -> bool {
        let queue = self.queue.lock();
        let taken = self.taken.load(Ordering::Relaxed);
        queue.closed && queue.buffer.is_empty() && queue.outstanding(taken) == 0
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.bounded.then_some(self.limit)
    }
}
