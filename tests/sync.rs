//! `Mutex`, `Notify` and `WaitGroup`.

mod by_hand;

use std::cell::Cell;
use std::fmt::Debug;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use by_hand::{hand, now, waiting};
use gorust::runtime::Builder;
use gorust::sync::{Mutex, MutexGuard, Notify, OwnedMutexGuard, WaitGroup};
use gorust::{block_on, go, yield_now};

const A_WHILE: Duration = Duration::from_millis(20);

// Mutex

#[test]
fn one_at_a_time() {
    const GOROUTINES: usize = 50;
    const TIMES: usize = 200;
    block_on(async {
        let mutex = Arc::new(Mutex::new((0usize, false)));
        let all: Vec<_> = (0..GOROUTINES)
            .map(|number| {
                let mutex = mutex.clone();
                go(async move {
                    for time in 0..TIMES {
                        let mut guard = mutex.lock().await;
                        assert!(!guard.1, "somebody is inside");
                        guard.1 = true;
                        if (time + number) % 7 == 0 {
                            yield_now().await;
                        }
                        guard.1 = false;
                        guard.0 += 1;
                    }
                })
            })
            .collect();
        for goroutine in all {
            goroutine.await.unwrap();
        }
        assert_eq!(mutex.lock().await.0, GOROUTINES * TIMES);
    });
}

#[test]
fn threads_and_goroutines_share_a_mutex() {
    let mutex = Arc::new(Mutex::new(0));
    let goroutines: Vec<_> = (0..4)
        .map(|_| {
            let mutex = mutex.clone();
            go(async move {
                for _ in 0..500 {
                    *mutex.lock().await += 1;
                }
            })
        })
        .collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| *mutex.lock_blocking() += 1));
        }
    });
    for goroutine in goroutines {
        block_on(goroutine).unwrap();
    }
    assert_eq!(*mutex.try_lock().unwrap(), 4000);
}

#[test]
fn a_goroutine_may_block_on_a_mutex() {
    let runtime = Builder::new().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock().await;
        let blocks = go({
            let mutex = mutex.clone();
            async move { *mutex.lock_blocking() += 1 }
        });
        yield_now().await;
        drop(guard);
        blocks.await.unwrap();
        assert_eq!(*mutex.clone().lock_blocking_owned(), 1);
    });
}

#[test]
fn waiters_get_the_lock_in_their_order() {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock().unwrap();
    let mut line: Vec<_> = (0..5).map(|_| waiting(mutex.lock())).collect();
    drop(guard);
    for place in 0..5 {
        for (other, waiter) in line.iter().enumerate() {
            assert_eq!(waiter.wakes(), usize::from(other <= place));
        }
        drop(line[place].ready());
    }
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn a_free_lock_goes_to_whoever_comes() {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock().unwrap();
    let mut woken = waiting(mutex.lock());
    drop(guard);
    assert_eq!(woken.wakes(), 1);
    // A future that was woken and is not polled keeps the lock from nobody.
    drop(mutex.try_lock().unwrap());
    drop(now(mutex.lock()));
    let mut late = hand(mutex.lock());
    let guard = late.ready();
    woken.waits();
    drop(guard);
    assert_eq!(woken.wakes(), 2);
    drop(woken.ready());
}

/// The deadlock that fair locks run into: a task holds a future that was woken, does not poll it,
/// and needs the lock for something else first.
#[test]
fn no_futurelock() {
    block_on(async {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.clone().lock_owned().await;
        let mut abandoned = Box::pin(mutex.lock());
        let waits = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(abandoned.as_mut().poll(cx).is_pending())
        });
        assert!(waits.await);
        let holder = go(async move {
            yield_now().await;
            drop(guard);
        });
        holder.await.unwrap();
        for _ in 0..10 {
            *mutex.lock().await += 1;
        }
        *abandoned.await += 1;
        assert_eq!(*mutex.lock().await, 11);
    });
}

