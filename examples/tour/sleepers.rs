//! Time: many sleepers at once, and a timeout.

use std::time::{Duration, Instant};

use gorust::time;

use super::Outcome;
use super::report::{Progress, Row, human, thousands};

/// How many goroutines sleep at the same time.
pub const SLEEPERS: u32 = 100_000;

/// Everyone sleeps for a time of their own; how late is the latest?
pub async fn sleep_all(progress: Progress) -> Outcome {
    let start = Instant::now();
    let sleepers: Vec<_> = (0..SLEEPERS)
        .map(|number| {
            // Spread over two seconds, neighbours far apart; all are asleep before the first wakes.
            let spread = u64::from(number.wrapping_mul(2_654_435_761) % 2_000_000);
            let nap = Duration::from_millis(500) + Duration::from_micros(spread);
            gorust::go(async move {
                let start = Instant::now();
                time::sleep(nap).await;
                start.elapsed().checked_sub(nap)
            })
        })
        .collect();
    let started = start.elapsed();
    let mut worst = Duration::ZERO;
    for (awake, sleeper) in sleepers.into_iter().enumerate() {
        let lateness = sleeper.await.map_err(|error| error.to_string())?;
        worst = worst.max(lateness.ok_or("a sleeper woke up too early")?);
        progress.at(awake as u64);
    }
    progress.finish();
    Ok(vec![Row::new(
        format!("{} sleepers", thousands(SLEEPERS.into())),
        human(worst),
        format!("worst lateness; started in {}", human(started)),
    )])
}

/// A timeout on something that never happens.
pub async fn time_out() -> Outcome {
    const LIMIT: Duration = Duration::from_millis(50);
    let start = Instant::now();
    let outcome = time::timeout(LIMIT, std::future::pending::<()>()).await;
    let elapsed = start.elapsed();
    if outcome.is_ok() {
        return Err("what never ends has ended".into());
    }
    match elapsed.checked_sub(LIMIT) {
        Some(late) => Ok(vec![Row::new(
            format!("timeout of {}", human(LIMIT)),
            human(elapsed),
            format!("fired {} late", human(late)),
        )]),
        None => Err("the timeout fired too early".into()),
    }
}
