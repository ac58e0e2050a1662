//! A Unix socket that accepts connections.

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};

use super::UnixStream;
use crate::net::methods::{raw_handles, std_conversions, try_from_std};
use crate::reactor::Direction;
use crate::reactor::polled::Polled;

/// A Unix socket that accepts connections.
///
/// Any number of goroutines may accept on one listener. The file that it makes stays when it is
/// dropped.
///
/// # Examples
///
/// ```
/// use gorust::net::{UnixListener, UnixStream};
///
/// # let directory = std::env::temp_dir().join(format!("gorust-listener-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// # let path = directory.join("socket");
/// gorust::block_on(async {
///     let listener = UnixListener::bind(&path)?;
///     let client = UnixStream::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///     server.write_all(b"hello").await?;
///     let mut buf = [0; 5];
///     client.read_exact(&mut buf).await?;
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// # std::fs::remove_dir_all(&directory).unwrap();
/// ```
pub struct UnixListener {
    polled: Polled<mio::net::UnixListener>,
}

impl UnixListener {
    /// Makes a socket at `path`, where nothing may be yet, and listens on it.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if there is something at `path`; others of the operating system.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(mio::net::UnixListener::bind(path)?)
    }

    /// Like [`Self::bind`], on an address that may be one of the abstract kind.
    ///
    /// # Errors
    ///
    /// Those of [`Self::bind`].
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<Self> {
        Self::new(mio::net::UnixListener::bind_addr(addr)?)
    }

    std_conversions!(
        std::os::unix::net::UnixListener,
        mio::net::UnixListener,
        "# let path = std::env::temp_dir().join(format!(\"gorust-from-std-{}\", std::process::id()));\n\
         let socket = std::os::unix::net::UnixListener::bind(&path)?;\n\
         let listener = gorust::net::UnixListener::from_std(socket)?;\n\
         let socket = listener.into_std()?;\n\
         # drop(socket);\n\
         # std::fs::remove_file(&path)?;\n\
         # std::io::Result::Ok(())"
    );

    /// Accepts the next connection, and says where it comes from.
    ///
    /// # Errors
    ///
    /// Those of the operating system. After one for want of descriptors (`EMFILE`, `ENFILE`) the
    /// connection is still there, and the next call tries again at once: close something, or wait a
    /// little, in between.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has accepted nothing.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let accept = |socket: &mio::net::UnixListener, _| accept(socket);
        let (socket, addr) = self.polled.io(Direction::Read, accept).await?;
        Ok((UnixStream::new(socket)?, addr))
    }

    /// [`Self::accept`] as a poll function. `Pending` arranges for the caller to be woken.
    ///
    /// # Errors
    ///
    /// Those of [`Self::accept`].
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        self.polled
            .poll_io(cx, Direction::Read, |socket, _| accept(socket))
            .map(|result| result.and_then(|(socket, addr)| Ok((UnixStream::new(socket)?, addr))))
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.polled.get().local_addr()
    }

    /// Takes the error that is pending on the socket (`SO_ERROR`), if there is one.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.polled.get().take_error()
    }
}

/// Accepts without waiting, past connections that were aborted in the queue.
fn accept(socket: &mio::net::UnixListener) -> io::Result<(mio::net::UnixStream, SocketAddr)> {
    loop {
        match socket.accept() {
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            result => return result,
        }
    }
}

raw_handles!(UnixListener);
try_from_std!(UnixListener, std::os::unix::net::UnixListener);