/// Even one that has lost, and whom the others therefore let go first.
#[test]
fn no_futurelock_with_a_starving_future() {
    let mutex = Mutex::new(());
    let mut guard = mutex.try_lock().unwrap();
    let mut starving = waiting(mutex.lock());
    for _ in 0..3 {
        drop(guard);
        guard = mutex.try_lock().unwrap();
        starving.waits();
    }
    drop(guard);
    let mut newcomer = hand(mutex.lock());
    newcomer.waits();
    assert_eq!(newcomer.wakes(), 1, "it asks to be polled again");
    drop(newcomer.ready());
    assert!(mutex.try_lock().is_ok());
    drop(starving.ready());
}

/// Someone who keeps taking the lock does not starve the one who waits.
#[test]
fn a_greedy_goroutine_lets_others_have_the_lock() {
    let runtime = Builder::new().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let mutex = Arc::new(Mutex::new(0));
        let done = Arc::new(AtomicBool::new(false));
        let greedy: Vec<_> = (0..3)
            .map(|_| {
                let (mutex, done) = (mutex.clone(), done.clone());
                go(async move {
                    while !done.load(Relaxed) {
                        let mut guard = mutex.lock().await;
                        *guard += 1;
                        yield_now().await;
                    }
                })
            })
            .collect();
        for _ in 0..100 {
            *mutex.lock().await += 1;
        }
        done.store(true, Relaxed);
        for goroutine in greedy {
            goroutine.await.unwrap();
        }
    });
}

#[test]
fn an_uncontended_mutex_draws_on_the_budget() {
    let runtime = Builder::current_thread().build().unwrap();
    runtime.block_on(async {
        let done = Arc::new(AtomicBool::new(false));
        let greedy = go({
            let done = done.clone();
            async move {
                let mutex = Mutex::new(());
                while !done.load(Relaxed) {
                    drop(mutex.lock().await);
                }
            }
        });
        let modest = go(async move { done.store(true, Relaxed) });
        modest.await.unwrap();
        greedy.await.unwrap();
    });
}

#[test]
fn a_dropped_lock_future_passes_its_wake_on() {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock().unwrap();
    let first = waiting(mutex.lock());
    let mut second = waiting(mutex.lock());
    drop(guard);
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop(first);
    assert_eq!(second.wakes(), 1);
    drop(second.ready());
}

#[test]
fn a_dropped_lock_future_leaves_the_line() {
    let mutex = Arc::new(Mutex::new(()));
    let guard = mutex.try_lock().unwrap();
    drop(hand(mutex.lock()));
    drop(waiting(mutex.lock()));
    drop(waiting(mutex.clone().lock_owned()));
    let mut stays = waiting(mutex.clone().lock_owned());
    assert_eq!(Arc::strong_count(&mutex), 2);
    drop(guard);
    let guard = stays.ready();
    drop(stays);
    assert_eq!(Arc::strong_count(&mutex), 2, "the guard's");
    drop(guard);
    assert_eq!(Arc::strong_count(&mutex), 1);
}

#[test]
fn aborted_goroutines_leave_the_mutex_usable() {
    block_on(async {
        let mutex = Arc::new(Mutex::new(0));
        for round in 0..300 {
            let goroutines: Vec<_> = (0..4)
                .map(|_| {
                    let mutex = mutex.clone();
                    go(async move {
                        let mut guard = mutex.lock().await;
                        yield_now().await;
                        *guard += 1;
                    })
                })
                .collect();
            for _ in 0..round % 5 {
                yield_now().await;
            }
            for goroutine in goroutines {
                goroutine.abort();
                let _ = goroutine.await;
            }
            *mutex.lock().await += 1;
        }
    });
}

#[test]
fn a_panic_unlocks() {
    block_on(async {
        let mutex = Arc::new(Mutex::new(1));
        let panics = go({
            let mutex = mutex.clone();
            async move {
                let _guard = mutex.lock().await;
                panic!("inside");
            }
        });
        assert!(panics.await.unwrap_err().is_panic());
        assert_eq!(*mutex.try_lock().unwrap(), 1);
    });
}

