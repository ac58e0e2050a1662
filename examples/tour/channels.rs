//! Channels: Go's prime sieve, and several producers and consumers.

use std::time::Instant;

use gorust::chan::{Receiver, Sender};

use super::Outcome;
use super::report::{Progress, Row, human, nanoseconds_each, thousands};

/// How many primes the sieve finds.
pub const PRIMES: u32 = 1_500;

/// How many messages go from the producers to the consumers.
pub const MESSAGES: u64 = 1_000_000;
const PRODUCERS: u64 = 4;
const CONSUMERS: u64 = 4;
const CAPACITY: usize = 128;

/// Go's concurrent sieve: every prime is a goroutine that takes its multiples out of the stream of
/// numbers, and rendezvous channels connect each to the next.
pub async fn prime_sieve(progress: Progress) -> Outcome {
    let start = Instant::now();
    let (first, mut numbers) = gorust::chan(0);
    drop(gorust::go(generate(first)));
    let mut primes = Vec::new();
    for _ in 0..PRIMES {
        let prime = numbers.recv().await.ok_or("the sieve ran dry")?;
        primes.push(prime);
        let (filtered, next) = gorust::chan(0);
        drop(gorust::go(filter(prime, numbers, filtered)));
        numbers = next;
        progress.step();
    }
    let elapsed = start.elapsed();
    progress.finish();

    let expected = primes_by_division(PRIMES as usize);
    if primes != expected {
        return Err("the sieve let a wrong number through".into());
    }
    let hops = hops(&primes);
    Ok(vec![Row::new(
        format!("prime sieve, first {} primes", thousands(PRIMES.into())),
        human(elapsed),
        format!("{} per rendezvous", nanoseconds_each(elapsed, hops)),
    )])
}

/// Sends 2, 3, 4 and so on, as long as somebody takes them.
async fn generate(numbers: Sender<u32>) {
    for number in 2.. {
        if numbers.send(number).await.is_err() {
            return;
        }
    }
}

/// Passes on what `prime` does not divide.
async fn filter(prime: u32, numbers: Receiver<u32>, filtered: Sender<u32>) {
    while let Some(number) = numbers.recv().await {
        if number % prime != 0 && filtered.send(number).await.is_err() {
            return;
        }
    }
}

/// The first `count` primes, the dull way.
fn primes_by_division(count: usize) -> Vec<u32> {
    let mut primes: Vec<u32> = Vec::new();
    for number in 2.. {
        if primes.len() == count {
            break;
        }
        let divisors = primes.iter().take_while(|prime| *prime * *prime <= number);
        if divisors.copied().all(|prime| number % prime != 0) {
            primes.push(number);
        }
    }
    primes
}

/// How many times a number went through a channel at least: each up to the largest prime passes
/// all filters before the first that divides it.
fn hops(primes: &[u32]) -> u64 {
    let largest = primes.last().copied().unwrap_or(0);
    let hops_of = |number: u32| {
        let filters = primes.iter().position(|prime| number % prime == 0);
        1 + filters.unwrap_or(primes.len()) as u64
    };
    (2..=largest).map(hops_of).sum()
}

/// Every message is a number; what the consumers add up must be what the producers sent.
pub async fn producers_and_consumers(progress: Progress) -> Outcome {
    let (messages, inbox) = gorust::chan::<u64>(CAPACITY);
    let start = Instant::now();
    for producer in 0..PRODUCERS {
        let messages = messages.clone();
        drop(gorust::go(async move {
            for number in (producer..MESSAGES).step_by(PRODUCERS as usize) {
                if messages.send(number).await.is_err() {
                    return;
                }
            }
        }));
    }
    drop(messages);
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| gorust::go(add_up(inbox.clone(), progress.clone())))
        .collect();
    let (mut count, mut sum) = (0, 0);
    for consumer in consumers {
        let (its_count, its_sum) = consumer.await.map_err(|error| error.to_string())?;
        count += its_count;
        sum += its_sum;
    }
    let elapsed = start.elapsed();
    progress.finish();

    let expected = (MESSAGES, MESSAGES * (MESSAGES - 1) / 2);
    if (count, sum) != expected {
        return Err(format!(
            "{count} messages with the sum {sum}, not {expected:?}"
        ));
    }
    Ok(vec![Row::new(
        format!("{PRODUCERS} producers, {CONSUMERS} consumers"),
        nanoseconds_each(elapsed, MESSAGES),
        format!(
            "per message, {} of them, capacity {CAPACITY}",
            thousands(MESSAGES)
        ),
    )])
}

async fn add_up(inbox: Receiver<u64>, progress: Progress) -> (u64, u64) {
    let (mut count, mut sum) = (0, 0);
    while let Some(number) = inbox.recv().await {
        count += 1;
        sum += number;
        // The numbers come in order, more or less, so that they serve as progress.
        progress.at(number);
    }
    (count, sum)
}
