//! What everything that waits shares: batches of wakers, waiter lists.

pub(crate) mod batch;
pub(crate) mod blocking;
