//! What kinds of objects there are, and in what they differ: one row of a table for each.

use crate::store::{bytes::Stored, catalog::Target, format::class_id};

/// The kind of object that a command is about: the second half of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Entity,
    Connection,
    Image,
    Blob,
    Video,
    Clip,
    Frame,
    BoundingBox,
    Polygon,
    DescriptorSet,
    Descriptor,
}

/// What a kind has that others may not.
#[derive(Debug)]
pub(crate) struct Traits {
    kind: Kind,
    /// Its name in commands.
    pub(crate) name: &'static str,
    /// The class that all its objects are of; entities and connections have the user's.
    pub(crate) class: Option<&'static str>,
    pub(crate) bytes: Bytes,
    /// What its objects are parts of.
    pub(crate) within: Option<Within>,
    pub(crate) labelled: bool,
    /// Flags of Find, and the system property that each adds to the answer.
    pub(crate) flags: &'static [(&'static str, &'static str)],
}

/// Where the bytes of an object are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bytes {
    None,
    /// As they came with the request.
    Stored(Stored),
    /// A part of the image that it is in, cut out when asked for.
    Cropped,
    /// A stretch of the video that it is in.
    Cut,
    /// A frame of the video that it is in.
    Decoded,
}

/// The parameter that names what an object is a part of.
#[derive(Debug)]
pub(crate) struct Within {
    pub(crate) parameter: &'static str,
    /// The classes that contain such parts.
    pub(crate) classes: &'static [i64],
    /// For messages.
    pub(crate) what: &'static str,
}

const IN_IMAGE: Option<Within> = Some(Within {
    parameter: "image_ref",
    classes: &[class_id::IMAGE, class_id::FRAME],
    what: "image or frame",
});
const IN_VIDEO: Option<Within> =
    Some(Within { parameter: "video_ref", classes: &[class_id::VIDEO], what: "video" });

const BARE: Traits = Traits {
    kind: Kind::Entity,
    name: "Entity",
    class: None,
    bytes: Bytes::None,
    within: None,
    labelled: false,
    flags: &[],
};

static KINDS: [Traits; 11] = [
    BARE,
    Traits { kind: Kind::Connection, name: "Connection", ..BARE },
    Traits {
        kind: Kind::Image,
        name: "Image",
        class: Some("_Image"),
        bytes: Bytes::Stored(Stored::Blob),
        flags: &[("urls", "_url")],
        ..BARE
    },
    Traits {
        kind: Kind::Blob,
        name: "Blob",
        class: Some("_Blob"),
        bytes: Bytes::Stored(Stored::Blob),
        flags: &[("urls", "_url")],
        ..BARE
    },
    Traits {
        kind: Kind::Video,
        name: "Video",
        class: Some("_Video"),
        bytes: Bytes::Stored(Stored::Blob),
        flags: &[("urls", "_url")],
        ..BARE
    },
    Traits {
        kind: Kind::Clip,
        name: "Clip",
        class: Some("_Clip"),
        bytes: Bytes::Cut,
        within: IN_VIDEO,
        labelled: true,
        flags: &[("labels", "_label")],
    },
    Traits {
        kind: Kind::Frame,
        name: "Frame",
        class: Some("_Frame"),
        bytes: Bytes::Decoded,
        within: IN_VIDEO,
        labelled: true,
        flags: &[("labels", "_label")],
    },
    Traits {
        kind: Kind::BoundingBox,
        name: "BoundingBox",
        class: Some("_BoundingBox"),
        bytes: Bytes::Cropped,
        within: IN_IMAGE,
        labelled: true,
        flags: &[("labels", "_label"), ("coordinates", "_coordinates"), ("areas", "_area")],
    },
    Traits {
        kind: Kind::Polygon,
        name: "Polygon",
        class: Some("_Polygon"),
        bytes: Bytes::Cropped,
        within: IN_IMAGE,
        labelled: true,
        flags: &[
            ("labels", "_label"),
            ("vertices", "_vertices"),
            ("bounds", "_bounds"),
            ("hulls", "_hulls"),
            ("decompositions", "_decompositions"),
            ("areas", "_area"),
        ],
    },
    Traits {
        kind: Kind::DescriptorSet,
        name: "DescriptorSet",
        class: Some("_DescriptorSet"),
        flags: &[
            ("engines", "_engines"),
            ("metrics", "_metrics"),
            ("dimensions", "_dimensions"),
            ("counts", "_count"),
        ],
        ..BARE
    },
    Traits {
        kind: Kind::Descriptor,
        name: "Descriptor",
        class: Some("_Descriptor"),
        bytes: Bytes::Stored(Stored::Vector),
        labelled: true,
        flags: &[("labels", "_label"), ("distances", "_distance")],
        ..BARE
    },
];

impl Kind {
    pub(crate) fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|t| t.name == name).map(|t| t.kind)
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|t| t.name)
    }

    pub(crate) fn traits(self) -> &'static Traits {
        // The table's order is the enum's, which a test checks.
        &KINDS[self as usize]
    }

    pub(crate) fn target(self) -> Target {
        match self {
            Kind::Connection => Target::Connection,
            _ => Target::Entity,
        }
    }

    /// The class of the connection that `connect` makes when it names none.
    pub(crate) fn default_connection(self) -> Option<&'static str> {
        match self {
            Kind::Descriptor => Some("_DescriptorConnection"),
            _ => None,
        }
    }

    /// What an answer with status 2 says.
    pub(crate) fn exists_info(self) -> &'static str {
        match self {
            Kind::Image => "Image exists!",
            _ => "Object Exists!",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (i, row) in KINDS.iter().enumerate() {
            assert_eq!(row.kind as usize, i);
            assert_eq!(Kind::named(row.name).map(|kind| kind.traits().name), Some(row.name));
        }
    }
}
