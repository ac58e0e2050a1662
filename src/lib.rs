//! Go's concurrency for Rust.
#![allow(dead_code)] // until the pieces are joined

mod coop;
mod primitive;
mod reactor;
mod scheduler;
mod timer;
mod wait;
