//! iip_http: an HTTP/1.1 server by hyper: GET and HEAD of a directory and of `/bytes/N`, PUT of `/sink`.

use std::convert::Infallible;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use iip::net::TcpListener;
use iip::rt;
use iip::rt::hyper::LoopTimer;
use iip_examples::{options, seconds, serve, usage, Common, Context, Counts, Pattern};
use sha2::{Digest, Sha256};

const NAMES: &[&str] = &["requests", "bytes"];
/// `/bytes/N` is made in memory.
const BYTES_MAX: usize = 1 << 30;

/// An HTTP/1.1 server
#[derive(Clone, Parser)]
#[command(name = "iip_http")]
struct Options {
    #[command(flatten)]
    common: Common,
    /// Directory to serve
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// A request's head must be there after S seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    head_timeout: Duration,
    /// Longest body that is taken
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    body_max: u64,
}

type Answer = Response<Full<Bytes>>;

fn text(status: StatusCode, text: String) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        CONTENT_TYPE,
        "text/plain; charset=utf-8".parse().expect("a literal"),
    );
    answer
}

fn error(status: StatusCode) -> Answer {
    text(status, format!("{status}\n"))
}

fn pattern(n: &str) -> Answer {
    let Some(n) = n.parse().ok().filter(|&n: &usize| n <= BYTES_MAX) else {
        return error(StatusCode::NOT_FOUND);
    };
    let mut bytes = vec![0; n];
    Pattern::at(0).fill(&mut bytes);
    let mut answer = Response::new(Full::new(bytes.into()));
    answer.headers_mut().insert(
        CONTENT_TYPE,
        "application/octet-stream".parse().expect("a literal"),
    );
    answer
}

/// The path below the root that is asked for; none for one that would leave it.
fn below(root: &Path, path: &str) -> Option<PathBuf> {
    let inside = Path::new(path.trim_start_matches('/'));
    let plain = inside
        .components()
        .all(|c| matches!(c, Component::Normal(_)));
    let real = root.join(inside).canonicalize().ok().filter(|_| plain)?;
    real.starts_with(root).then_some(real) // no symbolic link leaves it either
}

fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

fn file(root: Option<&Path>, path: &str) -> Answer {
    let Some(mut real) = root.and_then(|root| below(root, path)) else {
        return error(StatusCode::NOT_FOUND);
    };
    if real.is_dir() {
        if !path.ends_with('/') {
            let mut answer = error(StatusCode::MOVED_PERMANENTLY);
            if let Ok(to) = format!("{path}/").parse() {
                answer.headers_mut().insert(LOCATION, to);
            }
            return answer;
        }
        real.push("index.html");
    }
    let Ok(bytes) = std::fs::read(&real) else {
        return error(StatusCode::NOT_FOUND);
    };
    let mut answer = Response::new(Full::new(bytes.into()));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, kind(&real).parse().expect("a literal"));
    answer
}

/// Answers with the number of bytes that came, and their SHA-256.
async fn sink(mut body: Incoming, max: u64) -> Answer {
    let (mut n, mut hash) = (0u64, Sha256::new());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return error(StatusCode::BAD_REQUEST);
        };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        n += data.len() as u64;
        if n > max {
            return error(StatusCode::PAYLOAD_TOO_LARGE);
        }
        hash.update(data);
    }
    text(StatusCode::OK, format!("{n} {:x}\n", hash.finalize()))
}

async fn answer(
    request: Request<Incoming>,
    options: Rc<Options>,
    counts: Arc<Counts>,
) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    let answer = match (request.method(), path.strip_prefix("/bytes/")) {
        (&Method::GET | &Method::HEAD, Some(n)) => pattern(n),
        (&Method::GET | &Method::HEAD, None) => file(options.root.as_deref(), &path),
        (&Method::PUT, _) if path == "/sink" => sink(request.into_body(), options.body_max).await,
        _ => error(StatusCode::METHOD_NOT_ALLOWED),
    };
    counts.add(0, 1);
    let n = answer.body().size_hint().exact().unwrap_or(0);
    counts.add(1, n);
    let (mut head, body) = answer.into_parts();
    head.headers.insert(CONTENT_LENGTH, n.into());
    Ok(Response::from_parts(head, body))
}

async fn worker(context: Context, options: Options) {
    let listener = match TcpListener::bind(context.any()) {
        Ok(listener) => listener,
        Err(e) => return context.fail("--listen", &e),
    };
    context.ready();
    let options = Rc::new(options);
    while let Ok(stream) = listener.accept().await {
        let (options, counts) = (options.clone(), context.counts.clone());
        rt::spawn_local(async move {
            let _ = stream.set_nodelay(true);
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(LoopTimer)
                .header_read_timeout(options.head_timeout)
                .pipeline_flush(true)
                .half_close(true);
            let service = service_fn(|request| answer(request, options.clone(), counts.clone()));
            let _ = http.serve_connection(stream, service).await; // a connection that fails is over, others live
        });
    }
}

fn main() -> ExitCode {
    let mut options: Options = options("iip_http");
    options.common.listen.get_or_insert(80);
    if let Some(root) = &options.root {
        match root.canonicalize() {
            Ok(real) => options.root = Some(real),
            Err(e) => usage("iip_http", &format!("--root {}: {e}", root.display())),
        }
    }
    let common = options.common.clone();
    serve("iip_http", &common, NAMES, move |context| {
        worker(context, options.clone())
    })
}
