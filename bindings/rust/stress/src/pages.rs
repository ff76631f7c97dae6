//! What the HTTP servers answer: a function of the path.

use std::sync::Arc;

use hyper::body::Bytes;

use crate::Content;

/// `/KEY/N`: N bytes of the content with that key. A file, at a path of its own.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    file: Option<Arc<(String, Bytes)>>,
}

impl Pages {
    /// With these bytes at this path.
    pub fn with_file(path: &str, bytes: Vec<u8>) -> Pages {
        Pages { file: Some(Arc::new((path.to_owned(), bytes.into()))) }
    }

    /// The page at this path.
    pub fn get(&self, path: &str) -> Option<Bytes> {
        if let Some(file) = self.file.as_ref().filter(|file| file.0 == path) {
            return Some(file.1.clone());
        }
        let (key, n) = path.strip_prefix('/')?.split_once('/')?;
        let mut bytes = vec![0; n.parse::<u32>().ok()? as usize];
        Content(key.parse().ok()?).fill(0, &mut bytes);
        Some(bytes.into())
    }
}

/// The path of so many bytes of a content.
pub fn path(content: Content, n: u64) -> String {
    format!("/{}/{n}", content.0)
}
