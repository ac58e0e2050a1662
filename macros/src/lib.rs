//! The attribute macros of `gorust`; use them through that crate, which documents them.
//!
//! Both macros leave the user's function as it is, tokens, spans and all, and nest it in a plain
//! function of the same name that runs it:
//!
//! ```text
//! #[gorust::main]                     fn main() -> ::std::process::ExitCode {
//! async fn main() -> Result<(), E> {      async fn main() -> Result<(), E> { body }
//!     body                      =>        ... hand main() to ::gorust::__private ...
//! }                                   }
//! ```
//!
//! An `async` block in place of the nested function would have been shorter. It was refused: an
//! error in the body would be reported against code that the user never wrote (a block has no
//! declared output), and rustc cannot tell whether a block is `Send` while it still checks the
//! function around it, which is what `main` must know (see `gorust::entry`).
//!
//! No parser library: what is between the attribute and the body is a handful of tokens
//! (`function`, `options`), and the body is never looked into.

// `proc_macro` cannot be used outside a macro, so unit tests put its look-alike in its place.
#[cfg(not(test))]
extern crate proc_macro as tokens;
#[cfg(test)]
extern crate proc_macro2 as tokens;

mod error;
mod expand;
mod function;
mod options;
mod template;

/// See `gorust::main`.
#[cfg(not(test))]
#[proc_macro_attribute]
pub fn main(options: tokens::TokenStream, item: tokens::TokenStream) -> tokens::TokenStream {
    expand::expand(expand::Kind::Main, options, item)
}

/// See `gorust::test`.
#[cfg(not(test))]
#[proc_macro_attribute]
pub fn test(options: tokens::TokenStream, item: tokens::TokenStream) -> tokens::TokenStream {
    expand::expand(expand::Kind::Test, options, item)
}
