// Taken bytes may be let go on any thread; what was looked at before must be out of sight.
use iip::{Config, Wait};

fn main() {
    let mut l = Config::new("pair:x").open().unwrap().attach(0).unwrap();
    let event = l.turn(Wait::No).unwrap().next().unwrap();
    let bytes = event.data();
    drop(event.take());
    println!("{}", bytes.len());
}
