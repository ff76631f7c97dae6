// An event borrows from the loop.
use iip::{Config, Event, Wait};

fn main() {
    let mut kept: Vec<Event<'_>> = Vec::new();
    {
        let mut l = Config::new("pair:x").open().unwrap().attach(0).unwrap();
        kept.extend(l.turn(Wait::No).unwrap());
    }
    println!("{}", kept.len());
}
