//! An echo server and its client, both on our stack, in one process.

use iip::net::{TcpListener, TcpStream};
use iip::rt::{Runtime, Worker};
use iip::Config;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Config::new("pair:first").address("10.0.0.1/24").open()?;
    let client = Config::new("pair:first").address("10.0.0.2/24").open()?;

    let worker = Worker::start(&server, 0)?; // a thread that turns the server's loop
    let (tell, told) = std::sync::mpsc::channel();
    worker.handle().spawn(move || async move {
        let listener = TcpListener::bind("0.0.0.0:7".parse().unwrap()).unwrap();
        tell.send(()).unwrap();
        let stream = listener.accept().await.unwrap();
        while let Ok(Some(bytes)) = stream.recv().await {
            stream.send(bytes).await.unwrap(); // the buffer goes back as it is: not a byte is copied
        }
    });
    told.recv()?;

    Runtime::new(client.attach(0)?).block_on(async {
        let stream = TcpStream::connect("10.0.0.1:7".parse()?).await?;
        stream.write_all(b"hello").await?;
        let bytes = stream.recv().await?.ok_or("the server said nothing")?;
        println!("{}", std::str::from_utf8(&bytes)?);
        Ok(())
    })
}
