//! The state word of a goroutine: every transition of its life, each one atomic operation.
//!
//! ```text
//!  63            40 39             8 7      4    3        2        1        0
//! [ wakes (24)     | references (32) | unused | WAKER | HANDLE | CANCELLED | CLOSED ]
//! ```
//!
//! *Wakes* counts the wake-ups since the last poll began to be answered. It is also the **run
//! right**: whoever moves it from 0 to 1 on a cell that is not CLOSED owns the right to run the
//! goroutine, and passes it on through a queue to a worker, who gives it up by moving the count
//! back to 0. There is at most one run right per cell at any time; only its owner may touch the
//! future, and only its owner may close the cell. So nothing in a queue needs a reference of its
//! own: the list of live goroutines holds one until the cell is closed.
//!
//! *References* are held by the owner's list (until CLOSED), by the `JoinHandle`, by each waker
//! and each `AbortHandle`.
//!
//! | event            | idle (wakes = 0)          | queued or running (wakes > 0)   | CLOSED |
//! | ---------------- | ------------------------- | ------------------------------- | ------ |
//! | `wake`           | wakes + 1, caller enqueues | wakes + 1, nothing to do        | wakes + 1, nothing to do |
//! | `abort`          | CANCELLED, then as `wake` | CANCELLED, then as `wake`       | nothing |
//! | `start_run`      | impossible                | `Poll(n)`, or `Cancel` if CANCELLED | impossible |
//! | `pause(n)`       | impossible                | wakes - n; 0 left: idle, run right gone; else queued again | impossible |
//! | `close`          | impossible                | CLOSED; says whether HANDLE, WAKER were set | impossible |
//! | `set_join_waker` | WAKER                     | WAKER                           | refused: the slot stays the handle's |
//! | `clear_join_waker` | slot back to the handle | slot back to the handle         | refused: the slot is the closer's if WAKER was set |
//! | `drop_handle`    | no HANDLE, slot to caller | no HANDLE, slot to caller       | outcome to caller |
//!
//! The join waker's slot belongs to the `JoinHandle` while WAKER is clear, to the closer once
//! CLOSED and WAKER are both set, to nobody in between.
//!
//! **Overflow.** References abort the process past half their range, as `Arc`'s do: between that
//! and the carry into the wakes lie 2^31 clones by as many threads at once. Wakes are *collapsed*:
//! a wake that finds half the range used up sets the count to a quarter by compare-and-swap. That
//! cannot lose a wake-up: a run never starts with more than `RUN_LIMIT` (a 32nd of half) on its
//! account, since `start_run` collapses the count to 1 first, so a quarter still tells `pause`
//! that the count moved. Undoing the add instead would let a late undo empty a count that a
//! `pause` has already taken into account.

use crate::primitive::atomic::{AtomicU64, Ordering};
use crate::primitive::mutated;

const CLOSED: u64 = 1;
const CANCELLED: u64 = 1 << 1;
const HANDLE: u64 = 1 << 2;
const WAKER: u64 = 1 << 3;

const REF_SHIFT: u32 = 8;
const REF_ONE: u64 = 1 << REF_SHIFT;
const REF_HALF: u64 = 1 << 31;
const WAKE_SHIFT: u32 = 40;
const WAKE_ONE: u64 = 1 << WAKE_SHIFT;

/// Wakes at which the count is collapsed to `WAKE_QUARTER`. Loom has to reach it.
const WAKE_HALF: u64 = if cfg!(gorust_loom) { 4 } else { 1 << 23 };
const WAKE_QUARTER: u64 = WAKE_HALF / 2;
/// The most wakes a run starts with.
const RUN_LIMIT: u64 = if cfg!(gorust_loom) { 1 } else { WAKE_HALF / 32 };

const fn wakes(word: u64) -> u64 {
    word >> WAKE_SHIFT
}
const fn references(word: u64) -> u64 {
    (word >> REF_SHIFT) & 0xffff_ffff
}
const fn with_wakes(word: u64, count: u64) -> u64 {
    (word & (WAKE_ONE - 1)) | (count << WAKE_SHIFT)
}

/// What a wake-up asks of the caller.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Wake {
    /// The caller got the run right: put the goroutine in a queue.
    Enqueue,
    Nothing,
    /// The reference given up was the last: free the cell.
    Free,
}

/// How a run begins.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Start {
    /// Poll, then `pause` with this number.
    Poll(u64),
    /// Somebody asked for an end: drop the future instead.
    Cancel,
}

