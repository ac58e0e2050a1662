//! Locks and signals that make goroutines wait, not threads.
//!
//! Shapes and names are tokio's where it has the type, Go's where it has not. Nothing is poisoned:
//! a panic unlocks.

mod mutex;
mod notify;
mod wait_group;

pub use mutex::{
    Lock, LockOwned, MappedMutexGuard, Mutex, MutexGuard, OwnedMutexGuard, TryLockError,
};
pub use notify::{Notified, Notify};
pub use wait_group::{Wait, WaitGroup};