#[test]
fn mutex_without_locking() {
    static SHARED: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    SHARED.lock_blocking().push(1);
    let mut mutex = Mutex::from(1);
    *mutex.get_mut() += 1;
    assert_eq!(mutex.into_inner(), 2);
    assert_eq!(Mutex::<u32>::default().into_inner(), 0);
    let unsized_value: Arc<Mutex<[u8]>> = Arc::new(Mutex::new([1, 2, 3]));
    unsized_value.try_lock().unwrap()[0] = 7;
    assert_eq!(unsized_value.try_lock().unwrap().len(), 3);
}

#[test]
fn guards() {
    let mutex = Arc::new(Mutex::new((1, String::from("one"))));
    let guard = mutex.try_lock().unwrap();
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &*mutex));
    assert_eq!(
        mutex.try_lock().unwrap_err().to_string(),
        "the lock is held"
    );
    let name = MutexGuard::map(guard, |pair| &mut pair.1);
    let mut name = gorust::sync::MappedMutexGuard::map(name, |name| name.as_mut_str());
    name.make_ascii_uppercase();
    assert_eq!(format!("{name:?} {name}"), "\"ONE\" ONE");
    assert!(mutex.try_lock().is_err());
    drop(name);
    let owned = mutex.clone().try_lock_owned().unwrap();
    assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&owned), &mutex));
    assert!(mutex.clone().try_lock_owned().is_err());
    assert_eq!(owned.1, "ONE");
    // A guard that is mapped by a closure that panics unlocks.
    drop(owned);
    let panicked = std::panic::catch_unwind(|| {
        let _ = MutexGuard::map(mutex.try_lock().unwrap(), |_| -> &mut u32 {
            panic!("no part")
        });
    });
    assert!(panicked.is_err() && mutex.try_lock().is_ok());
}

#[test]
fn mutex_debug() {
    let mutex = Mutex::new(7);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 7 }");
    let guard = mutex.try_lock().unwrap();
    assert_eq!(format!("{mutex:?}"), "Mutex { value: <locked> }");
    assert_eq!(format!("{guard:?} {guard}"), "7 7");
}

#[test]
fn mutex_types_go_where_they_should() {
    fn sends<T: Send>(_: &T) {}
    fn travels<T: Send + Sync + Debug>(_: &T) {}
    fn unwinds<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>(_: &T) {}
    let mutex = Arc::new(Mutex::new(Cell::new(1)));
    travels(&mutex);
    unwinds(&mutex);
    travels(&mutex.lock());
    travels(&mutex.clone().lock_owned());
    let guard = mutex.clone().try_lock_owned().unwrap();
    sends(&guard);
    drop(guard);
    let guard = mutex.try_lock().unwrap();
    sends(&guard);
    drop(guard);
    travels(&Mutex::new(1).try_lock().unwrap());
    travels(&Notify::new().notified());
    travels(&WaitGroup::new());
    travels(&WaitGroup::new().wait());
}

#[test]
fn a_guard_is_dropped_on_another_thread() {
    let mutex = Arc::new(Mutex::new(0));
    let guard = mutex.clone().try_lock_owned().unwrap();
    let waits = thread::spawn({
        let mutex = mutex.clone();
        move || *mutex.lock_blocking() += 1
    });
    thread::sleep(A_WHILE);
    thread::spawn(move || drop(guard)).join().unwrap();
    waits.join().unwrap();
    assert_eq!(*mutex.try_lock().unwrap(), 1);
}

#[test]
#[should_panic(expected = "`lock` polled after it was ready")]
fn a_finished_lock_is_not_polled_again() {
    let mutex = Mutex::new(());
    let mut lock = hand(mutex.lock());
    drop(lock.ready());
    let _ = lock.poll();
}

/// Calls back whenever it is woken or dropped.
struct Busy(Box<dyn Fn() + Send + Sync>);

