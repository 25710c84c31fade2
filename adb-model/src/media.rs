//! Media: the pictures that travel as blobs.

use std::{fmt, path::PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An image: encoded bytes (JPEG, PNG, …) or where to get them.
///
/// In a source (JSON, CSV) it is a string: an address with a scheme becomes [`Image::Url`],
/// anything else a path, relative to the source's own file.
///
/// ```
/// use adb_model::Image;
/// let image: Image = serde_json::from_str(r#""images/ramen.jpg""#).unwrap();
/// assert_eq!(image, Image::Path("images/ramen.jpg".into()));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Image {
    /// A file.
    Path(PathBuf),
    /// The encoded file itself.
    Bytes(Bytes),
    /// An address, such as `https://…`.
    Url(String),
    /// In a database, and not fetched from there: the object's unique id. Only reading gives
    /// this, for a picture that went in as bytes.
    Stored(String),
}

impl Image {
    /// Reads a source's text: `scheme://…` is a URL, all else a path.
    #[must_use]
    pub fn from_source(text: &str) -> Self {
        match text.split_once("://") {
            Some(("file", path)) => Image::Path(PathBuf::from(path)),
            Some((scheme, _)) if is_scheme(scheme) => Image::Url(text.to_owned()),
            _ => Image::Path(PathBuf::from(text)),
        }
    }

    /// Where the image comes from, as a source would write it; nothing for bytes.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        match self {
            Image::Path(p) => Some(p.to_string_lossy().into_owned()),
            Image::Url(u) => Some(u.clone()),
            Image::Bytes(_) | Image::Stored(_) => None,
        }
    }
}

/// RFC 3986, section 3.1; two letters at least, so that `C://` stays a path.
fn is_scheme(s: &str) -> bool {
    s.len() > 1
        && s.starts_with(|c: char| c.is_ascii_alphabetic())
        && s.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Bytes are shown by their number, never whole.
impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Image::Path(p) => f.debug_tuple("Path").field(p).finish(),
            Image::Bytes(b) => write!(f, "Bytes({} bytes)", b.len()),
            Image::Url(u) => f.debug_tuple("Url").field(u).finish(),
            Image::Stored(id) => f.debug_tuple("Stored").field(id).finish(),
        }
    }
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        if text.is_empty() {
            return Err(serde::de::Error::custom(
                "an image needs a path or an address, not an empty text",
            ));
        }
        Ok(Image::from_source(&text))
    }
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.origin() {
            Some(origin) => s.serialize_str(&origin),
            None => Err(serde::ser::Error::custom(
                "only paths and addresses have a text form; write the picture to a file and use its path",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_told_apart() {
        assert_eq!(Image::from_source("https://x/y.png"), Image::Url("https://x/y.png".into()));
        assert_eq!(Image::from_source("s3://b/k"), Image::Url("s3://b/k".into()));
        assert_eq!(Image::from_source("file:///a/b.png"), Image::Path("/a/b.png".into()));
        assert_eq!(Image::from_source("C://x.png"), Image::Path("C://x.png".into()));
        assert_eq!(Image::from_source("a b://c.png"), Image::Path("a b://c.png".into()));
    }

    #[test]
    fn debug_does_not_print_the_picture() {
        let shown = format!("{:?}", Image::Bytes(Bytes::from(vec![7; 5000])));
        assert_eq!(shown, "Bytes(5000 bytes)");
    }
}
