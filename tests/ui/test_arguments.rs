#[gorust::test]
async fn test(_n: u32) {}

#[gorust::test]
async fn generic<T>() {}

#[gorust::test]
fn not_async() {}

fn main() {}
