//! The options in the attribute: `worker_threads = 4, flavor = "current_thread", crate = "path"`.
//!
//! Every option is read on its own, so that one mistake hides no other, and what could be read is
//! used even if something else could not: the fewer errors follow from the first.

use crate::error::Error;
use crate::template;
use crate::tokens::{Delimiter, Ident, Literal, Span, TokenStream, TokenTree};

/// What the runtime's threads are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// The default: as many processors as `GOMAXPROCS` or `worker_threads` says.
    MultiThread,
    /// One processor.
    CurrentThread,
}

/// The options that were given.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) worker_threads: Option<u32>,
    pub(crate) flavor: Option<Flavor>,
    crate_path: Option<TokenStream>,
    /// The names so far, for finding duplicates.
    seen: Vec<Ident>,
}

impl Options {
    /// Reads the attribute's arguments; the errors are in the order of the source.
    pub(crate) fn parse(arguments: TokenStream) -> (Options, Vec<Error>) {
        let mut options = Options::default();
        let mut errors = Vec::new();
        let tokens: Vec<TokenTree> = arguments.into_iter().collect();
        let mut rest = &tokens[..];
        while let Some(first) = rest.first() {
            let comma = rest.iter().position(|token| is_punct(token, ','));
            let (option, next) = match comma {
                Some(at) => (&rest[..at], &rest[at + 1..]),
                None => (rest, &rest[rest.len()..]),
            };
            rest = next;
            if let Err(error) = options.parse_one(option, first.span()) {
                errors.push(error);
            }
        }
        errors.extend(options.contradiction());
        (options, errors)
    }

    fn seen(&self, name: &str) -> Option<&Ident> {
        self.seen
            .iter()
            .find(|seen| seen.to_string().as_str() == name)
    }

    fn contradiction(&self) -> Option<Error> {
        let threads = self.seen("worker_threads")?;
        (self.flavor == Some(Flavor::CurrentThread)).then(|| {
            Error::new(
                threads.span(),
                "`worker_threads` contradicts `flavor = \"current_thread\"`, which has one worker",
            )
        })
    }

    /// Reads `name = value`; `at` is for an option that has no token of its own.
    fn parse_one(&mut self, option: &[TokenTree], at: Span) -> Result<(), Error> {
        let name = match option.first() {
            Some(TokenTree::Ident(name)) => name,
            Some(other) => return Err(Error::new(other.span(), "expected the name of an option")),
            None => return Err(Error::new(at, "expected an option before this comma")),
        };
        let text = name.to_string();
        let example = match text.as_str() {
            "worker_threads" => "worker_threads = 4",
            "flavor" => "flavor = \"current_thread\"",
            "crate" => "crate = \"path::to::gorust\"",
            _ => {
                let message = format!(
                    "unknown option `{text}`: expected `worker_threads`, `flavor` or `crate`"
                );
                return Err(Error::new(name.span(), message));
            }
        };
        if self.seen(&text).is_some() {
            let message = format!("the option `{text}` is given twice");
            return Err(Error::new(name.span(), message));
        }
        self.seen.push(name.clone());
        let value = match option.get(1) {
            Some(equals) if is_punct(equals, '=') && option.len() > 2 => &option[2..],
            _ => {
                let message = format!("`{text}` needs a value, as in `{example}`");
                return Err(Error::spanning(option, at, message));
            }
        };
        match text.as_str() {
            "worker_threads" => self.worker_threads = Some(worker_threads(value, at)?),
            "flavor" => self.flavor = Some(flavor(value, at)?),
            _ => self.crate_path = Some(crate_path(value, at)?),
        }
        Ok(())
    }

    /// The path of `gorust`, at `span` unless the user wrote it.
    pub(crate) fn crate_path(&self, span: Span) -> TokenStream {
        match &self.crate_path {
            Some(path) => path.clone(),
            None => template::fill("::gorust", span, &[]),
        }
    }
}

