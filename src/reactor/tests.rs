//! The reactor without a runtime: the test itself polls.

use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::polled::Polled;
use super::readiness::Waiter;
use super::*;

/// A reactor that is kept for ever, and not leaked: the leak sanitizer can tell.
fn reactor() -> &'static Reactor {
    static KEPT: std::sync::Mutex<Vec<&'static Reactor>> = std::sync::Mutex::new(Vec::new());
    let reactor: &'static Reactor = Box::leak(Box::new(Reactor::new().unwrap()));
    KEPT.lock().unwrap().push(reactor);
    reactor
}

/// A registered stream and its other end.
fn pair(reactor: &'static Reactor) -> (Polled<TcpStream>, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (registered(reactor, TcpStream::from_std(ours)), theirs)
}

fn registered<S: mio::event::Source>(reactor: &'static Reactor, io: S) -> Polled<S> {
    match Polled::register(io, reactor) {
        Ok(polled) => polled,
        Err((error, _)) => panic!("not registered: {error}"),
    }
}

/// Collects what is ready within `limit`, and wakes.
fn turn(reactor: &Reactor, limit: Duration) {
    let mut batch = WakeBatch::new();
    let mut poller = reactor.try_poller().unwrap();
    poller.poll(Some(limit), &mut batch).unwrap();
    drop(poller);
    batch.wake_all();
}

