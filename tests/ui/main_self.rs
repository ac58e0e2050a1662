struct Server;

impl Server {
    #[gorust::main]
    async fn serve(&self) {}
}

fn main() {}
