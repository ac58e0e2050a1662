use super::*;

fn parse(source: &str) -> (Options, Vec<Error>) {
    Options::parse(source.parse().unwrap())
}

/// Parses what must be right.
fn good(source: &str) -> Options {
    let (options, errors) = parse(source);
    assert!(errors.is_empty(), "{source}: {errors:?}");
    options
}

/// The message and the underlined text of each error.
fn bad(source: &str) -> Vec<(String, &str)> {
    let (_, errors) = parse(source);
    errors
        .iter()
        .map(|error| (error.message().to_owned(), error.underlined(source)))
        .collect()
}

/// Asserts that there is one error, what its message contains and what it points at.
#[track_caller]
fn assert_bad(source: &str, message: &str, underlined: &str) {
    let errors = bad(source);
    assert_eq!(errors.len(), 1, "{source}: {errors:?}");
    assert!(errors[0].0.contains(message), "{source}: {errors:?}");
    assert_eq!(errors[0].1, underlined, "{source}");
}

#[test]
fn no_options() {
    let options = good("");
    assert_eq!(options.worker_threads, None);
    assert_eq!(options.flavor, None);
    let path = options.crate_path(Span::call_site()).to_string();
    assert_eq!(path, ":: gorust");
}

#[test]
fn every_option_in_any_order_with_or_without_a_last_comma() {
    for source in [
        r#"worker_threads = 3, flavor = "multi_thread", crate = "a::b""#,
        r#"crate = "a::b", flavor = "multi_thread", worker_threads = 3,"#,
    ] {
        let options = good(source);
        assert_eq!(options.worker_threads, Some(3));
        assert_eq!(options.flavor, Some(Flavor::MultiThread));
        let path = options.crate_path(Span::call_site()).to_string();
        assert_eq!(path, "a :: b");
    }
    let options = good(r##"flavor = r#"current_thread"#"##);
    assert_eq!(options.flavor, Some(Flavor::CurrentThread));
}

#[test]
fn worker_threads_takes_every_form_of_an_integer() {
    for (source, count) in [
        ("1", 1),
        ("4usize", 4),
        ("1_0", 10),
        ("0x1F", 31),
        ("0b101_u8", 5),
        ("0o17", 15),
        ("4294967295", u32::MAX),
    ] {
        let options = good(&format!("worker_threads = {source}"));
        assert_eq!(options.worker_threads, Some(count), "{source}");
    }
}

#[test]
fn worker_threads_takes_nothing_else() {
    for value in ["\"4\"", "4.0", "-1", "four", "2 + 2", "'4'", "4f32", "[4]"] {
        let source = format!("worker_threads = {value}");
        assert_bad(&source, "must be an integer literal", value);
    }
    for value in ["0", "0x0", "0usize"] {
        let source = format!("worker_threads = {value}");
        assert_bad(&source, "at least 1", value);
    }
    for value in ["4294967296", "99999999999999999999999999"] {
        let source = format!("worker_threads = {value}");
        assert_bad(&source, "too large", value);
    }
}

#[test]
fn flavor_takes_the_two_names_only() {
    for value in [
        "\"single_thread\"",
        "current_thread",
        "1",
        "b\"current_thread\"",
        "\"\"",
    ] {
        let source = format!("flavor = {value}");
        assert_bad(
            &source,
            "must be \"multi_thread\" or \"current_thread\"",
            value,
        );
    }
}

#[test]
fn the_crate_is_a_path_quoted_or_not() {
    for (value, path) in [
        ("\"gorust2\"", "gorust2"),
        ("\"::a::b\"", ":: a :: b"),
        ("\"crate\"", "crate"),
        ("self::inner", "self :: inner"),
        ("::a", ":: a"),
    ] {
        let options = good(&format!("crate = {value}"));
        let found = options.crate_path(Span::call_site()).to_string();
        assert_eq!(found, path, "{value}");
    }
    for value in [
        "\"\"", "\"a b\"", "\"a::\"", "1", "\"a-b\"", "a:b", "\"(\"", "a.b",
    ] {
        let source = format!("crate = {value}");
        assert_bad(&source, "must be the path", value);
    }
}

#[test]
fn names_and_shapes_that_are_not_known() {
    assert_bad("threads = 4", "unknown option `threads`", "threads");
    assert_bad("4", "expected the name of an option", "4");
    assert_bad("\"flavor\" = 1", "expected the name", "\"flavor\"");
    assert_bad(", flavor = \"multi_thread\"", "before this comma", ",");
    assert_bad("worker_threads", "needs a value", "worker_threads");
    assert_bad("worker_threads =", "needs a value", "worker_threads =");
    assert_bad("worker_threads(4)", "needs a value", "worker_threads(4)");
}

#[test]
fn twice_is_once_too_often() {
    let source = "worker_threads = 1, worker_threads = 2";
    let (options, errors) = parse(source);
    assert_eq!(options.worker_threads, Some(1));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message().contains("given twice"));
    assert_eq!(errors[0].column(), 20);
}

#[test]
fn one_thread_and_several_contradict_each_other() {
    let source = r#"flavor = "current_thread", worker_threads = 2"#;
    assert_bad(source, "contradicts", "worker_threads");
}

#[test]
fn no_error_hides_another() {
    let errors = bad(r#"worker_threads = 0, color = 1, flavor = 2"#);
    let places: Vec<&str> = errors.iter().map(|(_, place)| *place).collect();
    assert_eq!(places, ["0", "color", "2"]);
}

#[test]
fn a_value_through_a_macro_fragment_is_seen_through_its_group() {
    let literal: TokenStream = "7".parse().unwrap();
    let group = crate::tokens::Group::new(Delimiter::None, literal);
    let mut tokens: TokenStream = "worker_threads =".parse().unwrap();
    tokens.extend([TokenTree::from(group)]);
    let (options, errors) = Options::parse(tokens);
    assert!(errors.is_empty());
    assert_eq!(options.worker_threads, Some(7));
}
