//! Wakers of goroutines: a counted reference behind std's vtable.
//!
//! They may be cloned, sent and woken anywhere, and may outlive the runtime.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::Runnable;
use super::cell::{Header, Why};
use super::state::Wake;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release);

/// A waker that borrows its reference from the running poll.
pub(super) struct BorrowedWaker(ManuallyDrop<Waker>);

impl BorrowedWaker {
    /// # Safety
    /// `header` stays alive as long as the result.
    pub(super) unsafe fn new(header: NonNull<Header>) -> BorrowedWaker {
        // SAFETY: the vtable's functions take exactly this pointer; ManuallyDrop keeps the borrowed
        // reference from being released.
        BorrowedWaker(ManuallyDrop::new(unsafe {
            Waker::new(header.as_ptr() as *const (), &VTABLE)
        }))
    }
}

impl Deref for BorrowedWaker {
    type Target = Waker;
    fn deref(&self) -> &Waker {
        &self.0
    }
}

/// Whether `waker` wakes exactly the goroutine in `header`.
pub(crate) fn belongs_to(waker: &Waker, header: NonNull<Header>) -> bool {
    std::ptr::eq(waker.vtable(), &VTABLE) && waker.data() == header.as_ptr() as *const ()
}

/// # Safety
/// `data` came from a waker of ours.
unsafe fn header(data: *const ()) -> NonNull<Header> {
    // SAFETY: wakers are only made from non-null cells.
    unsafe { NonNull::new_unchecked(data as *mut Header) }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the waker that is cloned holds a reference.
    unsafe { header(data).as_ref().state.retain() };
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: the waker's reference keeps the cell alive up to the transition, which gives it up.
    let header = unsafe { header(data) };
    // SAFETY: as above.
    match unsafe { header.as_ref().state.wake_and_release() } {
        Wake::Nothing => {}
        // SAFETY: the transition gave us the run right.
        Wake::Enqueue => Header::schedule(unsafe { Runnable::from_raw(header) }, Why::Woken),
        // SAFETY: the transition gave up the last reference.
        Wake::Free => unsafe { Header::free(header) },
    }
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker holds a reference throughout.
    let header = unsafe { header(data) };
    // SAFETY: as above.
    if unsafe { header.as_ref().state.wake() } == Wake::Enqueue {
        // SAFETY: the transition gave us the run right.
        Header::schedule(unsafe { Runnable::from_raw(header) }, Why::Woken);
    }
}

unsafe fn release(data: *const ()) {
    // SAFETY: the waker's reference is given up here.
    unsafe { Header::release(header(data)) };
}
