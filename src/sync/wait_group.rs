//! Waiting until a number of things are done.
//!
//! One word: how many are not done, and the *round*, which is how often that has reached zero. A
//! wait is over when its round is, even if the next one has begun before the waiter looks; and
//! whoever begins to wait in the next round is not let go by the end of this one, although the
//! goroutine that ended it comes to wake its waiters only later.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, ready};

use crate::coop;
use crate::primitive::atomic::{AtomicU64, Ordering};
use crate::primitive::{Arc, Mutex, mutated};
use crate::task::JoinHandle;
use crate::wait::batch::{WakeBatch, drop_quietly};
use crate::wait::list::{List, Phase, Waiter};

/// Waits for a number of goroutines, as Go's does. Clones are handles of one group.
///
/// # Examples
/// ```
/// use gorust::sync::WaitGroup;
///
/// # gorust::block_on(async {
/// let group = WaitGroup::new();
/// for _ in 0..3 {
///     group.add(1);
///     let group = group.clone();
///     gorust::go(async move { group.done() });
/// }
/// group.wait().await;
/// # });
/// ```
#[derive(Clone)]
pub struct WaitGroup {
    shared: Arc<Shared>,
}

// No user's value is inside, and nothing unwinds halfway through.
impl UnwindSafe for WaitGroup {}
impl RefUnwindSafe for WaitGroup {}

struct Shared {
    /// The round in the upper half, what is not done in the lower.
    word: AtomicU64,
    line: Mutex<List>,
}

fn round(word: u64) -> u32 {
    (word >> 32) as u32
}

fn left(word: u64) -> u32 {
    word as u32
}

fn word(round: u32, left: u32) -> u64 {
    u64::from(round) << 32 | u64::from(left)
}

impl WaitGroup {
    /// A group with nothing to wait for.
    #[must_use]
    pub fn new() -> WaitGroup {
        WaitGroup {
            shared: Arc::new(Shared {
                word: AtomicU64::new(0),
                line: Mutex::new(List::new()),
            }),
        }
    }

    /// There will be `count` more calls of [`done`](WaitGroup::done). Call it before whoever calls
    /// `done` is started, and before `wait`.
    ///
    /// # Panics
    /// More than `u32::MAX` would be missing.
    pub fn add(&self, count: usize) {
        let update = |left: u32| left.checked_add(u32::try_from(count).ok()?);
        if self.shared.update(update).is_none() {
            panic!("`WaitGroup` counter overflow: {count} added");
        }
    }

    /// One is done. What came before this call is visible to those whose wait it ends.
    ///
    /// # Panics
    /// All were done already.
    ///
    /// # Examples
    /// See [`WaitGroup`].
    #[track_caller]
    pub fn done(&self) {
        match self.shared.update(|left| left.checked_sub(1)) {
            Some(before) if left(before) == 1 => self.shared.let_go(round(before)),
            Some(_) => {}
            None => panic!(
                "negative `WaitGroup` counter: `done` was called more often than `add` announced"
            ),
        }
    }

    /// Starts a goroutine that is waited for: adds one, runs the future, and is done when the
    /// future is dropped, be it that it has completed, panicked, or been aborted.
    ///
    /// # Examples
    /// ```
    /// use gorust::sync::WaitGroup;
    ///
    /// # gorust::block_on(async {
    /// let group = WaitGroup::new();
    /// let fine = group.go(async { 7 });
    /// let aborted = group.go(std::future::pending::<()>());
    /// aborted.abort();
    /// group.wait().await;
    /// assert_eq!(fine.await.unwrap(), 7);
    /// # });
    /// ```
    #[track_caller]
    pub fn go<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.add(1);
        let group = self.clone();
        crate::go(Member {
            future,
            _membership: Membership { group },
        })
    }

    /// Waits until all are done. Ready at once if nothing was added.
    ///
    /// # Cancellation
    /// Dropping the future ends this wait, and concerns nobody else.
    ///
    /// # Examples
    /// See [`WaitGroup`].
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            shared: &self.shared,
            waiter: Waiter::new(),
        }
    }
}

/// A future that counts. Its fields are dropped in this order.
struct Member<F> {
    future: F,
    _membership: Membership,
}

impl<F: Future> Future for Member<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: pinned with the member, and never moved out of it.
        unsafe { self.map_unchecked_mut(|member| &mut member.future) }.poll(cx)
    }
}

