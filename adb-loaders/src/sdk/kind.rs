//! The kinds of the Python SDK's files, by their names on its command line and by their headers.

use std::{fmt, str::FromStr};

/// What the rows of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IngestType {
    // In the order of need: sets before descriptors, objects before what lies in them and what
    // connects them.
    /// `name`, `dimensions`, `engine`, `metric`.
    DescriptorSet,
    /// `EntityClass`.
    Entity,
    /// `filename`, `url`, `s3_url` or `gs_url`.
    Image,
    /// As images.
    Video,
    /// As images.
    Blob,
    /// `filename`, `index`, `set`.
    Descriptor,
    /// A property of the image, then `x_pos`, `y_pos`, `width`, `height`.
    BoundingBox,
    /// A property of the image; `polygons`.
    Polygon,
    /// `ConnectionClass`, `Class@property`, `Class@property`.
    Connection,
}

impl IngestType {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::DescriptorSet,
        Self::Entity,
        Self::Image,
        Self::Video,
        Self::Blob,
        Self::Descriptor,
        Self::BoundingBox,
        Self::Polygon,
        Self::Connection,
    ];

    /// The name that the SDK's command line gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DescriptorSet => "DESCRIPTORSET",
            Self::Entity => "ENTITY",
            Self::Image => "IMAGE",
            Self::Video => "VIDEO",
            Self::Blob => "BLOB",
            Self::Descriptor => "DESCRIPTOR",
            Self::BoundingBox => "BOUNDING_BOX",
            Self::Polygon => "POLYGON",
            Self::Connection => "CONNECTION",
        }
    }

    /// Whether its rows bring a file that its header does not tell from other files.
    #[must_use]
    pub const fn is_media(self) -> bool {
        matches!(self, Self::Image | Self::Video | Self::Blob)
    }

    /// The part of a command's name that names its objects.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::DescriptorSet => "DescriptorSet",
            Self::Entity => "Entity",
            Self::Image => "Image",
            Self::Video => "Video",
            Self::Blob => "Blob",
            Self::Descriptor => "Descriptor",
            Self::BoundingBox => "BoundingBox",
            Self::Polygon => "Polygon",
            Self::Connection => "Connection",
        }
    }

    /// The kind that a header tells; of those that bring a file, `Image`.
    pub(super) fn of_header(header: &[String]) -> Option<Self> {
        let is = |i: usize, name: &str| header.get(i).is_some_and(|h| h == name);
        let begins = |names: &[&str], from: usize| {
            names.iter().enumerate().all(|(i, name)| is(from + i, name))
        };
        if is(0, "EntityClass") {
            Some(Self::Entity)
        } else if is(0, "ConnectionClass") {
            Some(Self::Connection)
        } else if begins(&["name", "dimensions", "engine", "metric"], 0) {
            Some(Self::DescriptorSet)
        } else if begins(&["filename", "index", "set"], 0) {
            Some(Self::Descriptor)
        } else if begins(&BOX, 1) {
            Some(Self::BoundingBox)
        } else if header.len() > 1 && header[1..].iter().any(|h| h == POLYGONS) {
            Some(Self::Polygon)
        } else if header.first().is_some_and(|h| SOURCES.contains(&h.as_str())) {
            Some(Self::Image)
        } else {
            None
        }
    }
}

/// The columns of a box, behind the first.
pub(super) const BOX: [&str; 4] = ["x_pos", "y_pos", "width", "height"];
/// The column of a polygon's rings.
pub(super) const POLYGONS: &str = "polygons";
/// First columns of files that bring files.
pub(super) const SOURCES: [&str; 4] = ["filename", "url", "s3_url", "gs_url"];

/// How each kind of header begins, for who has one that is none of them.
pub(super) const KNOWN: &str = "a file of the Python SDK begins with `EntityClass`; `ConnectionClass`, `Class@property`, `Class@property`; `filename`, `url`, `s3_url` or `gs_url` (images, videos, blobs); `filename`, `index`, `set` (descriptors); `name`, `dimensions`, `engine`, `metric` (descriptor sets); a property of an image and `x_pos`, `y_pos`, `width`, `height` (boxes); or has a column `polygons`";

impl fmt::Display for IngestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for IngestType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |kind: &Self| kind.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(named).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            let names = names.join(", ");
            match text.to_ascii_uppercase().as_str() {
                "CLIP" | "FRAME" => format!(
                    "the Python SDK lists {text} and reads no such file; clips and frames go in by a model (`--model`); types are {names}"
                ),
                _ => format!("`{text}` is no type; types are {names}"),
            }
        })
    }
}

/// Whether an address or a path names a film.
pub(super) fn names_a_video(origin: &str) -> bool {
    let path = origin.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    ["mp4", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "m4v", "wmv", "flv", "ts"]
        .contains(&ending.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Option<IngestType> {
        IngestType::of_header(&header.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn headers_tell_the_kind() {
        for (header, kind) in [
            ("EntityClass,name,constraint_name", Some(IngestType::Entity)),
            ("ConnectionClass,_Image@id,A@n", Some(IngestType::Connection)),
            ("filename,id", Some(IngestType::Image)),
            ("s3_url,id,format", Some(IngestType::Image)),
            ("filename,index,set,label", Some(IngestType::Descriptor)),
            ("name,dimensions,engine,metric", Some(IngestType::DescriptorSet)),
            ("id,x_pos,y_pos,width,height,_label", Some(IngestType::BoundingBox)),
            ("id,_label,polygons", Some(IngestType::Polygon)),
            ("id,name", None),
            ("", None),
        ] {
            assert_eq!(of(header), kind, "{header}");
        }
    }

    #[test]
    fn names_are_those_of_the_sdk() {
        for kind in IngestType::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("CLIP".parse::<IngestType>().unwrap_err().contains("by a model"));
        assert!("x".parse::<IngestType>().unwrap_err().contains("BOUNDING_BOX"));
        assert!(IngestType::Entity < IngestType::Connection);
        assert!(IngestType::DescriptorSet < IngestType::Descriptor);
    }

    #[test]
    fn films_are_known_by_their_endings() {
        assert!(names_a_video("https://x/y/Z.MP4?token=1"));
        assert!(!names_a_video("a.jpg") && !names_a_video("mp4"));
    }
}
