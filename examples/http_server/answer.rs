//! From a request to an answer. All of it may block.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};

use crate::file::{self, FileBody};
use crate::listing;
use crate::range::{Requested, requested};
use crate::target::{Site, Target};

pub type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// Answers a `GET` or `HEAD`.
pub fn answer(site: &Site, request: &Parts) -> Answer {
    answer_or_error(site, request).unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => status_only(StatusCode::FORBIDDEN),
        io::ErrorKind::OutOfMemory | io::ErrorKind::Other => {
            eprintln!("http_server: {}: {error}", request.uri.path());
            status_only(StatusCode::INTERNAL_SERVER_ERROR)
        }
        // Whatever is wrong with the path: there is nothing at its end.
        _ => status_only(StatusCode::NOT_FOUND),
    })
}

pub fn method_not_allowed() -> Answer {
    let mut answer = status_only(StatusCode::METHOD_NOT_ALLOWED);
    set(&mut answer, header::ALLOW, "GET, HEAD");
    answer
}

/// An answer that says no more than its status.
pub fn status_only(status: StatusCode) -> Answer {
    let mut answer = text(format!("{status}\n"), "text/plain; charset=utf-8");
    *answer.status_mut() = status;
    answer
}

fn answer_or_error(site: &Site, request: &Parts) -> io::Result<Answer> {
    let path = request.uri.path();
    match site.find(path)? {
        Target::File {
            file,
            metadata,
            path,
        } => serve_file(request, file, &metadata, &path),
        Target::Folder(folder) => {
            let page = listing::page(&folder, path)?;
            Ok(text(page, "text/html; charset=utf-8"))
        }
        Target::Moved(to) => {
            let mut answer = status_only(StatusCode::MOVED_PERMANENTLY);
            set(&mut answer, header::LOCATION, &to);
            Ok(answer)
        }
    }
}

fn serve_file(request: &Parts, file: File, metadata: &Metadata, path: &Path) -> io::Result<Answer> {
    let length = metadata.len();
    let modified = metadata.modified().ok();
    if modified.is_some_and(|modified| is_unchanged(&request.headers, modified)) {
        let mut answer = Response::new(body(Bytes::new()));
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(answer);
    }
    let mut answer = match requested(range(request), length) {
        Requested::Whole => part(request, file, 0..length)?,
        Requested::Part(range) => {
            let shown = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            let mut answer = part(request, file, range)?;
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut answer, header::CONTENT_RANGE, &shown);
            answer
        }
        Requested::Unsatisfiable => {
            let mut answer = status_only(StatusCode::RANGE_NOT_SATISFIABLE);
            set(
                &mut answer,
                header::CONTENT_RANGE,
                &format!("bytes */{length}"),
            );
            return Ok(answer);
        }
    };
    set(&mut answer, header::CONTENT_TYPE, &content_type(path));
    set(&mut answer, header::ACCEPT_RANGES, "bytes");
    if let Some(modified) = modified.filter(|&time| time >= SystemTime::UNIX_EPOCH) {
        set(
            &mut answer,
            header::LAST_MODIFIED,
            &httpdate::fmt_http_date(modified),
        );
    }
    Ok(answer)
}

/// The `Range` header, where it counts: not for `HEAD`, and not if it depends on a state of the
/// file that we cannot compare.
fn range(request: &Parts) -> Option<&str> {
    if request.method != Method::GET || request.headers.contains_key(header::IF_RANGE) {
        return None;
    }
    request.headers.get(header::RANGE)?.to_str().ok()
}

/// Answers with a part of the file: at once if it is small, piece by piece otherwise.
fn part(request: &Parts, mut file: File, part: std::ops::Range<u64>) -> io::Result<Answer> {
    use std::io::{Seek, SeekFrom};
    let length = part.end - part.start;
    let body = if request.method == Method::HEAD {
        body(Bytes::new())
    } else if length <= file::PIECE {
        file.seek(SeekFrom::Start(part.start))?;
        body(file::read(&mut file, length)?)
    } else {
        FileBody::new(file, part)?.boxed_unsync()
    };
    let mut answer = Response::new(body);
    set(&mut answer, header::CONTENT_LENGTH, &length.to_string());
    Ok(answer)
}

/// Whether the client's copy is as new as the file; HTTP's dates have whole seconds.
fn is_unchanged(headers: &HeaderMap, modified: SystemTime) -> bool {
    headers
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| httpdate::parse_http_date(value).ok())
        .and_then(|since| since.checked_add(Duration::from_secs(1)))
        .is_some_and(|since| modified < since)
}

fn content_type(path: &Path) -> String {
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    if guess.type_() == mime_guess::mime::TEXT {
        format!("{}; charset=utf-8", guess.essence_str())
    } else {
        guess.essence_str().to_owned()
    }
}

fn text(text: String, content_type: &str) -> Answer {
    let mut answer = Response::new(body(text.into()));
    set(&mut answer, header::CONTENT_TYPE, content_type);
    answer
}

fn body(bytes: Bytes) -> UnsyncBoxBody<Bytes, io::Error> {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Sets a header, unless the value cannot be one.
fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
