//! The programs. Each asserts what only the program itself can see.

use std::cell::Cell;
use std::error::Error;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use gorust::runtime::Handle;

use super::Program;

/// Declares the programs: name, expected exit code, what stdout and stderr must contain.
macro_rules! programs {
    ($($name:ident => $code:literal, $stdout:literal, $stderr:literal;)*) => {
        pub(super) const ALL: &[Program] = &[$(Program {
            name: stringify!($name),
            main: $name::main,
            code: $code,
            stdout: $stdout,
            stderr: $stderr,
        }),*];
    };
}

programs! {
    unit => 0, "done", "";
    result_ok => 0, "", "";
    result_err => 1, "", "Error: ParseIntError";
    error_that_is_not_send => 1, "as a goroutine", "Error: Local(7)";
    exit_code => 7, "", "";
    never => 3, "", "";
    send_main_is_a_goroutine => 0, "as a goroutine", "";
    local_main_stays_on_the_main_thread => 0, "on the main thread", "";
    panic => 101, "", "the main goroutine panics";
    panic_in_local_main => 101, "", "the local main panics";
    panic_with_any_payload => 101, "", "";
    goroutines_are_not_waited_for => 0, "main is done", "";
    a_goroutine_that_never_yields_holds_nothing_up => 0, "main is done", "";
    a_goroutine_that_never_yields_does_not_hold_up_a_local_main => 0, "main is done", "";
    blocking_calls_are_not_waited_for => 0, "main is done", "";
    worker_threads => 0, "3 workers", "";
    current_thread => 0, "1 workers", "";
    options_configure_the_default_runtime => 0, "3 workers in a plain thread", "";
    standard_output_is_flushed => 0, "no newline at the end", "";
}

/// Runs the program called `name`.
pub(super) fn run(name: &str) -> ExitCode {
    match ALL.iter().find(|program| program.name == name) {
        Some(program) => (program.main)(),
        None => panic!("there is no program `{name}`"),
    }
}

fn on_main_thread() -> bool {
    thread::current().name() == Some("main")
}

fn print_place() {
    match gorust::task::id() {
        Some(_) if !on_main_thread() => println!("as a goroutine"),
        None if on_main_thread() => println!("on the main thread"),
        id => println!("as {id:?} on {:?}", thread::current()),
    }
}

mod unit {
    #[gorust::main]
    pub(super) async fn main() {
        let done = gorust::go(async { "done" });
        println!("{}", done.await.expect("it does not panic"));
    }
}

mod result_ok {
    use super::*;
    #[gorust::main]
    pub(super) async fn main() -> Result<(), Box<dyn Error>> {
        let _number: u8 = "1".parse()?;
        Ok(())
    }
}

mod result_err {
    use super::*;
    #[gorust::main]
    pub(super) async fn main() -> Result<(), Box<dyn Error>> {
        let _number: u8 = "one".parse()?;
        Ok(())
    }
}

mod error_that_is_not_send {
    use super::*;
    #[derive(Debug)]
    #[allow(dead_code, reason = "the field is printed")]
    pub(super) struct Local(Rc<u8>);
    #[gorust::main]
    pub(super) async fn main() -> Result<(), Local> {
        async {}.await;
        print_place();
        Err(Local(Rc::new(7)))
    }
}

mod exit_code {
    use super::*;
    #[gorust::main]
    pub(super) async fn main() -> ExitCode {
        ExitCode::from(7)
    }
}

mod never {
    #[gorust::main]
    pub(super) async fn main() -> ! {
        async {}.await;
        std::process::exit(3)
    }
}

mod send_main_is_a_goroutine {
    use super::*;
    #[gorust::main]
    pub(super) async fn main() {
        gorust::yield_now().await;
        print_place();
        let place = gorust::task::spawn_location().expect("a goroutine knows where it began");
        assert!(place.file().ends_with("programs.rs"), "{place}");
    }
}

mod local_main_stays_on_the_main_thread {
    use super::*;
    #[gorust::main]
    pub(super) async fn main() {
        let count = Rc::new(Cell::new(0));
        for _ in 0..100 {
            let one = gorust::go(async {
                gorust::yield_now().await;
                1
            });
            count.set(count.get() + one.await.expect("it does not panic"));
            assert!(on_main_thread());
        }
        assert_eq!(count.get(), 100);
        print_place();
    }
}

mod panic {
    #[gorust::main]
    pub(super) async fn main() {
        gorust::yield_now().await;
        panic!("the main goroutine panics");
    }
}

mod panic_in_local_main {
    use super::*;
    #[gorust::main]
    pub(super) async fn main() {
        let local = Rc::new(());
        gorust::yield_now().await;
        drop(local);
        panic!("the local main panics");
    }
}

mod panic_with_any_payload {
    #[gorust::main]
    pub(super) async fn main() {
        std::panic::panic_any(5_u64);
    }
}

mod goroutines_are_not_waited_for {
    #[gorust::main]
    pub(super) async fn main() {
        for _ in 0..10 {
            drop(gorust::go(std::future::pending::<()>()));
        }
        gorust::yield_now().await;
        println!("main is done");
    }
}

mod a_goroutine_that_never_yields_holds_nothing_up {
    #[gorust::main(worker_threads = 2)]
    pub(super) async fn main() {
        let (tell, told) = std::sync::mpsc::channel();
        drop(gorust::go(async move {
            tell.send(()).expect("main listens");
            #[allow(clippy::empty_loop, reason = "the worst goroutine there is")]
            loop {}
        }));
        // Until the loop runs, on a thread that main does not need.
        gorust::go_blocking(move || told.recv())
            .await
            .expect("it does not panic")
            .expect("the goroutine tells");
        println!("main is done");
    }
}

mod a_goroutine_that_never_yields_does_not_hold_up_a_local_main {
    use super::*;
    #[gorust::main(worker_threads = 2)]
    pub(super) async fn main() {
        let local = Rc::new(());
        drop(gorust::go(async {
            #[allow(clippy::empty_loop, reason = "the worst goroutine there is")]
            loop {}
        }));
        println!("main is done");
        async {}.await;
        drop(local);
    }
}

mod blocking_calls_are_not_waited_for {
    use super::*;
    #[gorust::main]
    pub(super) async fn main() {
        let nap = || thread::sleep(Duration::from_secs(3600));
        drop(gorust::go_blocking(nap));
        gorust::yield_now().await;
        println!("main is done");
    }
}

fn num_workers() -> usize {
    Handle::current().metrics().num_workers()
}

mod worker_threads {
    use super::*;
    #[gorust::main(worker_threads = 3)]
    pub(super) async fn main() {
        println!("{} workers", num_workers());
    }
}

mod current_thread {
    use super::*;
    #[gorust::main(flavor = "current_thread")]
    pub(super) async fn main() {
        let turn = gorust::go(async { num_workers() });
        println!("{} workers", turn.await.expect("it does not panic"));
    }
}

mod options_configure_the_default_runtime {
    use super::*;
    #[gorust::main(worker_threads = 3)]
    pub(super) async fn main() {
        let plain = thread::spawn(|| gorust::block_on(async { num_workers() }));
        let workers = gorust::go_blocking(|| plain.join())
            .await
            .expect("it does not panic")
            .expect("nor does this");
        println!("{workers} workers in a plain thread");
    }
}

mod standard_output_is_flushed {
    #[gorust::main]
    pub(super) async fn main() {
        print!("no newline at the end");
    }
}
