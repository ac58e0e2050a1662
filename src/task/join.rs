//! Waiting for a goroutine, and ending it early.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, ready};

use super::cell::{Header, Outcome};
use super::id::Id;
use super::state::Wake;
use super::{Runnable, Why};
use crate::coop;

/// Waits for a goroutine and takes its result.
///
/// Awaiting it gives `Ok` with the goroutine's output, or a [`JoinError`] if it panicked or was
/// aborted.
///
/// # Cancellation
/// Dropping the handle *detaches* the goroutine: it goes on, and nobody learns its result. Dropping
/// a borrow of it (`(&mut handle).await`) changes nothing.
///
/// # Panics
/// Polling it again after it has answered panics.
///
/// ```
/// gorust::block_on(async {
///     let handle = gorust::go(async { 6 * 7 });
///     assert_eq!(handle.await.unwrap(), 42);
/// });
/// ```
pub struct JoinHandle<T> {
    /// `None` once the outcome was taken.
    cell: Option<NonNull<Header>>,
    id: Id,
    has_waker: bool,
    output: PhantomData<fn() -> T>,
}

// SAFETY: the handle gives access to a `T` made on another thread and to the cell's atomics; moving
// it, or sharing it (`&JoinHandle` reads flags only), needs `T: Send` and nothing else.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}
impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// # Safety
    /// The handle's reference and its HANDLE flag are the caller's; `T` is the future's output.
    pub(crate) unsafe fn new(cell: NonNull<Header>) -> JoinHandle<T> {
        // SAFETY: the reference keeps the cell alive.
        let id = unsafe { cell.as_ref().id() };
        JoinHandle {
            cell: Some(cell),
            id,
            has_waker: false,
            output: PhantomData,
        }
    }

    fn header(&self) -> Option<&Header> {
        // SAFETY: as long as `cell` is there, so is the handle's reference.
        self.cell.as_ref().map(|cell| unsafe { cell.as_ref() })
    }

    /// Asks the goroutine to end.
    ///
    /// Its future is dropped by a worker, at the latest when its running poll is over; awaiting the
    /// handle then gives an error for which [`JoinError::is_cancelled`] holds. A goroutine that is
    /// over, or ends in its running poll, is not affected.
    ///
    /// ```
    /// gorust::block_on(async {
    ///     let handle = gorust::go(std::future::pending::<()>());
    ///     handle.abort();
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort(&self) {
        if let Some(cell) = self.cell {
            // SAFETY: the handle's reference keeps the cell alive.
            unsafe { abort(cell) };
        }
    }

    /// Whether the goroutine is over and its result there.
    ///
    /// ```
    /// gorust::block_on(async {
    ///     let handle = gorust::go(async {});
    ///     while !handle.is_finished() {
    ///         gorust::yield_now().await;
    ///     }
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.header().is_none_or(|header| header.state.is_closed())
    }

    /// The goroutine's number.
    pub fn id(&self) -> Id {
        self.id
    }

    /// A handle that can abort the goroutine and nothing else.
    ///
    /// ```
    /// gorust::block_on(async {
    ///     let handle = gorust::go(std::future::pending::<()>());
    ///     let abort = handle.abort_handle();
    ///     gorust::go(async move { abort.abort() });
    ///     assert!(handle.await.is_err());
    /// });
    /// ```
    pub fn abort_handle(&self) -> AbortHandle {
        let cell = self.cell.inspect(|cell| {
            // SAFETY: the handle's reference keeps the cell alive.
            unsafe { cell.as_ref().state.retain() };
        });
        AbortHandle { cell, id: self.id }
    }

    /// Makes `cx` the one to be woken. `Ready`: closed, the slot is not ours any more.
    fn register(&mut self, cell: NonNull<Header>, cx: &Context<'_>) -> Poll<()> {
        // SAFETY: the handle's reference keeps the cell alive.
        let header = unsafe { cell.as_ref() };
        if self.has_waker {
            if !header.state.clear_join_waker() {
                self.has_waker = false; // the closer's
                return Poll::Ready(());
            }
            self.has_waker = false;
            // SAFETY: the slot is ours again, and full.
            let registered = unsafe { header.take_join_waker() };
            let same = registered.will_wake(cx.waker());
            let waker = if same { registered } else { cx.waker().clone() };
            return self.show(header, waker);
        }
        self.show(header, cx.waker().clone())
    }

    fn show(&mut self, header: &Header, waker: std::task::Waker) -> Poll<()> {
        // SAFETY: the slot is ours and empty while WAKER is clear.
        unsafe { header.put_join_waker(waker) };
        if header.state.set_join_waker() {
            self.has_waker = true;
            return Poll::Pending;
        }
        // SAFETY: refused, so the slot is still ours, and full.
        drop(unsafe { header.take_join_waker() });
        Poll::Ready(())
    }

    fn take(&mut self, cell: NonNull<Header>) -> Result<T, JoinError> {
        self.cell = None;
        // SAFETY: closed while we held the handle, so the outcome is ours, and taken only here
        // since `cell` is gone; `T` is the output's type by the promise of `new`. The reference is
        // given up last.
        unsafe {
            let outcome = Header::take_outcome::<T>(cell);
            let error = |kind| JoinError::new(cell, kind);
            let result = match outcome {
                Outcome::Done(output) => Ok(output),
                Outcome::Cancelled => Err(error(Kind::Cancelled)),
                Outcome::Panicked(payload) => Err(error(Kind::Panicked(payload))),
            };
            Header::release(cell);
            result
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = ready!(coop::poll_proceed(cx));
        let cell = self.cell.expect("JoinHandle polled after it has answered");
        // SAFETY: the handle's reference keeps the cell alive.
        if !unsafe { cell.as_ref().state.is_closed() } {
            ready!(self.register(cell, cx));
        }
        unit.made_progress();
        Poll::Ready(self.take(cell))
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let Some(cell) = self.cell else { return };
        // SAFETY: the handle's reference keeps the cell alive until it is given up, by the
        // transition or at the end; what the transition gives us is ours.
        unsafe {
            let left = cell.as_ref().state.drop_handle();
            if left.reference_released {
                return;
            }
            if left.owns_waker {
                crate::wait::batch::drop_quietly(cell.as_ref().take_join_waker());
            }
            if left.owns_outcome {
                Header::discard_outcome(cell);
            }
            Header::release(cell);
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// # Safety
/// `cell` is alive.
unsafe fn abort(cell: NonNull<Header>) {
    // SAFETY: the caller's promise.
    if unsafe { cell.as_ref().state.abort() } == Wake::Enqueue {
        // SAFETY: the transition gave us the run right.
        Header::schedule(unsafe { Runnable::from_raw(cell) }, Why::Woken);
    }
}

/// Aborts a goroutine, without a claim on its result.
///
/// Dropping it changes nothing. Got from [`JoinHandle::abort_handle`] or from
/// [`JoinSet::go`](super::JoinSet::go).
pub struct AbortHandle {
    cell: Option<NonNull<Header>>,
    id: Id,
}

// SAFETY: only the cell's atomics are used, and a reference held.
unsafe impl Send for AbortHandle {}
// SAFETY: as above.
unsafe impl Sync for AbortHandle {}
impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl AbortHandle {
    /// Asks the goroutine to end, as [`JoinHandle::abort`] does.
    pub fn abort(&self) {
        if let Some(cell) = self.cell {
            // SAFETY: our reference keeps the cell alive.
            unsafe { abort(cell) };
        }
    }

    /// Whether the goroutine is over.
    pub fn is_finished(&self) -> bool {
        // SAFETY: as above.
        self.cell
            .is_none_or(|cell| unsafe { cell.as_ref().state.is_closed() })
    }

    /// The goroutine's number.
    pub fn id(&self) -> Id {
        self.id
    }
}

impl Clone for AbortHandle {
    fn clone(&self) -> Self {
        if let Some(cell) = self.cell {
            // SAFETY: our reference keeps the cell alive.
            unsafe { cell.as_ref().state.retain() };
        }
        AbortHandle {
            cell: self.cell,
            id: self.id,
        }
    }
}

impl Drop for AbortHandle {
    fn drop(&mut self) {
        if let Some(cell) = self.cell {
            // SAFETY: the reference is ours.
            unsafe { Header::release(cell) };
        }
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why a goroutine has no result: it panicked, or it was aborted.
///
/// Its `Display` names the goroutine's id, its name if it has one, and the place that started it.
///
/// ```
/// gorust::block_on(async {
///     let error = gorust::go(async { panic!("oh") }).await.unwrap_err();
///     assert!(error.is_panic());
///     assert!(error.to_string().contains("oh"));
/// });
/// ```
pub struct JoinError {
    id: Id,
    name: Option<Box<str>>,
    location: &'static Location<'static>,
    kind: Kind,
}

enum Kind {
    Cancelled,
    Panicked(Box<dyn Any + Send>),
}

// SAFETY: the payload is only ever given out by value, or looked at as `&str` or `String`, which
// are `Sync`.
unsafe impl Sync for JoinError {}
impl UnwindSafe for JoinError {}
impl RefUnwindSafe for JoinError {}

impl JoinError {
    /// # Safety
    /// `cell` is alive.
    unsafe fn new(cell: NonNull<Header>, kind: Kind) -> JoinError {
        // SAFETY: the caller's promise; the name is copied.
        unsafe {
            JoinError {
                id: cell.as_ref().id(),
                name: Header::name(cell).map(Box::from),
                location: cell.as_ref().location(),
                kind,
            }
        }
    }

    /// Whether the goroutine was aborted, or went with its runtime.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, Kind::Cancelled)
    }

    /// Whether the goroutine panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.kind, Kind::Panicked(_))
    }

    /// The panic's payload, to look at or to pass on with [`std::panic::resume_unwind`].
    ///
    /// # Panics
    /// If the goroutine did not panic; see [`JoinError::try_into_panic`].
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("into_panic on an error that is no panic: {error}"),
        }
    }

    /// The panic's payload, or the error itself if the goroutine did not panic.
    ///
    /// # Errors
    /// The error itself.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self.kind {
            Kind::Panicked(payload) => Ok(payload),
            Kind::Cancelled => Err(self),
        }
    }

    /// The goroutine's number.
    pub fn id(&self) -> Id {
        self.id
    }
}

/// What a panic's payload says, if it says something.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// "goroutine 17 (name), started at src/main.rs:3:5"
pub(crate) struct Who<'a> {
    pub(crate) id: Id,
    pub(crate) name: Option<&'a str>,
    pub(crate) location: &'static Location<'static>,
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "goroutine {}", self.id)?;
        if let Some(name) = self.name {
            write!(f, " ({name})")?;
        }
        write!(f, ", started at {}", self.location)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = Who {
            id: self.id,
            name: self.name.as_deref(),
            location: self.location,
        };
        match &self.kind {
            Kind::Cancelled => write!(f, "{who}, was cancelled"),
            Kind::Panicked(payload) => match panic_message(&**payload) {
                Some(message) => write!(f, "{who}, panicked: {message}"),
                None => write!(f, "{who}, panicked"),
            },
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> std::io::Error {
        std::io::Error::other(error)
    }
}
