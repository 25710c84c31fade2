//! Kinds of objects that a model can be of.

/// What the objects of a model are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Entity,
    Image,
    Video,
    Blob,
    Clip,
    Frame,
    BoundingBox,
    Polygon,
    Descriptor,
}

/// What is known of a kind.
pub(crate) struct About {
    /// The key that chooses it.
    pub(crate) key: &'static str,
    /// The variant of `adb::ObjectKind`.
    pub(crate) variant: &'static str,
    /// With its article, for people.
    pub(crate) one: &'static str,
    /// The types of which exactly one field has one; none for entities and descriptors.
    pub(crate) own_types: &'static str,
    /// Such a field.
    pub(crate) example: &'static str,
    /// What that field is.
    pub(crate) own: &'static str,
}

impl Kind {
    pub(crate) const ALL: [Kind; 9] = [
        Kind::Entity,
        Kind::Image,
        Kind::Video,
        Kind::Blob,
        Kind::Clip,
        Kind::Frame,
        Kind::BoundingBox,
        Kind::Polygon,
        Kind::Descriptor,
    ];

    pub(crate) fn by_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.about().key == key)
    }

    pub(crate) fn about(self) -> About {
        let about = |key, variant, one, own_types, example, own| About {
            key,
            variant,
            one,
            own_types,
            example,
            own,
        };
        match self {
            Kind::Entity => about("entity", "Entity", "an entity", "", "", ""),
            Kind::Image => {
                about("image", "Image", "an image", "`Image`", "photo: Image", "picture")
            }
            Kind::Video => about("video", "Video", "a video", "`Video`", "film: Video", "film"),
            Kind::Blob => about("blob", "Blob", "a blob", "`Blob`", "file: Blob", "file"),
            Kind::Clip => about(
                "clip",
                "Clip",
                "a clip",
                "`TimeSpan`, `FrameSpan` or `FractionSpan`",
                "span: TimeSpan",
                "span",
            ),
            Kind::Frame => about(
                "frame",
                "Frame",
                "a frame",
                "`TimeOffset`, `FrameNumber` or `TimeFraction`",
                "at: TimeOffset",
                "moment",
            ),
            Kind::BoundingBox => about(
                "bounding_box",
                "BoundingBox",
                "a bounding box",
                "`Rect`",
                "area: Rect",
                "rectangle",
            ),
            Kind::Polygon => {
                about("polygon", "Polygon", "a polygon", "`Polygon`", "outline: Polygon", "outline")
            }
            Kind::Descriptor => about("descriptor", "Descriptor", "a descriptor", "", "", "vector"),
        }
    }

    /// Whether its objects are parts of an image or a video.
    pub(crate) fn is_part(self) -> bool {
        matches!(self, Kind::Clip | Kind::Frame | Kind::BoundingBox | Kind::Polygon)
    }
}

impl Kind {
    /// Whether its objects are what one of their fields is, by that field's type.
    pub(crate) fn has_own_field(self) -> bool {
        !matches!(self, Kind::Entity | Kind::Descriptor)
    }

    /// Whether its objects have a label.
    pub(crate) fn has_label(self) -> bool {
        self.is_part() || self == Kind::Descriptor
    }

    /// Whether its objects have a blob whose bytes are the user's.
    pub(crate) fn has_content(self) -> bool {
        matches!(self, Kind::Image | Kind::Video | Kind::Blob)
    }
}

/// Fields that hold an object's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    Regions,
    Clips,
    Frames,
    Descriptors,
}

impl Parts {
    pub(crate) const ALL: [Parts; 4] =
        [Parts::Regions, Parts::Clips, Parts::Frames, Parts::Descriptors];

    /// The key that says so.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Parts::Regions => "regions",
            Parts::Clips => "clips",
            Parts::Frames => "frames",
            Parts::Descriptors => "descriptors",
        }
    }

    /// The trait of models that are such parts.
    pub(crate) fn marker(self) -> &'static str {
        match self {
            Parts::Regions => "RegionModel",
            Parts::Clips => "ClipModel",
            Parts::Frames => "FrameModel",
            Parts::Descriptors => "DescriptorModel",
        }
    }

    /// Whether a model of this kind is such a part.
    pub(crate) fn are(self, kind: Kind) -> bool {
        match self {
            Parts::Regions => matches!(kind, Kind::BoundingBox | Kind::Polygon),
            Parts::Clips => kind == Kind::Clip,
            Parts::Frames => kind == Kind::Frame,
            Parts::Descriptors => kind == Kind::Descriptor,
        }
    }

    /// What can have such parts.
    pub(crate) fn containers(self) -> &'static [Kind] {
        match self {
            Parts::Regions => &[Kind::Image, Kind::Frame],
            Parts::Clips | Parts::Frames => &[Kind::Video],
            // A vector can describe anything.
            Parts::Descriptors => &Kind::ALL,
        }
    }
}
