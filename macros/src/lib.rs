//! Attribute macros of `gorust`; use them through that crate.
