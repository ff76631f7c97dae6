// Streams of a runtime stay on its thread.
fn spawn(stream: iip::net::TcpStream) {
    std::thread::spawn(move || drop(stream));
}

fn main() {
    let _ = spawn;
}
