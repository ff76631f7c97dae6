// Received bytes do not change.
fn write(mut buf: iip::RxBuf) {
    buf[0] = 1;
}

fn main() {
    let _ = write;
}