/// How a run that did not finish ends.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Pause {
    /// The run right is gone; the cell must not be touched any more.
    Idle,
    /// Woken meanwhile: still ours, put it in a queue.
    Requeue,
}

/// What the closer of a cell has to care for.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Closed {
    /// A `JoinHandle` will take the outcome.
    pub has_handle: bool,
    /// The join waker is the closer's to take and wake.
    pub has_waker: bool,
}

/// What remains for a `JoinHandle` that is dropped.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct HandleDropped {
    /// The cell is closed and nobody took the outcome: it is the caller's to drop.
    pub owns_outcome: bool,
    /// The join waker in the slot is the caller's to drop.
    pub owns_waker: bool,
    /// The caller's reference is gone already.
    pub reference_released: bool,
}

/// The word itself; see the module's table.
#[derive(Debug)]
pub struct State(AtomicU64);

impl State {
    /// Queued, referenced by the owner's list and by a `JoinHandle`.
    pub fn new() -> State {
        State(AtomicU64::new(WAKE_ONE | (2 * REF_ONE) | HANDLE))
    }

    /// Records a wake-up.
    #[inline]
    pub fn wake(&self) -> Wake {
        // Release: what the waker wrote is seen by the run that answers; partner: the load in
        // `start_run`, also when the run right is somebody else's. Acquire: whoever gets the run
        // right may write the queue's link, or end the goroutine, after all that its last owner did
        // (partner: `pause`).
        let before = self.0.fetch_add(WAKE_ONE, Ordering::AcqRel);
        if wakes(before) >= WAKE_HALF {
            self.relieve();
        }
        Self::woken(before)
    }

    /// Records a wake-up and gives up a reference, in one step.
    #[inline]
    pub fn wake_and_release(&self) -> Wake {
        // Before the reference is gone, and the cell with it.
        if wakes(self.0.load(Ordering::Relaxed)) >= WAKE_HALF {
            self.relieve();
        }
        // Release: as in `wake`, and for the reference; Acquire: if this was the last one, all that
        // other holders did happened before the cell is freed (partner: this, `release`).
        let before = self.0.fetch_add(WAKE_ONE - REF_ONE, Ordering::AcqRel);
        if references(before) == 1 {
            debug_assert!(
                before & CLOSED != 0,
                "a live goroutine lost its last reference"
            );
            return Wake::Free;
        }
        Self::woken(before)
    }

    #[inline]
    fn woken(before: u64) -> Wake {
        if wakes(before) == 0 && before & CLOSED == 0 {
            return Wake::Enqueue;
        }
        Wake::Nothing
    }

    /// Brings a count of half the range or more down.
    #[cold]
    fn relieve(&self) {
        let quarter = if mutated!("task.collapse_to_one") {
            1
        } else {
            WAKE_QUARTER
        };
        self.collapse(WAKE_HALF - 1, quarter);
    }

