//! Where cells live: the one seam through which they are allocated and freed.

use std::ptr::NonNull;

/// Moves `cell` to the heap.
#[inline]
pub fn allocate<C>(cell: C) -> NonNull<C> {
    NonNull::from(Box::leak(Box::new(cell)))
}

/// Frees what `allocate` gave.
///
/// # Safety
/// `cell` came from `allocate` as this type and is not used again.
#[inline]
pub unsafe fn free<C>(cell: NonNull<C>) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(cell.as_ptr()) });
}
