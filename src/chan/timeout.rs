//! Sending and receiving with a limit.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::receiver::Recv;
use super::sender::Send;
use super::{Receiver, RecvTimeoutError, SendError, SendTimeoutError, Sender};
use crate::time::{Timeout, timeout};

impl<T> Sender<T> {
    /// [`send`](Sender::send) that gives up after `limit`, counted from this call. It tries at
    /// least once; a limit near [`Duration::MAX`] is none.
    ///
    /// # Errors
    /// [`SendTimeoutError::Timeout`] when the time is up, [`SendTimeoutError::Closed`] once the
    /// channel is closed or no receiver is left; both hold the value.
    ///
    /// # Cancellation
    /// As for [`send`](Sender::send).
    ///
    /// # Panics
    /// The future panics if it is polled after it was ready.
    ///
    /// # Examples
    /// ```
    /// use gorust::chan::SendTimeoutError;
    /// use std::time::Duration;
    ///
    /// # gorust::block_on(async {
    /// let (tx, _rx) = gorust::chan::<u32>(0);
    /// let sent = tx.send_timeout(7, Duration::from_millis(1)).await;
    /// assert_eq!(sent, Err(SendTimeoutError::Timeout(7)));
    /// # });
    /// ```
    pub fn send_timeout(&self, value: T, limit: Duration) -> SendTimeout<'_, T> {
        SendTimeout(timeout(limit, self.send(value)))
    }
}

impl<T> Receiver<T> {
    /// [`recv`](Receiver::recv) that gives up after `limit`, counted from this call. It tries at
    /// least once; a limit near [`Duration::MAX`] is none.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] when the time is up, [`RecvTimeoutError::Closed`] once the
    /// channel is closed and every value has been received.
    ///
    /// # Cancellation
    /// As for [`recv`](Receiver::recv).
    ///
    /// # Panics
    /// The future panics if it is polled after it was ready.
    ///
    /// # Examples
    /// ```
    /// use gorust::chan::RecvTimeoutError;
    /// use std::time::Duration;
    ///
    /// # gorust::block_on(async {
    /// let (_tx, rx) = gorust::chan::<u32>(0);
    /// let received = rx.recv_timeout(Duration::from_millis(1)).await;
    /// assert_eq!(received, Err(RecvTimeoutError::Timeout));
    /// # });
    /// ```
    pub fn recv_timeout(&self, limit: Duration) -> RecvTimeout<'_, T> {
        RecvTimeout(timeout(limit, self.recv()))
    }
}

/// The future of [`Sender::send_timeout`]. It is not `Unpin`: a receiver may reach into it.
#[must_use = "futures do nothing unless they are awaited"]
pub struct SendTimeout<'a, T>(Timeout<Send<'a, T>>);

impl<T> Future for SendTimeout<'_, T> {
    type Output = Result<(), SendTimeoutError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: pinned with the future, and never moved out of it.
        let inner = unsafe { self.as_mut().map_unchecked_mut(|this| &mut this.0) };
        if let Ok(sent) = ready!(inner.poll(cx)) {
            return Poll::Ready(sent.map_err(|SendError(value)| SendTimeoutError::Closed(value)));
        }
        // SAFETY: as above.
        let send = unsafe { self.as_ref().map_unchecked(|this| this.0.get_ref()) };
        Poll::Ready(match send.withdraw() {
            Some(value) => Err(SendTimeoutError::Timeout(value)),
            None => Ok(()), // taken since it was polled
        })
    }
}

/// The future of [`Receiver::recv_timeout`]. It is not `Unpin`: a sender may reach into it.
#[must_use = "futures do nothing unless they are awaited"]
pub struct RecvTimeout<'a, T>(Timeout<Recv<'a, T>>);

impl<T> Future for RecvTimeout<'_, T> {
    type Output = Result<T, RecvTimeoutError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: pinned with the future, and never moved out of it.
        let inner = unsafe { self.as_mut().map_unchecked_mut(|this| &mut this.0) };
        if let Ok(received) = ready!(inner.poll(cx)) {
            return Poll::Ready(received.ok_or(RecvTimeoutError::Closed));
        }
        // SAFETY: as above.
        let recv = unsafe { self.as_ref().map_unchecked(|this| this.0.get_ref()) };
        // A value may have come since it was polled.
        Poll::Ready(recv.withdraw().ok_or(RecvTimeoutError::Timeout))
    }
}

impl<T> fmt::Debug for SendTimeout<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendTimeout")
            .field(self.0.get_ref())
            .finish()
    }
}

impl<T> fmt::Debug for RecvTimeout<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvTimeout")
            .field(self.0.get_ref())
            .finish()
    }
}
