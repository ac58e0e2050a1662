//! The loom side of [`crate::primitive`].

use std::time::Duration;

pub use loom::sync::Arc;

/// Which part of the shipped code the running model asked to break.
///
/// All of this belongs to the OS thread that runs the model: loom runs a model's threads as
/// coroutines on that one, so models that run beside each other do not meet here.
pub mod mutate {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeSet;
    use std::ops::RangeInclusive;
    use std::panic::Location;
    use std::sync::OnceLock;

    use super::atomic::Ordering;

    /// What to change.
    #[derive(Clone, Debug)]
    pub enum Mutation {
        /// The `mutated!` hook of this name answers `true`.
        Named(&'static str),
        /// The atomic operation or fence on these lines of `file` runs with `to`, or with what is
        /// left of `to` for its kind; a fence weakened to `Relaxed` is left out.
        Weaken {
            /// The path as the compiler was given it, `src/..`.
            file: &'static str,
            /// From the first to the last line of the operation's name.
            lines: RangeInclusive<u32>,
            /// The weaker ordering.
            to: Ordering,
            /// Weakens the ordering that a failed `compare_exchange` has, not the main one.
            of_failure: bool,
        },
    }

    /// What became of the mutation.
    #[derive(Clone, Debug, Default)]
    pub struct Effect {
        /// How often the mutated place was executed.
        pub hits: usize,
        /// How often the place was executed with an ordering that `to` does not weaken.
        pub not_weaker: usize,
        /// The places that matched, as (line, column): more than one is a mistake.
        pub places: BTreeSet<(u32, u32)>,
    }

    /// What an ordering is for: decides which orderings are valid.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) enum Role {
        Load,
        Store,
        ReadModifyWrite,
        /// The load that a failed compare-and-exchange is.
        Failure,
        Fence,
    }

    thread_local! {
        static ACTIVE: RefCell<Option<Mutation>> = const { RefCell::new(None) };
        static EFFECT: RefCell<Effect> = RefCell::default();
        static SCHEDULE_POINTS: Cell<bool> = const { Cell::new(true) };
    }

    /// Sets, or clears, the mutation for the models that this thread runs from now on.
    pub fn set(mutation: Option<Mutation>) {
        ACTIVE.set(mutation);
        EFFECT.take();
    }

    /// What the mutation has met since `set`.
    pub fn effect() -> Effect {
        EFFECT.with_borrow(Effect::clone)
    }

    /// Whether atomics give loom a scheduling point before each operation.
    pub fn set_schedule_points(on: bool) {
        SCHEDULE_POINTS.set(on);
    }

    pub(super) fn schedule_points() -> bool {
        SCHEDULE_POINTS.get()
    }

    pub fn is_active(name: &str) -> bool {
        let hit = ACTIVE
            .with_borrow(|active| matches!(active, Some(Mutation::Named(named)) if *named == name));
        if hit {
            EFFECT.with_borrow_mut(|effect| effect.hits += 1);
        }
        hit
    }

    /// The ordering that the operation at `place` is to run with: `order`, unless it is mutated.
    pub(super) fn ordering(place: &Location<'_>, role: Role, order: Ordering) -> Ordering {
        trace(place, role);
        let to = ACTIVE.with_borrow(|active| match active {
            Some(Mutation::Weaken {
                file,
                lines,
                to,
                of_failure,
            }) if lines.contains(&place.line())
                && *of_failure == (role == Role::Failure)
                && is_file(place.file(), file) =>
            {
                Some(*to)
            }
            _ => None,
        });
        let Some(to) = to.map(|to| valid_for(role, to)) else {
            return order;
        };
        EFFECT.with_borrow_mut(|effect| {
            effect.places.insert((place.line(), place.column()));
            if is_weaker(to, order) {
                effect.hits += 1;
                to
            } else {
                effect.not_weaker += 1;
                order
            }
        })
    }

    fn is_file(path: &str, file: &str) -> bool {
        path.strip_suffix(file)
            .is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
    }

    /// The part of `order` that an operation of this kind can have.
    fn valid_for(role: Role, order: Ordering) -> Ordering {
        match (role, order) {
            (Role::Load | Role::Failure, Ordering::Release) => Ordering::Relaxed,
            (Role::Load | Role::Failure, Ordering::AcqRel) => Ordering::Acquire,
            (Role::Store, Ordering::Acquire) => Ordering::Relaxed,
            (Role::Store, Ordering::AcqRel) => Ordering::Release,
            _ => order,
        }
    }

    fn is_weaker(order: Ordering, than: Ordering) -> bool {
        use Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
        matches!(
            (order, than),
            (Relaxed, Acquire | Release | AcqRel | SeqCst)
                | (Acquire | Release, AcqRel | SeqCst)
                | (AcqRel, SeqCst)
        )
    }

    /// With `GORUST_TRACE_SITES` set, names each operation that runs.
    fn trace(place: &Location<'_>, role: Role) {
        static TRACE: OnceLock<bool> = OnceLock::new();
        let on = *TRACE.get_or_init(|| std::env::var_os("GORUST_TRACE_SITES").is_some());
        if on && role != Role::Failure {
            eprintln!("site {}:{}:{}", place.file(), place.line(), place.column());
        }
    }
}

/// Atomics and fences.
pub mod atomic {
    pub use std::sync::atomic::Ordering;

    use super::mutate::{self, Role};
    use loom::sync::atomic as loom_atomic;
    use std::panic::Location;

