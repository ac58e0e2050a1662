//! Lines from a stream, none longer than [`LONGEST`].

use std::io;
use std::mem;

use gorust::net::TcpStream;

/// In bytes, without the line's end.
pub const LONGEST: usize = 1024;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// Without its end, and without control characters, which could play tricks on terminals.
    Line(String),
    /// A line that was too long; it has been skipped.
    TooLong,
    /// There will be no more.
    End,
}

/// Reads lines.
#[derive(Debug)]
pub struct Lines<'a> {
    stream: &'a TcpStream,
    /// What has been read and not yet taken; never much more than a line.
    buffer: Vec<u8>,
    /// The beginning of this line has been thrown away.
    skipping: bool,
}

impl<'a> Lines<'a> {
    pub fn new(stream: &'a TcpStream) -> Self {
        Lines {
            stream,
            buffer: Vec::new(),
            skipping: false,
        }
    }

    /// Reads the next line. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> io::Result<Read> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(line);
            }
            let mut chunk = [0; LONGEST];
            match self.stream.read(&mut chunk).await? {
                0 => return Ok(self.take_rest()),
                read => self.buffer.extend_from_slice(&chunk[..read]),
            }
        }
    }

    /// Takes a line out of the buffer, if there is a whole one.
    fn take_line(&mut self) -> Option<Read> {
        if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            return Some(self.judge(&line[..end]));
        }
        if self.buffer.len() > LONGEST + 1 {
            self.skipping = true;
            self.buffer.clear();
        }
        None
    }

    /// Takes what the stream ended with: a line without an end, or nothing.
    fn take_rest(&mut self) -> Read {
        if self.buffer.is_empty() && !self.skipping {
            return Read::End;
        }
        let line = mem::take(&mut self.buffer);
        self.judge(&line)
    }

    fn judge(&mut self, line: &[u8]) -> Read {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if mem::take(&mut self.skipping) || line.len() > LONGEST {
            Read::TooLong
        } else {
            Read::Line(printable(line))
        }
    }
}

fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line)
        .chars()
        .filter(|letter| !letter.is_control())
        .collect::<String>()
        .trim()
        .to_owned()
}
