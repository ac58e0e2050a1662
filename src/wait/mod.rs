//! What everything that waits shares: batches of wakers, queues of waiters, blocked threads.

pub(crate) mod batch;
pub(crate) mod blocking;
pub(crate) mod list;
