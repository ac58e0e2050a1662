//! The harness for gorust's loom models.
