#[gorust::main(worker_threads)]
async fn main() {}

#[gorust::main(worker_threads = )]
async fn no_value() {}

#[gorust::main(flavor("multi_thread"))]
async fn call() {}

#[gorust::main(4)]
async fn no_name() {}

#[gorust::main(, flavor = "multi_thread")]
async fn comma() {}
