//! What is known of a file by where it lies.

use adb_model::{FieldRole, ModelSchema, ObjectKind};
use serde_json::Value as Json;

use super::super::{Object, plain::FILE};

/// Which keys a file's row gets, and what they are called.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileFields {
    pub(crate) folder_as: Option<String>,
    pub(crate) text_as: Option<String>,
    /// What is found under one key is read as another.
    pub(crate) map: Vec<(String, String)>,
}

impl FileFields {
    /// The row of a file that lies at `path` below its root and is read as `media` says. Of what a
    /// table (under the keys that it is read as) and what a file beside it say, the later holds;
    /// neither says where the file lies, if that is what identifies it.
    pub(crate) fn object(
        &self,
        path: &str,
        media: &str,
        schema: &'static ModelSchema,
        text: Option<String>,
        [table, sidecar]: [Option<Object>; 2],
    ) -> Result<Object, String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let mut object = Object::new();
        let known = |key: &str| schema.fields.iter().any(|f| f.key == key && f.inside.is_none());
        for (key, value) in [
            ("path", path),
            ("filename", name),
            ("stem", stem),
            ("extension", extension),
            ("folder", folder),
        ] {
            // These are made up here: nobody is told that no field takes them.
            let key = self.mapped(key);
            if known(key) {
                object.insert(key.to_owned(), value.into());
            }
        }
        let identifying: Vec<&str> = schema
            .fields
            .iter()
            .filter(|f| matches!(f.role, FieldRole::Id(_)) && f.inside.is_none())
            .map(|f| f.key)
            .filter(|key| object.contains_key(*key))
            .collect();
        if let Some(key) = &self.folder_as
            && let Some((first, _)) = path.split_once('/')
        {
            object.insert(key.clone(), first.into());
        }
        if let (Some(key), Some(text)) = (&self.text_as, text) {
            object.insert(key.clone(), text.into());
        }
        let sidecar = sidecar.map(|said| self.renamed(said));
        for (said, by) in [(table, "the table"), (sidecar, "the file beside it")] {
            for (key, value) in said.into_iter().flatten() {
                let own = object.get(&key).and_then(Json::as_str);
                if identifying.contains(&key.as_str()) && !own.is_some_and(|own| says(&value, own))
                {
                    return Err(format!(
                        "{by} has a `{key}`, which would take the place of the file's own that identifies it; rename that one, or leave it out"
                    ));
                }
                object.insert(key, value);
            }
        }
        let file = media_key(schema).ok_or_else(|| {
            format!("the model `{}` has no field that a file could go to", schema.name)
        })?;
        object.insert(file.to_owned(), media.into());
        Ok(object)
    }

    /// What is found, under the keys that it is read as; what is read as none is left out.
    pub(crate) fn renamed(&self, found: Object) -> Object {
        let found = found.into_iter().map(|(key, value)| (self.mapped(&key).to_owned(), value));
        found.filter(|(key, _)| !key.is_empty()).collect()
    }

    /// The key that a found one is read as.
    pub(crate) fn mapped<'k>(&'k self, key: &'k str) -> &'k str {
        self.map.iter().find(|(found, _)| found == key).map_or(key, |(_, key)| key)
    }
}

/// Whether a value is what a name says, as text or as a whole number.
fn says(value: &Json, name: &str) -> bool {
    match value {
        Json::Number(number) => name.parse().is_ok_and(|name: i64| number.as_i64() == Some(name)),
        value => value.as_str() == Some(name),
    }
}

/// The field that holds a model's file: its own blob, or the first that it has.
fn media_field(schema: &ModelSchema) -> Option<(&'static str, ObjectKind)> {
    let media = |own: bool| {
        schema.fields.iter().find_map(|field| match field.role {
            FieldRole::Media { kind, .. } if !own || kind == schema.kind => Some((field.key, kind)),
            _ => None,
        })
    };
    media(true).or_else(|| media(false))
}

fn media_key(schema: &ModelSchema) -> Option<&'static str> {
    match schema.fields.is_empty() {
        // Before there is a model.
        true => Some(FILE),
        false => media_field(schema).map(|(key, _)| key),
    }
}

/// Which kind of files a model holds.
pub(crate) fn media_kind(schema: &ModelSchema) -> Option<ObjectKind> {
    media_field(schema).map(|(_, kind)| kind)
}

/// How files of a kind are called, if that can be said.
pub(crate) fn extensions(kind: ObjectKind) -> Option<&'static [&'static str]> {
    match kind {
        ObjectKind::Image => {
            Some(&["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff"])
        }
        ObjectKind::Video => Some(&["mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg"]),
        _ => None,
    }
}
