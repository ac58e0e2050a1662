//! A page that lists a folder.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use crate::target::encoded;

/// The names in `folder`, folders with a slash, in order.
pub fn page(folder: &Path, request_path: &str) -> io::Result<String> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        // Through links, as requests go.
        let is_folder = folder.join(&name).is_dir();
        let slash = if is_folder { "/" } else { "" };
        let shown = escaped(&name.to_string_lossy());
        entries.push((
            name.clone(),
            format!("{}{slash}", encoded(&name)),
            format!("{shown}{slash}"),
        ));
    }
    entries.sort();

    let title = percent_encoding::percent_decode_str(request_path).decode_utf8_lossy();
    let title = escaped(&title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <h1>{title}</h1>\n<ul>\n"
    );
    if request_path != "/" {
        page.push_str("<li><a href=\"../\">../</a>\n");
    }
    for (_, link, shown) in entries {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "<li><a href=\"{link}\">{shown}</a>");
    }
    page.push_str("</ul>\n</html>\n");
    Ok(page)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
