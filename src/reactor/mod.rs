//! Network poller on mio.

/// A selector and its registrations.
pub struct Reactor(());
