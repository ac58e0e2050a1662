use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex as StdMutex};
use std::task::Wake;

use super::*;

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (count.clone(), Waker::from(count))
}

fn waiters(count: u32) -> Vec<Pin<Box<Waiter>>> {
    (0..count)
        .map(|tag| {
            let waiter = Box::pin(Waiter::new());
            // SAFETY: it is ours.
            unsafe { waiter.set_tag(tag) };
            waiter
        })
        .collect()
}

fn pointer(waiter: &Pin<Box<Waiter>>) -> NonNull<Waiter> {
    NonNull::from(waiter.as_ref().get_ref())
}

fn drain(list: &mut List) -> Vec<u32> {
    let mut tags = Vec::new();
    while let Some(first) = list.pop_front() {
        // SAFETY: unlinked and not settled, so it is ours.
        tags.push(unsafe { first.waiter().tag() });
        first.settle(Phase::Granted);
    }
    assert!(list.is_empty() && list.front().is_none());
    tags
}

#[test]
fn first_come_first_served() {
    let nodes = waiters(4);
    let mut list = List::new();
    for node in &nodes {
        // SAFETY: idle and pinned, and drained below.
        unsafe { list.push_back(pointer(node), None) };
        assert_eq!(node.phase(), Phase::Waiting);
    }
    assert_eq!(drain(&mut list), [0, 1, 2, 3]);
    assert!(nodes.iter().all(|node| node.phase() == Phase::Granted));
}

#[test]
fn the_front_comes_before_the_queue() {
    let nodes = waiters(3);
    let mut list = List::new();
    // SAFETY: idle and pinned, and drained below.
    unsafe {
        list.push_front(pointer(&nodes[0]), None);
        list.push_back(pointer(&nodes[1]), None);
        list.push_front(pointer(&nodes[2]), None);
    }
    assert_eq!(drain(&mut list), [2, 0, 1]);
}

#[test]
fn anyone_may_leave() {
    for leaver in 0..4 {
        let nodes = waiters(4);
        let mut list = List::new();
        for node in &nodes {
            // SAFETY: idle and pinned, and drained below.
            unsafe { list.push_back(pointer(node), None) };
        }
        // SAFETY: it is on the list.
        assert!(unsafe { list.remove(nodes[leaver].as_ref()) }.is_none());
        assert_eq!(nodes[leaver].phase(), Phase::Idle);
        let left: Vec<u32> = (0..4).filter(|&tag| tag != leaver as u32).collect();
        assert_eq!(drain(&mut list), left);
    }
}

#[test]
fn the_last_to_leave_empties_the_list() {
    let nodes = waiters(1);
    let mut list = List::new();
    for _ in 0..2 {
        // SAFETY: idle and pinned, and removed below.
        unsafe { list.push_back(pointer(&nodes[0]), None) };
        assert!(!list.is_empty());
        // SAFETY: it is on the list.
        unsafe { list.remove(nodes[0].as_ref()) };
        assert!(list.is_empty());
    }
}

#[test]
fn who_settles_gets_the_waker() {
    let nodes = waiters(1);
    let (count, waker) = counting();
    let mut list = List::new();
    // SAFETY: idle and pinned, and popped below.
    unsafe { list.push_back(pointer(&nodes[0]), Some(waker)) };
    let waker = list.pop_front().unwrap().settle(Phase::Released);
    assert_eq!(nodes[0].phase(), Phase::Released);
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    waker.unwrap().wake();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[test]
fn the_last_task_to_poll_is_woken() {
    let node = waiters(1).remove(0);
    let (_first, first) = counting();
    let (second_count, second) = counting();
    let list = Mutex::new(List::new());
    // SAFETY: idle and pinned, and popped below.
    unsafe { list.lock().push_back(pointer(&node), Some(first)) };
    for _ in 0..2 {
        let cx = Context::from_waker(&second);
        assert!(node.as_ref().still_waits(&list, &cx));
    }
    // The test's, the list's.
    assert_eq!(Arc::strong_count(&second_count), 3);
    let waker = list.lock().pop_front().unwrap().settle(Phase::Granted);
    waker.unwrap().wake();
    assert_eq!(second_count.0.load(Ordering::Relaxed), 1);
    let cx = Context::from_waker(&second);
    assert!(!node.as_ref().still_waits(&list, &cx));
}

#[test]
fn wakers_are_cloned_and_dropped_outside_the_lock() {
    /// Looks at the lock whenever it is cloned or dropped.
    struct Looks(Arc<(Mutex<List>, StdMutex<usize>)>);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Looks {
        fn drop(&mut self) {
            assert!(self.0.0.try_lock().is_some(), "dropped under the lock");
            *self.0.1.lock().unwrap() += 1;
        }
    }
    let shared = Arc::new((Mutex::new(List::new()), StdMutex::new(0)));
    let node = waiters(1).remove(0);
    let first = Waker::from(Arc::new(Looks(shared.clone())));
    // SAFETY: idle and pinned, and removed below.
    unsafe { shared.0.lock().push_back(pointer(&node), Some(first)) };
    let second = Waker::from(Arc::new(Looks(shared.clone())));
    let cx = Context::from_waker(&second);
    assert!(node.as_ref().still_waits(&shared.0, &cx));
    assert_eq!(*shared.1.lock().unwrap(), 1);
    // SAFETY: it is on the list.
    drop(unsafe { shared.0.lock().remove(node.as_ref()) });
}
