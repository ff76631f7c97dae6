// A loop belongs to the thread that attached to it.
use iip::{Config, Wait};

fn main() {
    let mut l = Config::new("pair:x").open().unwrap().attach(0).unwrap();
    std::thread::spawn(move || l.turn(Wait::No).map(drop));
}
