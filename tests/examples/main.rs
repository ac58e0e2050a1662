//! The servers among the examples, as their users meet them: processes that one talks to and ends
//! with ctrl-c.
#![cfg(target_os = "linux")]

mod chat;
#[cfg(feature = "hyper")]
mod http_server;
mod tour;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes as long unless it hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// The program of an example: the one that cargo has built along with this test, else a new one.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("it is in the folder of its profile");
    let built = profile.join("examples").join(name);
    if !built.exists() {
        let folder = profile.join("examples-for-tests");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--all-features", "--example", name, "--target-dir"])
            .arg(&folder)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(status.success(), "cargo builds the example {name}");
        return folder.join("debug/examples").join(name);
    }
    built
}

/// Waits for the end of a process, and kills it if that does not come.
fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            return status;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    panic!("still running after {LIMIT:?}");
}

/// A running server, killed when dropped.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    /// Starts a server on a port that the system chooses; its first line ends with the address.
    fn start(name: &str, arguments: &[&str]) -> Server {
        let mut child = Command::new(example(name))
            .args(arguments)
            .arg("127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where it is");
        let address = line
            .trim_end()
            .trim_end_matches('/')
            .rsplit(['/', ' '])
            .next()
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no address in {line:?}"));
        Server {
            child,
            stdout,
            address,
        }
    }

    /// Presses ctrl-c.
    fn interrupt(&mut self) {
        // SAFETY: it sends a signal to a child that has not been waited for, so the id is its own.
        let sent = unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGINT) };
        assert_eq!(sent, 0);
    }

    /// Asserts that the server ends as it should, and says so.
    fn assert_ends(mut self, last_words: &str) {
        assert!(wait(&mut self.child).success());
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it is readable");
        assert_eq!(line.trim_end(), last_words);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs an example with bad arguments: exit code 2, and a message that contains `complaint`.
fn assert_refuses(name: &str, arguments: &[&str], complaint: &str) {
    let output = Command::new(example(name))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the example starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert!(stderr.contains(complaint), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty());
}