impl Wake for Busy {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn wakers_may_use_what_they_wait_for() {
    static MUTEX: Mutex<u32> = Mutex::new(0);
    static NOTIFY: Notify = Notify::new();
    let group = WaitGroup::new();
    group.add(1);
    let calls = Arc::new(AtomicUsize::new(0));
    let waker = Waker::from(Arc::new(Busy(Box::new({
        let (group, calls) = (group.clone(), calls.clone());
        move || {
            calls.fetch_add(1, Relaxed);
            let _ = MUTEX.try_lock();
            NOTIFY.notify_one();
            now(NOTIFY.notified());
            let _ = (format!("{NOTIFY:?} {group:?}"), group.clone());
            group.add(0);
        }
    }))));
    let mut cx = Context::from_waker(&waker);
    let guard = MUTEX.try_lock().unwrap();
    let mut leaves = Box::pin(MUTEX.lock());
    assert!(leaves.as_mut().poll(&mut cx).is_pending());
    let mut lock = pin!(MUTEX.lock());
    assert!(lock.as_mut().poll(&mut cx).is_pending());
    drop(leaves);
    drop(guard);
    assert!(lock.poll(&mut cx).is_ready());
    let mut notified = pin!(NOTIFY.notified());
    assert!(notified.as_mut().poll(&mut cx).is_pending());
    NOTIFY.notify_one();
    assert!(notified.poll(&mut cx).is_ready());
    let mut wait = pin!(group.wait());
    assert!(wait.as_mut().poll(&mut cx).is_pending());
    group.done();
    assert!(wait.poll(&mut cx).is_ready());
    assert!(calls.load(Relaxed) >= 3);
}

// Notify

#[test]
fn one_permit_is_stored() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    now(notify.notified());
    let mut second = waiting(notify.notified());
    notify.notify_one();
    assert_eq!(second.wakes(), 1);
    second.ready();
    waiting(notify.notified());
}

#[test]
fn notify_one_goes_by_the_line() {
    let notify = Notify::new();
    let mut line: Vec<_> = (0..4).map(|_| waiting(notify.notified())).collect();
    for place in 0..4 {
        notify.notify_one();
        for (other, waiter) in line.iter().enumerate() {
            assert_eq!(waiter.wakes(), usize::from(other <= place));
        }
    }
    line.iter_mut().for_each(|waiter| waiter.ready());
    assert!(hand(notify.notified()).poll().is_pending());
}

#[test]
fn notify_waiters_wakes_all_and_stores_nothing() {
    let notify = Notify::new();
    notify.notify_waiters();
    let mut line: Vec<_> = (0..4).map(|_| waiting(notify.notified())).collect();
    let mut not_polled = hand(notify.notified());
    notify.notify_waiters();
    for waiter in &mut line {
        assert_eq!(waiter.wakes(), 1);
        waiter.ready();
    }
    not_polled.ready();
    waiting(notify.notified());
}

#[test]
fn notify_waiters_leaves_a_permit_alone() {
    let notify = Notify::new();
    let mut before = hand(notify.notified());
    notify.notify_one();
    notify.notify_waiters();
    before.ready();
    now(notify.notified());
    waiting(notify.notified());
}

#[test]
fn a_dropped_notification_is_passed_on() {
    let notify = Notify::new();
    let first = waiting(notify.notified());
    let mut second = waiting(notify.notified());
    notify.notify_one();
    assert_eq!(second.wakes(), 0);
    drop(first);
    assert_eq!(second.wakes(), 1);
    second.ready();
    // To nobody: it is stored.
    let alone = waiting(notify.notified());
    notify.notify_one();
    drop(alone);
    now(notify.notified());
}

#[test]
fn a_dropped_notification_to_all_is_not_passed_on() {
    let notify = Notify::new();
    let first = waiting(notify.notified());
    notify.notify_waiters();
    let mut later = waiting(notify.notified());
    drop(first);
    assert_eq!(later.wakes(), 0);
    later.waits();
}

