//! Timers that speak through a channel, for Go's idioms.

use std::time::Duration;

use super::{Instant, Interval, Sleep, interval_at, sleep};
use crate::chan::{self, Receiver, Sender, TrySendError};
use crate::go;

/// A channel that delivers one value, the moment of delivery, after `duration`, which begins now.
///
/// Afterwards the channel is closed. For a duration near [`Duration::MAX`] nothing ever comes.
///
/// A goroutine of the current runtime waits behind it until the time has come, even if the receiver
/// is dropped before. To wait for one thing or another in a loop, [`sleep`] costs less and leaves
/// nothing behind.
///
/// ```
/// use gorust::time::{self, Instant};
/// use std::time::Duration;
///
/// gorust::block_on(async {
///     let start = Instant::now();
///     let moment = time::after(Duration::from_millis(2)).recv().await.unwrap();
///     assert!(moment - start >= Duration::from_millis(2));
/// });
/// ```
#[doc(alias = "After")]
#[doc(alias = "NewTimer")]
#[track_caller]
pub fn after(duration: Duration) -> Receiver<Instant> {
    let sleep = sleep(duration);
    if sleep.is_endless() {
        return chan::never();
    }
    let (sender, receiver) = chan::chan(1);
    drop(go(deliver_once(sleep, sender)));
    receiver
}

/// A channel that delivers the moment every `period`, for the first time after one period.
///
/// A tick that finds the one before not yet received is left out, as is one that comes too late:
/// see [`MissedTickBehavior::Skip`](super::MissedTickBehavior::Skip). For a period near
/// [`Duration::MAX`] nothing ever comes.
///
/// A goroutine of the current runtime stands behind it, and ends with the first tick that finds all
/// receivers dropped, or the channel closed. An [`Interval`] needs neither goroutine nor channel.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use gorust::time;
/// use std::time::Duration;
///
/// gorust::block_on(async {
///     let ticks = time::tick(Duration::from_millis(2));
///     let first = ticks.recv().await.unwrap();
///     let second = ticks.recv().await.unwrap();
///     assert!(second > first);
/// });
/// ```
#[doc(alias = "Tick")]
#[doc(alias = "Ticker")]
#[track_caller]
pub fn tick(period: Duration) -> Receiver<Instant> {
    let interval = interval_at(Instant::now() + period, period);
    if interval.is_endless() {
        return chan::never();
    }
    let (sender, receiver) = chan::chan(1);
    drop(go(deliver_each(interval, sender)));
    receiver
}

async fn deliver_once(sleep: Sleep, sender: Sender<Instant>) {
    sleep.await;
    // The buffer has room, unless nobody listens.
    let _ = sender.try_send(Instant::now());
}

async fn deliver_each(mut interval: Interval, sender: Sender<Instant>) {
    loop {
        interval.tick().await;
        if let Err(TrySendError::Closed(_)) = sender.try_send(Instant::now()) {
            return;
        }
    }
}
