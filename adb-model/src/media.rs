//! Media: the pictures, films and files that travel as blobs.

use std::{fmt, path::PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Encoded bytes, or where to get them.
///
/// In a source (JSON, CSV) it is a string: an address with a scheme becomes a URL, anything else a
/// path, relative to the source's own file.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaSource {
    /// A file.
    Path(PathBuf),
    /// The encoded file itself.
    Bytes(Bytes),
    /// An address, such as `https://…`.
    Url(String),
    /// In a database, and not fetched from there: the object's unique id. Only reading gives
    /// this, for media that went in as bytes.
    Stored(String),
}

impl MediaSource {
    /// Reads a source's text: `scheme://…` is a URL, all else a path.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text.split_once("://") {
            Some(("file", path)) => MediaSource::Path(PathBuf::from(path)),
            Some((scheme, _)) if is_scheme(scheme) => MediaSource::Url(text.to_owned()),
            _ => MediaSource::Path(PathBuf::from(text)),
        }
    }

    /// Where it comes from, as a source would write it; nothing for bytes.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        match self {
            MediaSource::Path(p) => Some(p.to_string_lossy().into_owned()),
            MediaSource::Url(u) => Some(u.clone()),
            MediaSource::Bytes(_) | MediaSource::Stored(_) => None,
        }
    }

    /// The bytes, once they are there.
    #[must_use]
    pub fn loaded(&self) -> Option<&Bytes> {
        match self {
            MediaSource::Bytes(bytes) => Some(bytes),
            _ => None,
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
impl fmt::Debug for MediaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MediaSource::Path(p) => f.debug_tuple("Path").field(p).finish(),
            MediaSource::Bytes(b) => write!(f, "Bytes({} bytes)", b.len()),
            MediaSource::Url(u) => f.debug_tuple("Url").field(u).finish(),
            MediaSource::Stored(id) => f.debug_tuple("Stored").field(id).finish(),
        }
    }
}

macro_rules! media {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(MediaSource);

        impl $name {
            /// From a file; a relative path begins where the source of the row lies.
            #[must_use]
            pub fn path(path: impl Into<PathBuf>) -> Self {
                Self(MediaSource::Path(path.into()))
            }

            /// From the encoded file itself.
            #[must_use]
            pub fn bytes(bytes: impl Into<Bytes>) -> Self {
                Self(MediaSource::Bytes(bytes.into()))
            }

            /// From an address.
            #[must_use]
            pub fn url(url: impl Into<String>) -> Self {
                Self(MediaSource::Url(url.into()))
            }

            /// Where it comes from.
            #[must_use]
            pub fn source(&self) -> &MediaSource {
                &self.0
            }
        }

        impl From<MediaSource> for $name {
            fn from(source: MediaSource) -> Self {
                Self(source)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}::{:?}", stringify!($name), self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                if text.is_empty() {
                    return Err(serde::de::Error::custom(concat!(
                        $what, " needs a path or an address, not an empty text"
                    )));
                }
                Ok(Self(MediaSource::from_text(&text)))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                match self.0.origin() {
                    Some(origin) => s.serialize_str(&origin),
                    None => Err(serde::ser::Error::custom(concat!(
                        $what, " of bytes has no text form; write it to a file and use its path"
                    ))),
                }
            }
        }
    )*};
}

media! {
    /// A picture: JPEG, PNG, … .
    ///
    /// ```
    /// use adb_model::Image;
    /// let image: Image = serde_json::from_str(r#""images/ramen.jpg""#).unwrap();
    /// assert_eq!(image, Image::path("images/ramen.jpg"));
    /// ```
    Image, "an image";
    /// A film.
    Video, "a video";
    /// A file of any kind, which the database does not look into.
    Blob, "a blob";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_told_apart() {
        use MediaSource::{Path, Url};
        for (text, source) in [
            ("https://x/y.png", Url("https://x/y.png".into())),
            ("s3://b/k", Url("s3://b/k".into())),
            ("file:///a/b.png", Path("/a/b.png".into())),
            ("C://x.png", Path("C://x.png".into())),
            ("a b://c.png", Path("a b://c.png".into())),
        ] {
            assert_eq!(MediaSource::from_text(text), source);
        }
    }

    #[test]
    fn debug_does_not_print_the_picture() {
        let shown = format!("{:?}", Image::bytes(vec![7; 5000]));
        assert_eq!(shown, "Image::Bytes(5000 bytes)");
    }
}
