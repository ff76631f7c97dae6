//! An echo server.

use std::sync::mpsc::channel;

use iip::net::TcpListener;
use iip::rt::{self, Worker};

/// Buffers go back as they came, on port 7 of this worker; it listens when this returns.
pub fn serve(worker: &Worker) {
    let (tell, told) = channel();
    worker.handle().spawn(move || async move {
        let listener = TcpListener::bind("0.0.0.0:7".parse().unwrap()).unwrap();
        tell.send(()).unwrap();
        while let Ok(stream) = listener.accept().await {
            rt::spawn_local(async move {
                while let Ok(Some(bytes)) = stream.recv().await {
                    stream.send(bytes).await?;
                }
                stream.shutdown()
            });
        }
    });
    told.recv().unwrap();
}
