#[gorust::main]
async fn main() {
    let _number: u32 = "1".parse()?;
}
