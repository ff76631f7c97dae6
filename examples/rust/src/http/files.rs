//! What a path names: a file below the root, a directory's index or list, or bytes that are computed.

use std::fmt::Write;
use std::fs::File;
use std::path::Path;

use rustix::fs::{openat2, Mode, OFlags, ResolveFlags};

use super::body::Body;
use super::Site;

const WELCOME: &str = "<!doctype html><title>iip</title><h1>It works</h1>\n\
    <p>This page was sent by a TCP/IP stack in user space.\n\
    <p><a href=\"/bytes/1000\">/bytes/1000</a> is 1000 bytes that can be verified; \
    a PUT to /sink is answered with its SHA-256.\n";
const HTML: &str = "text/html; charset=utf-8";

/// A body, or the status that says why there is none.
pub fn find(site: &Site, path: &str) -> Result<Body, u16> {
    if let Some(n) = path.strip_prefix("/bytes/") {
        let digits = !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        let n = n.parse().ok().filter(|&n: &u64| digits && n >> 50 == 0);
        return n.map(Body::pattern).ok_or(404);
    }
    match &site.root {
        Some(root) => find_file(root, path),
        None if path == "/" => Ok(Body::memory(HTML, WELCOME.into())),
        None => Err(404),
    }
}

/// The kernel itself sees to it that no symbolic link, however it changes meanwhile, leads out of the root.
fn open_below(root: &File, path: &str) -> Option<File> {
    let path = path.trim_start_matches('/');
    let path = if path.is_empty() { "." } else { path };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK; // a FIFO must not stop the loop
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), resolve).ok().map(File::from)
}

fn find_file(root: &File, path: &str) -> Result<Body, u16> {
    let file = open_below(root, path).ok_or(404u16)?;
    let meta = file.metadata().map_err(|_| 404u16)?;
    if meta.is_dir() {
        return find_directory(&file, path);
    }
    if !meta.is_file() || path.ends_with('/') {
        return Err(404);
    }
    Ok(Body::file(kind(path), file, meta.len()))
}

fn find_directory(dir: &File, path: &str) -> Result<Body, u16> {
    if !path.ends_with('/') {
        return Err(301); // the links of its list would lead astray
    }
    let index = open_below(dir, "index.html").and_then(|file| Some((file.metadata().ok()?, file)));
    match index {
        Some((meta, file)) if meta.is_file() => Ok(Body::file(HTML, file, meta.len())),
        _ => list(dir, path).map(|text| Body::memory(HTML, text.into())).ok_or(404),
    }
}

fn list(dir: &File, path: &str) -> Option<String> {
    let mut entries = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir).ok()? {
        let name = entry.ok()?.file_name().to_string_lossy().into_owned();
        let stat = rustix::fs::statat(dir, name.as_str(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
        if let (false, Ok(stat)) = (name.starts_with('.'), stat) {
            let is_dir = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
            entries.push((name, is_dir, stat.st_size));
        }
    }
    entries.sort();
    let mut text = format!("<!doctype html><title>{}</title><table>\n", html(path));
    for (name, is_dir, size) in entries {
        let slash = if is_dir { "/" } else { "" };
        let size = if is_dir { String::new() } else { format!("<td>{size}</td>") };
        let (link, shown) = (url(&name), html(&name));
        let _ = writeln!(text, "<tr><td><a href=\"{link}{slash}\">{shown}{slash}</a></td>{size}</tr>");
    }
    text.push_str("</table>\n");
    Some(text)
}

fn html(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '"' => drop(write!(out, "&#{};", c as u32)),
            c if c < ' ' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

fn url(name: &str) -> String {
    let mut out = "./".to_owned(); // "a:b" is a name, not a scheme
    for b in name.bytes() {
        match b {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(b)),
            b => drop(write!(out, "%{b:02X}")),
        }
    }
    out
}

fn kind(path: &str) -> &'static str {
    let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => HTML,
        "css" => "text/css",
        "js" => "text/javascript",
        "json" => "application/json",
        "txt" | "md" | "c" | "h" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "pdf" => "application/pdf",
        "xml" => "application/xml",
        "wasm" => "application/wasm",
        "mp4" => "video/mp4",
        "gz" => "application/gzip",
        _ => "application/octet-stream",
    }
}
