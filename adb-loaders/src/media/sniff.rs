//! Whether bytes from the net are what a model needs: a server that has lost a picture often sends a
//! page that says so, with the status of a success.

use adb_model::ObjectKind;

/// What came instead of an image or a video, if that can be told; nothing for all that may be one:
/// whoever decodes it says more.
pub(crate) fn other_than(kind: Option<ObjectKind>, bytes: &[u8]) -> Option<String> {
    match kind {
        Some(ObjectKind::Image) if is_video(bytes) => Some("a video".to_owned()),
        Some(ObjectKind::Image | ObjectKind::Video) => text(bytes),
        _ => None,
    }
}

/// MP4 and its kin but for AVIF and HEIF, Matroska and WebM, AVI.
fn is_video(bytes: &[u8]) -> bool {
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => {
            let brand = brand.get(..4).unwrap_or_default();
            !matches!(brand, b"avif" | b"avis" | b"mif1" | b"msf1" | b"heic" | b"heix" | b"heim")
        }
        [0x1a, 0x45, 0xdf, 0xa3, ..] => true,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => true,
        _ => false,
    }
}

/// How much of it is looked at.
const LOOKED_AT: usize = 512;
/// How much of a page's title is told.
const TITLE: usize = 80;

fn text(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = bytes.iter().position(|b| !b.is_ascii_whitespace())?;
    let head = &bytes[start..bytes.len().min(start + LOOKED_AT)];
    // Every binary format that matters here has such a byte near its beginning.
    let is_text = |b: &u8| !b.is_ascii_control() || matches!(b, b'\t' | b'\n' | b'\r' | 0x0c);
    if !head.iter().all(is_text) || cut_utf8(head).is_none() {
        return None;
    }
    let lower = head.to_ascii_lowercase();
    let has = |tag: &[u8]| lower.windows(tag.len()).any(|part| part == tag);
    Some(if has(b"<!doctype html") || has(b"<html") || has(b"<head") || has(b"<body") {
        match title(&bytes[start..]) {
            Some(title) => format!("an HTML page (\"{title}\")"),
            None => "an HTML page".to_owned(),
        }
    } else if has(b"<svg") {
        "an SVG drawing".to_owned()
    } else if lower.starts_with(b"<") {
        "an XML document".to_owned()
    } else if lower.starts_with(b"{") || lower.starts_with(b"[") {
        "a JSON document".to_owned()
    } else {
        "plain text".to_owned()
    })
}

/// The text, whose last character may be cut off.
fn cut_utf8(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&bytes[..e.valid_up_to()]).ok(),
        Err(_) => None,
    }
}

fn title(page: &[u8]) -> Option<String> {
    let page = String::from_utf8_lossy(&page[..page.len().min(16 << 10)]);
    let lower = page.to_ascii_lowercase();
    let open = lower.find("<title")?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let title = page[start..end].split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = title.chars().filter(|c| !c.is_control()).take(TITLE).collect();
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_no_pictures() {
        let image = |bytes: &[u8]| other_than(Some(ObjectKind::Image), bytes);
        for (bytes, found) in [
            (
                &b"<!DOCTYPE html>\n<title>404\n not found</title>"[..],
                "an HTML page (\"404 not found\")",
            ),
            (b"\xef\xbb\xbf \n<html><body>gone", "an HTML page"),
            (b"<?xml version='1.0'?><Error/>", "an XML document"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
            (b"{\"error\": \"gone\"}", "a JSON document"),
            (b"version https://git-lfs.github.com/spec/v1", "plain text"),
            (b"\0\0\0\x20ftypisom\0\0", "a video"),
        ] {
            assert_eq!(image(bytes).as_deref(), Some(found));
        }
        for bytes in [
            &b"\xff\xd8\xff\xe0\0\x10JFIF\0"[..],
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"GIF89a\x01\0\x01\0",
            b"RIFF\x24\0\0\0WEBPVP8 ",
            b"\0\0\0\x20ftypavif\0\0",
            b"BM\x46\0\0\0\0\0",
            b"II*\0\x08\0\0\0",
        ] {
            assert_eq!(image(bytes), None);
        }
    }

    #[test]
    fn a_blob_may_be_anything() {
        assert_eq!(other_than(Some(ObjectKind::Blob), b"<html>"), None);
        assert_eq!(other_than(None, b"<html>"), None);
        assert!(other_than(Some(ObjectKind::Video), b"<html>").is_some());
    }
}