    /// Brings a count above `limit` down to `target`, keeping everything else.
    #[cold]
    fn collapse(&self, limit: u64, target: u64) {
        let mut word = self.0.load(Ordering::Relaxed);
        while wakes(word) > limit {
            // Relaxed: a read-modify-write, so it passes on every earlier Release in this word.
            match self.0.compare_exchange_weak(
                word,
                with_wakes(word, target),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// Begins a run. The caller owns the run right.
    #[inline]
    pub fn start_run(&self) -> Start {
        // Acquire: sees what the wakers wrote (partner: `wake`) and what the last run left in the
        // cell (partner: `pause`).
        let mut word = self.0.load(Ordering::Acquire);
        debug_assert!(
            wakes(word) > 0 && word & CLOSED == 0,
            "run without the run right"
        );
        let limit = if mutated!("task.run_takes_all") {
            u64::MAX
        } else {
            RUN_LIMIT
        };
        if wakes(word) > limit {
            self.collapse(limit, 1);
            word = self.0.load(Ordering::Acquire); // wakes that were collapsed are answered, too
        }
        if word & CANCELLED != 0 {
            return Start::Cancel;
        }
        // More may have come since the collapse; taking only `limit` on account means at worst one
        // poll too many.
        Start::Poll(wakes(word).min(limit))
    }

    /// Ends a run whose future is still pending; `taken` is what [`Start::Poll`] said.
    #[inline]
    pub fn pause(&self, taken: u64) -> Pause {
        // Release: the next run sees the future as this one left it (partner: `start_run`).
        let before = self.0.fetch_sub(taken << WAKE_SHIFT, Ordering::Release);
        let lost_check = mutated!("task.pause_ignores_wakes");
        if wakes(before) == taken || lost_check {
            Pause::Idle
        } else {
            Pause::Requeue
        }
    }

    /// Closes the cell: the future is gone and the outcome in its place.
    #[inline]
    pub fn close(&self) -> Closed {
        // Release: whoever sees CLOSED sees the outcome (partners: `is_closed`, `clear_join_waker`,
        // `drop_handle`). Acquire: the closer sees the join waker (partner: `set_join_waker`).
        let before = self.0.fetch_or(CLOSED, Ordering::AcqRel);
        debug_assert!(
            wakes(before) > 0 && before & CLOSED == 0,
            "closed without the run right"
        );
        Closed {
            has_handle: before & HANDLE != 0,
            has_waker: before & WAKER != 0,
        }
    }

    /// Whether the outcome is there.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // Acquire: partner `close`.
        self.0.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Asks for an end at the next run.
    pub fn abort(&self) -> Wake {
        // Release: as in `wake`.
        let before = self.0.fetch_or(CANCELLED, Ordering::Release);
        if before & (CLOSED | CANCELLED) != 0 || mutated!("task.abort_without_wake") {
            return Wake::Nothing;
        }
        self.wake()
    }

    /// Shows the waker in the slot to the closer. `false`: closed already, the slot stays the
    /// caller's.
    pub fn set_join_waker(&self) -> bool {
        // Release: the closer sees the waker (partner: `close`). Acquire: on refusal the caller
        // sees the outcome (partner: `close`).
        let before = self.0.fetch_or(WAKER, Ordering::AcqRel);
        debug_assert!(before & WAKER == 0);
        before & CLOSED == 0
    }

    /// Takes the slot back from view. `false`: closed, and the slot is the closer's if it was set.
    pub fn clear_join_waker(&self) -> bool {
        // Acquire: on refusal the caller sees the outcome (partner: `close`). No Release: what the
        // caller does with the slot is shown by its next `set_join_waker`.
        self.0.fetch_and(!WAKER, Ordering::Acquire) & CLOSED == 0
    }

    /// The `JoinHandle` goes, without having taken the outcome.
    pub fn drop_handle(&self) -> HandleDropped {
        let word = self.0.load(Ordering::Relaxed);
        if word & (CLOSED | WAKER) == 0 {
            // The common case, a handle dropped right after `go`: flag and reference in one step.
            // Not the last reference: the owner's list holds one until the cell is closed.
            let detached = (word & !HANDLE) - REF_ONE;
            // Release: the handle's uses of the cell come before it is freed (partner: `release`).
            if self
                .0
                .compare_exchange(word, detached, Ordering::Release, Ordering::Relaxed)
                .is_ok()
            {
                return HandleDropped {
                    owns_outcome: false,
                    owns_waker: false,
                    reference_released: true,
                };
            }
        }
        // Acquire: the caller sees the outcome that it is to drop (partner: `close`).
        let before = self.0.fetch_and(!(HANDLE | WAKER), Ordering::AcqRel);
        let closed = before & CLOSED != 0;
        HandleDropped {
            owns_outcome: closed,
            owns_waker: !closed
                && before & WAKER != 0
                && !mutated!("task.drop_handle_forgets_waker"),
            reference_released: false,
        }
    }

    /// Wakes on account, for assertions in models.
    #[cfg(gorust_loom)]
    pub fn wake_count(&self) -> u64 {
        wakes(self.0.load(Ordering::Relaxed))
    }

    /// Takes a further reference.
    #[inline]
    pub fn retain(&self) {
        // Relaxed: the caller has a reference already.
        let before = self.0.fetch_add(REF_ONE, Ordering::Relaxed);
        debug_assert!(references(before) > 0, "retained without a reference");
        if references(before) >= REF_HALF {
            too_many_references();
        }
    }

    /// Gives up a reference; `true`: it was the last, free the cell.
    #[inline]
    pub fn release(&self) -> bool {
        // Release and Acquire: every use by any holder comes before the cell is freed (partner:
        // this, `wake_and_release`, `drop_handle`).
        let before = self.0.fetch_sub(REF_ONE, Ordering::AcqRel);
        debug_assert!(references(before) > 0, "released without a reference");
        references(before) == 1
    }
}

/// Whoever frees a cell must come after every use of it: this is where loom sees that.
#[cfg(gorust_loom)]
impl Drop for State {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.with_mut(|_| ());
        }
    }
}

#[cold]
fn too_many_references() -> ! {
    // As `Arc` does: more references than this come only from leaking them on purpose, and going
    // on would free the cell under somebody's feet.
    std::process::abort()
}
