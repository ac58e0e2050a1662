//! Matches goroutines to threads through processors.

use std::io;

use crate::reactor::Reactor;
use crate::timer::Shard;

/// The timer shard that a timer armed on this thread belongs to: its processor's, else the shared
/// one of the current (or default) runtime.
pub(crate) fn timer_shard() -> &'static Shard {
    unimplemented!("being written")
}

/// Called after arming a timer that became the earliest of `shard`, with no lock held.
pub(crate) fn earliest_timer_changed(_shard: &'static Shard) {
    unimplemented!("being written")
}

/// The reactor of the current runtime, else of the default one.
pub(crate) fn current_reactor() -> io::Result<&'static Reactor> {
    unimplemented!("being written")
}
