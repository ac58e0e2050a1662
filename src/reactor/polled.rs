//! A descriptor and its registration, and the operations that wait for it.
//!
//! Every operation has one shape: while the direction looks ready, make the system call; if that
//! says "would block", take the readiness back (as far as it was seen *before* the call) and wait.
//! There are two kinds of waiters: futures, which hold a [`Waiter`] and withdraw it when dropped,
//! and poll functions, which cannot know when they are last called.

use std::fmt;
use std::future::Future;
use std::io;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mio::Token;
use mio::event::Source;

use super::readiness::{Readiness, Seen, Waiter};
use super::{Direction, Reactor, Readinesses, runtime_gone};
use crate::coop;
use crate::primitive::Arc;

/// A descriptor that is registered with a reactor for as long as this lives.
pub struct Polled<S: Source> {
    io: S,
    readinesses: Arc<Readinesses>,
    token: Token,
    reactor: &'static Reactor,
}

impl<S: Source> Polled<S> {
    /// Registers `io` with the current runtime's reactor. It must be in non-blocking mode.
    pub(crate) fn new(io: S) -> io::Result<Self> {
        let polled = Self::register(io, crate::scheduler::current_reactor()?);
        crate::scheduler::source_added();
        polled.map_err(|(error, _)| error)
    }

    /// Registers `io` with this reactor; gives it back if that fails.
    pub(crate) fn register(mut io: S, reactor: &'static Reactor) -> Result<Self, (io::Error, S)> {
        match reactor.register(&mut io) {
            Ok((token, readinesses)) => Ok(Polled {
                io,
                readinesses,
                token,
                reactor,
            }),
            Err(error) => Err((error, io)),
        }
    }

    /// The descriptor.
    #[inline]
    pub(crate) fn get(&self) -> &S {
        &self.io
    }

    /// Ends the registration and gives the descriptor back.
    pub(crate) fn into_inner(self) -> io::Result<S> {
        let mut this = ManuallyDrop::new(self);
        let this = &mut *this;
        let result = this.reactor.deregister(&mut this.io, this.token);
        // SAFETY: `this` is in a `ManuallyDrop` and not used again, so each field is moved out once.
        let io = unsafe { std::ptr::read(&this.io) };
        // SAFETY: as above.
        drop(unsafe { std::ptr::read(&this.readinesses) });
        result.map(|()| io)
    }

    #[inline]
    fn readiness(&self, direction: Direction) -> &Readiness {
        self.readinesses.of(direction)
    }

    /// Makes `attempt` whenever `direction` looks ready, until it says something other than "would
    /// block". Dropped before it is done, the future has done nothing.
    pub(crate) fn io<T, F>(&self, direction: Direction, attempt: F) -> Operation<'_, S, F>
    where
        F: FnMut(&S, Seen) -> io::Result<T>,
    {
        Operation {
            polled: self,
            direction,
            attempt,
            waiter: Waiter::new(),
        }
    }

    /// [`Self::io`] as a poll function; the last waker of each caller is woken.
    #[inline]
    pub(crate) fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut(&S, Seen) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        drive(
            self.readiness(direction),
            cx,
            |seen| attempt(&self.io, seen),
            Readiness::poll_wait_shared,
        )
    }

    /// [`Self::poll_io`] with exclusive use of the descriptor.
    pub(crate) fn poll_io_mut<T>(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut(&mut S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let io = &mut self.io;
        drive(
            self.readinesses.of(direction),
            cx,
            |_| attempt(io),
            Readiness::poll_wait_shared,
        )
    }

    /// Makes `attempt` once, now, whatever the reactor has seen.
    pub(crate) fn try_io<T>(
        &self,
        direction: Direction,
        attempt: impl FnOnce(&S, Seen) -> io::Result<T>,
    ) -> io::Result<T> {
        let readiness = self.readiness(direction);
        let seen = readiness.seen();
        if seen.is_shut_down() {
            return Err(runtime_gone());
        }
        let result = attempt(&self.io, seen);
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            readiness.clear(seen);
        }
        result
    }

    /// Makes a call that is not ours, once, now; it concerns the given directions.
    pub(crate) fn try_on<T>(
        &self,
        read: bool,
        write: bool,
        call: impl FnOnce(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        let concerned = [(read, Direction::Read), (write, Direction::Write)]
            .map(|(yes, direction)| yes.then(|| (direction, self.seen(direction))));
        if self.seen(Direction::Read).is_shut_down() {
            return Err(runtime_gone());
        }
        let result = call(&self.io);
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            for (direction, seen) in concerned.into_iter().flatten() {
                self.clear(direction, seen);
            }
        }
        result
    }

    /// The system call transferred less than was asked for, so the next one would block.
    #[inline]
    pub(crate) fn was_short(&self, direction: Direction, seen: Seen) {
        // Windows reports a direction again only after a call has said "would block".
        if cfg!(unix) {
            self.readiness(direction).clear_short(seen);
        }
    }

    /// Waits until one of the directions is ready.
    pub(crate) fn ready(&self, read: bool, write: bool) -> Ready<'_> {
        Ready {
            readinesses: &self.readinesses,
            read: read.then(Waiter::new),
            write: write.then(Waiter::new),
        }
    }

    /// [`Self::ready`] for one direction as a poll function.
    pub(crate) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<()>> {
        let unit = ready!(coop::poll_proceed(cx));
        let readiness = self.readiness(direction);
        loop {
            if let Some(result) = known_ready(readiness) {
                unit.made_progress();
                return Poll::Ready(result.map(|_| ()));
            }
            ready!(readiness.poll_wait_shared(cx));
        }
    }

    fn seen(&self, direction: Direction) -> Seen {
        self.readiness(direction).seen()
    }

    fn clear(&self, direction: Direction, seen: Seen) {
        self.readiness(direction).clear(seen);
    }
}

