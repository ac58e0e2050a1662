//! The HTTP server.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{LIMIT, Server, assert_refuses};

/// A folder that is deleted when dropped.
struct Folder(PathBuf);

impl Folder {
    /// With a page, a folder without one, a large file, a secret beside it, and ways to that.
    fn new(name: &str) -> Folder {
        let outside = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("http_server-{name}"));
        let _ = fs::remove_dir_all(&outside);
        let root = outside.join("root");
        fs::create_dir_all(root.join("a folder/inner")).unwrap();
        fs::write(outside.join("secret.txt"), "secret").unwrap();
        fs::write(root.join("index.html"), "<p>index").unwrap();
        fs::write(root.join("ten.txt"), "0123456789").unwrap();
        fs::write(root.join("empty"), "").unwrap();
        fs::write(root.join("a folder/<b>&.txt"), "odd").unwrap();
        fs::write(root.join("large.bin"), large()).unwrap();
        symlink("../secret.txt", root.join("link-out")).unwrap();
        symlink("..", root.join("folder-out")).unwrap();
        symlink("ten.txt", root.join("link-in")).unwrap();
        Folder(outside)
    }

    fn root(&self) -> String {
        self.0.join("root").to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Larger than one piece of an answer, and not a multiple.
fn large() -> Vec<u8> {
    (0..1_000_003_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>);

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    fn connect(server: &Server) -> Client {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Client(BufReader::new(stream))
    }

    fn ask(&mut self, method: &str, path: &str, headers: &str) -> Answer {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut status = String::new();
        self.0.read_line(&mut status).unwrap();
        let status = status
            .split(' ')
            .nth(1)
            .unwrap_or_else(|| panic!("{status:?}"));
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
                None => break,
            };
        }
        let mut answer = Answer {
            status: status.parse().unwrap(),
            headers,
            body: Vec::new(),
        };
        if method != "HEAD" && answer.status != 304 {
            let length: usize = answer.header("content-length").parse().unwrap();
            answer.body = vec![0; length];
            self.0.read_exact(&mut answer.body).unwrap();
        }
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }
}

#[test]
fn files_folders_and_what_is_not_there() {
    let folder = Folder::new("files");
    let server = Server::start("http_server", &[&folder.root()]);
    // One connection for all: it is kept after every answer.
    let mut client = Client::connect(&server);

    let index = client.get("/");
    assert_eq!((index.status, index.text()), (200, "<p>index"));
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    let ten = client.get("/ten.txt?query");
    assert_eq!((ten.status, ten.text()), (200, "0123456789"));
    assert_eq!(ten.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(client.get("/link-in").text(), "0123456789");
    let empty = client.get("/empty");
    assert_eq!((empty.status, empty.text()), (200, ""));
    assert_eq!(empty.header("content-type"), "application/octet-stream");

    let moved = client.get("/a%20folder");
    assert_eq!(
        (moved.status, moved.header("location")),
        (301, "/a%20folder/")
    );
    let listing = client.get("/a%20folder/");
    assert_eq!(listing.status, 200);
    let link = "<a href=\"%3Cb%3E%26.txt\">&lt;b&gt;&amp;.txt</a>";
    assert!(listing.text().contains(link), "{}", listing.text());
    assert!(listing.text().contains("<a href=\"inner/\">inner/</a>"));
    assert_eq!(client.get("/a%20folder/%3Cb%3E%26.txt").text(), "odd");

    for path in [
        "/nothing",
        "/ten.txt/",
        "/ten.txt/x",
        "/a%20folder/index.html",
    ] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    let refused = client.ask("POST", "/", "Content-Length: 0\r\n");
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, "GET, HEAD")
    );
    assert_eq!(client.ask("DELETE", "/ten.txt", "").status, 405);
}

#[test]
fn nothing_outside_the_folder_is_served() {
    let folder = Folder::new("outside");
    let server = Server::start("http_server", &[&folder.root()]);
    let mut client = Client::connect(&server);
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/a%20folder/../../secret.txt",
        "/link-out",
        "/folder-out/",
        "/folder-out/secret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/ten.txt%00",
        "/ten.txt%00.html",
    ] {
        let answer = client.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("secret"), "{path}");
    }
    // To a folder of that name here, not to a host of that name.
    fs::create_dir(Path::new(&folder.root()).join("evil.example")).unwrap();
    assert_eq!(
        client.get("//evil.example").header("location"),
        "/evil.example/"
    );
}

