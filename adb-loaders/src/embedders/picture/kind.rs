//! What a file is that is none of the pictures that can be read.

/// Its name in a sentence, and what to do with it; nothing for what is not known either.
pub(super) fn name_of(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 12] = [
        (b"%PDF", "a PDF: save its pages as pictures"),
        (b"8BPS", "a Photoshop document: export it as a picture"),
        (b"\xff\x0a", "JPEG XL: convert it to JPEG or PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL: convert it to JPEG or PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000: convert it to JPEG or PNG"),
        (b"\0\0\x01\0", "an icon: convert it to PNG"),
        (b"\x1f\x8b", "packed with gzip: unpack it"),
        (b"PK\x03\x04", "a ZIP archive: unpack it"),
        (b"\x1aE\xdf\xa3", "a video"),
        (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself"),
        (b"{", "JSON"),
        (b"\x93NUMPY", "a NumPy array"),
    ];
    const BRANDS: [(&[u8], &str); 4] = [
        (b"avif", "AVIF: convert it to JPEG or PNG"),
        (b"avis", "AVIF: convert it to JPEG or PNG"),
        (b"mif1", "HEIF: convert it to JPEG or PNG"),
        (b"he", "HEIC: convert it to JPEG or PNG"),
    ];
    if let Some((_, name)) = STARTS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(name);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        let brand = bytes.get(8..).unwrap_or_default();
        let found = BRANDS.iter().find(|(start, _)| brand.starts_with(start));
        return Some(found.map_or("a video", |(_, name)| name));
    }
    // Text in a file that should be a picture is mostly a page that says why there is none.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_ascii_lowercase();
    match text.trim_start_matches('\u{feff}').trim_start() {
        text if text.contains("<svg") => Some("an SVG drawing: render it as PNG"),
        text if text.starts_with("<!doctype html") || text.starts_with("<html") => {
            Some("a web page, perhaps the error that a server sent in place of a picture")
        }
        text if text.starts_with("<?xml") => Some("XML"),
        _ => None,
    }
}