#[test]
fn dropped_before_it_was_notified() {
    let notify = Notify::new();
    drop(hand(notify.notified()));
    drop(waiting(notify.notified()));
    notify.notify_one();
    let mut used = hand(notify.notified());
    used.ready();
    drop(used);
    waiting(notify.notified());
}

#[test]
fn enable_gets_in_line() {
    let notify = Notify::new();
    let mut enabled = pin!(notify.notified());
    assert!(!enabled.as_mut().enable());
    assert!(!enabled.as_mut().enable());
    let mut later = waiting(notify.notified());
    notify.notify_one();
    assert_eq!(later.wakes(), 0, "the one that was enabled first has it");
    assert!(enabled.as_mut().enable());
    now(enabled.as_mut());
    now(enabled);
    notify.notify_one();
    later.ready();
}

#[test]
fn enable_uses_a_permit() {
    let notify = Notify::new();
    notify.notify_one();
    {
        let mut enabled = pin!(notify.notified());
        assert!(enabled.as_mut().enable());
    }
    waiting(notify.notified());
}

#[test]
fn enabled_then_awaited() {
    let notify = Notify::new();
    let mut enabled = Box::pin(notify.notified());
    assert!(!enabled.as_mut().enable());
    let mut awaited = waiting(enabled);
    notify.notify_one();
    assert_eq!(awaited.wakes(), 1);
    awaited.ready();
}

#[test]
fn notify_makes_what_came_before_visible() {
    block_on(async {
        for _ in 0..200 {
            let shared = Arc::new((Notify::new(), AtomicUsize::new(0)));
            let writer = go({
                let shared = shared.clone();
                async move {
                    shared.1.store(7, Relaxed);
                    shared.0.notify_one();
                }
            });
            shared.0.notified().await;
            assert_eq!(shared.1.load(Relaxed), 7);
            writer.await.unwrap();
        }
    });
}

#[test]
fn notify_ping_pong() {
    block_on(async {
        let shared = Arc::new((Notify::new(), Notify::new()));
        let partner = go({
            let shared = shared.clone();
            async move {
                for _ in 0..5000 {
                    shared.0.notified().await;
                    shared.1.notify_one();
                }
            }
        });
        for _ in 0..5000 {
            shared.0.notify_one();
            shared.1.notified().await;
        }
        partner.await.unwrap();
    });
}

/// As many notifications as goroutines: aborted ones pass theirs on.
#[test]
fn aborted_goroutines_pass_notifications_on() {
    block_on(async {
        let notify = Arc::new(Notify::new());
        for _ in 0..200 {
            let wait = || {
                let notify = notify.clone();
                go(async move { notify.notified().await })
            };
            let (aborted, stays) = (wait(), wait());
            yield_now().await;
            notify.notify_one();
            aborted.abort();
            if aborted.await.is_ok() {
                notify.notify_one();
            }
            stays.await.unwrap();
        }
    });
}

#[test]
fn notify_debug_and_default() {
    let notify = Notify::default();
    assert_eq!(
        format!("{notify:?}"),
        "Notify { permit: false, waited_for: false }"
    );
    let _waits = waiting(notify.notified());
    assert!(format!("{notify:?}").contains("waited_for: true"));
}

// WaitGroup

#[test]
fn waits_for_all() {
    block_on(async {
        let group = WaitGroup::new();
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..1000 {
            group.add(1);
            let (group, count) = (group.clone(), count.clone());
            drop(go(async move {
                yield_now().await;
                count.fetch_add(1, Relaxed);
                group.done();
            }));
        }
        group.wait().await;
        assert_eq!(count.load(Relaxed), 1000);
    });
}

#[test]
fn nothing_to_wait_for() {
    let group = WaitGroup::default();
    now(group.wait());
    group.add(0);
    now(group.wait());
}

