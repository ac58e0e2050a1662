//! Waking goroutines that wait for something to happen.
//!
//! One word: a stored permit, whether anyone is in line, and how often `notify_waiters` was called.
//! Without anyone in line, notifying and being notified are one read-modify-write of it.
//!
//! Invariants
//! - There is never both a permit and someone in line: `notify_one` stores one only while
//!   `LISTED` is clear, and getting in line sets `LISTED` only while there is none.
//! - `LISTED` says whether the line is empty, and changes under its lock.
//! - A notification by `notify_one` that was not used is passed on when its future is dropped; one
//!   by `notify_waiters` concerns nobody else, and is not.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, ready};

use crate::coop;
use crate::primitive::atomic::{AtomicUsize, Ordering};
use crate::primitive::{Mutex, const_fn, mutated};
use crate::wait::batch::{WakeBatch, drop_quietly, wake};
use crate::wait::list::{List, Phase, Waiter};

const PERMIT: usize = 1;
const LISTED: usize = 1 << 1;
/// One call of `notify_waiters`. They wrap, after a quarter of the address space.
const CALL: usize = 1 << 2;

/// Wakes goroutines that wait for something to happen, which it carries no value of.
///
/// [`notify_one`](Notify::notify_one) with nobody waiting leaves one permit (never more), which the
/// next [`notified`](Notify::notified) uses. [`notify_waiters`](Notify::notify_waiters) wakes
/// everyone, and leaves nothing.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use gorust::sync::Notify;
///
/// # gorust::block_on(async {
/// let ready = Arc::new(Notify::new());
/// let theirs = ready.clone();
/// let waiter = gorust::go(async move { theirs.notified().await });
/// ready.notify_one();
/// waiter.await.unwrap();
/// # });
/// ```
pub struct Notify {
    word: AtomicUsize,
    line: Mutex<List>,
}

// No user's value is inside, and nothing unwinds halfway through.
impl UnwindSafe for Notify {}
impl RefUnwindSafe for Notify {}

impl Notify {
    const_fn! {
        /// Without a permit.
        pub fn new() -> Notify {
            Notify {
                word: AtomicUsize::new(0),
                line: Mutex::new(List::new()),
            }
        }
    }

    /// Wakes the one that has waited longest. If nobody waits, the next to come does not have to.
    ///
    /// What came before this call is visible to whoever it wakes.
    #[doc(alias = "Signal")]
    pub fn notify_one(&self) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LISTED == 0 {
            // A release even if there is a permit already: it then stands for this call, too.
            // Pairs with the acquires in `use_permit`.
            let stored = self.word.compare_exchange_weak(
                word,
                word | PERMIT,
                Ordering::Release,
                Ordering::Relaxed,
            );
            match stored {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.notify_first();
    }

    #[cold]
    fn notify_first(&self) {
        let mut line = self.line.lock();
        let Some(first) = line.pop_front() else {
            // They left. Nobody can get in line meanwhile. Pairs as in `notify_one`.
            self.word.fetch_or(PERMIT, Ordering::Release);
            return;
        };
        self.listed_if(&line);
        let waker = first.settle(Phase::Granted);
        drop(line);
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// Wakes all that wait now: all whose [`notified`](Notify::notified) was called before,
    /// polled or not. Stores nothing for others.
    ///
    /// What came before this call is visible to whoever it wakes.
    #[doc(alias = "Broadcast")]
    pub fn notify_waiters(&self) {
        let mut wakers = WakeBatch::new();
        let mut line = self.line.lock();
        // Pairs with the acquire load in `use_permit`.
        self.word.fetch_add(CALL, Ordering::Release);
        while let Some(waiter) = line.pop_front() {
            wakers.extend(waiter.settle(Phase::Released));
        }
        self.listed_if(&line);
        drop(line);
        wakers.wake_all();
    }

    /// Waits for a notification. The future counts as waiting for
    /// [`notify_waiters`](Notify::notify_waiters) from now on, and for
    /// [`notify_one`](Notify::notify_one) from its first poll, or from
    /// [`enable`](Notified::enable).
    ///
    /// # Cancellation
    /// Dropping the future loses no notification: one by `notify_one` that it did not use goes to
    /// the next in line, or is stored. Its place in line is lost.
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            // Pairs with nothing: it only has to be no older than this call, and it is not.
            calls: calls(self.word.load(Ordering::Relaxed)),
            waiter: Waiter::new(),
        }
    }

