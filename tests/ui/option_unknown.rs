#[gorust::main(threads = 4)]
async fn main() {}

#[gorust::test(start_paused = true)]
async fn test() {}
