#[gorust::main]
async fn main() -> Result<(), std::io::Error> {
    std::fs::read("file")?;
}
