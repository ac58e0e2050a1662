//! Errors that point at the user's tokens.

use crate::template;
use crate::tokens::{Literal, Span, TokenStream, TokenTree};

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Error {
    first: Span,
    last: Span,
    message: String,
}

impl Error {
    /// An error at one place.
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Error {
            first: span,
            last: span,
            message: message.into(),
        }
    }

    /// An error that underlines all of `tokens`, or points at `otherwise` if there are none.
    pub(crate) fn spanning(
        tokens: &[TokenTree],
        otherwise: Span,
        message: impl Into<String>,
    ) -> Self {
        Error {
            first: tokens.first().map_or(otherwise, TokenTree::span),
            last: tokens.last().map_or(otherwise, TokenTree::span),
            message: message.into(),
        }
    }

    /// A `compile_error!` that rustc reports from the first to the last of the tokens.
    pub(crate) fn into_tokens(self) -> TokenStream {
        // rustc joins the spans of the first and the last token of the macro call.
        let mut message = Literal::string(&self.message);
        message.set_span(self.last);
        let mut tokens = template::fill("::core::compile_error!", self.first, &[]);
        tokens.extend(template::fill(
            "{ $message }",
            self.last,
            &[("message", TokenTree::from(message).into())],
        ));
        tokens
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    #[cfg(test)]
    pub(crate) fn column(&self) -> usize {
        self.first.start().column
    }

    /// The part of `source` that the error points at.
    #[cfg(test)]
    pub(crate) fn underlined<'a>(&self, source: &'a str) -> &'a str {
        let (first, last) = (self.first.start(), self.last.end());
        assert_eq!(
            (first.line, last.line),
            (1, 1),
            "test sources have one line"
        );
        &source[first.column..last.column]
    }
}
