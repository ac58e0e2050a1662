//! The sending end.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::core::Core;
use super::node::Node;
use super::queue::Refusal;
use super::{SendError, TrySendError};
use crate::coop;
use crate::primitive::atomic::Ordering;
use crate::primitive::{Arc, mutated};
use crate::wait::blocking;

/// The sending end of a channel; clones send into the same channel.
///
/// When the last sender is dropped, the channel closes: receivers get what is buffered, then
/// `None`.
pub struct Sender<T> {
    pub(super) core: Arc<Core<T>>,
}

impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// Sends a value, and waits while the buffer is full; on a rendezvous, until a receiver has
    /// been given the value. Senders that wait are served in the order in which they first polled.
    ///
    /// # Errors
    /// The value, once the channel is closed or no receiver is left.
    ///
    /// # Cancellation
    /// Dropping the future before it is ready drops the value if it was not sent yet; other values
    /// are not touched. A future that was never polled has sent nothing. One dropped after a
    /// receiver took its value, but before it was polled again, has sent it.
    ///
    /// # Panics
    /// The future panics if it is polled after it was ready.
    ///
    /// # Examples
    /// ```
    /// # gorust::block_on(async {
    /// let (tx, rx) = gorust::chan::<u32>(1);
    /// tx.send(7).await?;
    /// assert_eq!(rx.recv().await, Some(7));
    /// drop(rx);
    /// assert_eq!(tx.send(8).await.unwrap_err().into_inner(), 8);
    /// # Ok::<(), gorust::chan::SendError<u32>>(())
    /// # }).unwrap();
    /// ```
    #[inline]
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send {
            core: &self.core,
            node: Node::holding(value),
        }
    }

    /// Sends a value if that is possible at once: there is room in the buffer, or a receiver
    /// waits.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if it would have to wait, [`TrySendError::Closed`] once the channel is
    /// closed or no receiver is left; both hold the value.
    ///
    /// # Examples
    /// ```
    /// use gorust::chan::TrySendError;
    ///
    /// let (tx, rx) = gorust::chan::<u32>(1);
    /// assert_eq!(tx.try_send(1), Ok(()));
    /// assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    /// rx.close();
    /// assert_eq!(tx.try_send(3), Err(TrySendError::Closed(3)));
    /// ```
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut value = Some(value);
        match self.core.try_send(|| value.take().expect("asked for once")) {
            Ok(()) => Ok(()),
            Err(refusal) => {
                let value = value.take().expect("refused, so not asked for");
                Err(match refusal {
                    Refusal::Later => TrySendError::Full(value),
                    Refusal::Closed => TrySendError::Closed(value),
                })
            }
        }
    }

    /// [`send`](Sender::send), blocking the thread. For plain threads: goroutines use `send`.
    ///
    /// # Errors
    /// The value, once the channel is closed or no receiver is left.
    ///
    /// # Examples
    /// ```
    /// let (tx, rx) = gorust::chan::<u32>(0);
    /// let sender = std::thread::spawn(move || tx.send_blocking(7));
    /// assert_eq!(rx.recv_blocking(), Some(7));
    /// assert_eq!(sender.join().unwrap(), Ok(()));
    /// ```
    pub fn send_blocking(&self, value: T) -> Result<(), SendError<T>> {
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(value)) => Err(SendError(value)),
            Err(TrySendError::Full(value)) => blocking::block_on(self.send(value)),
        }
    }

    /// Closes the channel for all its senders and receivers. Values in the buffer are still
    /// received; senders that wait get their values back. Returns `true` if this call closed it.
    ///
    /// # Examples
    /// ```
    /// let (tx, rx) = gorust::chan::<u32>(4);
    /// tx.try_send(1).unwrap();
    /// assert!(tx.close());
    /// assert!(!rx.close());
    /// assert_eq!(rx.try_recv(), Ok(1));
    /// assert!(rx.try_recv().unwrap_err().is_closed());
    /// ```
    pub fn close(&self) -> bool {
        self.core.close()
    }

    /// A handle that does not keep the channel open.
    ///
    /// # Examples
    /// ```
    /// let (tx, _rx) = gorust::chan::<u32>(1);
    /// let weak = tx.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(tx);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            core: self.core.clone(),
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        // Cannot overflow: there are never more senders than references to the core, and those
        // are limited. Relaxed: the count publishes nothing.
        let core = self.core.clone();
        core.senders.fetch_add(1, Ordering::Relaxed);
        Sender { core }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // Relaxed: all that the other senders did is under the lock, and their part in it cannot
        // come after ours: they counted down after it, and we saw their count before we close.
        let before = match mutated!("chan.count_in_two_steps") {
            true => {
                let before = self.core.senders.load(Ordering::Relaxed);
                self.core.senders.store(before - 1, Ordering::Relaxed);
                before
            }
            false => self.core.senders.fetch_sub(1, Ordering::Relaxed),
        };
        if before == 1 {
            self.core.close();
        }
    }
}

/// A sender that does not keep its channel open; made by [`Sender::downgrade`].
pub struct WeakSender<T> {
    core: Arc<Core<T>>,
}

impl<T> UnwindSafe for WeakSender<T> {}
impl<T> RefUnwindSafe for WeakSender<T> {}

impl<T> WeakSender<T> {
    /// A sender, if one is left.
    ///
    /// # Examples
    /// See [`Sender::downgrade`].
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let core = self.core.clone();
        let mut senders = core.senders.load(Ordering::Relaxed);
        loop {
            if senders == 0 {
                return None;
            }
            if mutated!("chan.upgrade_blindly") {
                core.senders.fetch_add(1, Ordering::Relaxed);
                return Some(Sender { core });
            }
            let more = core.senders.compare_exchange_weak(
                senders,
                senders + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match more {
                Ok(_) => return Some(Sender { core }),
                Err(now) => senders = now,
            }
        }
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        WeakSender {
            core: self.core.clone(),
        }
    }
}

/// The future of [`Sender::send`]. It is not `Unpin`: a receiver may reach into it.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Send<'a, T> {
    core: &'a Core<T>,
    node: Node<T>,
}

impl<'a, T> Send<'a, T> {
    #[inline]
    fn parts(self: Pin<&Self>) -> (&'a Core<T>, Pin<&Node<T>>) {
        // SAFETY: the node is pinned because the future is, and is never moved out of it.
        (self.core, unsafe { self.map_unchecked(|send| &send.node) })
    }

    /// Gives up. Returns the value, unless it has been sent.
    pub(super) fn withdraw(self: Pin<&Self>) -> Option<T> {
        let (core, node) = self.parts();
        core.withdraw_send(node)
    }
}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = ready!(coop::poll_proceed(cx));
        let (core, node) = self.as_ref().parts();
        let sent = ready!(core.poll_send(node, cx));
        unit.made_progress();
        Poll::Ready(sent.map_err(SendError))
    }
}

impl<T> Drop for Send<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it is not moved any more.
        let this = unsafe { Pin::new_unchecked(&*self) };
        let (core, node) = this.parts();
        drop(core.withdraw_send(node));
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(&mut f.debug_struct("Sender"))
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(&mut f.debug_struct("WeakSender"))
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(&mut f.debug_struct("Send"))
    }
}

super::handle::observers!(Sender);
