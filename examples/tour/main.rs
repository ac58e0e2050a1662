//! A tour of gorust, measured while you watch: a million goroutines, Go's prime sieve, channels,
//! an echo server with a thousand clients, a hundred thousand sleepers, a timeout that fires.
//!
//! ```text
//! cargo run --release --example tour
//! cargo run --release --example tour -- --goroutines 100000
//! ```
//!
//! Every stage checks its own results; if one is wrong, the tour says so and exits with code 1.

mod channels;
mod echo;
mod goroutines;
mod memory;
mod report;
mod sleepers;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use report::{Progress, Report, Row};

/// Shows what gorust does, with numbers measured on this machine.
#[derive(Debug, Parser)]
#[command(name = "tour")]
struct Arguments {
    /// How many goroutines to start, and to park.
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    goroutines: u32,
}

/// A stage that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a stage found, or what is wrong.
type Outcome = Result<Vec<Row>, String>;

#[gorust::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let mut report = Report::default();

    let n = arguments.goroutines;
    let bar = Progress::new("start and join goroutines", n.into());
    report.add(patiently(goroutines::start_and_join(n, bar)).await);
    let bar = Progress::new("park goroutines", n.into());
    report.add(patiently(goroutines::park(n, bar)).await);
    let bar = Progress::new("prime sieve", channels::PRIMES.into());
    report.add(patiently(channels::prime_sieve(bar)).await);
    let bar = Progress::new("4 producers, 4 consumers", channels::MESSAGES);
    report.add(patiently(channels::producers_and_consumers(bar)).await);
    let bar = Progress::new("echo server", echo::SECONDS);
    report.add(patiently(echo::serve(bar)).await);
    let bar = Progress::new("sleepers", sleepers::SLEEPERS.into());
    report.add(patiently(sleepers::sleep_all(bar)).await);
    report.add(patiently(sleepers::time_out()).await);

    report.finish(started.elapsed())
}

/// Runs a stage as a goroutine of its own, but not for ever.
async fn patiently(stage: impl Future<Output = Outcome> + Send + 'static) -> Outcome {
    match gorust::time::timeout(PATIENCE, gorust::go(stage)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("a stage took longer than {PATIENCE:?}")),
    }
}
