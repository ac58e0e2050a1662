#[gorust::main(crate = "nowhere::to_be_found")]
async fn main() {}
