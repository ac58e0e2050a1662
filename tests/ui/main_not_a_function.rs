#[gorust::main]
struct Main;

#[gorust::test]
mod tests {}

fn main() {}
