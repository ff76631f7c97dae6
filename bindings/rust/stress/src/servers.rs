//! Servers of others on our stack, as their documentation shows them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use iip::net::TcpListener;
use iip::rt::hyper::LoopTimer;
use iip::rt::{self, Worker};
use iip::send::SendListener;
use tokio_rustls::{rustls, TlsAcceptor};

use crate::pages::Pages;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Stack {
    /// hyper's server, on a listener of the loop's own thread.
    Hyper,
    /// The same behind rustls, with a certificate that it makes.
    Tls,
    /// `axum::serve`, on a thread of its own with tokio's runtime.
    Axum,
}

/// Serves until the loop ends; `listening` is called when clients may come.
pub fn start(
    stack: Stack,
    worker: &Worker,
    local: SocketAddr,
    pages: Pages,
    listening: impl FnOnce() + Send + 'static,
) {
    match stack {
        Stack::Hyper => worker.handle().spawn(move || hyper(local, pages, listening)),
        Stack::Tls => worker.handle().spawn(move || tls(local, pages, listening)),
        Stack::Axum => {
            let handle = worker.handle().clone();
            let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio's runtime");
            std::thread::spawn(move || tokio.block_on(axum(handle, local, pages, listening)));
        }
    }
}

fn answer<B>(pages: &Pages, request: &hyper::Request<B>) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let page = pages.get(request.uri().path());
    let status = if page.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let mut response = hyper::Response::new(Full::new(page.unwrap_or_default()));
    *response.status_mut() = status;
    Ok(response)
}

async fn hyper(local: SocketAddr, pages: Pages, listening: impl FnOnce()) {
    let listener = TcpListener::bind(local).expect("a listener");
    listening();
    while let Ok(stream) = listener.accept().await {
        let pages = pages.clone();
        rt::spawn_local(async move {
            stream.set_nodelay(true)?;
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let pages = pages.clone();
                async move { answer(&pages, &request) }
            });
            let served = hyper::server::conn::http1::Builder::new().timer(LoopTimer).serve_connection(stream, service);
            served.await.map_err(std::io::Error::other)
        });
    }
}

async fn tls(local: SocketAddr, pages: Pages, listening: impl FnOnce()) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let secret = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![key.cert.der().clone()], secret).expect("a certificate with its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(local).expect("a listener");
    listening();
    while let Ok(stream) = listener.accept().await {
        let (pages, acceptor) = (pages.clone(), acceptor.clone());
        rt::spawn_local(async move {
            stream.set_nodelay(true)?;
            let stream = TokioIo::new(acceptor.accept(stream).await?);
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let pages = pages.clone();
                async move { answer(&pages, &request) }
            });
            let served = hyper::server::conn::http1::Builder::new().timer(LoopTimer).serve_connection(stream, service);
            served.await.map_err(std::io::Error::other)
        });
    }
}

async fn page(State(pages): State<Pages>, request: Request) -> Response {
    match pages.get(request.uri().path()) {
        Some(page) => page.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn axum(handle: rt::Handle, local: SocketAddr, pages: Pages, listening: impl FnOnce()) {
    let listener = SendListener::bind(&handle, local).await.expect("a listener");
    listening();
    let app = axum::Router::new().fallback(page).with_state(pages);
    axum::serve(listener, app).await.expect("axum serves for ever");
}
