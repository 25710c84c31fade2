//! Whether a document holds together: all that it names is in it, and graphs can rely on the rest.

use super::{Document, Field, Model, RelationDocument, Role};
use crate::{MAX_DIMENSIONS, ObjectKind, geometry::SYSTEMS};

impl Document {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.models.is_empty() {
            return Err("it has no model".to_owned());
        }
        for set in &self.sets {
            if !(1..=MAX_DIMENSIONS).contains(&set.dimensions) {
                return Err(format!(
                    "the set `{}` has vectors of {} components; they have from 1 to {MAX_DIMENSIONS}",
                    set.name, set.dimensions
                ));
            }
        }
        for model in &self.models {
            let at = |field: &Field| format!("`{}.{}`", model.name, field.name);
            for field in &model.fields {
                match &field.role {
                    Role::Id { .. } | Role::Property { .. }
                        if field.property.is_empty() || field.property.starts_with('_') =>
                    {
                        return Err(format!(
                            "{} is stored as `{}`: the database takes no empty name, and keeps \
                             those that begin with `_` for itself; give it another `property`",
                            at(field),
                            field.property
                        ));
                    }
                    Role::Geometry { system } if !SYSTEMS.contains(&system.as_str()) => {
                        return Err(format!(
                            "{} has the `system` `{system}`; there are `{}`",
                            at(field),
                            SYSTEMS.join("`, `")
                        ));
                    }
                    Role::Children { model: child, .. } if self.model(child).is_none() => {
                        return Err(format!(
                            "{} names the model `{child}`, which is not in it",
                            at(field)
                        ));
                    }
                    Role::Children { made: Some(made), .. }
                        if model.fields.iter().all(|f| f.name != made.from) =>
                    {
                        return Err(format!(
                            "{} is made from `{}`, which is no field",
                            at(field),
                            made.from
                        ));
                    }
                    Role::Embedding { class: None, .. } if !model.convention.is_own() => {
                        return Err(format!("{} has no `class` for its descriptors", at(field)));
                    }
                    Role::Children { relation: RelationDocument::Part, model: child, .. }
                        if model.kind == ObjectKind::Frame
                            && self.model(child).is_some_and(Model::embeds_its_region) =>
                    {
                        return Err(format!(
                            "{}: the regions of a frame have no picture that `{child}` could be embedded from",
                            at(field)
                        ));
                    }
                    Role::Embedding { set, .. } if self.set(set).is_none() => {
                        return Err(format!(
                            "{} names the set `{set}`, which is not in it",
                            at(field)
                        ));
                    }
                    Role::Embedding { from, label, face, .. } => {
                        let is_picture = |name: &String| {
                            let mut fields = model.fields.iter().filter(|f| f.name == *name);
                            fields.any(|f| {
                                matches!(f.role, Role::Media { kind: ObjectKind::Image, .. })
                            })
                        };
                        if face.is_some() && !from.as_ref().is_some_and(is_picture) {
                            return Err(format!(
                                "{} is made from a face, and `from` names no picture",
                                at(field)
                            ));
                        }
                        let is_field = |name: &String| model.fields.iter().any(|f| f.name == *name);
                        if let Some(from) = from.as_ref().filter(|f| !is_field(f)) {
                            return Err(format!(
                                "{} is made from `{from}`, which is no field",
                                at(field)
                            ));
                        }
                        if let Some(label) = label.as_ref().filter(|l| !is_field(l)) {
                            return Err(format!(
                                "{} is labelled by `{label}`, which is no field",
                                at(field)
                            ));
                        }
                    }
                    _ => {}
                }
            }
            model.check_kind()?;
        }
        Ok(())
    }
}

impl Model {
    /// As [`ModelSchema::embeds_its_region`].
    fn embeds_its_region(&self) -> bool {
        self.fields.iter().any(|field| match &field.role {
            Role::Embedding { from: Some(from), .. } => {
                let mut sources = self.fields.iter().filter(|f| f.name == *from);
                sources.any(|f| matches!(f.role, Role::Geometry { .. }))
            }
            _ => false,
        })
    }

    /// What the macro asks of a model of this kind, as far as graphs rely on it.
    fn check_kind(&self) -> Result<(), String> {
        let vectors = self.fields.iter().filter(|f| matches!(f.role, Role::Embedding { .. }));
        if self.kind == ObjectKind::Descriptor && vectors.count() != 1 {
            return Err(format!("`{}` is a descriptor, and must have one embedding", self.name));
        }
        if self.content_id && self.own_media().is_none() {
            return Err(format!("`{}` has no blob of its own to be identified by", self.name));
        }
        Ok(())
    }
}
