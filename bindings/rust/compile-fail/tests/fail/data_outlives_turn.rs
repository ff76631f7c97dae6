// Bytes of an event are in sight: the next turn must wait.
use iip::{Config, Wait};

fn main() {
    let mut l = Config::new("pair:x").open().unwrap().attach(0).unwrap();
    let bytes = l.turn(Wait::No).unwrap().next().unwrap().data();
    l.turn(Wait::No).unwrap();
    println!("{}", bytes.len());
}
