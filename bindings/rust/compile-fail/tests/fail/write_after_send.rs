// What is sent does not change any more.
use iip::{Config, Conn};

fn main() {
    let l = Config::new("pair:x").open().unwrap().attach(0).unwrap();
    let mut buf = l.tx_buf().unwrap();
    l.send(Conn::from_raw(0), buf).unwrap();
    buf.extend_from_slice(b"more");
}
