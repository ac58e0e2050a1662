//! rustc's own errors stay where the user's code is.

#[gorust::main]
async fn main() -> Result<(), String> {
    let number: u32 = "word";
    number
}

#[gorust::main]
async fn helper(n: u32) -> String {
    n
}