/// Done when dropped.
struct Membership {
    group: WaitGroup,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.done();
    }
}

impl Shared {
    /// Replaces what is left; reaching zero ends the round. Returns the word before.
    fn update(&self, f: impl Fn(u32) -> Option<u32>) -> Option<u64> {
        let mut old = self.word.load(Ordering::Relaxed);
        loop {
            let new = match f(left(old))? {
                0 if left(old) != 0 => word(round(old).wrapping_add(1), 0),
                more => word(round(old), more),
            };
            // Release: what came before `done` is visible to the waiters, through the acquire loads
            // in `is_over`. Acquire: or through whoever is last to be done, here, and settles them.
            let updated =
                self.word
                    .compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed);
            match updated {
                Ok(before) => return Some(before),
                Err(now) => old = now,
            }
        }
    }

    /// Wakes those who wait for the end of the round.
    fn let_go(&self, ended: u32) {
        let mut wakers = WakeBatch::new();
        let mut line = self.line.lock();
        while let Some(first) = line.front() {
            // SAFETY: it is in line, and we have the lock.
            let theirs = unsafe { first.tag() };
            // Rounds wrap; those of one line are close together.
            if (ended.wrapping_sub(theirs) as i32) < 0 && !mutated!("wait_group.any_round") {
                break;
            }
            let first = line.pop_front();
            wakers.extend(first.and_then(|first| first.settle(Phase::Released)));
            if mutated!("wait_group.lets_one_go") {
                break;
            }
        }
        drop(line);
        wakers.wake_all();
    }

    /// Whether nothing is left to wait for; else, the round to wait for.
    fn is_over(&self) -> Result<(), u32> {
        // Pairs with the release in `update`.
        let word = self.word.load(Ordering::Acquire);
        match left(word) {
            0 => Ok(()),
            _ => Err(round(word)),
        }
    }

    fn poll_wait(&self, waiter: Pin<&Waiter>, cx: &Context<'_>) -> Poll<()> {
        loop {
            match waiter.phase() {
                Phase::Idle => {
                    if self.is_over().is_ok() || self.get_in_line(waiter, cx) {
                        break;
                    }
                    return Poll::Pending;
                }
                Phase::Waiting => {
                    if waiter.still_waits(&self.line, cx) {
                        return Poll::Pending;
                    }
                }
                Phase::Granted | Phase::Released => break,
                Phase::Finished => panic!("`Wait` polled after it was ready"),
            }
        }
        waiter.set_phase(Phase::Finished);
        Poll::Ready(())
    }

    /// Gets in line, unless the wait is over.
    fn get_in_line(&self, waiter: Pin<&Waiter>, cx: &Context<'_>) -> bool {
        let waker = cx.waker().clone();
        let mut line = self.line.lock();
        let over = match mutated!("wait_group.trust_first_look") {
            true => Err(0),
            false => self.is_over(),
        };
        match over {
            // Whoever ends this round comes for the lock after us, or we would have seen it.
            Err(round) => {
                // SAFETY: idle, so ours; pinned, and `leave` takes it off.
                unsafe {
                    waiter.set_tag(round);
                    line.push_back(NonNull::from(waiter.get_ref()), Some(waker));
                }
                false
            }
            Ok(()) => {
                drop(line);
                drop_quietly(waker);
                true
            }
        }
    }

    #[cold]
    fn leave(&self, waiter: Pin<&Waiter>) {
        let mut line = self.line.lock();
        if waiter.phase() == Phase::Waiting {
            // SAFETY: waiting, under the lock, so it is in line.
            let waker = unsafe { line.remove(waiter) };
            drop(line);
            drop_quietly(waker);
        }
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.shared.word.load(Ordering::Relaxed);
        f.debug_struct("WaitGroup")
            .field("left", &left(word))
            .finish()
    }
}

/// The future of [`WaitGroup::wait`]. It is not `Unpin`: it stands in line where it is.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Wait<'a> {
    shared: &'a Shared,
    waiter: Waiter,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(coop::poll_proceed(cx));
        let this = self.into_ref().get_ref();
        // SAFETY: the waiter is pinned because the future is.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        ready!(this.shared.poll_wait(waiter, cx));
        unit.made_progress();
        Poll::Ready(())
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.waiter.phase() == Phase::Waiting {
            // SAFETY: it is not moved any more.
            let waiter = unsafe { Pin::new_unchecked(&self.waiter) };
            self.shared.leave(waiter);
        }
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}
