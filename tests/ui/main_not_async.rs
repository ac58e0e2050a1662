/// The keyword is missing.
#[gorust::main]
fn main() {}
