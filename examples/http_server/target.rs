//! From the path of a request to something in the folder, and to nothing outside it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What needs no escape in one segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The folder that is served.
#[derive(Debug)]
pub struct Site {
    /// Canonical: without links, so that paths can be compared with it.
    root: PathBuf,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Target {
    File {
        file: File,
        metadata: Metadata,
        path: PathBuf,
    },
    /// A folder without an `index.html`.
    Folder(PathBuf),
    /// A folder whose path lacks its last slash, without which relative links would go wrong.
    Moved(String),
}

impl Site {
    pub fn new(root: PathBuf) -> Self {
        Site { root }
    }

    /// Finds what the path of a request means.
    ///
    /// # Errors
    /// `NotFound` for what does not exist, for what is outside the folder, and for what is neither
    /// file nor folder (a named pipe would block for ever).
    pub fn find(&self, request_path: &str) -> io::Result<Target> {
        let segments = segments(request_path).ok_or(io::ErrorKind::NotFound)?;
        let mut path = self.root.clone();
        path.extend(&segments);
        let path = self.inside(&path)?;
        let metadata = fs::metadata(&path)?;
        if metadata.is_file() && !request_path.ends_with('/') {
            return open(path);
        }
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        if !request_path.ends_with('/') {
            return Ok(Target::Moved(link(&segments)));
        }
        match self.inside(&path.join("index.html")) {
            Ok(index) if index.is_file() => open(index),
            _ => Ok(Target::Folder(path)),
        }
    }

    /// Follows all links; what they lead to must be in the folder.
    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        let real = fs::canonicalize(path)?;
        if real.starts_with(&self.root) {
            Ok(real)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

fn open(path: PathBuf) -> io::Result<Target> {
    let file = File::open(&path)?;
    let metadata = file.metadata()?;
    Ok(Target::File {
        file,
        metadata,
        path,
    })
}

/// The decoded segments of a path; `None` if one of them could lead out of the folder.
fn segments(path: &str) -> Option<Vec<OsString>> {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    decoded
        .split(|&byte| byte == b'/')
        .filter(|segment| !segment.is_empty() && *segment != b".")
        .map(|segment| (segment != b".." && !segment.contains(&0)).then(|| name(segment))?)
        .collect()
}

#[cfg(unix)]
fn name(segment: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(segment.to_vec()))
}

/// Elsewhere other characters separate folders and name drives and streams.
#[cfg(not(unix))]
fn name(segment: &[u8]) -> Option<OsString> {
    let text = std::str::from_utf8(segment).ok()?;
    (!text.contains(['\\', ':'])).then(|| text.into())
}

/// The path of a folder, as a request would give it.
fn link(segments: &[OsString]) -> String {
    let mut link = String::from("/");
    for segment in segments {
        link.extend(percent_encode(segment.as_encoded_bytes(), SEGMENT));
        link.push('/');
    }
    link
}

/// One segment of a link.
pub fn encoded(name: &std::ffi::OsStr) -> String {
    percent_encode(name.as_encoded_bytes(), SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(path: &str) -> Option<String> {
        let segments = segments(path)?;
        let names: Vec<_> = segments.iter().map(|name| name.to_string_lossy()).collect();
        Some(names.join("|"))
    }

    #[test]
    fn paths_are_decoded_and_split() {
        assert_eq!(joined("/").as_deref(), Some(""));
        assert_eq!(joined("/a//b/./c.txt").as_deref(), Some("a|b|c.txt"));
        assert_eq!(joined("/a%20b%2Fc").as_deref(), Some("a b|c"));
        assert_eq!(joined("/%C3%A4/100%").as_deref(), Some("ä|100%"));
        assert_eq!(joined("/...").as_deref(), Some("..."));
    }

    #[test]
    fn nothing_leads_out() {
        for path in [
            "/..",
            "/a/../b",
            "/%2e%2e/x",
            "/a/..%2fb",
            "/.%2E",
            "/a%00b",
            "/%00",
        ] {
            assert_eq!(joined(path), None, "{path}");
        }
    }

    #[test]
    fn redirects_stay_on_this_host() {
        let segments = segments("//evil.example/%2F/a b?").unwrap();
        assert_eq!(link(&segments), "/evil.example/a%20b%3F/");
    }
}
