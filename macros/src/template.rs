//! Rust source with holes: what `quote` would be used for.

use crate::tokens::{Group, Span, TokenStream, TokenTree};

/// Parses `source`, puts the tokens named in `holes` (spans untouched) where it says `$name`, and
/// gives every other token the span `span`.
///
/// # Panics
/// If `source` is not made of Rust tokens or names a hole that is not there: mistakes of this
/// crate, which its tests would show.
pub(crate) fn fill(source: &str, span: Span, holes: &[(&str, TokenStream)]) -> TokenStream {
    let source = source.parse().expect("a template consists of Rust tokens");
    fill_tokens(source, span, holes)
}

fn fill_tokens(source: TokenStream, span: Span, holes: &[(&str, TokenStream)]) -> TokenStream {
    let mut filled = TokenStream::new();
    let mut source = source.into_iter();
    while let Some(token) = source.next() {
        match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => {
                let name = source.next().expect("a name after `$`").to_string();
                let (_, tokens) = holes
                    .iter()
                    .find(|(hole, _)| *hole == name)
                    .expect("every hole has a filling");
                filled.extend(tokens.clone());
            }
            TokenTree::Group(group) => {
                let content = fill_tokens(group.stream(), span, holes);
                let mut group = Group::new(group.delimiter(), content);
                group.set_span(span);
                filled.extend([TokenTree::from(group)]);
            }
            mut token => {
                token.set_span(span);
                filled.extend([token]);
            }
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_at_every_depth() {
        let tokens = fill(
            "a { $x ( $y ) }",
            Span::call_site(),
            &[
                ("x", "1 + 2".parse().unwrap()),
                ("y", "b :: c".parse().unwrap()),
            ],
        );
        assert_eq!(tokens.to_string(), "a { 1 + 2 (b :: c) }");
    }

    #[test]
    fn only_the_template_s_own_tokens_get_the_span() {
        let user: TokenStream = "            user".parse().unwrap();
        let place = "  here".parse::<TokenStream>().unwrap();
        let span = place.into_iter().next().unwrap().span();
        let tokens: Vec<_> = fill("f $user", span, &[("user", user)])
            .into_iter()
            .collect();
        assert_eq!(tokens[0].span().start().column, 2);
        assert_eq!(tokens[1].span().start().column, 12);
    }

    #[test]
    #[should_panic(expected = "every hole has a filling")]
    fn a_hole_without_a_filling_is_a_bug() {
        fill("$missing", Span::call_site(), &[]);
    }
}
