//! What runs on top unmodified: hyper, axum, rustls, the io traits.
#![cfg(all(feature = "axum", feature = "bytes", feature = "futures-io", feature = "hyper"))]

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use iip::net::{TcpListener, TcpStream};
use iip::rt::hyper::{LocalExecutor, LoopTimer};
use iip::rt::{self, Runtime, Worker};
use iip::send::{SendListener, SendStream};
use iip::{Config, Engine, RxBuf};

const LOSSY: &str = "seed=3,loss=1%,dup=1%,reorder=2%,delay=50us";

fn open(port: &str, address: &str) -> Engine {
    Config::new(port).address(address).open().unwrap()
}

fn address() -> SocketAddr {
    "10.0.0.1:80".parse().unwrap()
}

fn world<F, M>(port: &str, serve: M) -> (Worker, Runtime)
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let worker = Worker::start(&open(port, "10.0.0.1/24"), 0).unwrap();
    worker.handle().spawn(serve);
    (worker, Runtime::new(open(port, "10.0.0.2/24").attach(0).unwrap()))
}

async fn connect() -> TcpStream {
    for _ in 0..60_000 {
        if let Ok(stream) = TcpStream::connect(address()).await {
            stream.set_nodelay(true).unwrap();
            return stream;
        }
        rt::sleep(Duration::from_millis(1)).await;
    }
    panic!("nobody listens");
}

fn pattern(n: usize) -> Vec<u8> {
    (0..n as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

/// `/N`: N bytes of the pattern behind what was sent.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let n: usize = request.uri().path()[1..].parse().unwrap();
    let mut body = request.into_body().collect().await.unwrap().to_bytes().to_vec();
    body.extend_from_slice(&pattern(n));
    Ok(Response::new(Full::new(body.into())))
}

async fn serve_hyper(http2: bool) {
    let listener = TcpListener::bind("0.0.0.0:80".parse().unwrap()).unwrap();
    while let Ok(stream) = listener.accept().await {
        rt::spawn_local(async move {
            stream.set_nodelay(true).unwrap();
            let service = service_fn(answer);
            if http2 {
                let mut server = hyper::server::conn::http2::Builder::new(LocalExecutor);
                server.timer(LoopTimer).serve_connection(stream, service).await
            } else {
                let mut server = hyper::server::conn::http1::Builder::new();
                server.timer(LoopTimer).header_read_timeout(Duration::from_secs(60));
                server.serve_connection(stream, service).await
            }
        });
    }
}

fn request(n: usize, body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::post(format!("http://server/{n}")).header("host", "server").body(Full::new(body.into())).unwrap()
}

async fn check(response: Response<Incoming>, n: usize, sent: usize) {
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), sent + n);
    assert!(body[..sent] == pattern(sent) && body[sent..] == pattern(n));
}

fn sizes() -> impl Iterator<Item = (usize, usize)> {
    (0..150).map(|i| ((i * 7919) % 30_000, (i * 104_729) % 5000)).chain([(1_000_000, 0), (0, 300_000)])
}

fn hyper_http1(port: &str) {
    let (_worker, runtime) = world(port, || serve_hyper(false));
    runtime.block_on(async {
        let all: Vec<_> = (0..4).map(|_| rt::spawn_local(talk_http1())).collect();
        for one in all {
            one.await;
        }
    });
}

async fn talk_http1() {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(connect().await).await.unwrap();
    rt::spawn_local(connection);
    for (n, sent) in sizes() {
        check(sender.send_request(request(n, pattern(sent))).await.unwrap(), n, sent).await;
    }
}

#[test]
fn hyper_serves_http1_over_a_pair() {
    hyper_http1("pair:eco-http1");
}

#[test]
fn hyper_serves_http1_over_a_wire_that_loses() {
    hyper_http1(&format!("sim:eco-http1-loss,{LOSSY}"));
}

