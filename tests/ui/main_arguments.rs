#[gorust::main]
async fn main(arguments: Vec<String>, more: u8) {}
