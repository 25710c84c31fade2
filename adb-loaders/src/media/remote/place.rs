//! Addresses: what they name, and how they are shown.

use url::Url;

use crate::media::MediaErrorKind;

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Http(Url),
    /// An object, or the beginning of many names, in a bucket.
    Object {
        cloud: Cloud,
        bucket: String,
        key: String,
    },
}

/// Who keeps a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Cloud {
    S3,
    Gs,
}

impl Cloud {
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
        }
    }
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, MediaErrorKind> {
        let bad = |why: String| MediaErrorKind::Address(why);
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| bad("it has no scheme".to_owned()))?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => {
                let url = Url::parse(text).map_err(|e| bad(e.to_string()))?;
                if !url.username().is_empty() || url.password().is_some() {
                    return Err(bad(
                        "it holds a name or a password, which would be stored".to_owned()
                    ));
                }
                Ok(Self::Http(url))
            }
            "s3" => Self::object(Cloud::S3, rest),
            "gs" => Self::object(Cloud::Gs, rest),
            other => Err(bad(format!("`{other}:` is none of http, https, s3, gs"))),
        }
    }

    /// The key is taken as it stands, as the tools of the clouds do: `%20` is not a space.
    fn object(cloud: Cloud, rest: &str) -> Result<Self, MediaErrorKind> {
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        // It becomes a part of a path or of a host's name.
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(is_part) || bucket.starts_with('.') {
            return Err(MediaErrorKind::Address(format!("`{bucket}` is no name of a bucket")));
        }
        if key.split('/').any(|part| part == "." || part == "..") {
            return Err(MediaErrorKind::Address("its key has a part `.` or `..`".to_owned()));
        }
        Ok(Self::Object { cloud, bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Whom downloads from it share their limit with.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Http(url) => url.host_str().unwrap_or_default().to_ascii_lowercase(),
            Self::Object { cloud, bucket, .. } => format!("{}://{bucket}", cloud.scheme()),
        }
    }
}

/// An address for messages: without what follows a question mark, which may be a signature.
pub(crate) fn shown(url: &str) -> String {
    let without_fragment = url.split('#').next().unwrap_or(url);
    match without_fragment.split_once('?') {
        Some((before, _)) => format!("{}?…", without_user(before)),
        None => without_user(without_fragment),
    }
}

/// The same without a name and a password.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host = rest.find('/').unwrap_or(rest.len());
    match rest[..host].rfind('@') {
        Some(at) => format!("{scheme}://…@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_hosts_and_buckets() {
        let object = |cloud, bucket: &str, key: &str| Place::Object {
            cloud,
            bucket: bucket.into(),
            key: key.into(),
        };
        assert_eq!(
            Place::parse("s3://b-1.x/a b/%20.png").unwrap(),
            object(Cloud::S3, "b-1.x", "a b/%20.png")
        );
        assert_eq!(Place::parse("gs://b").unwrap(), object(Cloud::Gs, "b", ""));
        assert_eq!(Place::parse("HTTPS://A.example/x").unwrap().host(), "a.example");
        for (url, says) in [
            ("s3:///key", "no name of a bucket"),
            ("s3://me@evil.example/key", "no name of a bucket"),
            ("s3://b:80/key", "no name of a bucket"),
            ("s3://../key", "no name of a bucket"),
            ("s3://b/../other/key", "`.` or `..`"),
            ("ftp://x/y", "`ftp:` is none of"),
            ("http://me:secret@x/y", "a name or a password"),
            ("https://", "empty host"),
        ] {
            let err = Place::parse(url).unwrap_err().to_string();
            assert!(err.contains(says), "{url}: {err}");
        }
    }

    #[test]
    fn signatures_and_passwords_are_not_shown() {
        assert_eq!(shown("https://x/y.png?X-Amz-Signature=1#f"), "https://x/y.png?…");
        assert_eq!(shown("https://me:secret@x/y@z.png"), "https://…@x/y@z.png");
        assert_eq!(shown("s3://b/a@b.png"), "s3://b/a@b.png");
    }
}
