#![deny(unused_must_use)]
//! Lints see the body as well.

#[gorust::main]
async fn main() {
    std::fs::remove_file("nothing");
    async {};
}