/// Polls the reactor until `future` is done.
fn block_on<F: Future>(reactor: &Reactor, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        assert!(Instant::now() < end, "nothing came");
        turn(reactor, Duration::from_millis(100));
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn new() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), Waker::from(count))
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_read_waits_for_its_event() {
    let reactor = reactor();
    let (ours, mut theirs) = pair(reactor);
    let mut buf = [0; 16];
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    {
        let mut read = pin!(ours.read(&mut buf));
        assert!(read.as_mut().poll(&mut cx).is_pending());
        turn(reactor, Duration::ZERO);
        // The stream is writable, which is not what was waited for.
        assert!(read.as_mut().poll(&mut cx).is_pending());
        assert_eq!(count.wakes(), 0);
        theirs.write_all(b"hello").unwrap();
        turn(reactor, Duration::from_secs(10));
        assert_eq!(count.wakes(), 1);
        match read.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(5)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(&buf[..5], b"hello");
}

#[test]
fn a_dropped_operation_leaves_no_waker() {
    let reactor = reactor();
    let (ours, mut theirs) = pair(reactor);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut bufs = [[0; 16]; 3];
    {
        let [a, b, c] = &mut bufs;
        // One in the slot, two in the list.
        let mut reads = [
            Box::pin(ours.read(a)),
            Box::pin(ours.read(b)),
            Box::pin(ours.read(c)),
        ];
        for read in &mut reads {
            assert!(read.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(Arc::strong_count(&count), 5);
    }
    assert_eq!(Arc::strong_count(&count), 2);
    theirs.write_all(b"hello").unwrap();
    turn(reactor, Duration::from_secs(10));
    assert_eq!(count.wakes(), 0);
    let mut buf = [0; 16];
    assert_eq!(block_on(reactor, ours.read(&mut buf)).unwrap(), 5);
}

#[test]
fn every_waiter_is_woken() {
    let reactor = reactor();
    let (ours, mut theirs) = pair(reactor);
    let waiters: Vec<_> = (0..10).map(|_| Count::new()).collect();
    let mut waits: Vec<_> = waiters
        .iter()
        .map(|(_, waker)| {
            let mut ready = Box::pin(ours.ready(true, false));
            let poll = ready.as_mut().poll(&mut Context::from_waker(waker));
            assert!(poll.is_pending());
            ready
        })
        .collect();
    // Neither the one in the slot nor one of the list is missed when it goes.
    drop(waits.remove(0));
    drop(waits.remove(4));
    theirs.write_all(b"x").unwrap();
    turn(reactor, Duration::from_secs(10));
    let woken: Vec<_> = waiters.iter().map(|(count, _)| count.wakes()).collect();
    assert_eq!(woken, [0, 1, 1, 1, 1, 0, 1, 1, 1, 1]);
}

#[test]
fn a_waiter_that_moves_to_another_task_is_woken_there() {
    let reactor = reactor();
    let (ours, mut theirs) = pair(reactor);
    let ((first, first_waker), (second, second_waker)) = (Count::new(), Count::new());
    let mut buf = [0; 16];
    let mut read = pin!(ours.read(&mut buf));
    for waker in [&first_waker, &second_waker] {
        let poll = read.as_mut().poll(&mut Context::from_waker(waker));
        assert!(poll.is_pending());
    }
    assert_eq!(Arc::strong_count(&first), 2);
    theirs.write_all(b"x").unwrap();
    turn(reactor, Duration::from_secs(10));
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
}

#[test]
fn callers_of_poll_functions_are_bounded_and_none_is_forgotten() {
    let readiness = Readiness::assumed_ready();
    readiness.clear(readiness.seen());
    let callers: Vec<_> = (0..100).map(|_| Count::new()).collect();
    for (_, waker) in &callers {
        let mut cx = Context::from_waker(waker);
        assert!(readiness.poll_wait_shared(&mut cx).is_pending());
    }
    let held = callers
        .iter()
        .filter(|(count, _)| Arc::strong_count(count) > 2)
        .count();
    assert!(held < 40, "{held} wakers are kept");
    // Asking again must not wake oneself, which would never end.
    let (count, waker) = callers.last().unwrap();
    for _ in 0..3 {
        let mut cx = Context::from_waker(waker);
        assert!(readiness.poll_wait_shared(&mut cx).is_pending());
    }
    assert_eq!(count.wakes(), 0);

    let mut batch = WakeBatch::new();
    readiness.event(Event::READY, &mut batch);
    batch.wake_all();
    assert!(callers.iter().all(|(count, _)| count.wakes() == 1));
    assert!(
        callers
            .iter()
            .all(|(count, _)| Arc::strong_count(count) == 2)
    );
}

#[test]
fn a_clear_counts_only_against_the_event_it_saw() {
    let readiness = Readiness::assumed_ready();
    let mut batch = WakeBatch::new();
    let stale = readiness.seen();
    readiness.event(Event::READY, &mut batch);
    readiness.clear(stale);
    assert!(readiness.seen().is_ready());
    readiness.clear(readiness.seen());
    assert!(!readiness.seen().is_ready());
}

#[test]
fn a_short_transfer_proves_nothing_once_the_stream_has_ended() {
    let mut batch = WakeBatch::new();
    for (event, cleared) in [
        (Event::READY, true),
        (Event::READY.and_hung_up(true), false),
        (Event::READY.and_wary(true), false),
    ] {
        let readiness = Readiness::assumed_ready();
        readiness.event(event, &mut batch);
        readiness.clear_short(readiness.seen());
        assert_eq!(!readiness.seen().is_ready(), cleared);
        readiness.clear(readiness.seen());
        assert!(!readiness.seen().is_ready());
        // Later events do not make it forget.
        readiness.event(Event::READY, &mut batch);
        readiness.clear_short(readiness.seen());
        assert_eq!(!readiness.seen().is_ready(), cleared);
    }
}

#[test]
fn events_of_former_holders_are_ignored() {
    let mut sources = Sources::default();
    let [first, second] = [(); 2].map(|()| crate::primitive::Arc::new(Readinesses::new()));
    let old = sources.insert(first).unwrap();
    assert!(sources.remove(old).is_some());
    let new = sources.insert(second).unwrap();
    assert_ne!(old, new);
    assert!(sources.get(old).is_none());
    assert!(sources.remove(old).is_none());
    assert!(sources.get(new).is_some());
    for reserved in [INTERRUPT, Token(usize::MAX - 1)] {
        assert!(sources.get(reserved).is_none());
    }
}

#[test]
fn a_dropped_source_is_gone() {
    let reactor = reactor();
    assert!(!reactor.has_sources());
    let (ours, mut theirs) = pair(reactor);
    let copy = std::os::fd::AsFd::as_fd(ours.get())
        .try_clone_to_owned()
        .unwrap();
    assert!(reactor.has_sources());
    drop(ours);
    assert!(!reactor.has_sources());
    // The copy keeps the connection open, and the selector would still know it.
    theirs.write_all(b"x").unwrap();
    let start = Instant::now();
    turn(reactor, Duration::from_millis(50));
    assert!(start.elapsed() >= Duration::from_millis(50));
    drop(copy);
}

#[test]
fn there_is_one_poller() {
    let reactor = reactor();
    let poller = reactor.try_poller().unwrap();
    assert!(reactor.try_poller().is_none());
    drop(poller);
    assert!(reactor.try_poller().is_some());
}

#[test]
fn an_interrupt_ends_the_wait_before_it_or_after() {
    let reactor = reactor();
    reactor.interrupt();
    turn(reactor, Duration::from_secs(60));

    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            reactor.interrupt();
        });
        turn(reactor, Duration::from_secs(60));
    });
    assert!(start.elapsed() < Duration::from_secs(30));
    // It is used up.
    let start = Instant::now();
    turn(reactor, Duration::from_millis(20));
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[cfg(target_os = "linux")]
#[test]
fn short_waits_are_not_rounded_up_to_a_millisecond() {
    let reactor = reactor();
    let limit = Duration::from_micros(100);
    let wait = || {
        let start = Instant::now();
        turn(reactor, limit);
        start.elapsed()
    };
    // Each is late when the machine is busy, so the best of many counts.
    let best = (0..50).map(|_| wait()).min().unwrap();
    assert!(
        best > limit / 2 && best < Duration::from_micros(700),
        "{best:?}"
    );
}

