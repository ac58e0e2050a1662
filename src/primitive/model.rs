//! The loom side of [`crate::primitive`].

use std::time::Duration;

pub use loom::sync::Arc;

/// Which part of the shipped code the running model asked to break.
///
/// A model runs in a process of its own; its harness sets these once, before the model starts.
pub mod mutate {
    use std::panic::Location;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{OnceLock, RwLock};

    /// What to change.
    #[derive(Clone, Debug)]
    pub enum Mutation {
        /// The `mutated!` hook of this name answers `true`.
        Named(&'static str),
        /// Atomic operations on this line run with this ordering; a fence there is left out.
        Weaken {
            file: &'static str,
            line: u32,
            to: Ordering,
        },
    }

    static ACTIVE: RwLock<Option<Mutation>> = RwLock::new(None);
    static HITS: AtomicUsize = AtomicUsize::new(0);
    static SCHEDULE_POINTS: AtomicBool = AtomicBool::new(true);
    static TRACE: OnceLock<bool> = OnceLock::new();

    /// Sets, or clears, the mutation for all models that run from now on.
    pub fn set(mutation: Option<Mutation>) {
        *ACTIVE.write().unwrap_or_else(|e| e.into_inner()) = mutation;
        HITS.store(0, Ordering::Relaxed);
    }

    /// How often the mutated place was executed since `set`.
    pub fn hits() -> usize {
        HITS.load(Ordering::Relaxed)
    }

    /// Whether atomics give loom a scheduling point before each operation.
    pub fn set_schedule_points(on: bool) {
        SCHEDULE_POINTS.store(on, Ordering::Relaxed);
    }

    pub(super) fn schedule_points() -> bool {
        SCHEDULE_POINTS.load(Ordering::Relaxed)
    }

    pub(crate) fn is_active(name: &str) -> bool {
        let active = ACTIVE.read().unwrap_or_else(|e| e.into_inner());
        let hit = matches!(&*active, Some(Mutation::Named(n)) if *n == name);
        if hit {
            HITS.fetch_add(1, Ordering::Relaxed);
        }
        hit
    }

    /// The ordering that the operation at `place` is to run with, if it is the mutated one.
    pub(super) fn weakened(place: &Location<'_>) -> Option<Ordering> {
        if *TRACE.get_or_init(|| std::env::var_os("GORUST_TRACE_SITES").is_some()) {
            eprintln!("site {}:{}", place.file(), place.line());
        }
        let active = ACTIVE.read().unwrap_or_else(|e| e.into_inner());
        match &*active {
            Some(Mutation::Weaken { file, line, to })
                if *line == place.line() && place.file().ends_with(file) =>
            {
                HITS.fetch_add(1, Ordering::Relaxed);
                Some(*to)
            }
            _ => None,
        }
    }
}

/// Atomics and fences.
pub mod atomic {
    pub use std::sync::atomic::Ordering;

    use super::mutate;
    use loom::sync::atomic as loom_atomic;
    use std::panic::Location;

    /// A fence that a mutation can leave out.
    #[track_caller]
    pub fn fence(order: Ordering) {
        if mutate::weakened(Location::caller()).is_none() {
            loom_atomic::fence(order);
        }
    }

    /// A failure ordering that `success` allows.
    fn failure_for(success: Ordering, wanted: Ordering) -> Ordering {
        match success {
            Ordering::Relaxed | Ordering::Release => Ordering::Relaxed,
            Ordering::Acquire | Ordering::AcqRel if wanted == Ordering::SeqCst => Ordering::Acquire,
            _ => wanted,
        }
    }

