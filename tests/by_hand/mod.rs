//! Futures polled by hand, one step at a time, with every wake-up counted.
#![allow(dead_code)] // no test file uses all of it

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

/// How often a waker was woken.
#[derive(Default)]
pub struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A future with a task of its own.
pub struct Hand<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
    count: Arc<Count>,
}

pub fn hand<'a, T>(future: impl Future<Output = T> + Send + 'a) -> Hand<'a, T> {
    Hand {
        future: Box::pin(future),
        count: Arc::default(),
    }
}

impl<T> Hand<'_, T> {
    pub fn poll(&mut self) -> Poll<T> {
        let waker = Waker::from(self.count.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polls a future that has to wait.
    #[track_caller]
    pub fn waits(&mut self) {
        assert!(self.poll().is_pending(), "ready, and should wait");
    }

    /// Polls a future that has to be ready.
    #[track_caller]
    pub fn ready(&mut self) -> T {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("waits, and should be ready"),
        }
    }

    /// How often it was woken so far.
    pub fn wakes(&self) -> usize {
        self.count.0.load(Relaxed)
    }

    /// Goes on as another task.
    pub fn move_to_another_task(&mut self) {
        self.count = Arc::default();
    }

    /// Whether a waker of the present task is kept anywhere.
    pub fn is_registered(&self) -> bool {
        Arc::strong_count(&self.count) > 1
    }
}

/// A future that has been polled once, and waits.
#[track_caller]
pub fn waiting<'a, T>(future: impl Future<Output = T> + Send + 'a) -> Hand<'a, T> {
    let mut hand = hand(future);
    hand.waits();
    hand
}

/// What a future answers that has to be ready at once.
#[track_caller]
pub fn now<T>(future: impl Future<Output = T> + Send) -> T {
    hand(future).ready()
}
