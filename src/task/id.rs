//! Numbers that name goroutines.

use std::fmt;
use std::num::NonZeroU64;

use crate::primitive::GlobalCounter;

/// Names one goroutine among all that this process ever started.
///
/// Ids say nothing of the order in which goroutines were started: each worker hands out numbers
/// from a batch of its own.
///
/// ```
/// gorust::block_on(async {
///     let one = gorust::go(async {});
///     let other = gorust::go(async {});
///     assert_ne!(one.id(), other.id());
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(NonZeroU64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Id> for u64 {
    fn from(id: Id) -> u64 {
        id.0.get()
    }
}

/// How many ids a worker takes at once.
const BATCH: u64 = 256;

static NEXT: GlobalCounter = GlobalCounter::new(1);

/// Ids that only one thread hands out.
#[derive(Debug, Default)]
pub(crate) struct IdBatch {
    next: u64,
    end: u64,
}

impl IdBatch {
    pub(crate) const EMPTY: IdBatch = IdBatch { next: 0, end: 0 };

    #[inline]
    pub(crate) fn take(&mut self) -> Id {
        if self.next == self.end {
            self.next = NEXT.add(BATCH);
            self.end = self.next + BATCH;
        }
        let id = self.next;
        self.next += 1;
        // The counter starts at 1 and 2^64 goroutines are never reached.
        Id(NonZeroU64::new(id).unwrap_or(NonZeroU64::MIN))
    }
}

/// A single id, for threads that have no batch.
pub fn next() -> Id {
    Id(NonZeroU64::new(NEXT.add(1)).unwrap_or(NonZeroU64::MIN))
}
