//! The network poller: turns the operating system's readiness events into wake-ups.
//!
//! Problem: thousands of goroutines wait for sockets, few threads wait for the operating system. One
//! [`Reactor`] holds one selector (epoll, kqueue, IOCP: mio's business). Whoever has nothing better
//! to do becomes its [`Poller`]; everybody else never blocks. It knows wakers, not tasks.
//!
//! A descriptor is registered once, edge-triggered, for both directions ([`polled`]); each direction
//! has one word that says whether it is ready and who waits ([`readiness`]).
//!
//! # Invariants
//!
//! 1. *Stale events are ignored.* A token is a place in the slab and the count of registrations when
//!    it was given out; an event whose count is not that of the place's present holder is nobody's.
//! 2. *Wakers never run under a lock.* Polling and closing collect them for the caller.
//! 3. *Nothing is registered across [`Reactor::close`].* Closing takes every source out of the slab
//!    and marks it shut down for ever; what is registered afterwards is the next runtime's. So old
//!    sockets cannot come back to life with a new runtime, and need no epoch of their own.
//! 4. Locks: the selector's, then the slab's, then a direction's list; never in another order. System
//!    calls are made under the selector's lock alone.

pub(crate) mod polled;
pub mod readiness;
#[cfg(target_os = "linux")]
mod timer_fd;

use std::fmt;
use std::io;
use std::time::Duration;

use mio::event::Source;
use mio::{Interest, Token};
use slab::Slab;

use crate::primitive::atomic::{AtomicUsize, Ordering};
use crate::primitive::{Arc, Mutex, MutexGuard};
use crate::wait::batch::{WakeBatch, drop_quietly};
use readiness::{Event, Readiness};

/// Events taken from the operating system at a time.
const EVENTS_PER_POLL: usize = 1024;
/// Longer waits are cut off here: a caller that still has nothing to do polls again.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A token's low bits are the place in the slab, the rest is the count of registrations.
const PLACE_BITS: u32 = if usize::BITS == 64 { 32 } else { 22 };
/// Reserved places, which the slab never reaches.
const LAST_PLACE: usize = (1 << PLACE_BITS) - 3;
const INTERRUPT: Token = Token(usize::MAX);
#[cfg(target_os = "linux")]
const TIMER: Token = Token(usize::MAX - 1);

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// The reactor's half of a registered descriptor.
#[derive(Debug)]
pub(crate) struct Readinesses {
    read: Readiness,
    write: Readiness,
}

impl Readinesses {
    fn new() -> Self {
        Readinesses {
            read: Readiness::new(),
            write: Readiness::new(),
        }
    }

    #[inline]
    pub(crate) fn of(&self, direction: Direction) -> &Readiness {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    /// Passes on what the selector said. An error concerns both directions: whichever operation
    /// comes first fetches it.
    fn dispatch(&self, event: &mio::event::Event, batch: &mut WakeBatch) {
        let wary = event.is_error() || event.is_priority();
        let read_closed = event.is_read_closed();
        if event.is_readable() || read_closed || wary {
            let event = Event::READY.and_hung_up(read_closed).and_wary(wary);
            self.read.event(event, batch);
        }
        let write_closed = event.is_write_closed();
        if event.is_writable() || write_closed || wary {
            let event = Event::READY.and_hung_up(write_closed).and_wary(wary);
            self.write.event(event, batch);
        }
    }

    fn shut_down(&self, batch: &mut WakeBatch) {
        self.read.shut_down(batch);
        self.write.shut_down(batch);
    }
}

/// One selector and what is registered with it.
pub(crate) struct Reactor {
    selector: Mutex<Selector>,
    registry: mio::Registry,
    interrupter: mio::Waker,
    sources: Mutex<Sources>,
    /// `sources`' length, to be read without its lock.
    source_count: AtomicUsize,
}

/// What only the polling thread uses.
struct Selector {
    poll: mio::Poll,
    events: mio::Events,
    #[cfg(target_os = "linux")]
    timer: timer_fd::TimerFd,
}

#[derive(Default)]
struct Sources {
    slab: Slab<(Token, Arc<Readinesses>)>,
    /// Registrations so far; wraps.
    registrations: usize,
}

impl Sources {
    fn insert(&mut self, readinesses: Arc<Readinesses>) -> io::Result<Token> {
        let entry = self.slab.vacant_entry();
        if entry.key() > LAST_PLACE {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "too many sockets are registered with this runtime",
            ));
        }
        self.registrations = self.registrations.wrapping_add(1);
        let token = Token(entry.key() | self.registrations << PLACE_BITS);
        entry.insert((token, readinesses));
        Ok(token)
    }

    fn get(&self, token: Token) -> Option<&Arc<Readinesses>> {
        let (holder, readinesses) = self.slab.get(token.0 & ((1 << PLACE_BITS) - 1))?;
        (*holder == token).then_some(readinesses)
    }

    fn remove(&mut self, token: Token) -> Option<Arc<Readinesses>> {
        self.get(token)?;
        let place = token.0 & ((1 << PLACE_BITS) - 1);
        self.slab
            .try_remove(place)
            .map(|(_, readinesses)| readinesses)
    }
}

