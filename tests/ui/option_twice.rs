#[gorust::main(worker_threads = 1, flavor = "multi_thread", worker_threads = 1)]
async fn main() {}
