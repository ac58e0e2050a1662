//! The receiving end.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::{FusedStream, Stream};

use super::TryRecvError;
use super::core::Core;
use super::node::Node;
use super::queue::Refusal;
use crate::coop;
use crate::primitive::Arc;
use crate::primitive::atomic::Ordering;
use crate::wait::blocking;
use crate::wait::list::Waiter;

/// The receiving end of a channel; clones receive from the same channel, each value once.
///
/// When the last receiver is dropped, the channel closes: senders that wait get their values back,
/// and what is buffered is dropped.
///
/// A receiver is also a [`Stream`], which ends when the channel is closed and drained. As a stream
/// has no future to drop, a receiver whose last `poll_next` answered `Pending` stays in line until
/// it is polled again or dropped: it may be woken for a value that others, who got in line behind
/// it, do not get before. They do get it when the channel is closed; and whoever comes later finds
/// it.
pub struct Receiver<T> {
    pub(super) core: Arc<Core<T>>,
    /// Where this receiver waits as a stream, from its first `poll_next`.
    stream: Option<Pin<Box<Waiter>>>,
}

impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    /// A handle that the core has counted already.
    pub(super) fn counted(core: Arc<Core<T>>) -> Receiver<T> {
        Receiver { core, stream: None }
    }

    /// Receives a value, and waits while there is none. `None` means that the channel is closed,
    /// and that every value has been received. Receivers that wait are served in the order in which
    /// they first polled.
    ///
    /// # Cancellation
    /// Dropping the future loses no value: one that was handed to it already goes to the next
    /// receiver, or back in front of all others.
    ///
    /// # Panics
    /// The future panics if it is polled after it was ready.
    ///
    /// # Examples
    /// ```
    /// # gorust::block_on(async {
    /// let (tx, rx) = gorust::chan::<u32>(8);
    /// tx.send(7).await.unwrap();
    /// drop(tx);
    /// assert_eq!(rx.recv().await, Some(7));
    /// assert_eq!(rx.recv().await, None);
    /// # });
    /// ```
    #[inline]
    pub fn recv(&self) -> Recv<'_, T> {
        Recv {
            core: &self.core,
            node: Node::empty(),
        }
    }

    /// Receives a value if there is one.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if it would have to wait, [`TryRecvError::Closed`] once the channel is
    /// closed and every value has been received.
    ///
    /// # Examples
    /// ```
    /// use gorust::chan::TryRecvError;
    ///
    /// let (tx, rx) = gorust::chan::<u32>(1);
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.try_send(7).unwrap();
    /// drop(tx);
    /// assert_eq!(rx.try_recv(), Ok(7));
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.core.try_recv().map_err(|refusal| match refusal {
            Refusal::Later => TryRecvError::Empty,
            Refusal::Closed => TryRecvError::Closed,
        })
    }

    /// [`recv`](Receiver::recv), blocking the thread. For plain threads: goroutines use `recv`.
    ///
    /// # Examples
    /// See [`Sender::send_blocking`](super::Sender::send_blocking).
    pub fn recv_blocking(&self) -> Option<T> {
        match self.try_recv() {
            Ok(value) => Some(value),
            Err(TryRecvError::Closed) => None,
            Err(TryRecvError::Empty) => blocking::block_on(self.recv()),
        }
    }

    /// The values, until the channel is closed and drained, blocking the thread in between.
    ///
    /// # Examples
    /// ```
    /// let (tx, rx) = gorust::chan::<u32>(0);
    /// let sender = std::thread::spawn(move || (1..=3).try_for_each(|n| tx.send_blocking(n)));
    /// assert_eq!(rx.iter_blocking().sum::<u32>(), 6);
    /// sender.join().unwrap().unwrap();
    /// ```
    pub fn iter_blocking(&self) -> IterBlocking<'_, T> {
        IterBlocking { receiver: self }
    }

    /// Closes the channel for all its senders and receivers. Values in the buffer are still
    /// received; senders that wait get their values back. Returns `true` if this call closed it.
    ///
    /// # Examples
    /// See [`Sender::close`](super::Sender::close).
    pub fn close(&self) -> bool {
        self.core.close()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        // As in `Sender::clone`.
        let core = self.core.clone();
        core.receivers.fetch_add(1, Ordering::Relaxed);
        Receiver::counted(core)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if let Some(waiter) = &self.stream {
            self.core.drop_stream(waiter.as_ref());
        }
        // As in `Sender::drop`.
        if self.core.receivers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.core.disconnect();
        }
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let unit = ready!(coop::poll_proceed(cx));
        let this = &mut *self;
        let waiter = this
            .stream
            .get_or_insert_with(|| Box::pin(Waiter::that_only_wakes()));
        let value = ready!(this.core.poll_next(waiter.as_ref(), cx));
        unit.made_progress();
        Poll::Ready(value)
    }
}

impl<T> FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.core.is_drained()
    }
}

/// The future of [`Receiver::recv`]. It is not `Unpin`: a sender may reach into it.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Recv<'a, T> {
    core: &'a Core<T>,
    node: Node<T>,
}

impl<'a, T> Recv<'a, T> {
    #[inline]
    fn parts(self: Pin<&Self>) -> (&'a Core<T>, Pin<&Node<T>>) {
        // SAFETY: the node is pinned because the future is, and is never moved out of it.
        (self.core, unsafe { self.map_unchecked(|recv| &recv.node) })
    }

    /// Gives up. Returns the value that it has been handed, if any.
    pub(super) fn withdraw(self: Pin<&Self>) -> Option<T> {
        let (core, node) = self.parts();
        core.withdraw_recv(node)
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Option<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let unit = ready!(coop::poll_proceed(cx));
        let (core, node) = self.as_ref().parts();
        let value = ready!(core.poll_recv(node, cx));
        unit.made_progress();
        Poll::Ready(value)
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it is not moved any more.
        let this = unsafe { Pin::new_unchecked(&*self) };
        let (core, node) = this.parts();
        core.drop_recv(node);
    }
}

/// The iterator of [`Receiver::iter_blocking`].
#[must_use = "iterators do nothing unless they are consumed"]
pub struct IterBlocking<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for IterBlocking<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv_blocking()
    }
}

// Closed and drained, a channel stays that way.
impl<T> std::iter::FusedIterator for IterBlocking<'_, T> {}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(&mut f.debug_struct("Receiver"))
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(&mut f.debug_struct("Recv"))
    }
}

impl<T> fmt::Debug for IterBlocking<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.receiver
            .core
            .describe(&mut f.debug_struct("IterBlocking"))
    }
}

super::handle::observers!(Receiver);