#[test]
fn hyper_serves_http2() {
    let (_worker, runtime) = world("pair:eco-http2", || serve_hyper(true));
    runtime.block_on(async {
        let mut client = hyper::client::conn::http2::Builder::new(LocalExecutor);
        let (sender, connection) = client.timer(LoopTimer).handshake(connect().await).await.unwrap();
        rt::spawn_local(connection);
        let mut all = Vec::new();
        for (n, sent) in sizes() {
            let mut sender = sender.clone();
            all.push(rt::spawn_local(async move {
                check(sender.send_request(request(n, pattern(sent))).await.unwrap(), n, sent).await;
            }));
        }
        for one in all {
            one.await;
        }
    });
}

fn axum_app() -> axum::Router {
    use axum::extract::Path;
    let add = |Path(n): Path<usize>, body: Bytes| async move {
        let mut all = body.to_vec();
        all.extend_from_slice(&pattern(n));
        all
    };
    axum::Router::new().route("/{n}", axum::routing::post(add))
}

#[test]
fn axum_serves_unmodified() {
    let worker = Worker::start(&open(&format!("sim:eco-axum,{LOSSY}"), "10.0.0.1/24"), 0).unwrap();
    let handle = worker.handle().clone();
    let (tell, told) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // axum's own thread, with tokio's runtime: it knows nothing of loops.
    let axum = std::thread::spawn(move || {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        tokio.block_on(async move {
            let listener = SendListener::bind(&handle, "0.0.0.0:80".parse().unwrap()).await.unwrap();
            let again = SendListener::bind(&handle, "0.0.0.0:80".parse().unwrap()).await;
            assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
            tell.send(()).unwrap();
            tokio::select! {
                served = async { axum::serve(listener, axum_app()).await } => served.unwrap(),
                _ = stopped => {}
            }
        });
    });
    told.recv().unwrap();
    let runtime = Runtime::new(open(&format!("sim:eco-axum,{LOSSY}"), "10.0.0.2/24").attach(0).unwrap());
    runtime.block_on(async {
        let all: Vec<_> = (0..4).map(|_| rt::spawn_local(talk_http1())).collect();
        for one in all {
            one.await;
        }
    });
    stop.send(()).unwrap();
    axum.join().unwrap();
}

#[test]
fn a_stream_of_another_thread_ends_with_its_loop() {
    let worker = Worker::start(&open("pair:eco-end", "10.0.0.1/24"), 0).unwrap();
    let client = Worker::start(&open("pair:eco-end", "10.0.0.2/24"), 0).unwrap();
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(async move {
        let listener = SendListener::bind(worker.handle(), "0.0.0.0:80".parse().unwrap()).await.unwrap();
        let here = SendStream::connect(client.handle(), address()).await.unwrap();
        let there = listener.accept().await.unwrap();
        assert_eq!(here.local_addr().unwrap(), there.peer_addr().unwrap());
        std::future::poll_fn(|cx| here.poll_write_from(cx, b"hello")).await.unwrap();
        assert_eq!(&there.recv().await.unwrap().unwrap()[..], b"hello");
        drop(worker); // and with it the loop
        assert_eq!(there.recv().await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        assert!(listener.accept().await.is_err());
        let gone = SendListener::bind(&client.handle().clone(), "0.0.0.0:81".parse().unwrap()).await.unwrap();
        drop((client, gone, here));
    });
}

#[test]
fn rustls_runs_on_a_local_stream() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::rustls;
    let key = rcgen::generate_simple_self_signed(["server".to_owned()]).unwrap();
    let cert = key.cert.der().clone();
    let secret = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.clone()], secret);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server.unwrap()));
    let (_worker, runtime) = world(&format!("sim:eco-tls,{LOSSY}"), move || async move {
        let listener = TcpListener::bind("0.0.0.0:80".parse().unwrap()).unwrap();
        while let Ok(stream) = listener.accept().await {
            let mut tls = acceptor.accept(stream).await.unwrap();
            let mut bytes = vec![0; 100_000];
            tls.read_exact(&mut bytes).await.unwrap();
            tls.write_all(&bytes).await.unwrap();
            tls.shutdown().await.unwrap();
        }
    });
    runtime.block_on(async {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(cert).unwrap();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let mut tls = connector.connect("server".try_into().unwrap(), connect().await).await.unwrap();
        tls.write_all(&pattern(100_000)).await.unwrap();
        tls.flush().await.unwrap(); // what rustls still holds
        let mut back = Vec::new();
        tls.read_to_end(&mut back).await.unwrap();
        assert!(back == pattern(100_000));
    });
}

