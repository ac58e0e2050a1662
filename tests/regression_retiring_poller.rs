//! A machine that was one too many and the poller retired, and nobody took its place in the reactor.
//! Alone in its process, whose default runtime has one worker.

use std::sync::mpsc;
use std::time::Duration;
fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
#[test]
fn a_surplus_machine_that_is_the_poller_retires() {
    // SAFETY: first thing in the process
    unsafe { std::env::set_var("GOMAXPROCS", "1") };
    for _ in 0..3 {
        drop(gorust::go(async {
            gorust::block_on(gorust::time::sleep(ms(200)))
        }));
    }
    std::thread::sleep(ms(600));
    // the poller gets up and lies down again, now as one too many
    futures_lite::future::block_on(gorust::time::sleep(ms(50)));
    std::thread::sleep(ms(11_000));
    let (tx, rx) = mpsc::channel();
    std::thread::spawn(move || {
        futures_lite::future::block_on(gorust::time::sleep(ms(4_000)));
        tx.send(()).unwrap();
    });
    rx.recv_timeout(ms(8_000)).expect("nobody polls");
}