#[test]
fn waits_end_early_by_less_than_a_millisecond() {
    let reactor = reactor();
    for limit in [900, 4_500, 20_100].map(Duration::from_micros) {
        let start = Instant::now();
        turn(reactor, limit);
        assert!(
            start.elapsed() + Duration::from_millis(1) > limit,
            "{limit:?}"
        );
    }
}

#[test]
fn endless_waits_overflow_nothing() {
    let reactor = reactor();
    for limit in [
        None,
        Some(Duration::MAX),
        Some(Duration::from_secs(1 << 40)),
    ] {
        reactor.interrupt();
        let mut batch = WakeBatch::new();
        let mut poller = reactor.try_poller().unwrap();
        poller.poll(limit, &mut batch).unwrap();
    }
}

#[test]
fn closing_ends_operations_for_good_and_the_reactor_lives_on() {
    let reactor = reactor();
    let (ours, mut theirs) = pair(reactor);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut buf = [0; 16];
    let mut batch = WakeBatch::new();
    {
        let mut read = pin!(ours.read(&mut buf));
        assert!(read.as_mut().poll(&mut cx).is_pending());
        reactor.close(&mut batch);
        assert_eq!((batch.len(), count.wakes()), (1, 0));
        batch.wake_all();
        assert_eq!(count.wakes(), 1);
        match read.as_mut().poll(&mut cx) {
            Poll::Ready(Err(error)) => {
                assert!(error.to_string().contains("runtime"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(!reactor.has_sources());

    // The next runtime's sockets work; the old one stays dead, whatever comes in.
    let (new, mut new_theirs) = pair(reactor);
    theirs.write_all(b"late").unwrap();
    new_theirs.write_all(b"hello").unwrap();
    assert_eq!(block_on(reactor, new.read(&mut buf)).unwrap(), 5);
    assert!(ours.try_read(&mut buf).is_err());
    assert!(block_on(reactor, ours.ready(true, true)).is_err());
    // Its end does not disturb the new one, which may have got its place.
    drop(ours);
    new_theirs.write_all(b"world").unwrap();
    assert_eq!(block_on(reactor, new.read(&mut buf)).unwrap(), 5);
}

#[test]
fn a_descriptor_comes_back_usable() {
    let reactor = reactor();
    let (ours, mut theirs) = pair(reactor);
    let mut ours = std::net::TcpStream::from(ours.into_inner().unwrap());
    assert!(!reactor.has_sources());
    ours.set_nonblocking(false).unwrap();
    theirs.write_all(b"hello").unwrap();
    let mut buf = [0; 5];
    ours.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"hello");
}

#[test]
fn what_cannot_be_polled_is_refused() {
    let reactor = reactor();
    let file = std::fs::File::open("Cargo.toml").unwrap();
    let raw = std::os::fd::AsRawFd::as_raw_fd(&file);
    let mut source = mio::unix::SourceFd(&raw);
    let error = reactor.register(&mut source).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    assert!(!reactor.has_sources());
}

#[test]
fn a_guess_is_no_readiness() {
    let reactor = reactor();
    let (ours, mut theirs) = pair(reactor);
    let mut cx = Context::from_waker(Waker::noop());
    let mut ready = pin!(ours.ready(true, false));
    assert!(ready.as_mut().poll(&mut cx).is_pending());
    turn(reactor, Duration::ZERO);
    assert!(ready.as_mut().poll(&mut cx).is_pending());
    theirs.write_all(b"x").unwrap();
    block_on(reactor, ready).unwrap();
}

#[test]
fn a_withdrawn_waiter_can_wait_again() {
    let readiness = Readiness::assumed_ready();
    readiness.clear(readiness.seen());
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut waiter = Waiter::new();
    for _ in 0..3 {
        assert!(readiness.poll_wait(&mut cx, &mut waiter).is_pending());
        assert!(readiness.poll_wait(&mut cx, &mut waiter).is_pending());
        readiness.withdraw(&mut waiter);
        readiness.withdraw(&mut waiter);
        assert_eq!(Arc::strong_count(&count), 2);
    }
}
