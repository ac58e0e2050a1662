struct Silent;

#[gorust::main]
async fn main() -> Result<(), Silent> {
    Ok(())
}
