//! The function under the attribute, taken apart by hand.
//!
//! ```text
//! #[attributes] visibility async fn name (parameters) -> return_type where clause { body }
//! ```
//!
//! Only the outline is looked at: a group is one token, so neither the body nor a type can confuse
//! the reader. What came through a `macro_rules!` fragment may stand in an invisible group.

use crate::error::Error;
use crate::options::is_punct;
use crate::tokens::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

/// An `async fn` without generics; each field holds the user's own tokens.
#[derive(Debug)]
pub(crate) struct Function {
    /// With their `#`; doc comments are among them.
    pub(crate) attributes: Vec<TokenTree>,
    pub(crate) visibility: Vec<TokenTree>,
    pub(crate) async_keyword: TokenTree,
    pub(crate) fn_keyword: TokenTree,
    pub(crate) name: Ident,
    pub(crate) parameters: Group,
    /// With its arrow; empty for `()`.
    pub(crate) return_type: Vec<TokenTree>,
    /// With its `where`.
    pub(crate) where_clause: Vec<TokenTree>,
    /// The braces and what is in them.
    pub(crate) body: TokenTree,
}

impl Function {
    /// Takes `item` apart; `attribute` is the macro's name, for messages.
    pub(crate) fn parse(item: &[TokenTree], attribute: &str) -> Result<Self, Error> {
        let (attributes, rest) = item.split_at(attributes_len(item));
        let not_a_function = || {
            let at = rest.first().map_or(Span::call_site(), TokenTree::span);
            Error::new(at, format!("#[{attribute}] goes on an `async fn`"))
        };
        let fn_at = rest
            .iter()
            .position(|token| is_keyword(token, "fn"))
            .ok_or_else(not_a_function)?;
        let (visibility, qualifiers) = rest[..fn_at].split_at(visibility_len(rest));
        let fn_keyword = rest[fn_at].clone();
        let async_keyword = async_keyword(qualifiers, &fn_keyword, attribute)?;

        let Some((TokenTree::Ident(name), rest)) = rest[fn_at + 1..].split_first() else {
            return Err(not_a_function());
        };
        let (parameters, rest) = parameters(rest, name)?;
        let (return_type, where_clause, body) = return_where_body(rest, name)?;
        Ok(Function {
            attributes: attributes.to_vec(),
            visibility: visibility.to_vec(),
            async_keyword,
            fn_keyword,
            name: name.clone(),
            parameters,
            return_type: return_type.to_vec(),
            where_clause: where_clause.to_vec(),
            body,
        })
    }

    pub(crate) fn is_main(&self) -> bool {
        self.name.to_string().trim_start_matches("r#") == "main"
    }

    /// The parameters, each split into pattern and type.
    pub(crate) fn parameters(&self) -> Result<Vec<Parameter>, Error> {
        let tokens: Vec<TokenTree> = self.parameters.stream().into_iter().collect();
        split_parameters(&tokens)
            .into_iter()
            .map(Parameter::parse)
            .collect()
    }

    /// Where to report what concerns the result: the return type, else the name.
    pub(crate) fn return_span(&self) -> Span {
        self.return_type
            .get(2)
            .map_or(self.name.span(), TokenTree::span)
    }
}

/// `pattern: type`.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// Without the pattern, which only the user's own function needs.
    pub(crate) ty: TokenStream,
}

impl Parameter {
    fn parse(tokens: &[TokenTree]) -> Result<Self, Error> {
        if let Some(this) = tokens.iter().find(|token| is_keyword(token, "self")) {
            let message = "an entry point is a free function: it takes no `self`";
            return Err(Error::new(this.span(), message));
        }
        let colon = (0..tokens.len()).find(|&at| is_single_colon(tokens, at));
        match colon {
            Some(at) => Ok(Parameter {
                ty: tokens[at + 1..].iter().cloned().collect(),
            }),
            None => Err(Error::spanning(
                tokens,
                Span::call_site(),
                "expected `name: Type`",
            )),
        }
    }
}

/// The length of the attributes that `item` begins with.
fn attributes_len(item: &[TokenTree]) -> usize {
    let is_attribute = |pair: &[TokenTree]| {
        is_punct(&pair[0], '#') && delimiter(&pair[1]) == Some(Delimiter::Bracket)
    };
    2 * item
        .chunks_exact(2)
        .take_while(|pair| is_attribute(pair))
        .count()
}

/// The length of the visibility that `tokens` begins with: `pub`, `pub(crate)`, or an invisible
/// group (possibly empty) for `$vis` of a `macro_rules!` macro.
fn visibility_len(tokens: &[TokenTree]) -> usize {
    match tokens {
        [first, second, ..] if is_keyword(first, "pub") => {
            1 + usize::from(delimiter(second) == Some(Delimiter::Parenthesis))
        }
        [first, ..] if delimiter(first) == Some(Delimiter::None) => 1,
        _ => 0,
    }
}

