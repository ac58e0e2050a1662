//! `#[gorust::test]`, and `#[gorust::main]` on functions that are not the program's entry, keep all
//! that the user wrote and run it. Whole programs are in `main_program.rs`, what is rejected in
//! `compile_fail.rs`.
#![deny(warnings, missing_docs, unused, unreachable_pub)]
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::error::Error;
use std::fmt::Display;
use std::process::{ExitCode, Termination};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gorust::runtime::Handle;

// Tests that are functions under the attribute.

#[gorust::test]
async fn the_body_runs_and_awaits() {
    assert_eq!(async { 1 + 1 }.await, 2);
}

#[gorust::test]
async fn a_test_may_return_a_result() -> Result<(), Box<dyn Error>> {
    let answer: i32 = "42".parse()?;
    if answer == 42 {
        Ok(())
    } else {
        Err("no".into())
    }
}

#[gorust::test]
async fn a_test_may_return_an_exit_code() -> ExitCode {
    ExitCode::SUCCESS
}

#[gorust::test]
async fn a_test_may_return_any_termination() -> impl Termination {}

#[gorust::test]
#[should_panic(expected = "as it should")]
async fn should_panic_is_kept_when_it_follows() {
    async {}.await;
    panic!("as it should");
}

#[should_panic(expected = "as it should")]
#[gorust::test]
async fn should_panic_is_kept_when_it_precedes() {
    panic!("as it should");
}

#[gorust::test]
#[cfg(any())]
async fn cfg_is_kept() {
    no_such_function();
}

#[gorust::test]
async fn a_future_that_is_not_send_will_do() {
    let shared = Rc::new(Cell::new(1));
    async {}.await;
    shared.set(shared.get() + 1);
    assert_eq!(shared.get(), 2);
}

#[gorust::test]
async fn where_clauses_are_kept() -> Result<(), String>
where
    String: Clone + From<&'static str>,
{
    Ok(())
}

#[gorust::test]
async fn inner_attributes_stay_inside() {
    #![allow(unused_variables)]
    let unused = 1;
}

#[gorust::test]
async fn return_and_question_mark_leave_the_test() -> Result<(), String> {
    if async { true }.await {
        return Ok(());
    }
    Err("unreachable")?
}

#[gorust::test(worker_threads = 3)]
async fn worker_threads_are_counted() {
    assert_eq!(Handle::current().metrics().num_workers(), 3);
}

#[gorust::test(flavor = "current_thread")]
async fn current_thread_has_one_worker() {
    assert_eq!(Handle::current().metrics().num_workers(), 1);
}

#[gorust::test(flavor = "multi_thread", worker_threads = 0x2_usize)]
async fn options_combine() {
    assert_eq!(Handle::current().metrics().num_workers(), 2);
}

// The names that the expansion uses mean nothing to the user's code, nor the reverse.

mod shadows {
    #![allow(dead_code, non_camel_case_types)]

    struct Main;
    struct Options;
    struct SendMain;
    struct AnyMain;
    struct ExitCode;
    mod core {}
    mod std {}
    mod gorust {}
    enum Result {
        Ok,
    }

    #[::gorust::test]
    async fn names_of_the_user_are_no_concern_of_ours() {
        let entry = (Main, Options, SendMain, AnyMain, ExitCode);
        let future = entry;
        let _options = future;
        assert!(matches!(Result::Ok, Result::Ok));
    }

    #[::gorust::main]
    async fn main() {
        let entry = 1;
        assert_eq!(entry, 1);
    }

    #[::core::prelude::v1::test]
    fn main_in_a_module_answers_with_an_exit_code() {
        let code: ::std::process::ExitCode = main();
        assert_eq!(code, ::std::process::ExitCode::SUCCESS);
    }
}

mod renamed {
    use gorust as renamed_gorust;
    mod deeper {
        pub(super) use gorust as renamed_again;
    }

    #[renamed_gorust::test(crate = "renamed_gorust")]
    async fn the_crate_may_have_another_name() {}

