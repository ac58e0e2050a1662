//! A mutant: the same test in a process of its own, with one mutation of the shipped code.
//!
//! A process, because a model that fails may panic twice and abort, or crash outright. The child's
//! exit code says how it ended, and the last line with [`TAG`] on its output says why; a panic of
//! the harness itself ends in libtest's code, so it cannot pass for a kill.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gorust::units::mutate;

use crate::explore::{Outcomes, SchedulePoints, explore};
use crate::mutation::Mutation;

/// Names the mutant that this process is: `<model>#<index of the mutation>`.
const ASSIGNMENT: &str = "GORUST_MUTANT";
/// Starts the line on which a mutant says how it ended.
const TAG: &str = "mutant: ";
/// What a mutant says before it runs the model.
const STARTED: &str = "started";

const KILLED: i32 = 70;
const SURVIVED: i32 = 71;
const MISTAKEN: i32 = 72;

/// How a mutant ended.
pub(crate) enum Death {
    /// The model failed, for this reason.
    Killed(String),
    /// The model passed.
    Survived,
    /// Nothing can be said, for this reason.
    Mistaken(String),
}

/// A mutant to be started.
pub(crate) struct Mutant<'a> {
    pub(crate) test: &'a str,
    pub(crate) model: &'a str,
    pub(crate) index: usize,
}

impl Mutant<'_> {
    /// Runs the mutant; `model_time` is how long the model took unharmed.
    pub(crate) fn judge(&self, mutation: &Mutation, model_time: Duration) -> Death {
        if let Err(text) = mutation.resolve() {
            return Death::Mistaken(text);
        }
        let limit = Duration::from_secs(60) + model_time * 10;
        match self.execute(limit) {
            Ok((status, output)) => verdict(status, &output),
            Err(text) => Death::Mistaken(text),
        }
    }

    fn execute(&self, limit: Duration) -> Result<(ExitStatus, String), String> {
        let program = std::env::current_exe().map_err(|e| format!("no program to start: {e}"))?;
        let log = LogFile::create(self)?;
        let child = Command::new(program)
            .args([self.test, "--exact", "--nocapture", "--test-threads=1"])
            .env(ASSIGNMENT, format!("{}#{}", self.model, self.index))
            // Loom's coroutines have small stacks, too small to print a backtrace on.
            .env("RUST_BACKTRACE", "0")
            .env_remove("LOOM_LOG")
            .stdin(Stdio::null())
            .stdout(log.writer()?)
            .stderr(log.writer()?)
            .spawn()
            .map_err(|e| format!("cannot start the mutant: {e}"))?;
        let status = wait(child, limit)?;
        Ok((status, log.content()?))
    }
}

/// What the mutant prints; a file, so that it can neither block nor be lost.
struct LogFile(PathBuf, File);

impl LogFile {
    fn create(mutant: &Mutant<'_>) -> Result<Self, String> {
        let name = format!(
            "gorust-mutant-{}-{}-{}",
            std::process::id(),
            mutant.test,
            mutant.index
        );
        let path = std::env::temp_dir().join(name.replace("::", "-"));
        match File::create(&path) {
            Ok(file) => Ok(LogFile(path, file)),
            Err(error) => Err(format!("cannot create {}: {error}", path.display())),
        }
    }

    fn writer(&self) -> Result<File, String> {
        self.1
            .try_clone()
            .map_err(|e| format!("cannot share the mutant's log: {e}"))
    }

    fn content(&self) -> Result<String, String> {
        let mut bytes = Vec::new();
        File::open(&self.0)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|e| format!("cannot read the mutant's log: {e}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        // A file left in the temporary folder harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn wait(mut child: Child, limit: Duration) -> Result<ExitStatus, String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Err(error) => return Err(format!("cannot wait for the mutant: {error}")),
            Ok(None) if start.elapsed() < limit => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                // It may have ended just now; either way it is reaped.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("neither failed nor passed within {limit:.0?}"));
            }
        }
    }
}

