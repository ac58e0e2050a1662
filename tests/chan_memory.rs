//! What channels and those who wait on them cost in memory, counted by the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use gorust::{block_on, chan, go, yield_now};

/// Counts the bytes that are in use, with 16 more for each block, as malloc's books need.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
const BOOKS: usize = 16;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all that matters is done by `System`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() + BOOKS, Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() + BOOKS, Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(block, layout) }
    }
}

/// One test, since the count is of the whole process.
#[test]
fn memory() {
    drained_channels();
    waiting_goroutines();
}

fn drained_channels() {
    const COUNT: usize = 5_000;
    let mut channels = Vec::with_capacity(COUNT);
    let before = IN_USE.load(Relaxed);
    for _ in 0..COUNT {
        let (tx, rx) = chan::<u64>(1024);
        for value in 0..1024 {
            tx.try_send(value).unwrap();
        }
        for value in 0..1024 {
            assert_eq!(rx.try_recv(), Ok(value));
        }
        channels.push((tx, rx));
    }
    let each = (IN_USE.load(Relaxed) - before) / COUNT;
    assert!(each <= 300, "a drained channel takes {each} bytes");
    drop(channels);
    let after = IN_USE.load(Relaxed);
    assert!(after <= before, "{} bytes are left", after - before);
}

fn waiting_goroutines() {
    const COUNT: usize = 100_000;
    block_on(async {
        let (tx, rx) = chan::<u64>(0);
        let rx = Arc::new(rx);
        let before = IN_USE.load(Relaxed);
        for _ in 0..COUNT {
            let rx = rx.clone();
            drop(go(async move { rx.recv().await }));
        }
        let last = rx.clone();
        let last = go(async move { last.recv().await });
        yield_now().await;
        let each = (IN_USE.load(Relaxed) - before) / COUNT;
        assert!(each <= 200, "a goroutine that waits takes {each} bytes");
        tx.close();
        assert_eq!(last.await.unwrap(), None);
    });
}
