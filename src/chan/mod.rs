//! Channels: goroutines share memory by communicating.
//!
//! [`chan`](crate::chan()) makes a channel of a fixed capacity, a rendezvous if that is zero;
//! [`unbounded`] one that always has room. Any number of goroutines and threads may send and
//! receive. All is first come, first served: values come out in the order in which they were sent,
//! and those who wait are served in the order in which they came.
//!
//! # What is promised
//! - Each value sent is received once, or comes back to its sender, or is dropped with the last
//!   receiver. It makes no difference when futures are dropped.
//! - `send` on a rendezvous completes only when a receiver has been given the value.
//! - `None` means: closed, empty, and nothing outstanding. A value that was handed to a receiver
//!   which has not looked yet may still come back, so until then the others wait.
//! - Whenever someone who waits can go on, the first of them is woken.
//! - Wakers and destructors run outside the lock, and may use the channel.
//!
//! # States and transitions
//! An open channel is **empty**, **partly** filled or **full** (a rendezvous is empty and full);
//! or receivers wait (**R**: then it is empty), or senders do (**S**: then it is full). A closed
//! one has values **left**, or only values **out** in the hands of receivers that have not looked
//! yet, or it is **drained**. The table gives the result, and behind the arrow who is woken.
//!
//! | | empty | partly | full | R | S | left | out | drained |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | `send` | `Ok` | `Ok` | waits | `Ok` → first R, with it | waits | `Err` | `Err` | `Err` |
//! | `try_send` | `Ok` | `Ok` | `Full` | `Ok` → first R, with it | `Full` | `Closed` | `Closed` | `Closed` |
//! | `recv` | waits | value | value | waits | value → first S | value | waits | `None` |
//! | `try_recv` | `Empty` | value | value | `Empty` | value → first S | value | `Empty` | `Closed` |
//! | `close` | `true` | `true` | `true` | `true` → all R: `None`, unless values are out | `true` → all S, with their values | `false` | `false` | `false` |
//! | last sender gone | closes | closes | closes | closes → as `close` | cannot be | - | - | - |
//! | last receiver gone | closes | closes, drops values | closes, drops values | cannot be | closes, drops values → all S, with theirs | drops values | cannot be | - |
//! | `Send` dropped, waiting | - | - | - | - | its value is dropped | - | - | - |
//! | `Recv` dropped, waiting | - | - | - | leaves the line | - | - | leaves the line | - |
//! | `Recv` dropped, value in hand | → partly | in front | in front (beyond capacity) | → first R, with it | in front | in front | → left; if some wait, to the first | cannot be |
//! | value in hand taken | - | - | - | - | - | - | the last: → all who wait: `None` | cannot be |
//!
//! A full channel whose only value came back is full beyond its capacity: senders wait until it is
//! below. A stream in line counts as a receiver that waits, but the value stays in the buffer until
//! the stream, woken, comes for it.
//!
//! # Inside
//! `core` has the lock and what is known without it, `queue` what the lock guards, `buffer` the
//! values, `node` the place where a value changes hands.

mod buffer;
mod core;
mod error;
mod handle;
mod node;
mod queue;
mod receiver;
mod sender;
mod timeout;

pub use error::{RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use handle::End;
pub use receiver::{IterBlocking, Receiver, Recv};
pub use sender::{Send, Sender, WeakSender};
pub use timeout::{RecvTimeout, SendTimeout};

use self::core::Core;
use crate::primitive::Arc;

/// Makes a channel that buffers up to `capacity` values; with 0 it is a rendezvous, on which sender
/// and receiver wait for each other. Memory is taken as the buffer fills, so a large capacity costs
/// nothing by itself.
///
/// # Examples
/// ```
/// # gorust::block_on(async {
/// let (tx, rx) = gorust::chan::<&str>(1);
/// tx.send("hello").await.unwrap();
/// assert_eq!(rx.recv().await, Some("hello"));
/// # });
/// ```
#[doc(alias = "make")]
#[must_use]
pub fn chan<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    ends(Core::new(Some(capacity), 1))
}

/// Makes a channel that always has room: `send` never waits.
///
/// # Examples
/// ```
/// let (tx, rx) = gorust::chan::unbounded::<u32>();
/// for n in 0..1000 {
///     tx.try_send(n).unwrap();
/// }
/// assert_eq!((tx.capacity(), rx.len()), (None, 1000));
/// ```
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    ends(Core::new(None, 1))
}

/// A receiver on which nothing ever arrives: Go's nil channel. It has no senders, and is not
/// closed.
///
/// # Examples
/// ```
/// let rx = gorust::chan::never::<u32>();
/// assert!(rx.try_recv().unwrap_err().is_empty());
/// ```
#[must_use]
pub fn never<T>() -> Receiver<T> {
    Receiver::counted(Arc::new(Core::new(Some(0), 0)))
}

fn ends<T>(core: Core<T>) -> (Sender<T>, Receiver<T>) {
    let core = Arc::new(core);
    let sender = Sender { core: core.clone() };
    (sender, Receiver::counted(core))
}

#[cfg(all(test, not(gorust_loom)))]
mod tests;
