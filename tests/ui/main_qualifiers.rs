#[gorust::main]
pub async unsafe fn danger() {}

#[gorust::main]
async extern "C" fn foreign() {}

fn main() {}
