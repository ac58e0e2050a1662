//! What a channel's lock guards: its values, and those who wait.
//!
//! Plain sequential code: each method is one transition of the table in [`chan`](super), runs
//! under the lock, and returns the wakers to wake after it.
//!
//! Invariants, between transitions
//! - **I1**: while a receiver waits, every value in the buffer is *promised*: a stream was woken
//!   for it and has not come yet (`promised` counts such streams). While the channel is closed, no
//!   promise counts, and a receiver waits only if the buffer is empty and a value outstanding.
//! - **I2**: while a sender waits, the buffer is at its limit or above, the channel is open, and
//!   no receiver waits.
//! - **I3**: `handed` counts the values ever put into a receiver's hands. Less what was taken from
//!   there or came back (`Core::taken`), that is what is *outstanding*.

use std::task::Waker;

use super::buffer::Buffer;
use super::node;
use crate::primitive::mutated;
use crate::wait::batch::WakeBatch;
use crate::wait::list::{List, Phase, Unlinked};

/// One hand-over, in the unit of `handed` and `Core::taken`, whose lowest bit is a flag.
pub(super) const ONE: usize = 2;

#[derive(Debug)]
pub(super) struct Queue<T> {
    pub(super) buffer: Buffer<T>,
    pub(super) senders: List,
    pub(super) receivers: List,
    pub(super) closed: bool,
    /// Streams woken for a value that have neither come for it nor been dropped.
    promised: usize,
    handed: usize,
}

/// Why nothing was sent or received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not now: full, or empty.
    Later,
    /// Never.
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Queue<T> {
        Queue {
            buffer: Buffer::new(),
            senders: List::new(),
            receivers: List::new(),
            closed: false,
            promised: 0,
            handed: 0,
        }
    }

    /// Sends: to the first receiver that waits, else into the buffer.
    #[inline]
    pub(super) fn offer(
        &mut self,
        limit: usize,
        value: impl FnOnce() -> T,
    ) -> Result<Option<Waker>, Refusal> {
        if self.closed && !mutated!("chan.send_after_close") {
            return Err(Refusal::Closed);
        }
        match self.receivers.front() {
            Some(first) if !first.only_wakes() && self.buffer.is_empty() => {
                Ok(self.hand_next(None, value()))
            }
            // Through the buffer, perhaps beyond its limit: first a promise must be kept or made.
            Some(_) => {
                self.buffer.push(value(), limit);
                Ok(self.hand_on())
            }
            None if self.buffer.len() < limit => {
                self.buffer.push(value(), limit);
                Ok(None)
            }
            None => Err(Refusal::Later),
        }
    }

    /// Receives: the first value of the buffer, else that of the first sender that waits.
    #[inline]
    pub(super) fn take(
        &mut self,
        limit: usize,
        taken: impl FnOnce() -> usize,
    ) -> Result<(T, Option<Waker>), Refusal> {
        if let Some((_, value)) = self.buffer.pop() {
            let waker = self.refill(limit);
            self.buffer.trim();
            return Ok((value, waker));
        }
        if let Some(sender) = self.senders.pop_front() {
            // SAFETY: only nodes of this channel's senders are on the list.
            return Ok(unsafe { node::collect(sender) });
        }
        if self.closed && self.outstanding(taken()) == 0 {
            return Err(Refusal::Closed);
        }
        Err(Refusal::Later)
    }

    /// Keeps I2 after a value left the buffer: a sender's value moves into the free slot.
    #[inline]
    fn refill(&mut self, limit: usize) -> Option<Waker> {
        if self.buffer.len() >= limit || mutated!("chan.no_refill") {
            return None;
        }
        let sender = self.senders.pop_front()?;
        // SAFETY: only nodes of this channel's senders are on the list.
        let (value, waker) = unsafe { node::collect(sender) };
        self.buffer.push(value, limit);
        waker
    }

    /// Keeps I1 after a value came into the buffer, or a promise was given up: the first receiver
    /// that waits gets what is not promised.
    pub(super) fn hand_on(&mut self) -> Option<Waker> {
        let promised = if self.closed { 0 } else { self.promised };
        if self.buffer.len() <= promised {
            return None;
        }
        let first = self.receivers.front()?;
        if first.only_wakes() {
            if !mutated!("chan.promise_uncounted") {
                self.promised += 1;
            }
            return self.receivers.pop_front()?.settle(Phase::Granted);
        }
        let (number, value) = self.buffer.pop()?;
        self.buffer.trim();
        self.hand_next(number, value)
    }

    /// Hands a value to the first receiver, which waits and is no stream.
    #[inline]
    fn hand_next(&mut self, number: Option<u32>, value: T) -> Option<Waker> {
        let receiver: Unlinked = self.receivers.pop_front()?;
        self.handed = self.handed.wrapping_add(ONE);
        let number = number.unwrap_or((self.handed / ONE) as u32);
        // SAFETY: not a stream's, so the node of one of this channel's receivers.
        unsafe { node::hand(receiver, number, value) }
    }

    /// A receiver was dropped with a value in its hands, and the caller counted that as taken.
    #[cold]
    pub(super) fn put_back(&mut self, number: u32, value: T) -> Option<Waker> {
        self.buffer.put_back(number, value);
        if mutated!("chan.keep_returned") {
            return None;
        }
        self.hand_on()
    }

    /// A stream that was woken for a value comes for it, or is dropped.
    pub(super) fn promise_ends(&mut self) {
        debug_assert!(self.promised > 0);
        self.promised -= 1;
    }

    /// What is in the hands of receivers that have not looked yet, in units of [`ONE`].
    #[inline]
    pub(super) fn outstanding(&self, taken: usize) -> usize {
        self.handed.wrapping_sub(taken & !(ONE - 1))
    }

    /// No more values come in: senders keep theirs.
    pub(super) fn close(&mut self, wakers: &mut WakeBatch) {
        self.closed = true;
        if mutated!("chan.close_forgets_senders") {
            return;
        }
        while let Some(sender) = self.senders.pop_front() {
            wakers.extend(sender.settle(Phase::Released));
        }
    }

    /// Empties the buffer, for the caller to drop without the lock.
    pub(super) fn discard(&mut self) -> Buffer<T> {
        std::mem::replace(&mut self.buffer, Buffer::new())
    }

    /// Keeps I1 on a closed channel: what is left is handed out regardless of promises, and when
    /// nothing is left and nothing can come back, whoever still waits is let go.
    #[cold]
    pub(super) fn wind_up(&mut self, taken: usize, wakers: &mut WakeBatch) {
        debug_assert!(self.closed);
        while !self.buffer.is_empty() && !self.receivers.is_empty() {
            wakers.extend(self.hand_on());
        }
        if self.buffer.is_empty() && (self.outstanding(taken) == 0 || mutated!("chan.none_early")) {
            while let Some(receiver) = self.receivers.pop_front() {
                wakers.extend(receiver.settle(Phase::Released));
            }
        }
    }
}
