//! A million goroutines: started and joined, started and parked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gorust::chan::{Receiver, Sender};

use super::Outcome;
use super::memory::Baseline;
use super::report::{Progress, Row, nanoseconds_each, thousands};

/// Starts `n` goroutines, then joins each and adds up what they answer.
pub async fn start_and_join(n: u32, progress: Progress) -> Outcome {
    let count = u64::from(n);
    let memory = Baseline::take();
    let start = Instant::now();
    let handles: Vec<_> = (0..count)
        .map(|number| gorust::go(async move { number }))
        .collect();
    let started = start.elapsed();
    let resident = memory.bytes_each(count);

    let mut sum = 0;
    for (joined, handle) in handles.into_iter().enumerate() {
        sum += handle.await.map_err(|error| error.to_string())?;
        progress.at(joined as u64);
    }
    let joined = start.elapsed();
    progress.finish();

    let expected = count * (count - 1) / 2;
    if sum != expected {
        return Err(format!(
            "the goroutines' numbers add up to {sum}, not {expected}"
        ));
    }
    Ok(vec![
        Row::new(
            format!("start {} goroutines", thousands(count)),
            nanoseconds_each(started, count),
            resident,
        ),
        Row::new(
            "start and join them",
            nanoseconds_each(joined, count),
            "each",
        ),
    ])
}

/// What the parked goroutines share.
struct Gathering {
    size: u64,
    gate: Receiver<()>,
    arrived: AtomicU64,
    all_arrived: Sender<()>,
    left: AtomicU64,
    all_left: Sender<()>,
}

impl Gathering {
    /// One goroutine: arrives, waits for the gate to close, leaves.
    async fn attend(&self) {
        // There is room for both messages: nobody else sends them.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            let _ = self.all_arrived.try_send(());
        }
        let _ = self.gate.recv().await;
        if self.left.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            let _ = self.all_left.try_send(());
        }
    }
}

/// Starts `n` goroutines that wait on one channel, and closes it when all of them do.
pub async fn park(n: u32, progress: Progress) -> Outcome {
    let size = u64::from(n);
    let (opener, gate) = gorust::chan::<()>(0);
    let (all_arrived, arrived) = gorust::chan::<()>(1);
    let (all_left, left) = gorust::chan::<()>(1);
    let gathering = Arc::new(Gathering {
        size,
        gate,
        arrived: AtomicU64::new(0),
        all_arrived,
        left: AtomicU64::new(0),
        all_left,
    });

    let memory = Baseline::take();
    let start = Instant::now();
    for number in 0..size {
        let gathering = gathering.clone();
        drop(gorust::go(async move { gathering.attend().await }));
        progress.at(number);
    }
    arrived.recv().await;
    let parked = start.elapsed();
    let resident = memory.bytes_each(size);

    let start = Instant::now();
    opener.close();
    left.recv().await;
    let woken = start.elapsed();
    progress.finish();

    let count = gathering.left.load(Ordering::Acquire);
    if count != size {
        return Err(format!("{count} of {size} parked goroutines woke up"));
    }
    Ok(vec![
        Row::new(
            format!("park {} goroutines", thousands(size)),
            nanoseconds_each(parked, size),
            resident,
        ),
        Row::new("wake them all", nanoseconds_each(woken, size), "each"),
    ])
}
