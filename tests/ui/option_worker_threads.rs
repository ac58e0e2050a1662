#[gorust::main(worker_threads = 0)]
async fn main() {}

#[gorust::main(worker_threads = "4")]
async fn string() {}

#[gorust::main(worker_threads = -1)]
async fn negative() {}

#[gorust::main(worker_threads = 4.0)]
async fn float() {}

#[gorust::main(worker_threads = 2 + 2)]
async fn expression() {}

#[gorust::main(worker_threads = 4294967296)]
async fn large() {}
