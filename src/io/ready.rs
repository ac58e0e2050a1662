//! What to wait for, and what it turned out to be.

use std::fmt;
use std::ops::BitOr;

use crate::reactor::readiness::Seen;

/// Which readiness to wait for.
///
/// # Examples
///
/// ```
/// use gorust::io::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert!(!Interest::READABLE.is_writable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(u8);

impl Interest {
    /// Something to read, to accept, or the end of the stream.
    pub const READABLE: Interest = Interest(1);
    /// Room to write.
    pub const WRITABLE: Interest = Interest(2);

    /// Whether it includes [`Interest::READABLE`].
    pub const fn is_readable(self) -> bool {
        self.0 & Self::READABLE.0 != 0
    }

    /// Whether it includes [`Interest::WRITABLE`].
    pub const fn is_writable(self) -> bool {
        self.0 & Self::WRITABLE.0 != 0
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.is_readable(), self.is_writable()) {
            (true, true) => "READABLE | WRITABLE",
            (true, false) => "READABLE",
            _ => "WRITABLE",
        })
    }
}

/// What a socket's `ready` found.
///
/// It is a hint: by the time of the read or write somebody else may have been quicker.
///
/// # Examples
///
/// ```
/// use gorust::io::Interest;
///
/// # #[cfg(unix)]
/// gorust::block_on(async {
///     let (stream, peer) = gorust::net::UnixStream::pair()?;
///     drop(peer);
///     let ready = stream.ready(Interest::READABLE).await?;
///     assert!(ready.is_readable() && ready.is_read_closed());
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    readable: bool,
    writable: bool,
    read_closed: bool,
    write_closed: bool,
}

impl Ready {
    pub(crate) fn from_seen(read: Option<Seen>, write: Option<Seen>) -> Self {
        Ready {
            readable: read.is_some(),
            writable: write.is_some(),
            read_closed: read.is_some_and(Seen::is_hung_up),
            write_closed: write.is_some_and(Seen::is_hung_up),
        }
    }

    /// A read would not wait (it may report the end of the stream, or an error).
    pub fn is_readable(self) -> bool {
        self.readable
    }

    /// A write would not wait (it may report an error).
    pub fn is_writable(self) -> bool {
        self.writable
    }

    /// The peer will send no more than is there already.
    pub fn is_read_closed(self) -> bool {
        self.read_closed
    }

    /// The peer will take no more.
    pub fn is_write_closed(self) -> bool {
        self.write_closed
    }
}
