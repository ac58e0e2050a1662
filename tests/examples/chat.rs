//! The chat room.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::{LIMIT, Server, assert_refuses};

/// Someone at a terminal.
struct Guest {
    stream: BufReader<TcpStream>,
}

impl Guest {
    fn new(stream: TcpStream) -> Guest {
        stream
            .set_read_timeout(Some(LIMIT))
            .expect("it is not zero");
        Guest {
            stream: BufReader::new(stream),
        }
    }

    fn connect(address: SocketAddr) -> Guest {
        Guest::new(TcpStream::connect(address).expect("the room is open"))
    }

    /// Comes in, and reads the welcome.
    fn join(address: SocketAddr, nickname: &str) -> Guest {
        Guest::connect(address).introduced(nickname)
    }

    /// Comes in with a system that buffers little.
    fn hard_of_hearing(address: SocketAddr, nickname: &str) -> Guest {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be had");
        socket
            .set_recv_buffer_size(64 * 1024)
            .expect("that is not too little");
        socket.connect(&address.into()).expect("the room is open");
        Guest::new(socket.into()).introduced(nickname)
    }

    fn introduced(mut self, nickname: &str) -> Guest {
        self.say(nickname);
        let welcome = self.line();
        let expected = format!("* your nickname? * welcome, {nickname};");
        assert!(welcome.starts_with(&expected), "{welcome:?}");
        self
    }

    fn say(&mut self, line: &str) {
        let line = format!("{line}\n");
        let stream = self.stream.get_mut();
        stream
            .write_all(line.as_bytes())
            .expect("the server listens");
    }

    /// The next line, without its end; empty at the end of the stream.
    fn try_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn line(&mut self) -> String {
        self.try_line().expect("the server answers")
    }

    #[track_caller]
    fn hears(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }
}

#[test]
fn guests_hear_each_other_come_speak_and_go() {
    let server = Server::start("chat", &[]);
    let mut ann = Guest::join(server.address, "ann");
    let mut bob = Guest::join(server.address, "bob");
    ann.hears("* bob has joined");
    ann.say("hello");
    bob.hears("ann: hello");
    bob.say("/who\r");
    bob.hears("* here: ann, bob");
    bob.say("/dance");
    assert!(bob.line().contains("/quit"));
    bob.say("/quit");
    bob.hears("* goodbye");
    bob.hears("");
    ann.hears("* bob has left");

    // Without a word, and in the middle of a line.
    let mut eve = Guest::join(server.address, "eve");
    ann.hears("* eve has joined");
    eve.stream
        .get_mut()
        .write_all(b"last words")
        .expect("the server listens");
    drop(eve);
    ann.hears("eve: last words");
    ann.hears("* eve has left");
}

#[test]
fn nicknames_are_unique_and_sensible() {
    let server = Server::start("chat", &[]);
    let _ann = Guest::join(server.address, "ann");
    let mut other = Guest::connect(server.address);
    other.say("ann");
    other.hears("* your nickname? * that one is taken");
    for bad in ["", "two words", "012345678901234567890", "a\u{7}!"] {
        other.say(bad);
        assert!(other.line().contains("1 to 20 letters"), "{bad:?}");
    }
    other.say("änn");
    other.hears("* your nickname? * welcome, änn; here: ann");
}

#[test]
fn long_lines_are_refused_and_control_characters_are_not_passed_on() {
    let server = Server::start("chat", &[]);
    let mut ann = Guest::join(server.address, "ann");
    let mut bob = Guest::join(server.address, "bob");
    ann.hears("* bob has joined");
    ann.say(&"x".repeat(1024));
    bob.hears(&format!("ann: {}", "x".repeat(1024)));
    for length in [1025, 5000, 100_000] {
        ann.say(&"y".repeat(length));
        ann.hears("* a line has 1024 bytes at most: not sent");
    }
    ann.say("\u{1b}[31mred\u{7}");
    bob.hears("ann: [31mred");
}

#[test]
fn a_guest_who_does_not_listen_holds_nobody_up() {
    let server = Server::start("chat", &[]);
    let mut deaf = Guest::hard_of_hearing(server.address, "deaf");
    let mut ann = Guest::join(server.address, "ann");
    let mut bob = Guest::join(server.address, "bob");
    ann.hears("* bob has joined");
    // More than the system's buffers and a queue of the room can hold.
    let text = "z".repeat(1000);
    for number in 0..6_000 {
        ann.say(&format!("{number} {text}"));
        bob.hears(&format!("ann: {number} {text}"));
    }
    deaf.hears("* ann has joined");
    deaf.hears("* bob has joined");
    for number in 0..6_000 {
        let line = deaf.line();
        if line.starts_with("* you were too slow and missed") {
            return;
        }
        assert!(line.starts_with("ann: "), "{line}");
        // The notice comes with the first message for which the queue has room again.
        if number % 100 == 0 {
            ann.say("again");
        }
    }
    panic!("not a message was missed");
}

#[test]
fn ctrl_c_says_goodbye() {
    let mut server = Server::start("chat", &[]);
    let mut ann = Guest::join(server.address, "ann");
    // Who has not come in need not be waited for.
    let _nameless = Guest::connect(server.address);
    server.interrupt();
    ann.hears("* the server is closing, goodbye");
    ann.hears("");
    server.assert_ends("closing");
}

#[test]
fn bad_arguments_are_refused() {
    assert_refuses("chat", &["nowhere"], "invalid value 'nowhere'");
    assert_refuses(
        "chat",
        &["127.0.0.1:0", "more"],
        "unexpected argument 'more'",
    );
}
