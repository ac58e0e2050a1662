//! One client: a goroutine that reads what it types, and one that writes what it is told.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use gorust::chan::{Receiver, Sender, WeakSender};
use gorust::net::TcpStream;
use gorust::time::timeout;

use crate::lines::{LONGEST, Lines, Read};
use crate::room::{Event, Line, QUEUE};

/// For introducing oneself.
const PATIENCE: Duration = Duration::from_secs(60);
/// A client that takes nothing for as long is gone.
const STUCK: Duration = Duration::from_secs(30);
const LONGEST_NICKNAME: usize = 20;
const HELP: &str = "* /who tells who is here, /quit leaves, all else is said to everyone\n";

/// Serves a client until it leaves. Once it is in the room, it holds on to a clone of `present`.
pub async fn serve(
    stream: TcpStream,
    room: Sender<Event>,
    present: WeakSender<()>,
) -> io::Result<()> {
    let stream = Arc::new(stream);
    let mut lines = Lines::new(&stream);
    let introduced = timeout(PATIENCE, introduce(&stream, &mut lines, &room)).await;
    let Some((nickname, queue)) = introduced.unwrap_or(Ok(None))? else {
        return Ok(());
    };
    let _present = present.upgrade();
    let writer = gorust::go(write(stream.clone(), queue));
    let outcome = converse(&mut lines, &room, &nickname).await;
    let _ = room.send(Event::Leave { nickname }).await;
    // The room has dropped the queue, so that the writer comes to its end, and says goodbye.
    let _ = writer.await;
    outcome
}

/// Asks for a nickname until a good one is free; `None` if the client has left.
async fn introduce(
    stream: &TcpStream,
    lines: &mut Lines<'_>,
    room: &Sender<Event>,
) -> io::Result<Option<(String, Receiver<Line>)>> {
    loop {
        stream.write_all(b"* your nickname? ").await?;
        let nickname = match lines.next().await? {
            Read::Line(nickname) => nickname,
            Read::TooLong => String::new(),
            Read::End => return Ok(None),
        };
        if !is_nickname(&nickname) {
            let wanted = format!("* 1 to {LONGEST_NICKNAME} letters, digits, - or _ please\n");
            stream.write_all(wanted.as_bytes()).await?;
            continue;
        }
        let (queue, messages) = gorust::chan(QUEUE);
        let (answer, answered) = gorust::chan(1);
        let join = Event::Join {
            nickname: nickname.clone(),
            queue,
            answer,
        };
        if room.send(join).await.is_err() {
            return Ok(None);
        }
        match answered.recv().await {
            Some(true) => return Ok(Some((nickname, messages))),
            Some(false) => stream.write_all(b"* that one is taken\n").await?,
            None => return Ok(None),
        }
    }
}

fn is_nickname(text: &str) -> bool {
    (1..=LONGEST_NICKNAME).contains(&text.chars().count())
        && text
            .chars()
            .all(|letter| letter.is_alphanumeric() || letter == '-' || letter == '_')
}

/// Passes on what the client says, until it leaves or the room closes. What the client is to be
/// told goes through its queue as well: only the writer writes.
async fn converse(lines: &mut Lines<'_>, room: &Sender<Event>, nickname: &str) -> io::Result<()> {
    loop {
        let nickname = nickname.to_owned();
        let event = match lines.next().await? {
            Read::End => return Ok(()),
            Read::TooLong => Event::Tell {
                nickname,
                line: format!("* a line has {LONGEST} bytes at most: not sent\n").into(),
            },
            Read::Line(text) => match text.as_str() {
                "" => continue,
                "/quit" => return Ok(()),
                "/who" => Event::Who { nickname },
                command if command.starts_with('/') => Event::Tell {
                    nickname,
                    line: HELP.into(),
                },
                _ => Event::Say { nickname, text },
            },
        };
        if room.send(event).await.is_err() {
            return Ok(());
        }
    }
}

/// Writes what is in the queue until that is closed; a client that takes nothing is given up.
async fn write(stream: Arc<TcpStream>, queue: Receiver<Line>) {
    while let Some(line) = queue.recv().await {
        match timeout(STUCK, stream.write_all(line.as_bytes())).await {
            Ok(Ok(())) => {}
            _ => break,
        }
    }
    // Ends the reading side too, which may be waiting for the client's next word.
    let _ = stream.shutdown(Shutdown::Both);
}
