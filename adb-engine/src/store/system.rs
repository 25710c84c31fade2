//! The classes that every database has, and what their objects have beside users' properties.

use super::{
    catalog::{Class, Target},
    format::class_id,
    value::PropertyType::{self, Json, Number, String},
};

/// A class of the system's.
#[derive(Debug)]
pub(crate) struct SystemClass {
    pub(crate) id: i64,
    pub(crate) target: Target,
    pub(crate) name: &'static str,
    /// Of a class whose edges stand in other objects' rows, and come and go with those.
    ends: Option<Ends>,
    properties: &'static [SystemProperty],
}

/// The classes that the edges of a view may start and end at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) src: &'static [i64],
    pub(crate) dst: &'static [i64],
}

/// A property that the system keeps.
#[derive(Debug)]
pub(crate) struct SystemProperty {
    pub(crate) name: &'static str,
    /// A column, or an expression over the class's table.
    pub(crate) sql: &'static str,
    pub(crate) kind: PropertyType,
    /// Whether `all_properties` shows it.
    pub(crate) shown: bool,
}

const fn shown(name: &'static str, sql: &'static str, kind: PropertyType) -> SystemProperty {
    SystemProperty { name, sql, kind, shown: true }
}

const fn hidden(name: &'static str, sql: &'static str, kind: PropertyType) -> SystemProperty {
    SystemProperty { name, sql, kind, shown: false }
}

const fn entity(id: i64, name: &'static str, properties: &'static [SystemProperty]) -> SystemClass {
    SystemClass { id, target: Target::Entity, name, ends: None, properties }
}

const fn connection(id: i64, name: &'static str, ends: Option<Ends>) -> SystemClass {
    SystemClass { id, target: Target::Connection, name, ends, properties: ENDS }
}

/// Edges from parts to what they are in, or from a set to its descriptors.
const fn view(src: &'static [i64], dst: &'static [i64]) -> Option<Ends> {
    Some(Ends { src, dst })
}

/// What connections of every class have.
const ENDS: &[SystemProperty] = &[
    hidden("_src", "(src_class || '.0.' || src)", String),
    hidden("_dst", "(dst_class || '.0.' || dst)", String),
];

/// A time in microseconds as text; nothing for nothing.
macro_rules! time_text {
    ($($micros:tt)+) => {
        concat!(
            "(CASE WHEN ",
            $($micros)+,
            " IS NOT NULL THEN printf('%02d:%02d:%02d.%06d', ",
            $($micros)+,
            " / 3600000000, ",
            $($micros)+,
            " / 60000000 % 60, ",
            $($micros)+,
            " / 1000000 % 60, ",
            $($micros)+,
            " % 1000000) END)"
        )
    };
}

/// The offset of a frame in microseconds: as given, or as its video tells if that was looked at.
macro_rules! frame_micros {
    () => {
        "coalesce(time_offset, (SELECT CAST(round(CASE WHEN frame_number IS NOT NULL THEN frame_number * 1e6 / v.fps ELSE time_fraction * v.duration_us END) AS INTEGER) FROM c7 AS v WHERE v.id = container))"
    };
}

/// The positions of a frame in all three units; rounded as the decoder's side rounds them.
pub(crate) const FRAME_NUMBER: &str = "coalesce(frame_number, (SELECT CASE WHEN time_offset IS NOT NULL THEN CAST((time_offset / 1e6 + 0.5e-6) * v.fps AS INTEGER) ELSE min(CAST(time_fraction * v.frame_count + 1e-6 AS INTEGER), v.frame_count - 1) END FROM c7 AS v WHERE v.id = container))";
pub(crate) const FRAME_MICROS: &str = frame_micros!();
pub(crate) const FRAME_FRACTION: &str = "coalesce(time_fraction, (SELECT min(1.0, CASE WHEN frame_number IS NOT NULL THEN frame_number * 1.0 / v.frame_count ELSE time_offset * 1.0 / v.duration_us END) FROM c7 AS v WHERE v.id = container))";

const RECTANGLE: &str = "json_object('x', x, 'y', y, 'width', width, 'height', height)";

