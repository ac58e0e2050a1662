//! A timer that the selector can wait for, because its own timeouts are whole milliseconds.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

/// Deadlines closer to each other than this are one: setting the timer costs a system call.
const SAME: Duration = Duration::from_micros(5);

pub(super) struct TimerFd {
    fd: OwnedFd,
    /// When it will fire, unless it has.
    armed: Option<Instant>,
}

impl TimerFd {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        // SAFETY: no pointers.
        let raw = unsafe {
            libc::timerfd_create(
                libc::CLOCK_MONOTONIC,
                libc::TFD_NONBLOCK | libc::TFD_CLOEXEC,
            )
        };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so `raw` is a new descriptor that nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(TimerFd { fd, armed: None })
    }

    /// Makes the selector report the timer's token after `delay`, which is not zero and at most
    /// seconds; a time set earlier no longer counts.
    pub(super) fn set(&mut self, delay: Duration) -> io::Result<()> {
        let deadline = Instant::now() + delay;
        let is_armed = self.armed.is_some_and(|armed| {
            let (early, late) = (armed.min(deadline), armed.max(deadline));
            late - early <= SAME
        });
        if is_armed {
            return Ok(());
        }
        let setting = libc::itimerspec {
            it_interval: libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: libc::timespec {
                tv_sec: delay.as_secs() as libc::time_t,
                tv_nsec: delay.subsec_nanos() as libc::c_long,
            },
        };
        // SAFETY: the descriptor is ours and open, `setting` lives through the call, and a null
        // pointer says that the old setting is not wanted.
        let result =
            unsafe { libc::timerfd_settime(self.fd.as_raw_fd(), 0, &setting, ptr::null_mut()) };
        if result < 0 {
            self.armed = None;
            return Err(io::Error::last_os_error());
        }
        self.armed = Some(deadline);
        Ok(())
    }

    /// The selector reported it. Nothing need be read: setting it again makes a new edge.
    pub(super) fn fired(&mut self) {
        self.armed = None;
    }
}