#[test]
fn ranges() {
    let folder = Folder::new("ranges");
    let server = Server::start("http_server", &[&folder.root()]);
    let mut client = Client::connect(&server);
    let mut ask =
        |path: &str, range: &str| client.ask("GET", path, &format!("Range: bytes={range}\r\n"));
    for (range, shown, text) in [
        ("0-0", "bytes 0-0/10", "0"),
        ("2-4", "bytes 2-4/10", "234"),
        ("7-", "bytes 7-9/10", "789"),
        ("-2", "bytes 8-9/10", "89"),
        ("5-100", "bytes 5-9/10", "56789"),
    ] {
        let answer = ask("/ten.txt", range);
        assert_eq!((answer.status, answer.text()), (206, text), "{range}");
        assert_eq!(answer.header("content-range"), shown);
    }
    for range in ["10-", "-0", "11-12"] {
        let answer = ask("/ten.txt", range);
        assert_eq!(
            (answer.status, answer.header("content-range")),
            (416, "bytes */10"),
            "{range}"
        );
    }
    for range in ["4-2", "1-2,4-5", "x"] {
        let answer = ask("/ten.txt", range);
        assert_eq!(
            (answer.status, answer.text()),
            (200, "0123456789"),
            "{range}"
        );
    }
    let large = large();
    for part in [
        0..1_000_003,
        1..999_999,
        131_071..131_073,
        131_072..1_000_003,
    ] {
        let answer = ask("/large.bin", &format!("{}-{}", part.start, part.end - 1));
        assert_eq!(answer.status, 206, "{part:?}");
        assert!(answer.body == large[part.clone()], "{part:?}");
    }
}

#[test]
fn head_and_dates() {
    let folder = Folder::new("head");
    let server = Server::start("http_server", &[&folder.root()]);
    let mut client = Client::connect(&server);
    let whole = client.get("/large.bin");
    assert!(whole.body == large());
    let head = client.ask("HEAD", "/large.bin", "Range: bytes=0-1\r\n");
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), "1000003");
    assert_eq!(head.header("accept-ranges"), "bytes");
    assert_eq!(client.ask("HEAD", "/nothing", "").status, 404);

    let modified = head.header("last-modified");
    assert!(modified.ends_with("GMT"), "{modified:?}");
    let condition = format!("If-Modified-Since: {modified}\r\n");
    assert_eq!(client.ask("GET", "/large.bin", &condition).status, 304);
    let condition = "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
    assert_eq!(client.ask("GET", "/large.bin", condition).status, 200);
    let conditional = "Range: bytes=0-1\r\nIf-Range: \"some state\"\r\n";
    assert_eq!(client.ask("GET", "/ten.txt", conditional).status, 200);
}

#[test]
fn ctrl_c_lets_a_running_answer_finish() {
    let folder = Folder::new("ctrl-c");
    // Sparse, and larger than the system's buffers: the answer is running while we do not read.
    let huge = fs::File::create(Path::new(&folder.root()).join("huge")).unwrap();
    huge.set_len(64 << 20).unwrap();
    let mut server = Server::start("http_server", &[&folder.root()]);
    let mut idle = Client::connect(&server);
    assert_eq!(idle.get("/ten.txt").status, 200);
    let mut busy = TcpStream::connect(server.address).unwrap();
    busy.set_read_timeout(Some(LIMIT)).unwrap();
    busy.write_all(b"GET /huge HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut start = [0; 1024];
    busy.read_exact(&mut start).unwrap();
    server.interrupt();
    let mut rest = Vec::new();
    busy.read_to_end(&mut rest).unwrap();
    let head = start
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert_eq!(start.len() + rest.len() - head, 64 << 20);
    assert_eq!(
        idle.0.read(&mut start).unwrap(),
        0,
        "an idle connection is closed"
    );
    server.assert_ends("stopping");
}

#[test]
fn bad_arguments_are_refused() {
    assert_refuses(
        "http_server",
        &["/no/such/folder"],
        "invalid value '/no/such/folder'",
    );
    assert_refuses("http_server", &["Cargo.toml"], "not a folder");
    assert_refuses("http_server", &[".", "8080"], "expected an address");
    assert_refuses(
        "http_server",
        &[".", "127.0.0.1:0", "more"],
        "unexpected argument 'more'",
    );
}
