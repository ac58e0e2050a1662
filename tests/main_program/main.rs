//! Whole programs under `#[gorust::main]`: what they print, how they end, and when.
//!
//! This file has no libtest around it, so that it can be such a program itself: with
//! [`PROGRAM`] in the environment it runs the one of that name (in `programs.rs`) on the real main
//! thread; without, it tests each of them in a process of its own.

mod programs;

use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

/// Names the program to run.
const PROGRAM: &str = "GORUST_TEST_PROGRAM";

/// No program here takes as long unless it hangs.
const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(PROGRAM) {
        return programs::run(&name);
    }
    let trials = programs::ALL
        .iter()
        .map(|program| Trial::test(program.name, || program.check()))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A program and what it must do.
struct Program {
    name: &'static str,
    main: fn() -> ExitCode,
    code: i32,
    /// What must be found on its standard output and error, if anything.
    stdout: &'static str,
    stderr: &'static str,
}

impl Program {
    fn check(&self) -> Result<(), Failed> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(PROGRAM, self.name)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let code = wait(&mut child)?;
        let stdout = read(child.stdout.take())?;
        let stderr = read(child.stderr.take())?;
        let shown = format!("exit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        if code != Some(self.code) {
            return Err(format!("expected exit code {}: {shown}", self.code).into());
        }
        for (stream, found, expected) in [
            ("stdout", &stdout, self.stdout),
            ("stderr", &stderr, self.stderr),
        ] {
            if !found.contains(expected) {
                return Err(format!("expected {expected:?} on {stream}: {shown}").into());
            }
        }
        Ok(())
    }
}

/// Waits for the end of the program, and kills it if that does not come.
fn wait(child: &mut Child) -> Result<Option<i32>, Failed> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(format!("still running after {LIMIT:?}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the program wrote; no program here fills a pipe.
fn read(stream: Option<impl Read>) -> Result<String, Failed> {
    let mut text = String::new();
    if let Some(mut stream) = stream {
        stream.read_to_string(&mut text)?;
    }
    Ok(text)
}
