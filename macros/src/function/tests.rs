use super::*;

fn tokens(source: &str) -> Vec<TokenTree> {
    source.parse::<TokenStream>().unwrap().into_iter().collect()
}

fn text(tokens: &[TokenTree]) -> String {
    tokens.iter().cloned().collect::<TokenStream>().to_string()
}

#[track_caller]
fn good(source: &str) -> Function {
    Function::parse(&tokens(source), "gorust::main").unwrap_or_else(|error| panic!("{error:?}"))
}

#[track_caller]
fn assert_bad(source: &str, message: &str, underlined: &str) {
    let error = Function::parse(&tokens(source), "gorust::main")
        .and_then(|function| function.parameters())
        .expect_err(source);
    assert!(error.message().contains(message), "{}", error.message());
    assert_eq!(error.underlined(source), underlined, "{source}");
}

/// The types of the parameters, without spaces.
#[track_caller]
fn parameter_types(source: &str) -> Vec<String> {
    good(source)
        .parameters()
        .unwrap()
        .into_iter()
        .map(|parameter| parameter.ty.to_string().replace(' ', ""))
        .collect()
}

#[test]
fn the_least() {
    let function = good("async fn main() {}");
    assert!(function.is_main());
    assert!(function.attributes.is_empty() && function.visibility.is_empty());
    assert!(function.return_type.is_empty() && function.where_clause.is_empty());
    assert!(function.parameters().unwrap().is_empty());
    assert_eq!(function.body.to_string(), "{ }");
}

#[test]
fn everything_at_once() {
    let function = good(
        "#[doc = \"x\"] #[ignore] pub(crate) async fn f(a: u8,) -> Result<(), E<{ 1 }>> \
         where String: Clone, { body }",
    );
    assert!(!function.is_main());
    assert_eq!(text(&function.attributes), "# [doc = \"x\"] # [ignore]");
    assert_eq!(text(&function.visibility), "pub (crate)");
    assert_eq!(text(&function.return_type), "-> Result < () , E < { 1 } >>");
    assert_eq!(text(&function.where_clause), "where String : Clone ,");
    assert_eq!(function.body.to_string(), "{ body }");
}

#[test]
fn doc_comments_are_attributes() {
    let function = good("/// One.\n/// Two.\nasync fn f() {}");
    assert_eq!(function.attributes.len(), 4);
}

#[test]
fn visibilities() {
    for (source, visibility) in [
        ("async fn f() {}", ""),
        ("pub async fn f() {}", "pub"),
        ("pub(super) async fn f() {}", "pub (super)"),
        ("pub(in crate::a) async fn f() {}", "pub (in crate :: a)"),
    ] {
        assert_eq!(text(&good(source).visibility), visibility);
    }
}

#[test]
fn a_raw_main_is_main() {
    assert!(good("async fn r#main() {}").is_main());
    assert!(!good("async fn main_loop() {}").is_main());
}

#[test]
fn fragments_of_macro_rules_stand_in_invisible_groups() {
    let invisible = |source: &str| {
        let content = source.parse().unwrap();
        TokenTree::from(Group::new(Delimiter::None, content))
    };
    let mut item = vec![invisible("")];
    item.extend(tokens("async fn f() ->"));
    item.push(invisible("u8"));
    item.push(invisible("{ 1 }"));
    let function = Function::parse(&item, "gorust::main").unwrap();
    assert_eq!(function.visibility.len(), 1);
    assert_eq!(function.return_type.len(), 3);
    assert!(is_block(&function.body));
}

#[test]
fn commas_and_colons_inside_types_split_nothing() {
    let types = parameter_types(
        "async fn f(a: HashMap<u8, Vec<u8>>, (b, c): (u8, u8), mut d: fn(u8, u8) -> u8, \
         P { x, y }: a::P, e: impl Fn(u8) -> [u8; 2], g: <A as B<C, D>>::E) {}",
    );
    assert_eq!(
        types,
        [
            "HashMap<u8,Vec<u8>>",
            "(u8,u8)",
            "fn(u8,u8)->u8",
            "a::P",
            "implFn(u8)->[u8;2]",
            "<AasB<C,D>>::E",
        ]
    );
    assert_eq!(
        parameter_types("async fn f(a: Box<dyn Fn() -> u8>, b: u8,) {}").len(),
        2
    );
}

#[test]
fn what_is_not_a_function() {
    assert_bad("struct S;", "goes on an `async fn`", "struct");
    assert_bad("type F = fn();", "goes on an `async fn`", "type");
    assert_bad("pub static X: u8 = 1;", "goes on an `async fn`", "pub");
}

#[test]
fn what_is_no_plain_async_function() {
    assert_bad("fn main() {}", "`async` is missing", "fn");
    assert_bad("pub fn main() {}", "`async` is missing", "fn");
    assert_bad("async unsafe fn f() {}", "remove this `unsafe`", "unsafe");
    assert_bad("const fn f() {}", "remove this `const`", "const");
    assert_bad(
        "async extern \"C\" fn f() {}",
        "remove this `extern`",
        "extern",
    );
}

#[test]
fn generics_self_and_missing_bodies() {
    assert_bad(
        "async fn f<T: Fn() -> u8>() {}",
        "cannot be generic",
        "<T: Fn() -> u8>",
    );
    assert_bad("async fn f<T>(x: T) {}", "cannot be generic", "<T>");
    assert_bad(
        "async fn f<const N: usize>() {}",
        "cannot be generic",
        "<const N: usize>",
    );
    assert_bad("async fn f(&self) {}", "takes no `self`", "self");
    assert_bad(
        "async fn f(mut self: Box<Self>, a: u8) {}",
        "takes no `self`",
        "self",
    );
    assert_bad("async fn f() -> u8;", "needs a body", ";");
    assert_bad("async fn f()", "needs a body", "f");
}