/// Makes `attempt` while the direction looks ready, until it says something other than "would block";
/// otherwise waits by `wait`.
#[inline]
fn drive<T>(
    readiness: &Readiness,
    cx: &mut Context<'_>,
    mut attempt: impl FnMut(Seen) -> io::Result<T>,
    mut wait: impl FnMut(&Readiness, &mut Context<'_>) -> Poll<()>,
) -> Poll<io::Result<T>> {
    let unit = ready!(coop::poll_proceed(cx));
    loop {
        let seen = readiness.seen();
        if !seen.is_ready() {
            ready!(wait(readiness, cx));
            continue;
        }
        if seen.is_shut_down() {
            return Poll::Ready(Err(runtime_gone()));
        }
        match attempt(seen) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => readiness.clear(seen),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => {
                unit.made_progress();
                return Poll::Ready(result);
            }
        }
    }
}

/// What an event has said of this direction; an assumption is not enough, and is dropped.
fn known_ready(readiness: &Readiness) -> Option<io::Result<Seen>> {
    let seen = readiness.seen();
    if seen.is_guess() {
        // The selector reports the initial state of what is registered, so an event is due.
        readiness.clear(seen);
        return None;
    }
    if seen.is_shut_down() {
        return Some(Err(runtime_gone()));
    }
    seen.is_ready().then_some(Ok(seen))
}

impl<S: Source> Drop for Polled<S> {
    fn drop(&mut self) {
        // A failure leaves a dead token in the selector, and closing the descriptor takes that out.
        let _ = self.reactor.deregister(&mut self.io, self.token);
    }
}

impl<S: Source + fmt::Debug> fmt::Debug for Polled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

/// See [`Polled::io`].
#[must_use]
pub(crate) struct Operation<'a, S: Source, F> {
    polled: &'a Polled<S>,
    direction: Direction,
    attempt: F,
    waiter: Waiter,
}

// Nothing is pinned: the closure is only ever called.
impl<S: Source, F> Unpin for Operation<'_, S, F> {}

impl<S: Source, T, F> Future for Operation<'_, S, F>
where
    F: FnMut(&S, Seen) -> io::Result<T>,
{
    type Output = io::Result<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Operation {
            polled,
            direction,
            attempt,
            waiter,
        } = self.get_mut();
        drive(
            polled.readiness(*direction),
            cx,
            |seen| attempt(&polled.io, seen),
            |readiness, cx| readiness.poll_wait(cx, waiter),
        )
    }
}

impl<S: Source, F> Drop for Operation<'_, S, F> {
    #[inline]
    fn drop(&mut self) {
        self.polled
            .readiness(self.direction)
            .withdraw(&mut self.waiter);
    }
}

/// See [`Polled::ready`].
#[must_use]
pub(crate) struct Ready<'a> {
    readinesses: &'a Readinesses,
    read: Option<Waiter>,
    write: Option<Waiter>,
}

impl Future for Ready<'_> {
    /// What was seen of each direction that is ready.
    type Output = io::Result<(Option<Seen>, Option<Seen>)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let unit = ready!(coop::poll_proceed(cx));
        let read = poll_known_ready(&this.readinesses.read, &mut this.read, cx);
        let write = poll_known_ready(&this.readinesses.write, &mut this.write, cx);
        let seen = match (read, write) {
            (Poll::Pending, Poll::Pending) => return Poll::Pending,
            (Poll::Ready(read), Poll::Pending) => (Some(read?), None),
            (Poll::Pending, Poll::Ready(write)) => (None, Some(write?)),
            (Poll::Ready(read), Poll::Ready(write)) => (Some(read?), Some(write?)),
        };
        unit.made_progress();
        Poll::Ready(Ok(seen))
    }
}

/// `Pending` too for a direction that is not asked for.
fn poll_known_ready(
    readiness: &Readiness,
    waiter: &mut Option<Waiter>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Seen>> {
    let Some(waiter) = waiter else {
        return Poll::Pending;
    };
    loop {
        if let Some(result) = known_ready(readiness) {
            return Poll::Ready(result);
        }
        ready!(readiness.poll_wait(cx, waiter));
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        if let Some(waiter) = &mut self.read {
            self.readinesses.read.withdraw(waiter);
        }
        if let Some(waiter) = &mut self.write {
            self.readinesses.write.withdraw(waiter);
        }
    }
}
