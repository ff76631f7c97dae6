// A buffer is given back once.
use iip::{Config, Wait};

fn main() {
    let mut l = Config::new("pair:x").open().unwrap().attach(0).unwrap();
    let buf = l.turn(Wait::No).unwrap().next().unwrap().take().unwrap();
    drop(buf);
    drop(buf);
}