/// Finds `async` among what stands between visibility and `fn`, and allows nothing else there.
fn async_keyword(
    qualifiers: &[TokenTree],
    fn_keyword: &TokenTree,
    attribute: &str,
) -> Result<TokenTree, Error> {
    for token in qualifiers {
        match token.to_string().as_str() {
            "async" => {}
            "const" | "unsafe" | "safe" | "extern" | "default" | "gen" => {
                let message =
                    format!("an entry point is a plain `async fn`: remove this `{token}`");
                return Err(Error::new(token.span(), message));
            }
            _ => {
                let message = format!("#[{attribute}] goes on an `async fn`");
                return Err(Error::new(token.span(), message));
            }
        }
    }
    qualifiers.first().cloned().ok_or_else(|| {
        let message = format!("#[{attribute}] goes on an `async fn`: `async` is missing here");
        Error::new(fn_keyword.span(), message)
    })
}

/// Takes the parameters from what follows the name.
fn parameters<'a>(
    tokens: &'a [TokenTree],
    name: &Ident,
) -> Result<(Group, &'a [TokenTree]), Error> {
    match tokens {
        [TokenTree::Group(group), rest @ ..] if group.delimiter() == Delimiter::Parenthesis => {
            Ok((group.clone(), rest))
        }
        [less, ..] if is_punct(less, '<') => {
            let depths = angle_depths(tokens);
            let end = depths.iter().position(|&depth| depth == 0);
            let generics = &tokens[..end.map_or(1, |last| last + 1)];
            let message = "an entry point cannot be generic: nobody would choose the types";
            Err(Error::spanning(generics, name.span(), message))
        }
        _ => Err(Error::new(
            name.span(),
            "expected parameters after the name",
        )),
    }
}

type Tail<'a> = (&'a [TokenTree], &'a [TokenTree], TokenTree);

/// Splits what follows the parameters into return type, where clause and body.
fn return_where_body<'a>(tokens: &'a [TokenTree], name: &Ident) -> Result<Tail<'a>, Error> {
    let Some((body, head)) = tokens.split_last().filter(|(body, _)| is_block(body)) else {
        let at = tokens.last().map_or(name.span(), TokenTree::span);
        return Err(Error::new(at, "an entry point needs a body"));
    };
    let where_at = head
        .iter()
        .position(|token| is_keyword(token, "where"))
        .unwrap_or(head.len());
    let (return_type, where_clause) = head.split_at(where_at);
    Ok((return_type, where_clause, body.clone()))
}

/// Splits at the commas that are not inside `<..>`; a trailing comma makes no parameter.
fn split_parameters(tokens: &[TokenTree]) -> Vec<&[TokenTree]> {
    let mut parameters = Vec::new();
    let mut start = 0;
    for (at, depth) in angle_depths(tokens).into_iter().enumerate() {
        if is_punct(&tokens[at], ',') && depth == 0 {
            parameters.push(&tokens[start..at]);
            start = at + 1;
        }
    }
    if start < tokens.len() {
        parameters.push(&tokens[start..]);
    }
    parameters
}

/// After each token, how many `<` are open; the `>` of an arrow closes none.
fn angle_depths(tokens: &[TokenTree]) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut after_minus = false;
    let depth_after = |token: &TokenTree| {
        if is_punct(token, '<') {
            depth += 1;
        } else if is_punct(token, '>') && !after_minus {
            depth = depth.saturating_sub(1);
        }
        after_minus = is_punct(token, '-');
        depth
    };
    tokens.iter().map(depth_after).collect()
}

fn is_single_colon(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |at: usize| tokens.get(at).is_some_and(|token| is_punct(token, ':'));
    is_colon(at) && !is_colon(at + 1) && !(at > 0 && is_colon(at - 1))
}

/// A block: braces, or an invisible group that holds nothing but a block.
fn is_block(token: &TokenTree) -> bool {
    match delimiter(token) {
        Some(Delimiter::Brace) => true,
        Some(Delimiter::None) => only_token(token).is_some_and(|token| is_block(&token)),
        _ => false,
    }
}

/// The token in a group that holds only one.
pub(crate) fn only_token(group: &TokenTree) -> Option<TokenTree> {
    let TokenTree::Group(group) = group else {
        return None;
    };
    let mut content = group.stream().into_iter();
    content.next().filter(|_| content.next().is_none())
}

pub(crate) fn is_keyword(token: &TokenTree, keyword: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string().as_str() == keyword)
}

pub(crate) fn delimiter(token: &TokenTree) -> Option<Delimiter> {
    match token {
        TokenTree::Group(group) => Some(group.delimiter()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