fn verdict(status: ExitStatus, output: &str) -> Death {
    let said = output
        .lines()
        .rev()
        .find_map(|line| Some(line.split_once(TAG)?.1));
    match (status.code(), said) {
        (Some(KILLED), Some(why)) => Death::Killed(why.to_string()),
        (Some(SURVIVED), _) => Death::Survived,
        (Some(MISTAKEN), Some(why)) => Death::Mistaken(why.to_string()),
        (None, Some(last)) if crashed(status) => {
            Death::Killed(format!("it crashed with {status}, after: {last}"))
        }
        _ => Death::Mistaken(format!("the mutant ended with {status}:\n{output}")),
    }
}

/// Whether the process ended by a fault of its own: an abort, or an invalid access.
#[cfg(unix)]
fn crashed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    const SIGILL: i32 = 4;
    const SIGABRT: i32 = 6;
    const SIGBUS: i32 = 7;
    const SIGSEGV: i32 = 11;
    matches!(status.signal(), Some(SIGILL | SIGABRT | SIGBUS | SIGSEGV))
}

#[cfg(not(unix))]
fn crashed(_: ExitStatus) -> bool {
    false
}

/// The index of the mutation of `model` that this process is to run, if it is a mutant at all.
pub(crate) fn assigned(model: &str) -> Option<usize> {
    let assignment = std::env::var(ASSIGNMENT).ok()?;
    let (name, index) = assignment.rsplit_once('#').unwrap_or((&assignment, "0"));
    assert_eq!(
        name, model,
        "{ASSIGNMENT} names another model than the one that runs"
    );
    Some(index.parse().expect("the index of a mutation"))
}

/// Runs the mutated model and ends the process.
pub(crate) fn live<F>(
    mutation: Option<&Mutation>,
    preemptions: Option<usize>,
    out: &Outcomes,
    body: &Arc<F>,
) -> !
where
    F: Fn(&Outcomes) + Send + Sync + 'static,
{
    let resolved = mutation.expect("a mutation of that index").resolve();
    mutate::set(Some(resolved.expect("a snippet that can be found")));
    let message = first_panic();
    println!("{TAG}{STARTED}");
    for points in [SchedulePoints::On, SchedulePoints::Off] {
        let run = catch_unwind(AssertUnwindSafe(|| explore(points, preemptions, out, body)));
        if run.is_err() {
            let message = message.lock().unwrap_or_else(|e| e.into_inner());
            end(Some(message.clone()));
        }
    }
    match out.missing().as_slice() {
        [] => end(None),
        missing => end(Some(format!("no execution came to {missing:?}"))),
    }
}

/// Ends a mutant whose model failed for the reason given, or passed.
fn end(failure: Option<String>) -> ! {
    let effect = mutate::effect();
    let mistake = if effect.places.len() > 1 {
        Some(format!(
            "the snippet holds several operations, at {:?}",
            effect.places
        ))
    } else if effect.not_weaker > 0 {
        Some("the ordering there is not stronger than that".to_string())
    } else if effect.hits == 0 {
        Some("never executed (does the snippet hold the operation's name?)".to_string())
    } else {
        None
    };
    let (code, text) = match (mistake, failure) {
        (Some(mistake), _) => (MISTAKEN, mistake),
        (None, Some(failure)) => (KILLED, failure),
        (None, None) => (SURVIVED, "the model passed".to_string()),
    };
    println!("{TAG}{text}");
    std::process::exit(code);
}

/// From now on, keeps the first panic's message: later ones come from its unwinding.
fn first_panic() -> Arc<Mutex<String>> {
    let first = Arc::new(Mutex::new(String::new()));
    let kept = first.clone();
    std::panic::set_hook(Box::new(move |info| {
        let payload = info.payload();
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a panic without a text");
        let place = info
            .location()
            .map_or_else(String::new, |place| format!(" at {place}"));
        let line = format!("{}{place}", text.trim().replace('\n', " "));
        let mut kept = kept.lock().unwrap_or_else(|e| e.into_inner());
        if kept.is_empty() {
            println!("{TAG}{line}"); // the process may not live to say it in the end
            *kept = line;
        } else {
            println!("then: {line}");
        }
    }));
    first
}
