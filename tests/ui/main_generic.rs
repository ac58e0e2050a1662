#[gorust::main]
async fn main<T: Fn() -> u8, const N: usize>() {}
