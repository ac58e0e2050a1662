//! A lock that makes goroutines wait. Who gets it when is [`raw`]'s business.

mod guard;
mod raw;

use std::cell::UnsafeCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

pub use self::guard::{MappedMutexGuard, MutexGuard, OwnedMutexGuard};
use self::raw::{RawMutex, Turn};
use crate::coop;
use crate::primitive::const_fn;
use crate::wait::blocking;

/// A lock around a value, held across `.await` if need be.
///
/// A goroutine that comes along while the lock is free takes it, even if others were woken for it
/// just before; one that has lost twice goes first. The lock is never handed over, so a future that
/// is not polled keeps it from nobody. A panic while it is held unlocks it; nothing is poisoned.
///
/// Where nothing is awaited while the lock is held, `std`'s is the better choice.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use gorust::sync::Mutex;
///
/// # gorust::block_on(async {
/// let total = Arc::new(Mutex::new(0));
/// let other = total.clone();
/// let adder = gorust::go(async move { *other.lock().await += 1 });
/// adder.await.unwrap();
/// assert_eq!(*total.lock().await, 1);
/// # });
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    /// The user's, who brings the atomics; so it is `std`'s cell, which can be unsized.
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives one thread at a time access to the value; whoever has it may also move
// the value away. Nobody gets a `&T` on two threads at once.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

// Nothing is poisoned, as the documentation says.
impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

impl<T> Mutex<T> {
    const_fn! {
        /// A mutex that is free.
        ///
        /// # Examples
        /// ```
        /// static TOTAL: gorust::sync::Mutex<u32> = gorust::sync::Mutex::new(0);
        /// *TOTAL.try_lock().unwrap() += 1;
        /// ```
        pub fn new(value: T) -> Mutex<T> {
            Mutex {
                raw: RawMutex::new(),
                value: UnsafeCell::new(value),
            }
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, and waits while someone else has the lock.
    ///
    /// # Cancellation
    /// A future that is dropped before it is ready leaves the line; if it was woken already, the
    /// next one is woken. One that comes back starts at the end of the line.
    ///
    /// # Panics
    /// The future panics if it is polled after it was ready.
    ///
    /// # Examples
    /// See [`Mutex`].
    #[inline]
    pub fn lock(&self) -> Lock<'_, T> {
        Lock {
            mutex: self,
            turn: Turn::new(),
        }
    }

    /// [`lock`](Mutex::lock) with a guard that keeps the mutex alive, and borrows nothing.
    ///
    /// # Cancellation
    /// As for [`lock`](Mutex::lock).
    ///
    /// # Panics
    /// The future panics if it is polled after it was ready.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use gorust::sync::{Mutex, OwnedMutexGuard};
    ///
    /// # gorust::block_on(async {
    /// let mutex = Arc::new(Mutex::new(1));
    /// let guard: OwnedMutexGuard<u32> = mutex.clone().lock_owned().await;
    /// drop(mutex);
    /// assert_eq!(*guard, 1);
    /// # });
    /// ```
    #[inline]
    pub fn lock_owned(self: Arc<Self>) -> LockOwned<T> {
        LockOwned {
            mutex: ManuallyDrop::new(self),
            turn: Turn::new(),
        }
    }

    /// Locks if nobody has the lock.
    ///
    /// # Errors
    /// Someone has it.
    ///
    /// # Examples
    /// ```
    /// let mutex = gorust::sync::Mutex::new(1);
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_err());
    /// # drop(guard);
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        match self.raw.try_lock() {
            // SAFETY: we have the lock.
            true => Ok(unsafe { MutexGuard::new(self) }),
            false => Err(TryLockError(())),
        }
    }

    /// [`try_lock`](Mutex::try_lock) with a guard that keeps the mutex alive.
    ///
    /// # Errors
    /// Someone has the lock.
    #[inline]
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        match self.raw.try_lock() {
            // SAFETY: we have the lock.
            true => Ok(unsafe { OwnedMutexGuard::new(self) }),
            false => Err(TryLockError(())),
        }
    }

    /// [`lock`](Mutex::lock), blocking the thread. For plain threads: goroutines use `lock`.
    ///
    /// # Examples
    /// ```
    /// let mutex = gorust::sync::Mutex::new(0);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| *mutex.lock_blocking() += 1);
    ///     scope.spawn(|| *mutex.lock_blocking() += 1);
    /// });
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    pub fn lock_blocking(&self) -> MutexGuard<'_, T> {
        self.try_lock()
            .unwrap_or_else(|_| blocking::block_on(self.lock()))
    }

    /// [`lock_owned`](Mutex::lock_owned), blocking the thread.
    pub fn lock_blocking_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        blocking::block_on(self.lock_owned())
    }

    /// The value of a mutex that nobody else can reach, without locking.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => out.field("value", &&*guard),
            Err(_) => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Mutex::new(value)
    }
}

/// [`try_lock`](Mutex::try_lock) found the lock taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryLockError(());

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is held")
    }
}

impl Error for TryLockError {}

/// The future of [`Mutex::lock`]. It is not `Unpin`: it stands in line where it is.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Lock<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    turn: Turn,
}

impl<'a, T: ?Sized> Future for Lock<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = ready!(coop::poll_proceed(cx));
        let mutex = self.mutex;
        // SAFETY: the turn is pinned because the future is.
        let turn = unsafe { self.map_unchecked_mut(|lock| &mut lock.turn) };
        ready!(mutex.raw.poll_lock(turn, cx));
        unit.made_progress();
        // SAFETY: we have the lock.
        Poll::Ready(unsafe { MutexGuard::new(mutex) })
    }
}

impl<T: ?Sized> Drop for Lock<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it is not moved any more.
        let turn = unsafe { Pin::new_unchecked(&mut self.turn) };
        self.mutex.raw.drop_turn(turn);
    }
}

impl<T: ?Sized> fmt::Debug for Lock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

/// The future of [`Mutex::lock_owned`]. It is not `Unpin`: it stands in line where it is.
#[must_use = "futures do nothing unless they are awaited"]
pub struct LockOwned<T: ?Sized> {
    /// Moved into the guard when the turn is finished, and only then.
    mutex: ManuallyDrop<Arc<Mutex<T>>>,
    turn: Turn,
}

impl<T: ?Sized> Future for LockOwned<T> {
    type Output = OwnedMutexGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = ready!(coop::poll_proceed(cx));
        // SAFETY: the turn is not moved, and the reference to the mutex does not care.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: the turn is pinned because the future is.
        let turn = unsafe { Pin::new_unchecked(&mut this.turn) };
        ready!(this.mutex.raw.poll_lock(turn, cx));
        unit.made_progress();
        // SAFETY: the turn has just finished, so this is the first time, and polling again panics.
        let mutex = unsafe { ManuallyDrop::take(&mut this.mutex) };
        // SAFETY: we have the lock.
        Poll::Ready(unsafe { OwnedMutexGuard::new(mutex) })
    }
}

impl<T: ?Sized> Drop for LockOwned<T> {
    fn drop(&mut self) {
        if self.turn.is_finished() {
            return;
        }
        // SAFETY: it is not moved any more.
        let turn = unsafe { Pin::new_unchecked(&mut self.turn) };
        self.mutex.raw.drop_turn(turn);
        // SAFETY: the turn did not finish, so the reference is still here.
        unsafe { ManuallyDrop::drop(&mut self.mutex) };
    }
}

impl<T: ?Sized> fmt::Debug for LockOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockOwned").finish_non_exhaustive()
    }
}