#[test]
fn all_who_wait_are_let_go() {
    let group = WaitGroup::new();
    group.add(2);
    let mut line: Vec<_> = (0..3).map(|_| waiting(group.wait())).collect();
    let leaves = waiting(group.wait());
    group.done();
    assert!(line.iter().all(|waiter| waiter.wakes() == 0));
    drop(leaves);
    group.done();
    for waiter in &mut line {
        assert_eq!(waiter.wakes(), 1);
        waiter.ready();
    }
}

#[test]
fn a_group_is_used_again() {
    let group = WaitGroup::new();
    for _ in 0..3 {
        group.add(1);
        let mut wait = waiting(group.wait());
        group.done();
        wait.ready();
    }
}

/// A wait ends with its round, even if the next one begins before it looks.
#[test]
fn a_wait_ends_with_its_round() {
    let group = WaitGroup::new();
    group.add(1);
    let mut wait = waiting(group.wait());
    group.done();
    group.add(1);
    let mut next = waiting(group.wait());
    wait.ready();
    next.waits();
    group.done();
    next.ready();
}

#[test]
#[should_panic(expected = "negative `WaitGroup` counter")]
fn done_below_zero() {
    let group = WaitGroup::new();
    group.add(1);
    group.done();
    group.done();
}

#[test]
fn done_below_zero_changes_nothing() {
    let group = WaitGroup::new();
    let below = std::panic::catch_unwind(|| group.done());
    assert!(below.is_err());
    now(group.wait());
    group.add(1);
    waiting(group.wait());
    group.done();
    now(group.wait());
}

#[test]
#[should_panic(expected = "`WaitGroup` counter overflow")]
fn too_many() {
    let group = WaitGroup::new();
    group.add(u32::MAX as usize);
    group.add(1);
}

#[test]
#[should_panic(expected = "`WaitGroup` counter overflow")]
fn far_too_many() {
    WaitGroup::new().add(usize::MAX);
}

#[test]
fn go_counts_however_it_ends() {
    block_on(async {
        let group = WaitGroup::new();
        let fine = group.go(async { 7 });
        let panics = group.go(async { panic!("inside") });
        let aborted = group.go(pending::<()>());
        let mut wait = Box::pin(group.wait());
        let early = gorust::time::timeout(A_WHILE, wait.as_mut()).await;
        assert!(early.is_err(), "one is still running");
        aborted.abort();
        wait.await;
        assert_eq!(fine.await.unwrap(), 7);
        assert!(panics.await.unwrap_err().is_panic());
        assert!(aborted.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn go_counts_what_a_runtime_drops() {
    let group = WaitGroup::new();
    let runtime = Builder::new().worker_threads(1).build().unwrap();
    let member = group.clone();
    runtime.block_on(async move { drop(member.go(pending::<()>())) });
    waiting(group.wait());
    drop(runtime);
    block_on(group.wait());
}

/// When it counts as done, what the goroutine held is gone.
#[test]
fn done_comes_after_the_future_is_dropped() {
    let held = Arc::new(());
    let group = WaitGroup::new();
    let goroutine = group.go({
        let held = held.clone();
        async move {
            let _held = held;
            pending::<()>().await
        }
    });
    goroutine.abort();
    block_on(group.wait());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn go_names_the_caller() {
    let group = WaitGroup::new();
    let line = line!() + 1;
    let place = group.go(async { gorust::task::spawn_location() });
    let place = block_on(place).unwrap().unwrap();
    assert_eq!((place.file(), place.line()), (file!(), line));
}

#[test]
fn many_wait_for_many() {
    block_on(async {
        for _ in 0..50 {
            let group = WaitGroup::new();
            group.add(8);
            let waits: Vec<_> = (0..8)
                .map(|_| {
                    let group = group.clone();
                    go(async move { group.wait().await })
                })
                .collect();
            for _ in 0..8 {
                let group = group.clone();
                drop(go(async move { group.done() }));
            }
            for wait in waits {
                wait.await.unwrap();
            }
        }
    });
}
