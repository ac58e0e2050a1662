//! The body of an answer: a file, read piece by piece while the client takes it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gorust::task::JoinHandle;
use hyper::body::{Body, Frame, SizeHint};

/// How much is read at once. An answer holds two pieces at most: one is read while the one before
/// it is written.
pub const PIECE: u64 = 128 * 1024;

/// What remains to be sent.
#[derive(Debug)]
pub struct FileBody {
    remaining: u64,
    reading: Option<JoinHandle<io::Result<(File, Bytes)>>>,
}

impl FileBody {
    /// Starts reading. To be called where blocking is allowed, inside the runtime.
    pub fn new(mut file: File, part: Range<u64>) -> io::Result<Self> {
        file.seek(SeekFrom::Start(part.start))?;
        let remaining = part.end - part.start;
        Ok(FileBody {
            remaining,
            reading: read_on(file, remaining),
        })
    }
}

/// Reads the next piece on the blocking pool, if there is one.
fn read_on(mut file: File, remaining: u64) -> Option<JoinHandle<io::Result<(File, Bytes)>>> {
    (remaining > 0).then(|| {
        gorust::go_blocking(move || {
            let piece = read(&mut file, remaining.min(PIECE))?;
            Ok((file, piece))
        })
    })
}

/// Reads exactly `length` bytes, at most [`PIECE`].
pub fn read(file: &mut File, length: u64) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(length as usize);
    file.by_ref().take(length).read_to_end(&mut piece)?;
    if piece.len() as u64 == length {
        Ok(piece.into())
    } else {
        // Somebody has cut it; the client must not take what it has for the whole.
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(reading) = &mut self.reading else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let (file, piece) = match read {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => return Poll::Ready(Some(Err(error))),
            Err(error) => return Poll::Ready(Some(Err(io::Error::other(error)))),
        };
        self.remaining -= piece.len() as u64;
        self.reading = read_on(file, self.remaining);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.reading.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
