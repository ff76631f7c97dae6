// Registered memory must be able to outlive everything.
use iip::{Config, Region};

fn main() {
    let engine = Config::new("pair:x").open().unwrap();
    let bytes = vec![0u8; 100];
    let region = Region::register(&engine, &bytes[..]);
    drop(bytes);
    drop(region);
}
