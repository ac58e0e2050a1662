//! Timer wheels.

/// One wheel behind its lock.
pub struct Shard(());
