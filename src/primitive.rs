//! The one switch between std and loom.
//!
//! Problem: every concurrent structure of gorust must run on real hardware *and* under loom's
//! model checker, and it must be the same code. Everything that synchronises threads therefore
//! comes from this file, the only one that names either source.
//!
//! Under `--cfg gorust_loom` each atomic is a thin wrapper that performs a relaxed
//! read-modify-write on a shadow atomic before each operation. Loom skips interleavings in which a
//! thread loads an atomic and then writes it, that is, in every compare-and-swap loop; the shadow
//! operation gives it back its scheduling point. The wrappers are `#[track_caller]`, so that a
//! model can name one call site and have its ordering weakened (see [`mutate`]).
//!
//! There is no poisoning: a lock held across a panic is simply unlocked, because user code never
//! runs under our locks.

#[cfg(not(gorust_loom))]
mod real;
#[cfg(not(gorust_loom))]
pub use real::*;

#[cfg(gorust_loom)]
mod model;
#[cfg(gorust_loom)]
pub use model::*;

/// `true` if the running loom model asked for the named mutation of the shipped code; a constant
/// `false` otherwise. Each name belongs to exactly one model that must fail under it.
macro_rules! mutated {
    ($name:literal) => {{
        #[cfg(gorust_loom)]
        {
            $crate::primitive::mutate::is_active($name)
        }
        #[cfg(not(gorust_loom))]
        {
            false
        }
    }};
}
pub(crate) use mutated;

/// A `const fn`, except under loom, whose types cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])*
        #[cfg(not(gorust_loom))]
        $visibility const fn $($rest)*
        $(#[$attribute])*
        #[cfg(gorust_loom)]
        $visibility fn $($rest)*
    };
}
pub(crate) use const_fn;

/// Keeps its content on a cache line (and its prefetched neighbour) of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct CachePadded<T>(pub T);

impl<T> std::ops::Deref for CachePadded<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A process-wide counter. Always std's: loom's atomics cannot live in a `static`, and nothing is
/// published through it.
#[derive(Debug)]
pub struct GlobalCounter(std::sync::atomic::AtomicU64);

impl GlobalCounter {
    pub const fn new(start: u64) -> Self {
        GlobalCounter(std::sync::atomic::AtomicU64::new(start))
    }
    /// Adds, and returns what was there before.
    pub fn add(&self, count: u64) -> u64 {
        self.0
            .fetch_add(count, std::sync::atomic::Ordering::Relaxed)
    }
}

/// A process-wide flag, std's for the same reason. Its users order it with fences.
#[derive(Debug)]
pub struct GlobalFlag(std::sync::atomic::AtomicBool);

impl GlobalFlag {
    pub const fn new(value: bool) -> Self {
        GlobalFlag(std::sync::atomic::AtomicBool::new(value))
    }
    #[inline]
    pub fn get(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
    pub fn set(&self, value: bool) {
        self.0.store(value, std::sync::atomic::Ordering::Relaxed);
    }
}
