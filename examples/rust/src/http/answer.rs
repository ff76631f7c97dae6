//! What is answered to a request.

use super::body::Body;
use super::files::find;
use super::request::{origin, Request};
use super::Site;

/// An answer, and whether another request may follow.
pub struct Answer {
    pub status: u16,
    /// A field of the head, with its line end.
    pub more: String,
    pub body: Body,
}

const KNOWN: [&str; 7] = ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

impl Answer {
    pub fn short(status: u16) -> Answer {
        Answer::text(status, format!("{status} {}\n", reason(status)), String::new())
    }

    fn text(status: u16, text: String, more: String) -> Answer {
        Answer { status, more, body: Body::memory("text/plain", text.into()) }
    }

    fn with(status: u16, more: String) -> Answer {
        Answer { more, ..Answer::short(status) }
    }

    /// What a body to `/sink` is answered with.
    pub fn sink(n: u64, digest: &str) -> Answer {
        Answer::text(200, format!("{n} bytes, sha256 {digest}\n"), String::new())
    }

    /// Its head.
    pub fn head(&self, keep: bool) -> String {
        let connection = if keep { "keep-alive" } else { "close" };
        format!(
            "HTTP/1.1 {} {}\r\nServer: iip\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
             Connection: {connection}\r\n{}\r\n",
            self.status,
            reason(self.status),
            httpdate::fmt_http_date(std::time::SystemTime::now()),
            self.body.kind,
            self.body.left(),
            self.more
        )
    }
}

pub fn is_sink(request: &Request, path: Option<&str>) -> bool {
    path == Some("/sink") && matches!(request.method.as_str(), "PUT" | "POST")
}

/// The answer to all but the sink's uploads; it is ready before the body of the request is read.
pub fn prepare(site: &Site, request: &Request, path: Option<&str>) -> Answer {
    match (request.method.as_str(), path) {
        ("GET" | "HEAD", None) => Answer::short(400),
        ("GET" | "HEAD", Some(path)) => match find(site, path) {
            Ok(body) => Answer { status: 200, more: String::new(), body },
            Err(301) => moved(&request.target),
            Err(status) => Answer::short(status),
        },
        (_, Some("/sink")) if KNOWN.contains(&request.method.as_str()) => {
            Answer::with(405, "Allow: PUT, POST\r\n".into())
        }
        (method, _) if KNOWN.contains(&method) => Answer::with(405, "Allow: GET, HEAD\r\n".into()),
        _ => Answer::short(501),
    }
}

/// The target as it was written, with a '/' behind its path; always a path of ours ("//other.host" would not be one).
fn moved(target: &str) -> Answer {
    let path = origin(target).split('?').next().unwrap_or_default().trim_start_matches('/');
    if path.len() > 300 {
        return Answer::short(404);
    }
    Answer::with(301, format!("Location: /{path}/\r\n"))
}