#[test]
fn futures_io_reads_and_writes() {
    use futures_util::{AsyncReadExt, AsyncWriteExt};
    let (_worker, runtime) = world("pair:eco-futures", || async {
        let listener = TcpListener::bind("0.0.0.0:80".parse().unwrap()).unwrap();
        let mut stream = listener.accept().await.unwrap();
        let mut all = Vec::new();
        AsyncReadExt::read_to_end(&mut stream, &mut all).await.unwrap();
        AsyncWriteExt::write_all(&mut stream, &all).await.unwrap();
        AsyncWriteExt::close(&mut stream).await.unwrap();
    });
    runtime.block_on(async {
        let mut stream = connect().await;
        AsyncWriteExt::write_all(&mut stream, &pattern(200_000)).await.unwrap();
        AsyncWriteExt::close(&mut stream).await.unwrap();
        let mut back = Vec::new();
        AsyncReadExt::read_to_end(&mut stream, &mut back).await.unwrap();
        assert!(back == pattern(200_000));
    });
}

#[test]
fn lines_are_read_where_they_arrived() {
    use futures_util::{AsyncBufReadExt, StreamExt};
    let (_worker, runtime) = world("pair:eco-lines", || async {
        let mut listener = TcpListener::bind("0.0.0.0:80".parse().unwrap()).unwrap();
        while let Some(stream) = listener.next().await {
            let stream = stream.unwrap();
            for i in 0..10_000 {
                stream.write_all(format!("line {i}\n").as_bytes()).await.unwrap();
            }
            stream.write_all(b"the end").await.unwrap();
            stream.shutdown().unwrap();
            let _ = stream.closed().await;
        }
    });
    runtime.block_on(async {
        let mut lines = connect().await.lines(); // of futures-io
        for i in 0..10_000 {
            assert_eq!(lines.next().await.unwrap().unwrap(), format!("line {i}"));
        }
        assert_eq!(lines.next().await.unwrap().unwrap(), "the end");
        assert!(lines.next().await.is_none());
        drop(lines); // the server serves one after the other
        let mut stream = connect().await;
        let mut line = String::new();
        for i in 0..10_000 {
            line.clear();
            tokio::io::AsyncBufReadExt::read_line(&mut stream, &mut line).await.unwrap();
            assert_eq!(line, format!("line {i}\n"));
        }
        assert_eq!(&stream.recv().await.unwrap().unwrap()[..], b"the end", "what is not consumed is still there");
        stream.shutdown().unwrap();
    });
}

#[test]
fn bytes_hold_a_buffer_on_any_thread() {
    let (_worker, runtime) = world("pair:eco-bytes", || async {
        let listener = TcpListener::bind("0.0.0.0:80".parse().unwrap()).unwrap();
        let stream = listener.accept().await.unwrap();
        stream.write_all(b"hello, world").await.unwrap();
        rt::sleep(Duration::from_secs(60)).await;
    });
    runtime.block_on(async {
        let stream = connect().await;
        let buf: RxBuf = stream.recv().await.unwrap().unwrap();
        let at = buf.as_ptr();
        let bytes = Bytes::from(buf);
        assert_eq!(bytes.as_ptr(), at, "nothing was copied");
        let word = bytes.slice(7..);
        drop(bytes);
        std::thread::spawn(move || assert_eq!(&word[..], b"world")).join().unwrap();
        rt::yield_now().await;
        assert_eq!(rt::with_loop(|l| l.stats()).unwrap().bufs_held, 0);
    });
}
