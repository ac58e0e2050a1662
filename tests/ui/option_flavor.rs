#[gorust::main(flavor = "single_thread")]
async fn main() {}

#[gorust::main(flavor = current_thread)]
async fn word() {}

#[gorust::main(flavor = "current_thread", worker_threads = 1)]
async fn contradiction() {}
