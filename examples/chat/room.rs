//! The room: who is there, and who gets which message.
//!
//! One goroutine owns it and does what the events say, one after the other. It never waits for a
//! client: each has a queue of [`QUEUE`] messages, and what does not fit is dropped. The client is
//! told how many it missed as soon as it takes messages again.

use std::collections::BTreeMap;
use std::sync::Arc;

use gorust::chan::{Receiver, Sender};

/// A line of text on its way to any number of clients.
pub type Line = Arc<str>;

/// How many messages wait for a client before they are dropped.
pub const QUEUE: usize = 64;

/// What clients tell the room. They go by their nicknames, which nobody else has.
#[derive(Debug)]
pub enum Event {
    /// Someone wants in; `answer` says whether the nickname was free.
    Join {
        nickname: String,
        queue: Sender<Line>,
        answer: Sender<bool>,
    },
    Say {
        nickname: String,
        text: String,
    },
    /// Asks for the names of all.
    Who {
        nickname: String,
    },
    /// Tells something to one client, in its turn.
    Tell {
        nickname: String,
        line: Line,
    },
    Leave {
        nickname: String,
    },
    /// The end for everyone.
    Close,
}

#[derive(Debug)]
struct Member {
    queue: Sender<Line>,
    missed: usize,
}

impl Member {
    fn deliver(&mut self, line: &Line) {
        if self.missed > 0 {
            let notice = format!("* you were too slow and missed {} messages\n", self.missed);
            if self.queue.try_send(notice.into()).is_ok() {
                self.missed = 0;
            }
        }
        if self.missed > 0 || self.queue.try_send(line.clone()).is_err() {
            self.missed += 1;
        }
    }
}

#[derive(Debug, Default)]
struct Room {
    members: BTreeMap<String, Member>,
}

/// Does what the events say until one says [`Event::Close`].
pub async fn run(events: Receiver<Event>) {
    let mut room = Room::default();
    while let Some(event) = events.recv().await {
        match event {
            Event::Join {
                nickname,
                queue,
                answer,
            } => room.join(nickname, queue, &answer),
            Event::Say { nickname, text } => {
                room.tell_all_but(&nickname, &format!("{nickname}: {text}\n").into());
            }
            Event::Who { nickname } => {
                room.tell(&nickname, &format!("* {}\n", room.names()).into())
            }
            Event::Tell { nickname, line } => room.tell(&nickname, &line),
            Event::Leave { nickname } => room.leave(&nickname),
            Event::Close => break,
        }
    }
    events.close();
    room.tell_all_but("", &"* the server is closing, goodbye\n".into());
    // The members' queues end here, and with them the goroutines that serve them.
}

impl Room {
    fn join(&mut self, nickname: String, queue: Sender<Line>, answer: &Sender<bool>) {
        let free = !self.members.contains_key(&nickname);
        // A client that is gone already will not have taken the nickname.
        if answer.try_send(free).is_err() || !free {
            return;
        }
        self.tell_all_but("", &format!("* {nickname} has joined\n").into());
        let mut member = Member { queue, missed: 0 };
        member.deliver(&format!("* welcome, {nickname}; {}\n", self.names()).into());
        self.members.insert(nickname, member);
    }

    fn leave(&mut self, nickname: &str) {
        self.tell(nickname, &"* goodbye\n".into());
        if self.members.remove(nickname).is_some() {
            self.tell_all_but("", &format!("* {nickname} has left\n").into());
        }
    }

    fn names(&self) -> String {
        if self.members.is_empty() {
            return "nobody else is here".into();
        }
        let names: Vec<&str> = self.members.keys().map(String::as_str).collect();
        format!("here: {}", names.join(", "))
    }

    fn tell(&mut self, nickname: &str, line: &Line) {
        if let Some(member) = self.members.get_mut(nickname) {
            member.deliver(line);
        }
    }

    fn tell_all_but(&mut self, nickname: &str, line: &Line) {
        for (name, member) in &mut self.members {
            if name != nickname {
                member.deliver(line);
            }
        }
    }
}
