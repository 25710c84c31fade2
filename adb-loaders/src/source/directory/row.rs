//! What is known of a file by where it lies.

use adb_model::{FieldRole, ModelSchema, ObjectKind};

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
    /// The row of a file that lies at `path` below its root and is read as `media` says. Of `more`,
    /// the later holds.
    pub(crate) fn object(
        &self,
        path: &str,
        media: &str,
        schema: &'static ModelSchema,
        text: Option<String>,
        more: [Option<Object>; 2],
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
        if let Some(key) = &self.folder_as
            && let Some((first, _)) = path.split_once('/')
        {
            object.insert(key.clone(), first.into());
        }
        if let (Some(key), Some(text)) = (&self.text_as, text) {
            object.insert(key.clone(), text.into());
        }
        for (key, value) in more.into_iter().flatten().flatten() {
            object.insert(self.mapped(&key).to_owned(), value);
        }
        let file = media_key(schema).ok_or_else(|| {
            format!("the model `{}` has no field that a file could go to", schema.name)
        })?;
        object.insert(file.to_owned(), media.into());
        Ok(object)
    }

    fn mapped<'k>(&'k self, key: &'k str) -> &'k str {
        self.map.iter().find(|(found, _)| found == key).map_or(key, |(_, key)| key)
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
