//! What fields are by their types alone, and whether they make an object of some kind: asked by the
//! compiler, in constants.

use super::ObjectKind;
use crate::ValueType;

/// What a field's type says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// Stored as a property.
    Property {
        /// Its type.
        value_type: ValueType,
        /// Whether it may be absent.
        optional: bool,
    },
    /// Stored as a blob.
    Media {
        /// Image, video or blob.
        kind: ObjectKind,
        /// Whether it may be absent.
        optional: bool,
    },
    /// Where the object lies in what it is a part of.
    Geometry {
        /// The kind of object whose geometry it is.
        of: ObjectKind,
        /// The system property as which it comes back.
        property: &'static str,
        /// Whether it may be absent.
        optional: bool,
    },
}

/// What is wrong with the fields of a model, by the kind of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindFault {
    /// Objects of this kind have a blob or a geometry, and no field is it.
    None,
    /// The field that is it may be absent.
    Optional,
    /// Several fields could be it.
    Several,
    /// A field is the geometry of another kind of objects.
    OthersGeometry,
}

impl FieldKind {
    /// Whether one of these fields is media that become objects of their own in a model whose
    /// objects are of the kind `model`.
    #[must_use]
    pub const fn has_media_beside(kinds: &[FieldKind], model: ObjectKind) -> bool {
        let mut i = 0;
        while i < kinds.len() {
            if let FieldKind::Media { kind, .. } = kinds[i]
                && kind as u8 != model as u8
            {
                return true;
            }
            i += 1;
        }
        false
    }

    /// What is wrong with these fields in a model whose objects are of the kind `model`.
    #[must_use]
    pub const fn fault(kinds: &[FieldKind], model: ObjectKind) -> Option<KindFault> {
        let (mut required, mut optional) = (0, 0);
        // Iterators can't be used in constants yet.
        let mut i = 0;
        while i < kinds.len() {
            let (is_own, may_be_absent) = match kinds[i] {
                FieldKind::Property { .. } => (false, false),
                FieldKind::Media { kind, optional } => (kind as u8 == model as u8, optional),
                FieldKind::Geometry { of, optional, .. } if of as u8 == model as u8 => {
                    (true, optional)
                }
                FieldKind::Geometry { .. } => return Some(KindFault::OthersGeometry),
            };
            match (is_own, may_be_absent) {
                (true, false) => required += 1,
                (true, true) => optional += 1,
                (false, _) => {}
            }
            i += 1;
        }
        match (required, optional) {
            (0, 0) if model.has_own_field() => Some(KindFault::None),
            (0, 1) => Some(KindFault::Optional),
            (0 | 1, 0) => None,
            _ => Some(KindFault::Several),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_one_picture_of_its_own() {
        const TEXT: FieldKind =
            FieldKind::Property { value_type: ValueType::String, optional: true };
        const ALWAYS: FieldKind = FieldKind::Media { kind: ObjectKind::Image, optional: false };
        const PERHAPS: FieldKind = FieldKind::Media { kind: ObjectKind::Image, optional: true };
        const FILM: FieldKind = FieldKind::Media { kind: ObjectKind::Video, optional: true };
        let image = |kinds: &[FieldKind]| FieldKind::fault(kinds, ObjectKind::Image);
        assert_eq!(image(&[TEXT, FILM]), Some(KindFault::None));
        assert_eq!(image(&[FILM, ALWAYS]), None);
        assert_eq!(image(&[PERHAPS]), Some(KindFault::Optional));
        assert_eq!(image(&[ALWAYS, TEXT, ALWAYS]), Some(KindFault::Several));
        assert_eq!(image(&[ALWAYS, PERHAPS]), Some(KindFault::Several));
        assert_eq!(FieldKind::fault(&[TEXT, ALWAYS, ALWAYS], ObjectKind::Entity), None);
        assert!(FieldKind::has_media_beside(&[TEXT, ALWAYS], ObjectKind::Entity));
        assert!(FieldKind::has_media_beside(&[ALWAYS, FILM], ObjectKind::Image));
        assert!(!FieldKind::has_media_beside(&[TEXT, ALWAYS], ObjectKind::Image));
    }

    #[test]
    fn geometry_belongs_to_parts() {
        const PLACE: FieldKind = FieldKind::Geometry {
            of: ObjectKind::BoundingBox,
            property: "_coordinates",
            optional: false,
        };
        for kind in [ObjectKind::Entity, ObjectKind::Image, ObjectKind::Polygon] {
            assert_eq!(FieldKind::fault(&[PLACE], kind), Some(KindFault::OthersGeometry));
        }
        let of_box = |kinds: &[FieldKind]| FieldKind::fault(kinds, ObjectKind::BoundingBox);
        assert_eq!(of_box(&[PLACE]), None);
        assert_eq!(of_box(&[]), Some(KindFault::None));
        assert_eq!(of_box(&[PLACE, PLACE]), Some(KindFault::Several));
    }
}
