//! The timers of a processor whose machine was woken for another one. Alone in its process, whose
//! default runtime has two workers.

use std::sync::mpsc;
use std::time::Duration;
fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
#[test]
fn timer_of_a_processor_nobody_sleeps_for() {
    // SAFETY: first thing in the process
    unsafe { std::env::set_var("GOMAXPROCS", "2") };
    drop(gorust::go(async {}));
    std::thread::sleep(ms(200));
    // B occupies the machine on the parker
    drop(gorust::go(async { std::thread::sleep(ms(300)) }));
    std::thread::sleep(ms(50));
    // A goes to the other one, which then sleeps as the poller with A's processor
    let (tx, rx) = mpsc::channel();
    drop(gorust::go(async move {
        gorust::time::sleep(ms(3000)).await;
        tx.send(()).unwrap();
    }));
    // a plain thread's timer wakes the poller, which takes the other processor
    futures_lite::future::block_on(gorust::time::sleep(ms(500)));
    rx.recv_timeout(ms(5000)).expect("the timer was lost");
}