    /// A fence that a mutation can weaken or leave out.
    #[track_caller]
    pub fn fence(order: Ordering) {
        match mutate::ordering(Location::caller(), Role::Fence, order) {
            Ordering::Relaxed if order != Ordering::Relaxed => {}
            order => loom_atomic::fence(order),
        }
    }

    macro_rules! wrap {
        ($name:ident, $value:ty, [$($generic:tt)*], $inner:ty) => {
            /// A loom atomic with a scheduling point before each operation.
            pub struct $name $($generic)* {
                value: $inner,
                shadow: loom_atomic::AtomicUsize,
            }

            // By hand, since a derived one would ask for a pointer's target to be `Debug`.
            impl $($generic)* std::fmt::Debug for $name $($generic)* {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.debug_struct(stringify!($name)).finish_non_exhaustive()
                }
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
                    let order = mutate::ordering(Location::caller(), Role::Load, order);
                    self.before();
                    self.value.load(order)
                }
                #[track_caller]
                pub fn store(&self, value: $value, order: Ordering) {
                    let order = mutate::ordering(Location::caller(), Role::Store, order);
                    self.before();
                    self.value.store(value, order)
                }
                #[track_caller]
                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    let order = mutate::ordering(Location::caller(), Role::ReadModifyWrite, order);
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
                    let place = Location::caller();
                    let success = mutate::ordering(place, Role::ReadModifyWrite, success);
                    let failure = mutate::ordering(place, Role::Failure, failure);
                    self.before();
                    self.value.compare_exchange(current, new, success, failure)
                }
                /// Loom never lets it fail without a reason.
                #[track_caller]
                pub fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.compare_exchange(current, new, success, failure)
                }
                #[track_caller]
                pub fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    mut next: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    let place = Location::caller();
                    let success = mutate::ordering(place, Role::ReadModifyWrite, success);
                    let failure = mutate::ordering(place, Role::Failure, failure);
                    self.before();
                    let mut current = self.value.load(failure);
                    while let Some(new) = next(current) {
                        self.before();
                        match self.value.compare_exchange(current, new, success, failure) {
                            Ok(previous) => return Ok(previous),
                            Err(other) => current = other,
                        }
                    }
                    Err(current)
                }
                #[track_caller]
                pub fn into_inner(self) -> $value {
                    // SAFETY: whoever owns the atomic has it alone.
                    unsafe { self.value.unsync_load() }
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
                        let order = mutate::ordering(Location::caller(), Role::ReadModifyWrite, order);
                        self.before();
                        self.value.$method(value, order)
                    }
                )*
            }
        };
    }

    macro_rules! wrap_number {
        ($name:ident, $value:ty) => {
            wrap!($name, $value, [], loom_atomic::$name);
            wrap_rmw!(
                $name,
                $value,
                [
                    fetch_add, fetch_sub, fetch_or, fetch_and, fetch_xor, fetch_max, fetch_min
                ]
            );
            impl $name {
                /// Loom checks that no access of another thread's is concurrent with this one.
                #[track_caller]
                pub fn with_mut<R>(&mut self, f: impl FnOnce(&mut $value) -> R) -> R {
                    self.value.with_mut(f)
                }
            }
            impl Default for $name {
                fn default() -> Self {
                    Self::new(0)
                }
            }
        };
    }

    wrap!(AtomicBool, bool, [], loom_atomic::AtomicBool);
    wrap_rmw!(AtomicBool, bool, [fetch_or, fetch_and, fetch_xor]);
    wrap!(AtomicPtr, *mut T, [<T>], loom_atomic::AtomicPtr<T>);
    wrap_number!(AtomicU8, u8);
    wrap_number!(AtomicU32, u32);
    wrap_number!(AtomicU64, u64);
    wrap_number!(AtomicUsize, usize);

    impl Default for AtomicBool {
        fn default() -> Self {
            Self::new(false)
        }
    }
}

/// Memory that loom watches: what is not freed in the end is a leak.
pub mod heap {
    use std::ptr::{self, NonNull};

    #[repr(C)]
    struct Watched<T> {
        value: T,
        watch: loom::alloc::Track<()>,
        freed: bool,
    }

    #[track_caller]
    pub fn allocate<T>(value: T) -> NonNull<T> {
        let watched = Watched {
            value,
            watch: loom::alloc::Track::new(()),
            freed: false,
        };
        NonNull::from(Box::leak(Box::new(watched))).cast()
    }

    /// The memory itself is kept, so that a use of it after this is found and does no harm.
    ///
    /// # Safety
    /// `place` came from `allocate` as this type and is not used again.
    pub unsafe fn free<T>(place: NonNull<T>) {
        // SAFETY: `allocate` put it there, and it has never been unmapped; `value` and `watch` are
        // still there unless `freed` says otherwise.
        unsafe {
            let watched = place.cast::<Watched<T>>().as_ptr();
            assert!(!(*watched).freed, "freed twice");
            (*watched).freed = true;
            ptr::drop_in_place(&raw mut (*watched).value);
            ptr::drop_in_place(&raw mut (*watched).watch);
        }
    }
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
#[derive(Debug, Default)]
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
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(poison)) => Some(poison.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }
}

/// A condition variable for [`Mutex`].
#[derive(Debug)]
pub struct Condvar(loom::sync::Condvar);

impl Default for Condvar {
    fn default() -> Self {
        Condvar::new()
    }
}

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
