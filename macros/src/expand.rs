//! What stands in the place of the user's function.

use crate::error::Error;
use crate::function::{Function, delimiter, is_keyword};
use crate::options::{Flavor, Options};
use crate::template::fill;
use crate::tokens::{Delimiter, Literal, Span, TokenStream, TokenTree};

/// Which attribute it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    fn attribute(self) -> &'static str {
        match self {
            Kind::Main => "gorust::main",
            Kind::Test => "gorust::test",
        }
    }
}

/// The program's entry. Whether the future is `Send` decides who runs it: the two traits offer
/// `how` at different autoref depths. They are imported beside the user's function, not around
/// it, so that no name of ours can be seen from there.
const MAIN: &str = "
    $attributes $visibility $fn $name() -> ::std::process::ExitCode $where {
        $function
        {
            use $crate_path::__private::{AnyMain as _, SendMain as _};
            let entry = $crate_path::__private::Main::new($options, $future);
            (&entry).how().run(entry)
        }
    }";

/// Any other function under `#[gorust::main]`.
const PLAIN: &str = "
    $attributes $visibility $fn $name($parameters) $return $where {
        $function
        $crate_path::__private::block_on($options, $future)
    }";

const TEST: &str = "
    #[::core::prelude::v1::test]
    $attributes $visibility $fn $name() $return $where {
        $function
        $crate_path::__private::run_test($options, $future)
    }";

/// Expands the attribute `kind` with the arguments `arguments` on `item`.
pub(crate) fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let (options, errors) = Options::parse(arguments);
    let mut expansion: TokenStream = errors.into_iter().flat_map(Error::into_tokens).collect();
    let item = ungroup(item.into_iter().collect());
    let function = Function::parse(&item, kind.attribute());
    match function.and_then(|function| runner(kind, &function, &options)) {
        Ok(runner) => expansion.extend(runner),
        Err(error) => {
            expansion.extend(error.into_tokens());
            expansion.extend(stand_in(item));
        }
    }
    expansion
}

/// The plain function that runs `function`.
fn runner(kind: Kind, function: &Function, options: &Options) -> Result<TokenStream, Error> {
    let parameters = function.parameters()?;
    let main = kind == Kind::Main && function.is_main();
    if (main || kind == Kind::Test) && !parameters.is_empty() {
        let what = if main { "`main`" } else { "a test" };
        let tokens: Vec<TokenTree> = function.parameters.stream().into_iter().collect();
        return Err(Error::spanning(
            &tokens,
            function.name.span(),
            format!("{what} takes no arguments: nobody would pass them"),
        ));
    }
    if kind == Kind::Test {
        refuse_second_test(&function.attributes)?;
    }

    // Locals of ours are invisible to the user's code, our tokens count as a macro's, and a result
    // that cannot end a program is reported once, where its type is written.
    let ours = Span::mixed_site().located_at(function.return_span());
    let mut outer_parameters = TokenStream::new();
    let mut arguments = TokenStream::new();
    for (index, parameter) in parameters.iter().enumerate() {
        let name = format!("argument_{index}");
        let ty = ("ty", parameter.ty.clone());
        outer_parameters.extend(fill(&format!("{name}: $ty,"), ours, &[ty]));
        arguments.extend(fill(&format!("{name},"), ours, &[]));
    }

    let template = match (kind, main) {
        (Kind::Main, true) => MAIN,
        (Kind::Main, false) => PLAIN,
        (Kind::Test, _) => TEST,
    };
    let name: TokenStream = TokenTree::from(function.name.clone()).into();
    let call = format!("{}($arguments)", function.name);
    let future = fill(&call, ours, &[("arguments", arguments)]);
    Ok(fill(
        template,
        ours,
        &[
            ("attributes", stream(&function.attributes)),
            ("visibility", stream(&function.visibility)),
            ("fn", function.fn_keyword.clone().into()),
            ("name", name),
            ("parameters", outer_parameters),
            ("return", stream(&function.return_type)),
            ("where", stream(&function.where_clause)),
            ("function", user_function(function)),
            ("crate_path", options.crate_path(ours)),
            ("options", runtime_options(options, ours)),
            ("future", future),
        ],
    ))
}

/// The user's function again, without what belongs on the outer one.
fn user_function(function: &Function) -> TokenStream {
    // A function that begins with a token of ours is spared by lints that would call its `async`
    // needless: the attribute needs it.
    let mut async_keyword = function.async_keyword.clone();
    async_keyword.set_span(Span::mixed_site().located_at(async_keyword.span()));
    let mut tokens = TokenStream::new();
    tokens.extend([
        async_keyword,
        function.fn_keyword.clone(),
        function.name.clone().into(),
        function.parameters.clone().into(),
    ]);
    tokens.extend(stream(&function.return_type));
    tokens.extend(stream(&function.where_clause));
    tokens.extend([function.body.clone()]);
    tokens
}

/// An expression of type `__private::Options`.
fn runtime_options(options: &Options, span: Span) -> TokenStream {
    let crate_path = ("crate_path", options.crate_path(span));
    let mut tokens = fill(
        "$crate_path::__private::Options::new()",
        span,
        &[crate_path],
    );
    if let Some(count) = options.worker_threads {
        let count = TokenTree::from(Literal::u32_unsuffixed(count)).into();
        tokens.extend(fill(".worker_threads($count)", span, &[("count", count)]));
    }
    if options.flavor == Some(Flavor::CurrentThread) {
        tokens.extend(fill(".current_thread()", span, &[]));
    }
    tokens
}

/// A second `#[test]` would make libtest run the function twice.
fn refuse_second_test(attributes: &[TokenTree]) -> Result<(), Error> {
    const NAMES: [&str; 4] = [
        "test",
        "gorust::test",
        "core::prelude::v1::test",
        "std::prelude::v1::test",
    ];
    for attribute in attributes {
        let path = match attribute {
            TokenTree::Group(group) => group.stream().to_string().replace(' ', ""),
            _ => continue,
        };
        if NAMES.contains(&path.trim_start_matches(':')) {
            let message = "#[gorust::test] makes this a test already: remove the second attribute";
            return Err(Error::new(attribute.span(), message));
        }
    }
    Ok(())
}

/// What to leave in the place of an item that was reported: the item itself, so that the rest of
/// the program still finds it; but an `async fn main` would be reported once more by rustc.
fn stand_in(item: Vec<TokenTree>) -> TokenStream {
    let named_main = item
        .windows(2)
        .any(|pair| is_keyword(&pair[0], "fn") && is_keyword(&pair[1], "main"));
    let is_async = item.iter().any(|token| is_keyword(token, "async"));
    if named_main && is_async {
        fill("fn main() {}", Span::mixed_site(), &[])
    } else {
        item.into_iter().collect()
    }
}

/// Opens the invisible group around an item that came through a `$item` fragment.
fn ungroup(item: Vec<TokenTree>) -> Vec<TokenTree> {
    match &item[..] {
        [TokenTree::Group(group)] if delimiter(&item[0]) == Some(Delimiter::None) => {
            ungroup(group.stream().into_iter().collect())
        }
        _ => item,
    }
}

fn stream(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}

#[cfg(test)]
mod tests;
