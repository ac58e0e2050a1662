//! The pool for blocking calls.
#![cfg(gorust_loom)]

mod support;

use std::future::poll_fn;
use std::panic::Location;
use std::task::Poll;
use std::time::{Duration, Instant};

use gorust::task::JoinHandle;
use gorust::units::atomic::{AtomicBool, Ordering};
use gorust::units::scheduler::{Pool, Pushed};
use gorust::units::task::{allocate, next_id};
use gorust::units::{Condvar, Mutex};
use loom::thread::spawn;
use loom_tests::{Model, Named};
use support::{Record, Shop, Witness, leak};

/// Loom has no time.
const LONG: Duration = Duration::from_secs(3_600);

/// A pool, and a home for its jobs.
#[derive(Clone, Copy)]
struct Office {
    pool: &'static Pool,
    shop: &'static Shop,
}

impl Office {
    fn open(limit: usize) -> Office {
        let pool = leak(Pool::new());
        pool.reopen(limit);
        let shop = Shop::open();
        Office { pool, shop }
    }

    /// As `Scheduler::go_blocking`, without the start of a thread.
    fn push(&self, code: impl FnOnce() + Send + 'static) -> (JoinHandle<()>, Pushed) {
        let mut code = Some(code);
        let job = poll_fn(move |_| {
            (code.take().expect("a job runs once"))();
            Poll::Ready(())
        });
        let cell = allocate(job, (), self.shop, next_id(), Location::caller());
        let mut pushed = None;
        // SAFETY: all that `allocate` gave goes on; the output is `()`.
        let handle = unsafe {
            let queue = |runnable| pushed = Some(self.pool.push(runnable));
            self.shop.live.start(cell, queue)
        };
        (handle, pushed.expect("the list is open"))
    }

    fn work(&self) {
        self.pool.work(LONG);
    }
}

/// Whether the job behind `handle` ran, rather than being cancelled.
fn ran(handle: JoinHandle<()>) -> bool {
    match loom::future::block_on(handle) {
        Ok(()) => true,
        Err(error) => {
            assert!(error.is_cancelled(), "{error}");
            false
        }
    }
}

#[test]
fn push_to_a_thread_that_may_wait() {
    Model::new("blocking::push_to_a_thread_that_may_wait")
        .promise("a job is run at once: by a waiting thread, by a new one, or by a busy one next")
        .outcomes(&["to a thread", "a new thread"])
        .least_executions(2)
        .preemptions(1)
        .mutation(Named("blocking.promises_in_silence"))
        .run(|out| {
            let office = Office::open(2);
            let (first, pushed) = office.push(|| ());
            assert_eq!(pushed, Pushed::StartThread);
            let worker = spawn(move || office.work());
            let (second, pushed) = office.push(|| ());
            let another = (pushed == Pushed::StartThread).then(|| spawn(move || office.work()));
            assert!(ran(first) && ran(second));
            office.pool.close();
            worker.join().unwrap();
            out.saw(match another {
                None => "to a thread",
                Some(another) => {
                    another.join().unwrap();
                    "a new thread"
                }
            });
            assert_eq!(office.pool.threads(), 0);
        });
}

#[test]
fn jobs_that_need_each_other() {
    Model::new("blocking::jobs_that_need_each_other")
        .promise("a waiting thread is promised to one job, so that the next has another thread")
        .outcomes(&["one new thread", "two new threads"])
        .least_executions(2)
        .preemptions(1)
        .mutation(Named("blocking.promises_twice"))
        .run(|out| {
            let office = Office::open(3);
            drop(office.push(|| ()));
            let mut threads = vec![spawn(move || office.work())];
            let (here, arrived): (&Mutex<usize>, &Condvar) =
                (leak(Mutex::new(0)), leak(Condvar::new()));
            for _ in 0..2 {
                let (_, pushed) = office.push(move || {
                    let mut count = here.lock();
                    *count += 1;
                    arrived.notify_all();
                    while *count < 2 {
                        count = arrived.wait(count);
                    }
                });
                if pushed == Pushed::StartThread {
                    threads.push(spawn(move || office.work()));
                }
            }
            let mut count = here.lock();
            while *count < 2 {
                count = arrived.wait(count);
            }
            drop(count);
            office.pool.close();
            out.saw(match threads.len() {
                2 => "one new thread",
                3 => "two new threads",
                _ => "no parallel threads",
            });
            for thread in threads {
                thread.join().unwrap();
            }
        });
}

#[test]
fn push_against_close() {
    Model::new("blocking::push_against_close")
        .promise("a job is run or cancelled, once; one that comes after the close is refused")
        .outcomes(&["run", "cancelled", "refused"])
        .least_executions(2)
        .mutation(Named("blocking.push_into_closed"))
        .run(|out| {
            let office = Office::open(1);
            let record = Record::new();
            let is_closed: &AtomicBool = leak(AtomicBool::new(false));
            let client = spawn({
                let witness = Witness::new(record);
                move || {
                    let too_late = is_closed.load(Ordering::Acquire);
                    let (handle, pushed) = office.push(move || witness.touch());
                    assert!(!too_late || pushed == Pushed::Refused);
                    if pushed == Pushed::StartThread {
                        office.work();
                    }
                    (ran(handle), pushed)
                }
            });
            office.pool.close();
            is_closed.store(true, Ordering::Release);
            let (ran, pushed) = client.join().unwrap();
            assert_eq!(record.drops(), 1);
            out.saw(match (pushed, ran) {
                (Pushed::Refused, false) => "refused",
                (Pushed::StartThread, true) => "run",
                (Pushed::StartThread, false) => "cancelled",
                _ => "something else",
            });
        });
}

#[test]
fn end_against_a_job() {
    Model::new("blocking::end_against_a_job")
        .promise("who waits for the pool to be idle learns when its last thread has gone")
        .outcomes(&["run before the end", "cancelled"])
        .least_executions(2)
        .mutation(Named("blocking.leaves_silently"))
        .run(|out| {
            let office = Office::open(1);
            let (handle, pushed) = office.push(|| ());
            assert_eq!(pushed, Pushed::StartThread);
            let worker = spawn(move || office.work());
            office.pool.close();
            assert!(office.pool.wait_until_idle(Instant::now() + LONG));
            assert!(handle.is_finished());
            worker.join().unwrap();
            out.saw(match ran(handle) {
                true => "run before the end",
                false => "cancelled",
            });
        });
}
