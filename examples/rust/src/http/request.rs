//! The head of a request, as far as this server wants to know.

/// Longest head.
pub const HEAD_MAX: usize = 8192;

/// A request whose head is good.
#[derive(Debug, Default, PartialEq)]
pub struct Request {
    pub method: String,
    /// As it was written.
    pub target: String,
    pub keep_alive: bool,
    pub chunked: bool,
    pub length: Option<u64>,
    pub expects: bool,
}

/// "HTTP/2.0" and the like: understood, but not spoken.
fn is_other_version(head: &[u8]) -> bool {
    let line = head.split(|&b| b == b'\r' || b == b'\n').next().unwrap_or_default();
    let word = line.rsplit(|&b| b == b' ').next().unwrap_or_default();
    matches!(word, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Reads a whole head; else the status of the answer.
pub fn read(head: &[u8]) -> Result<Request, u16> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::Version) if is_other_version(head) => return Err(505),
        Err(httparse::Error::TooManyHeaders) => return Err(431),
        _ => return Err(400),
    }
    let minor = parsed.version.unwrap_or(0);
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        keep_alive: minor > 0,
        ..Request::default()
    };
    let mut hosts = 0;
    for field in parsed.headers.iter() {
        hosts += u32::from(field.name.eq_ignore_ascii_case("host"));
        take_field(&mut request, minor, field.name, field.value)?;
    }
    if hosts > 1 || (minor > 0 && hosts == 0) || (request.chunked && request.length.is_some()) {
        return Err(400);
    }
    Ok(request)
}

fn take_field(request: &mut Request, minor: u8, name: &str, value: &[u8]) -> Result<(), u16> {
    let value = std::str::from_utf8(value).unwrap_or("\0").trim();
    let has = |word: &str| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word));
    match name.to_ascii_lowercase().as_str() {
        "connection" if has("close") => request.keep_alive = false,
        "connection" if has("keep-alive") => request.keep_alive = true,
        "content-length" => {
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            let length = if digits { Some(value.parse().unwrap_or(u64::MAX)) } else { None };
            if length.is_none() || request.length.is_some_and(|before| Some(before) != length) {
                return Err(400);
            }
            request.length = length;
        }
        "transfer-encoding" if request.chunked || minor == 0 => return Err(400),
        "transfer-encoding" if has("chunked") && !value.contains(',') => request.chunked = true,
        "transfer-encoding" => return Err(501),
        "expect" if !value.eq_ignore_ascii_case("100-continue") => return Err(417),
        "expect" => request.expects = minor > 0,
        _ => {}
    }
    Ok(())
}

/// The target without scheme and host.
pub fn origin(target: &str) -> &str {
    match target.strip_prefix("http://").or_else(|| target.strip_prefix("https://")) {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    }
}

/// The path, decoded; none where it is none, or leads upwards.
pub fn path(target: &str) -> Option<String> {
    let path = origin(target).split(['?', '#']).next()?;
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match byte {
            b'%' => bytes.push((hex(rest.next())? * 16 + hex(rest.next())?) as u8),
            _ => bytes.push(byte),
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    let good = path.starts_with('/') && !path.contains('\0') && !path.split('/').any(|step| step == "..");
    good.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_or_refused() {
        let status = |head: &str| read(head.as_bytes()).map(|_| 200).unwrap_or_else(|status| status);
        for (want, head) in [
            (200, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\n\r\n"),
            (400, "nonsense\r\n\r\n"),
            (505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
            (505, "GET / HTTP/3.7\r\nHost: x\r\n\r\n"),
            (417, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: gold\r\n\r\n"),
            (501, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"),
            (400, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
            (400, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"),
        ] {
            assert_eq!(status(head), want, "{head}");
        }
    }

    #[test]
    fn paths_are_decoded_and_stay_below() {
        assert_eq!(path("http://any/hello%2etxt?x").as_deref(), Some("/hello.txt"));
        assert_eq!(path("http://any").as_deref(), Some("/"));
        for bad in ["/../x", "/%2e%2e/x", "/d/%2E./%2e%2e/x", "/..%2fx", "/%zz", "/%0", "/%00", "x", "*"] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
