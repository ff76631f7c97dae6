// So does its queue.
use iip::Config;

fn main() {
    let l = Config::new("pair:x").open().unwrap().attach(0).unwrap();
    let queue: &iip::Queue = &l;
    std::thread::scope(|s| {
        s.spawn(|| queue.room());
    });
}
