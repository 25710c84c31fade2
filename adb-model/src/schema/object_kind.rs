//! Kinds of objects, as the database has them.

use serde::{Deserialize, Serialize};

/// What an object is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ObjectKind {
    /// A node with a class and properties.
    Entity,
    /// A picture (a blob) with properties.
    Image,
    /// A video (a blob) with properties.
    Video,
    /// A file that the database does not look into, with properties.
    Blob,
    /// A stretch of a video.
    Clip,
    /// A moment of a video.
    Frame,
    /// A rectangle in an image or frame.
    BoundingBox,
    /// A polygon in an image or frame.
    Polygon,
    /// A vector in a descriptor set.
    Descriptor,
}

impl ObjectKind {
    /// The name in commands: `Add…`, `Find…`.
    #[must_use]
    pub const fn command_suffix(self) -> &'static str {
        match self {
            ObjectKind::Entity => "Entity",
            ObjectKind::Image => "Image",
            ObjectKind::Video => "Video",
            ObjectKind::Blob => "Blob",
            ObjectKind::Clip => "Clip",
            ObjectKind::Frame => "Frame",
            ObjectKind::BoundingBox => "BoundingBox",
            ObjectKind::Polygon => "Polygon",
            ObjectKind::Descriptor => "Descriptor",
        }
    }

    /// The class under which indexes on this kind are made; entities have their own.
    #[must_use]
    pub const fn system_class(self) -> Option<&'static str> {
        match self {
            ObjectKind::Entity => None,
            ObjectKind::Image => Some("_Image"),
            ObjectKind::Video => Some("_Video"),
            ObjectKind::Blob => Some("_Blob"),
            ObjectKind::Clip => Some("_Clip"),
            ObjectKind::Frame => Some("_Frame"),
            ObjectKind::BoundingBox => Some("_BoundingBox"),
            ObjectKind::Polygon => Some("_Polygon"),
            ObjectKind::Descriptor => Some("_Descriptor"),
        }
    }

    /// What an object of this kind is a part of: the parameter that names it, and what it is
    /// called.
    #[must_use]
    pub const fn container(self) -> Option<(&'static str, &'static str)> {
        match self {
            ObjectKind::BoundingBox | ObjectKind::Polygon => {
                Some(("image_ref", "an image or a frame"))
            }
            ObjectKind::Clip | ObjectKind::Frame => Some(("video_ref", "a video")),
            _ => None,
        }
    }

    /// Whether its objects are what one of their fields is: a blob, or a place in a container.
    #[must_use]
    pub const fn has_own_field(self) -> bool {
        self.has_media() || self.container().is_some()
    }

    /// Whether it has a blob of its own that travels with its Add command.
    #[must_use]
    pub const fn has_media(self) -> bool {
        matches!(self, ObjectKind::Image | ObjectKind::Video | ObjectKind::Blob)
    }
}