impl Reactor {
    /// Opens a selector.
    pub(crate) fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let interrupter = mio::Waker::new(&registry, INTERRUPT)?;
        Ok(Reactor {
            #[cfg(target_os = "linux")]
            selector: Mutex::new(Selector {
                timer: timer_fd::TimerFd::new(&registry, TIMER)?,
                poll,
                events: mio::Events::with_capacity(EVENTS_PER_POLL),
            }),
            #[cfg(not(target_os = "linux"))]
            selector: Mutex::new(Selector {
                poll,
                events: mio::Events::with_capacity(EVENTS_PER_POLL),
            }),
            registry,
            interrupter,
            sources: Mutex::new(Sources::default()),
            source_count: AtomicUsize::new(0),
        })
    }

    /// Makes the caller the poller, unless somebody is.
    pub(crate) fn try_poller(&self) -> Option<Poller<'_>> {
        self.selector.try_lock().map(|selector| Poller {
            selector,
            reactor: self,
        })
    }

    /// Makes the poll that is blocking return, or else the next one.
    ///
    /// It costs a system call, so call it only when somebody is known to block.
    pub(crate) fn interrupt(&self) {
        // A failed write could only mean that the counter is full, and then the poll returns anyway.
        let _ = self.interrupter.wake();
    }

    /// Whether anything is registered, so that there can be events at all. A hint.
    pub(crate) fn has_sources(&self) -> bool {
        self.source_count.load(Ordering::Relaxed) != 0
    }

    /// The runtime goes: every operation on what is registered now fails from here on, and whoever
    /// waits for one is collected to be woken. The next runtime may use the reactor afterwards.
    pub(crate) fn close(&self, batch: &mut WakeBatch) {
        let orphans: Vec<_> = {
            let mut sources = self.sources.lock();
            let orphans = sources.slab.drain().collect();
            self.source_count.store(0, Ordering::Relaxed);
            orphans
        };
        for (_, readinesses) in orphans {
            readinesses.shut_down(batch);
            // The socket may be gone by now, and wakers of its waiters with it: user code.
            drop_quietly(readinesses);
        }
    }

    /// Registers `io` for both directions.
    fn register(&self, io: &mut impl Source) -> io::Result<(Token, Arc<Readinesses>)> {
        let readinesses = Arc::new(Readinesses::new());
        let token = {
            let mut sources = self.sources.lock();
            let token = sources.insert(readinesses.clone())?;
            self.source_count
                .store(sources.slab.len(), Ordering::Relaxed);
            token
        };
        if let Err(error) = self.registry.register(io, token, interest()) {
            self.forget(token);
            return Err(error);
        }
        Ok((token, readinesses))
    }

    /// Undoes [`Self::register`]. Events that are under way find nobody.
    fn deregister(&self, io: &mut impl Source, token: Token) -> io::Result<()> {
        // First the slab, so that a source that cannot be deregistered does not stay in it.
        self.forget(token);
        self.registry.deregister(io)
    }

    fn forget(&self, token: Token) {
        let removed = {
            let mut sources = self.sources.lock();
            let removed = sources.remove(token);
            self.source_count
                .store(sources.slab.len(), Ordering::Relaxed);
            removed
        };
        drop(removed);
    }
}

/// Both directions; and urgent data, at which reads stop short.
fn interest() -> Interest {
    let both = Interest::READABLE | Interest::WRITABLE;
    #[cfg(target_os = "linux")]
    let both = both | Interest::PRIORITY;
    both
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("sources", &self.source_count.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// The right to wait for a reactor's events. One at a time has it.
pub(crate) struct Poller<'a> {
    selector: MutexGuard<'a, Selector>,
    reactor: &'a Reactor,
}

impl Poller<'_> {
    /// Waits for events, an interrupt, or the end of `timeout`, and collects whom to wake.
    ///
    /// `None` waits without limit, zero does not wait. It may return early, with nothing in `batch`:
    /// the caller looks at its clock and asks again.
    pub(crate) fn poll(
        &mut self,
        timeout: Option<Duration>,
        batch: &mut WakeBatch,
    ) -> io::Result<()> {
        let selector = &mut *self.selector;
        let timeout = selector.prepare(timeout);
        match selector.poll.poll(&mut selector.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        if selector.events.is_empty() {
            return Ok(());
        }
        let sources = self.reactor.sources.lock();
        for event in &selector.events {
            match event.token() {
                INTERRUPT => {}
                #[cfg(target_os = "linux")]
                TIMER => selector.timer.fired(),
                token => {
                    if let Some(readinesses) = sources.get(token) {
                        readinesses.dispatch(event, batch);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Selector {
    /// The timeout for the selector, which knows only whole milliseconds and rounds up.
    #[cfg(target_os = "linux")]
    fn prepare(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        /// Below this, the timer descriptor; above it, the whole milliseconds first: most long waits
        /// end early, and then the timer was never set.
        const FINE: Duration = Duration::from_millis(4);

        let timeout = timeout?.min(LONGEST_WAIT);
        let fraction = Duration::from_nanos(u64::from(timeout.subsec_nanos() % 1_000_000));
        if fraction.is_zero() {
            Some(timeout)
        } else if timeout >= FINE {
            Some(timeout - fraction)
        } else if self.timer.set(timeout).is_ok() {
            None
        } else {
            Some(timeout)
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn prepare(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        timeout.map(|timeout| timeout.min(LONGEST_WAIT))
    }
}

/// What every operation answers whose socket has lost its runtime.
pub(crate) fn runtime_gone() -> io::Error {
    io::Error::other("the runtime that this socket was registered with has shut down")
}

#[cfg(test)]
mod tests;
