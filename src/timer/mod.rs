//! Timers: wheels, shards, and the entries that lie in them.
//!
//! A future that waits for a moment holds an [`Entry`], which lies in the [`Wheel`](wheel::Wheel) of
//! a [`Shard`]: that of the processor where it was first polled. The scheduler fires shards; nothing
//! here has a thread. `wheel` is pure, `clock` says what time it is, `shard` locks, and `entry` is
//! the protocol between the future's owner and those who fire and close.

pub mod clock;
mod entry;
mod shard;
mod wheel;

pub use entry::{Entry, Polled};
pub use shard::Shard;

#[cfg(all(test, not(gorust_loom)))]
mod tests;