fn worker_threads(value: &[TokenTree], at: Span) -> Result<u32, Error> {
    let wrong = |message| Err(Error::spanning(value, at, message));
    let Some(digits) = only_literal(value) else {
        return wrong("`worker_threads` must be an integer literal, as in `worker_threads = 4`");
    };
    match integer(&digits.to_string()) {
        Integer::Value(0) => wrong("`worker_threads` must be at least 1"),
        Integer::Value(count) => Ok(count),
        Integer::TooLarge => wrong("`worker_threads` is too large"),
        Integer::Not => {
            wrong("`worker_threads` must be an integer literal, as in `worker_threads = 4`")
        }
    }
}

fn flavor(value: &[TokenTree], at: Span) -> Result<Flavor, Error> {
    let name = only_literal(value).and_then(|literal| string(&literal.to_string()));
    match name.as_deref() {
        Some("multi_thread") => Ok(Flavor::MultiThread),
        Some("current_thread") => Ok(Flavor::CurrentThread),
        _ => {
            let message = "`flavor` must be \"multi_thread\" or \"current_thread\"";
            Err(Error::spanning(value, at, message))
        }
    }
}

/// A path, with or without quotes.
fn crate_path(value: &[TokenTree], at: Span) -> Result<TokenStream, Error> {
    let quoted = only_literal(value).and_then(|literal| string(&literal.to_string()));
    let path: TokenStream = match quoted {
        Some(text) => text.parse().unwrap_or_default(),
        None => value.iter().cloned().collect(),
    };
    if !is_path(path.clone()) {
        let message = "`crate` must be the path of the gorust crate, as in `crate = \"gorust\"`";
        return Err(Error::spanning(value, at, message));
    }
    let span = value.first().map_or(at, TokenTree::span);
    Ok(path
        .into_iter()
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect())
}

/// `a`, `a::b`, `::a::b`.
fn is_path(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_colons = |pair: &[TokenTree]| pair.iter().all(|token| is_punct(token, ':'));
    let mut rest = match &tokens[..] {
        [a, b, rest @ ..] if is_colons(&[a.clone(), b.clone()]) => rest,
        all => all,
    };
    loop {
        rest = match rest {
            [TokenTree::Ident(_)] => return true,
            [TokenTree::Ident(_), a, b, rest @ ..] if is_colons(&[a.clone(), b.clone()]) => rest,
            _ => return false,
        };
    }
}

pub(crate) fn is_punct(token: &TokenTree, expected: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == expected)
}

/// The literal, if `value` is nothing else; a literal that came through a `macro_rules!` fragment
/// stands in an invisible group.
fn only_literal(value: &[TokenTree]) -> Option<Literal> {
    match value {
        [TokenTree::Literal(literal)] => Some(literal.clone()),
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::None => {
            only_literal(&group.stream().into_iter().collect::<Vec<_>>())
        }
        _ => None,
    }
}

/// The content of a string literal. Escapes are left as they are: no valid value needs one.
fn string(literal: &str) -> Option<String> {
    let unraw = match literal.strip_prefix('r') {
        Some(raw) => raw.trim_matches('#'),
        None => literal,
    };
    let content = unraw.strip_prefix('"')?.strip_suffix('"')?;
    Some(content.to_owned())
}

#[derive(Debug, PartialEq, Eq)]
enum Integer {
    Value(u32),
    TooLarge,
    Not,
}

/// Reads an integer literal as Rust writes them: radix, underscores, suffix.
fn integer(literal: &str) -> Integer {
    const SUFFIXES: [&str; 12] = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    ];
    let (radix, digits) = match literal.get(..2) {
        Some("0x") => (16, &literal[2..]),
        Some("0o") => (8, &literal[2..]),
        Some("0b") => (2, &literal[2..]),
        _ => (10, literal),
    };
    let digits = SUFFIXES
        .iter()
        .find_map(|suffix| digits.strip_suffix(suffix))
        .unwrap_or(digits)
        .replace('_', "");
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Integer::Not;
    }
    match u32::from_str_radix(&digits, radix) {
        Ok(value) => Integer::Value(value),
        Err(_) => Integer::TooLarge,
    }
}

#[cfg(test)]
mod tests;