    /// Uses a permit, or a call of `notify_waiters` since there were `calls`.
    fn use_permit(&self, calls_then: usize) -> bool {
        // Pairs with the releases in `notify_one`, `notify_first` and `notify_waiters`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if calls(word) != calls_then {
                return true;
            }
            if word & PERMIT == 0 {
                return false;
            }
            // Pairs with the releases in `notify_one` and `notify_first`.
            let used = self.word.compare_exchange_weak(
                word,
                word & !PERMIT,
                Ordering::Acquire,
                Ordering::Acquire,
            );
            match used {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// `LISTED`, after someone left the line.
    fn listed_if(&self, line: &List) {
        if line.is_empty() {
            self.word.fetch_and(!LISTED, Ordering::Relaxed);
        }
    }

    /// Whether the waiter was notified. If not, it is in line afterwards.
    fn poll_notified(&self, waiter: Pin<&Waiter>, calls: usize, cx: Option<&Context<'_>>) -> bool {
        loop {
            match waiter.phase() {
                Phase::Idle => {
                    let notified = self.use_permit(calls) || self.get_in_line(waiter, calls, cx);
                    if notified {
                        waiter.set_phase(Phase::Finished);
                    }
                    return notified;
                }
                Phase::Waiting => match cx {
                    Some(cx) if !waiter.still_waits(&self.line, cx) => {}
                    _ => return false,
                },
                Phase::Granted | Phase::Released => waiter.set_phase(Phase::Finished),
                Phase::Finished => return true,
            }
        }
    }

    /// Gets in line, unless there is something to use.
    fn get_in_line(&self, waiter: Pin<&Waiter>, calls: usize, cx: Option<&Context<'_>>) -> bool {
        let waker = cx.map(|cx| cx.waker().clone());
        let mut line = self.line.lock();
        while !mutated!("notify.list_blindly") {
            if self.use_permit(calls) {
                drop(line);
                drop_quietly(waker);
                return true;
            }
            let word = self.word.load(Ordering::Relaxed);
            let listed = self.word.compare_exchange(
                word,
                word | LISTED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if word & PERMIT == 0 && listed.is_ok() {
                break;
            }
        }
        // SAFETY: idle, pinned, and `drop_waiter` takes it off.
        unsafe { line.push_back(NonNull::from(waiter.get_ref()), waker) };
        false
    }

    #[cold]
    fn drop_waiter(&self, waiter: Pin<&Waiter>) {
        let mut line = self.line.lock();
        match waiter.phase() {
            Phase::Waiting => {
                // SAFETY: waiting, under the lock, so it is in line.
                let waker = unsafe { line.remove(waiter) };
                self.listed_if(&line);
                drop(line);
                drop_quietly(waker);
            }
            Phase::Granted => {
                drop(line);
                if !mutated!("notify.keep") {
                    self.notify_one();
                }
            }
            _ => {}
        }
    }
}

/// How many calls of `notify_waiters` the word has seen.
fn calls(word: usize) -> usize {
    word / CALL
}

impl Default for Notify {
    fn default() -> Self {
        Notify::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Notify")
            .field("permit", &(word & PERMIT != 0))
            .field("waited_for", &(word & LISTED != 0))
            .finish()
    }
}

/// The future of [`Notify::notified`]. It is not `Unpin`: it stands in line where it is. Polled
/// again after it was ready, it is ready again.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Notified<'a> {
    notify: &'a Notify,
    /// How many calls of `notify_waiters` it came after.
    calls: usize,
    waiter: Waiter,
}

impl Notified<'_> {
    /// Gets in line without being awaited, so that no later [`notify_one`](Notify::notify_one) is
    /// missed. `true` if it has been notified.
    ///
    /// # Examples
    /// ```
    /// use std::pin::pin;
    /// use gorust::sync::Notify;
    ///
    /// # gorust::block_on(async {
    /// let notify = Notify::new();
    /// let mut notified = pin!(notify.notified());
    /// assert!(!notified.as_mut().enable());
    /// // Look whether there is something to wait for, then:
    /// notify.notify_one();
    /// notified.await;
    /// # });
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let this = self.into_ref().get_ref();
        // SAFETY: the waiter is pinned because the future is.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        this.notify.poll_notified(waiter, this.calls, None)
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(coop::poll_proceed(cx));
        let this = self.into_ref().get_ref();
        // SAFETY: the waiter is pinned because the future is.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        if !this.notify.poll_notified(waiter, this.calls, Some(cx)) {
            return Poll::Pending;
        }
        unit.made_progress();
        Poll::Ready(())
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        if matches!(self.waiter.phase(), Phase::Waiting | Phase::Granted) {
            // SAFETY: it is not moved any more.
            let waiter = unsafe { Pin::new_unchecked(&self.waiter) };
            self.notify.drop_waiter(waiter);
        }
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified").finish_non_exhaustive()
    }
}
