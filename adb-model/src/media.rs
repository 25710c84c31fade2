//! Media: the pictures, videos and files that travel as blobs.

use std::{fmt, path::PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Encoded bytes, or where to get them.
///
/// In a source (JSON, CSV) it is a string: an address with a scheme becomes a URL, one of the form
/// `data:image/png;base64,…` the bytes in it, anything else a path, relative to the source's own
/// file.
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
    /// Reads a source's text: `scheme://…` is a URL, `data:…;base64,…` holds bytes, all else is a
    /// path.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        if let Some(data) = text.strip_prefix("data:").and_then(base64_of) {
            return match data {
                Ok(bytes) => MediaSource::Bytes(bytes),
                // Kept for who says that it can't be had; the rest of it helps nobody.
                Err(_) => MediaSource::Url(text.chars().take(80).collect()),
            };
        }
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
            MediaSource::Path(p) => Some(match p.to_str() {
                Some(text) => text.to_owned(),
                None => p.to_string_lossy().into_owned(),
            }),
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

/// The bytes in what follows `data:` (RFC 2397), if they are written in base64: with padding, or
/// without.
fn base64_of(data: &str) -> Option<Result<Bytes, base64::DecodeError>> {
    use base64::{Engine as _, alphabet::STANDARD, engine};
    const ANY: engine::GeneralPurpose = engine::GeneralPurpose::new(
        &STANDARD,
        engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
    );
    let (kind, data) = data.split_once(',')?;
    kind.ends_with(";base64").then(|| ANY.decode(data.trim_end()).map(Bytes::from))
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
    /// A video.
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
    fn bytes_may_stand_in_the_text() {
        for text in ["data:image/png;base64,AAEC/w==", "data:;base64,AAEC/w"] {
            let bytes = Bytes::from_static(&[0, 1, 2, 255]);
            assert_eq!(MediaSource::from_text(text), MediaSource::Bytes(bytes));
        }
        let broken = MediaSource::from_text(&format!("data:;base64,{}", "!".repeat(500)));
        assert!(matches!(&broken, MediaSource::Url(text) if text.len() == 80), "{broken:?}");
        // A file may be called so.
        let path = MediaSource::from_text("data:png");
        assert_eq!(path, MediaSource::Path("data:png".into()));
    }

    #[test]
    fn debug_does_not_print_the_picture() {
        let shown = format!("{:?}", Image::bytes(vec![7; 5000]));
        assert_eq!(shown, "Image::Bytes(5000 bytes)");
    }
}