    #[renamed_gorust::test(crate = "self::deeper::renamed_again")]
    async fn the_crate_may_be_a_path() {}

    #[renamed_gorust::test(crate = ::gorust)]
    async fn the_path_needs_no_quotes() {}

    #[renamed_gorust::main(crate = "deeper::renamed_again")]
    async fn renamed_main(n: u8) -> u8 {
        n + 1
    }

    #[test]
    fn main_takes_the_option_as_well() {
        assert_eq!(renamed_main(1), 2);
    }
}

// Functions that `macro_rules!` macros write.

macro_rules! make_test {
    ($(#[$meta:meta])* $vis:vis $name:ident, $threads:literal, $ret:ty, $body:block) => {
        $(#[$meta])*
        #[gorust::test(worker_threads = $threads)]
        $vis async fn $name() -> $ret $body
    };
}

make_test!(
    /// A doc comment.
    #[should_panic(expected = "from the fragment")]
    pub(crate) fragments_are_understood, 2, (), {
        assert_eq!(Handle::current().metrics().num_workers(), 2);
        panic!("from the fragment")
    }
);

macro_rules! test_item {
    ($item:item) => {
        #[gorust::test]
        $item
    };
}

test_item! {
    async fn a_whole_item_is_understood() {
        async {}.await;
    }
}

// Plain functions that run themselves.

#[gorust::main]
async fn add(a: u8, (b, c): (u8, u8), mut d: u8) -> u8 {
    d += async { a }.await;
    b + c + d
}

#[test]
fn parameters_of_any_pattern_are_passed_on() {
    assert_eq!(add(1, (2, 3), 4), 10);
}

#[gorust::main]
async fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

#[test]
fn results_may_borrow_from_parameters() {
    let text = String::from("two words");
    assert_eq!(first_word(&text), "two");
}

#[gorust::main]
async fn apply(f: impl Fn(u8, u8) -> u8, x: u8) -> impl Display {
    f(x, x)
}

#[test]
fn impl_trait_is_kept_on_both_sides() {
    assert_eq!(apply(|a, b| a * b, 5).to_string(), "25");
}

mod visible {
    /// Documented, as `missing_docs` demands of what is public.
    #[gorust::main]
    pub(crate) async fn from_outside() -> Rc<str> {
        "seen".into()
    }

    use std::rc::Rc;
}

#[test]
fn visibility_is_kept_and_the_result_need_not_be_send() {
    assert_eq!(&*visible::from_outside(), "seen");
}

#[gorust::main]
#[must_use]
async fn must_use() -> u8 {
    1
}

#[test]
#[expect(unused_must_use, reason = "shows that the attribute is kept")]
fn other_attributes_are_kept() {
    must_use();
}

#[gorust::main]
async fn fails() -> Result<u8, std::num::ParseIntError> {
    "x".parse()
}

#[test]
fn errors_come_back() {
    assert!(fails().is_err());
}

#[test]
#[should_panic(expected = "through block_on")]
fn panics_come_back() {
    #[gorust::main]
    async fn panics() {
        panic!("through block_on");
    }
    panics();
}

// Each test has a runtime of its own.

#[gorust::main]
async fn default_runtime_is_used() -> bool {
    gorust::block_on(async { Handle::current().metrics().num_workers() })
        == gorust::runtime::gomaxprocs()
}

#[test]
fn plain_functions_run_on_the_default_runtime() {
    assert!(default_runtime_is_used());
}

/// Tells when it is dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn goroutines_that_a_test_leaves_behind_are_dropped_with_its_runtime() {
    let dropped = Arc::new(AtomicBool::new(false));
    left_behind(Flag(dropped.clone()));
    assert!(dropped.load(Ordering::Acquire));

    fn left_behind(flag: Flag) {
        // What `#[gorust::test]` expands to, with the parameter that a test cannot have.
        gorust::__private::run_test(gorust::__private::Options::new(), async move {
            drop(gorust::go(async move {
                let _flag = flag;
                std::future::pending::<()>().await;
            }));
            gorust::yield_now().await;
        });
    }
}
