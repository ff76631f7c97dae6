// An event has one reference of its buffer to give.
use iip::{Config, Wait};

fn main() {
    let mut l = Config::new("pair:x").open().unwrap().attach(0).unwrap();
    let event = l.turn(Wait::No).unwrap().next().unwrap();
    let first = event.take();
    let second = event.take();
    drop((first, second));
}
