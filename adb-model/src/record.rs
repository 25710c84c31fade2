//! Records: objects as a database gave them back, from which models are read.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::{MediaSource, ObjectKind, Value, ValueError, components};

/// An object with what was fetched of it.
///
/// [`DataModel::read`](crate::DataModel::read) makes a model of it.
#[derive(Debug, Clone)]
pub struct Record {
    pub(crate) kind: ObjectKind,
    pub(crate) unique_id: String,
    pub(crate) properties: Map<String, Json>,
    pub(crate) blob: Option<Bytes>,
    /// By the name of the embedding field; nothing under it: they were not fetched.
    pub(crate) vectors: HashMap<&'static str, Option<Arc<[f32]>>>,
    /// By the name of the field that connects them; nothing under it: they were not fetched.
    pub(crate) children: HashMap<&'static str, Vec<Record>>,
    /// The connection by which it hangs on its parent, if that has properties.
    pub(crate) edge: Option<Box<Record>>,
}

impl Record {
    /// Reads an element of `entities`.
    pub(crate) fn new(kind: ObjectKind, object: &Map<String, Json>, blobs: &[Bytes]) -> Self {
        let mut properties = object.clone();
        let unique_id = match properties.shift_remove("_uniqueid") {
            Some(Json::String(id)) => id,
            _ => String::new(),
        };
        let blob = properties
            .shift_remove("_blob_index")
            .and_then(|index| blobs.get(usize::try_from(index.as_u64()?).ok()?).cloned());
        Self {
            kind,
            unique_id,
            properties,
            blob,
            vectors: HashMap::new(),
            children: HashMap::new(),
            edge: None,
        }
    }

    /// The object's unique id in the database.
    #[must_use]
    pub fn unique_id(&self) -> &str {
        &self.unique_id
    }

    /// All its properties, as the database sent them.
    #[must_use]
    pub fn properties(&self) -> &Map<String, Json> {
        &self.properties
    }

    /// Its blob, if that was asked for.
    #[must_use]
    pub fn blob(&self) -> Option<&Bytes> {
        self.blob.as_ref()
    }

    /// The vector of an embedding field, if that was asked for.
    pub(crate) fn vector(&self, field: &str) -> Option<Arc<[f32]>> {
        match self.kind {
            ObjectKind::Descriptor => self.own_vector(),
            _ => self.vectors.get(field).cloned().flatten(),
        }
    }

    /// Whether it was asked for the vector of an embedding field, and has none.
    pub(crate) fn lacks_vector(&self, field: &str) -> bool {
        self.vectors.get(field).is_some_and(Option::is_none)
    }

    /// A descriptor's blob.
    pub(crate) fn own_vector(&self) -> Option<Arc<[f32]>> {
        Some(components(self.blob.as_ref()?).collect())
    }

    /// Its label, if it has one and that was asked for.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        // Servers give "None" where there is none.
        self.properties.get("_label")?.as_str().filter(|label| *label != "None")
    }

    /// The objects that a field joins to this one; nothing if they were not fetched.
    #[must_use]
    pub fn children(&self, field: &str) -> Option<&[Record]> {
        self.children.get(field).map(Vec::as_slice)
    }

    /// A property; nothing if the object lacks it.
    ///
    /// # Errors
    /// When the database sent something that is no value.
    pub fn get(&self, property: &str) -> Result<Option<Value>, ValueError> {
        self.properties.get(property).map_or(Ok(None), Value::from_answer)
    }

    /// Whether the object has no such property.
    #[must_use]
    pub fn lacks(&self, property: &str) -> bool {
        self.properties.get(property).is_none_or(Json::is_null)
    }

    /// The media that a field stands for: this object's own blob, or that of an object connected
    /// to it.
    pub(crate) fn media(
        &self,
        kind: ObjectKind,
        field: &'static str,
        property: &str,
    ) -> Option<MediaSource> {
        let holder = if self.kind == kind { self } else { self.children.get(field)?.first()? };
        let origin = || holder.properties.get(property).and_then(Json::as_str);
        Some(match &holder.blob {
            Some(bytes) => MediaSource::Bytes(bytes.clone()),
            None => match origin() {
                Some(origin) => MediaSource::from_text(origin),
                None => MediaSource::Stored(holder.unique_id.clone()),
            },
        })
    }
}