    macro_rules! wrap {
        ($name:ident, $value:ty, [$($generic:tt)*], $inner:ty) => {
            /// A loom atomic with a scheduling point before each operation.
            #[derive(Debug)]
            pub struct $name $($generic)* {
                value: $inner,
                shadow: loom_atomic::AtomicUsize,
            }

            impl $($generic)* $name $($generic)* {
                #[track_caller]
                pub fn new(value: $value) -> Self {
                    Self { value: <$inner>::new(value), shadow: loom_atomic::AtomicUsize::new(0) }
                }
                fn before(&self) {
                    if mutate::schedule_points() {
                        self.shadow.fetch_add(1, Ordering::Relaxed);
                    }
                }
                #[track_caller]
                pub fn load(&self, order: Ordering) -> $value {
                    let order = mutate::weakened(Location::caller()).unwrap_or(order);
                    self.before();
                    self.value.load(order)
                }
                #[track_caller]
                pub fn store(&self, value: $value, order: Ordering) {
                    let order = mutate::weakened(Location::caller()).unwrap_or(order);
                    self.before();
                    self.value.store(value, order)
                }
                #[track_caller]
                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    let order = mutate::weakened(Location::caller()).unwrap_or(order);
                    self.before();
                    self.value.swap(value, order)
                }
                #[track_caller]
                pub fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    let success = mutate::weakened(Location::caller()).unwrap_or(success);
                    self.before();
                    self.value.compare_exchange(current, new, success, failure_for(success, failure))
                }
                #[track_caller]
                pub fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    let success = mutate::weakened(Location::caller()).unwrap_or(success);
                    self.before();
                    self.value.compare_exchange_weak(
                        current, new, success, failure_for(success, failure),
                    )
                }
            }
        };
    }

    macro_rules! wrap_rmw {
        ($name:ident, $value:ty, [$($method:ident),*]) => {
            impl $name {
                $(
                    #[track_caller]
                    pub fn $method(&self, value: $value, order: Ordering) -> $value {
                        let order = mutate::weakened(Location::caller()).unwrap_or(order);
                        self.before();
                        self.value.$method(value, order)
                    }
                )*
            }
        };
    }

    wrap!(AtomicBool, bool, [], loom_atomic::AtomicBool);
    wrap!(AtomicU8, u8, [], loom_atomic::AtomicU8);
    wrap!(AtomicU32, u32, [], loom_atomic::AtomicU32);
    wrap!(AtomicU64, u64, [], loom_atomic::AtomicU64);
    wrap!(AtomicUsize, usize, [], loom_atomic::AtomicUsize);
    wrap!(AtomicPtr, *mut T, [<T>], loom_atomic::AtomicPtr<T>);
    wrap_rmw!(AtomicBool, bool, [fetch_or, fetch_and]);
    wrap_rmw!(AtomicU8, u8, [fetch_add, fetch_sub, fetch_or, fetch_and]);
    wrap_rmw!(AtomicU32, u32, [fetch_add, fetch_sub, fetch_or, fetch_and]);
    wrap_rmw!(AtomicU64, u64, [fetch_add, fetch_sub, fetch_or, fetch_and]);
    wrap_rmw!(
        AtomicUsize,
        usize,
        [fetch_add, fetch_sub, fetch_or, fetch_and]
    );
}

/// Threads, parking, spinning.
pub mod thread {
    pub use loom::thread::{Thread, current, park, yield_now};

    /// Loom has no time: waits for the token alone.
    pub fn park_timeout(_limit: std::time::Duration) {
        park();
    }
    /// Loom needs to see that a spinning thread cannot go on alone.
    pub fn spin_loop() {
        yield_now();
    }
}

/// Loom's checked cell.
#[derive(Debug, Default)]
pub struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    #[track_caller]
    pub fn new(value: T) -> Self {
        UnsafeCell(loom::cell::UnsafeCell::new(value))
    }
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.0.with(f)
    }
    #[track_caller]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(f)
    }
}

pub use loom::sync::MutexGuard;

/// A mutex without poisoning.
#[derive(Debug)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    #[track_caller]
    pub fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// A condition variable for [`Mutex`].
#[derive(Debug)]
pub struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub fn new() -> Self {
        Condvar(loom::sync::Condvar::new())
    }
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0
            .wait(guard)
            .unwrap_or_else(|poison| poison.into_inner())
    }
    /// Loom never lets the time run out.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _limit: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        (self.wait(guard), false)
    }
    pub fn notify_one(&self) {
        self.0.notify_one();
    }
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
