use super::*;

fn expanded(kind: Kind, arguments: &str, item: &str) -> String {
    let tokens = expand(kind, arguments.parse().unwrap(), item.parse().unwrap());
    // proc_macro2 prints some tokens with a space between them and some without.
    tokens.to_string().replace(' ', "")
}

fn main(arguments: &str, item: &str) -> String {
    expanded(Kind::Main, arguments, item)
}

fn test(arguments: &str, item: &str) -> String {
    expanded(Kind::Test, arguments, item)
}

#[test]
fn main_answers_with_an_exit_code_and_nests_the_user_s_function() {
    let text = main("", "pub async fn main() -> R where A: B { body }");
    assert!(
        text.starts_with("pubfnmain()->::std::process::ExitCodewhereA:B{"),
        "{text}"
    );
    assert!(text.contains("asyncfnmain()->RwhereA:B{body}"), "{text}");
    assert!(
        text.contains("::gorust::__private::Options::new(),main()"),
        "{text}"
    );
}

#[test]
fn other_functions_keep_name_parameters_and_result() {
    let text = main("", "async fn f((a, b): (u8, u8), c: &str) -> u8 { a }");
    assert!(
        text.starts_with("fnf(argument_0:(u8,u8),argument_1:&str,)->u8{"),
        "{text}"
    );
    assert!(
        text.contains("asyncfnf((a,b):(u8,u8),c:&str)->u8{a}"),
        "{text}"
    );
    assert!(text.contains("f(argument_0,argument_1,)"), "{text}");
}

#[test]
fn a_test_keeps_its_attributes_on_the_outside() {
    let text = test("", "#[should_panic] #[doc = \"d\"] async fn f() {}");
    let head = "#[::core::prelude::v1::test]#[should_panic]#[doc=\"d\"]fnf(){asyncfnf(){}";
    assert!(text.starts_with(head), "{text}");
}

#[test]
fn options_reach_the_runtime() {
    let text = test("worker_threads = 0x10", "async fn f() {}");
    assert!(text.contains("Options::new().worker_threads(16)"), "{text}");
    let text = main(
        "flavor = \"current_thread\", crate = \"x\"",
        "async fn main() {}",
    );
    assert!(
        text.contains("x::__private::Options::new().current_thread()"),
        "{text}"
    );
    assert!(!text.contains("gorust"), "{text}");
}

#[test]
fn arguments_that_nobody_would_pass() {
    let text = main("", "async fn main(a: u8) {}");
    assert!(text.contains("`main`takesnoarguments"), "{text}");
    let text = test("", "async fn f(a: u8) {}");
    assert!(text.contains("atesttakesnoarguments"), "{text}");
}

#[test]
fn a_second_test_attribute() {
    for attribute in ["test", "gorust::test", "::core::prelude::v1::test"] {
        let text = test("", &format!("#[{attribute}] async fn f() {{}}"));
        assert!(text.contains("removethesecondattribute"), "{text}");
    }
    let text = test("", "#[other::test] #[test_log] async fn f() {}");
    assert!(!text.contains("compile_error"), "{text}");
}

#[test]
fn after_an_error_the_rest_of_the_program_still_finds_the_function() {
    // A bad option: expanded without it.
    let text = main("color = 1", "async fn main() { body }");
    assert!(text.starts_with("::core::compile_error!{"), "{text}");
    assert!(
        text.contains("fnmain()->::std::process::ExitCode"),
        "{text}"
    );
    // A bad function: left as it is, except for what rustc would report again.
    assert!(main("", "fn main() { body }").ends_with("fnmain(){body}"));
    assert!(main("", "async fn main<T>() { body }").ends_with("}fnmain(){}"));
    assert!(test("", "async fn f<T>() { body }").ends_with("asyncfnf<T>(){body}"));
}

#[test]
fn an_item_through_a_macro_fragment() {
    let item: TokenStream = "async fn main() {}".parse().unwrap();
    let group = TokenTree::from(crate::tokens::Group::new(Delimiter::None, item));
    let tokens = expand(Kind::Main, TokenStream::new(), group.into());
    assert!(!tokens.to_string().contains("compile_error"), "{tokens}");
}
