// A task may live longer than who spawned it.
fn main() {
    let n = 5;
    iip::rt::spawn_local(async { println!("{}", &n) });
}
