//! Sleeping, deadlines and tickers.
//!
//! | to | use |
//! | --- | --- |
//! | wait for a while, or until a moment | [`sleep`], [`sleep_until`] |
//! | give something up when it takes too long | [`timeout`], [`timeout_at`] |
//! | get any of these through a channel | [`after`], [`tick`] |
//! | do something later, unless stopped | [`after_func`] |
//! | do something regularly | [`interval`], [`interval_at`] |
//!
//! Nothing here is ever early: what waits for a moment goes on at that moment or later, usually
//! within a tick of some 65 µs and the time until a worker gets to it. A duration too long to be
//! added to the present, such as [`Duration::MAX`](std::time::Duration::MAX), means "never".
//!
//! Timers need no runtime to be created. The first poll arms a timer on the processor it runs on;
//! outside a runtime, on the default one, which starts if need be. When the runtime that keeps a
//! timer shuts down while somebody outside still waits for it, the timer moves to the runtime of
//! whoever waits, or to the default one.

mod after_func;
mod channel;
mod instant;
mod interval;
mod sleep;
mod timeout;

pub use after_func::{Timer, after_func};
pub use channel::{after, tick};
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