const CLASSES: &[SystemClass] = &[
    entity(class_id::IMAGE, "_Image", &[hidden("_url", "url", String)]),
    entity(class_id::BLOB, "_Blob", &[hidden("_url", "url", String)]),
    entity(
        class_id::DESCRIPTOR_SET,
        "_DescriptorSet",
        &[
            shown("_name", "name", String),
            shown("_dimensions", "dimensions", Number),
            shown("_engines", "engines", Json),
            shown("_metrics", "metrics", Json),
            // `id` alone would be the inner table's.
            shown("_count", "(SELECT count(*) FROM c4 AS d WHERE d.set_id = c3.id)", Number),
        ],
    ),
    entity(
        class_id::DESCRIPTOR,
        "_Descriptor",
        &[
            hidden("_label", "label", String),
            shown("_set_name", "(SELECT s.name FROM c3 AS s WHERE s.id = set_id)", String),
        ],
    ),
    connection(class_id::DESCRIPTOR_CONNECTION, "_DescriptorConnection", None),
    connection(
        class_id::SET_TO_DESCRIPTOR,
        "_DescriptorSetToDescriptor",
        view(&[class_id::DESCRIPTOR_SET], &[class_id::DESCRIPTOR]),
    ),
    entity(
        class_id::VIDEO,
        "_Video",
        &[
            hidden("_url", "url", String),
            shown("_fps", "fps", Number),
            shown("_frame_count", "frame_count", Number),
            shown("_frame_width", "frame_width", Number),
            shown("_frame_height", "frame_height", Number),
            shown("_duration_us", "duration_us", Number),
        ],
    ),
    entity(
        class_id::CLIP,
        "_Clip",
        &[
            shown("_label", "label", String),
            shown("_range_type", "range_type", Number),
            shown("_range_start", "range_start", Number),
            shown("_range_stop", "range_stop", Number),
            shown(
                "_frame_number_range",
                "CASE range_type WHEN 1 THEN json_object('start', range_start, 'stop', range_stop) END",
                Json,
            ),
            shown(
                "_time_fraction_range",
                "CASE range_type WHEN 2 THEN json_object('start', range_start, 'stop', range_stop) END",
                Json,
            ),
            shown(
                "_time_offset_range",
                concat!(
                    "CASE range_type WHEN 3 THEN json_object('start', ",
                    time_text!("range_start"),
                    ", 'stop', ",
                    time_text!("range_stop"),
                    ") END"
                ),
                Json,
            ),
        ],
    ),
    entity(
        class_id::FRAME,
        "_Frame",
        &[
            shown("_label", "label", String),
            shown("_frame_number", FRAME_NUMBER, Number),
            shown("_time_offset", time_text!(frame_micros!()), String),
            shown("_time_fraction", FRAME_FRACTION, Number),
        ],
    ),
    entity(
        class_id::BOUNDING_BOX,
        "_BoundingBox",
        &[
            shown("_label", "label", String),
            hidden("_coordinates", RECTANGLE, Json),
            shown("_area", "area", Number),
        ],
    ),
    entity(
        class_id::POLYGON,
        "_Polygon",
        &[
            shown("_label", "label", String),
            shown("_area", "area", Number),
            hidden("_vertices", "vertices", Json),
            hidden("_bounds", RECTANGLE, Json),
        ],
    ),
    connection(
        class_id::BOX_TO_IMAGE,
        "_BoundingBoxToImage",
        view(&[class_id::BOUNDING_BOX], &[class_id::IMAGE, class_id::FRAME]),
    ),
    connection(
        class_id::POLYGON_TO_IMAGE,
        "_PolygonToImage",
        view(&[class_id::POLYGON], &[class_id::IMAGE, class_id::FRAME]),
    ),
    connection(
        class_id::CLIP_TO_VIDEO,
        "_ClipToVideo",
        view(&[class_id::CLIP], &[class_id::VIDEO]),
    ),
    connection(
        class_id::FRAME_TO_VIDEO,
        "_FrameToVideo",
        view(&[class_id::FRAME], &[class_id::VIDEO]),
    ),
];

/// The system's classes.
pub(crate) fn classes() -> impl Iterator<Item = &'static SystemClass> {
    CLASSES.iter()
}

fn by_id(id: i64) -> Option<&'static SystemClass> {
    CLASSES.iter().find(|class| class.id == id)
}

/// Whether a class's rows are those of another class.
pub(crate) fn is_view(class: &Class) -> bool {
    view_ends(class).is_some()
}

/// Where the edges of such a class start and end.
pub(crate) fn view_ends(class: &Class) -> Option<Ends> {
    by_id(class.id)?.ends
}

/// The properties that a class has by itself.
pub(crate) fn properties(class: &Class) -> &'static [SystemProperty] {
    match (by_id(class.id), class.target) {
        (Some(system), _) => system.properties,
        (None, Target::Entity) => &[],
        (None, Target::Connection) => ENDS,
    }
}

/// The column of a system property that an index can be made on.
pub(crate) fn index_column(property: &str) -> Option<&'static str> {
    match property {
        "_create_txn" => Some("txn"),
        "_label" => Some("label"),
        _ => None,
    }
}

/// Whether a class, be it there or not, has such a column.
pub(crate) fn can_index(target: Target, class: &str, property: &str) -> bool {
    let system = CLASSES.iter().find(|c| c.target == target && c.name == class);
    match index_column(property) {
        None => false,
        Some("txn") => system.is_none_or(|class| class.ends.is_none()),
        Some(column) => {
            system.is_some_and(|class| class.properties.iter().any(|p| p.sql == column))
        }
    }
}

/// Indexes that are part of the format and are told of.
pub(crate) const BUILT_IN_INDEXES: [(Target, &str, &str); 3] = [
    (Target::Entity, "_DescriptorSet", "_name"),
    (Target::Entity, "_Descriptor", "_set_name"),
    (Target::Entity, "_Descriptor", "_create_txn"),
];

/// Whether an index is part of the format.
pub(crate) fn is_built_in(target: Target, class: &str, property: &str) -> bool {
    BUILT_IN_INDEXES.contains(&(target, class, property))
}
