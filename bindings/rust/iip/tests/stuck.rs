//! Peers that do not read, more of them than there are last buffers, beside one that does.

use std::time::Duration;

use iip::net::{TcpListener, TcpStream};
use iip::rt::{self, Runtime, Worker};
use iip::{Config, Engine};

const STUCK: usize = 100;
const WHOLE: usize = 200_000;

fn open(address: &str, frames: u32, tunable: &str) -> Engine {
    Config::new("pair:stuck").address(address).frames(frames).tunable(tunable).open().unwrap()
}

async fn serve(ready: std::sync::mpsc::Sender<()>) {
    let listener = TcpListener::bind("10.0.0.1:7".parse().unwrap()).unwrap();
    ready.send(()).unwrap();
    while let Ok(stream) = listener.accept().await {
        rt::spawn_local(async move {
            let _ = stream.write_all(&[7; WHOLE]).await; // those that are stuck are aborted at the end
        });
    }
}

async fn connect() -> TcpStream {
    TcpStream::connect("10.0.0.1:7".parse().unwrap()).await.unwrap()
}

#[test]
fn who_reads_is_served() {
    let (there, here) = (open("10.0.0.1/24", 256, "tcp.msl_us=1000"), open("10.0.0.2/24", 4096, "tcp.rcvbuf=4096"));
    let worker = Worker::start(&there, 0).unwrap();
    let (ready, told) = std::sync::mpsc::channel();
    worker.handle().spawn(move || serve(ready));
    told.recv().unwrap();
    let runtime = Runtime::new(here.attach(0).unwrap());
    runtime.block_on(async {
        let mut stuck = Vec::new();
        for _ in 0..STUCK {
            stuck.push(connect().await);
        }
        for _ in 0..3 {
            let stream = connect().await;
            let read = async {
                let mut n = 0;
                while let Some(part) = stream.recv().await.unwrap() {
                    n += part.len();
                }
                n
            };
            assert_eq!(rt::timeout(Duration::from_secs(60), read).await, Some(WHOLE));
        }
    });
}
