//! Reading what travels with a row's commands.

use std::collections::HashMap;

use adb_model::{MediaSource, ObjectKind};
use bytes::Bytes;

use super::{CommandBlob, CommandRow};
use crate::{MediaReader, embedders};

impl CommandRow {
    /// Reads the files of its commands, each once. With `check_images`, what is to be an image must
    /// look like one.
    ///
    /// # Errors
    /// In words, when one can't be read, or is no image.
    pub fn read_blobs(&mut self, media: &MediaReader, check_images: bool) -> Result<(), String> {
        self.read_blobs_from(0, media, HashMap::new(), check_images)
    }

    /// The same for the steps from one on: those before it will not be taken. Some addresses may have
    /// been fetched already.
    pub(crate) fn read_blobs_from(
        &mut self,
        step: usize,
        media: &MediaReader,
        mut fetched: HashMap<String, Bytes>,
        check_images: bool,
    ) -> Result<(), String> {
        let mut read: HashMap<String, Bytes> = HashMap::new();
        for command in self.steps.iter_mut().skip(step).flat_map(|step| &mut step.commands) {
            match &mut command.blob {
                Some(CommandBlob::Media(source)) => {
                    let origin = source.origin();
                    let known = origin.as_ref().and_then(|origin| read.get(origin)).cloned();
                    let bytes = match known {
                        Some(bytes) => bytes,
                        None => {
                            let bytes = match origin.as_ref().and_then(|o| fetched.remove(o)) {
                                Some(bytes) => bytes,
                                None => media.read(source).map_err(|e| e.to_string())?,
                            };
                            if check_images && command.name == "AddImage" {
                                check(origin.as_deref(), &bytes)?;
                            }
                            bytes
                        }
                    };
                    if let Some(origin) = origin {
                        read.insert(origin, bytes.clone());
                    }
                    *source = MediaSource::Bytes(bytes);
                }
                Some(CommandBlob::Array(vector)) => {
                    let bytes = vector.file.read(&vector.index)?;
                    command.blob = Some(CommandBlob::Media(MediaSource::Bytes(bytes)));
                }
                Some(CommandBlob::Made(_)) | None => {}
            }
        }
        Ok(())
    }

    /// The addresses of what is to be fetched for the steps from one on, and what is to be there.
    pub(crate) fn addresses(
        &self,
        step: usize,
    ) -> impl Iterator<Item = (&str, Option<ObjectKind>)> {
        let commands = self.steps.iter().skip(step).flat_map(|step| &step.commands);
        commands.filter_map(|command| match &command.blob {
            Some(CommandBlob::Media(MediaSource::Url(url))) => {
                let kind = match command.name.as_str() {
                    "AddImage" => Some(ObjectKind::Image),
                    "AddVideo" => Some(ObjectKind::Video),
                    _ => None,
                };
                Some((url.as_str(), kind))
            }
            _ => None,
        })
    }

    /// The files, or their addresses, that travel with its commands, in their order.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let origin = |blob: &CommandBlob| match blob {
            CommandBlob::Media(media) => media.origin().unwrap_or_else(|| "bytes".to_owned()),
            CommandBlob::Array(vector) => vector.to_string(),
            CommandBlob::Made(_) => "a vector".to_owned(),
        };
        self.commands().filter_map(|c| c.blob.as_ref().map(origin)).collect()
    }

    /// What travels with its commands, in their order, as far as it is there.
    #[must_use]
    pub fn blobs(&self) -> Vec<Bytes> {
        let blob = |blob: &CommandBlob| match blob {
            CommandBlob::Media(media) => media.loaded().cloned(),
            CommandBlob::Made(place) => self.vectors.get(*place).cloned().flatten(),
            CommandBlob::Array(_) => None,
        };
        self.commands().filter_map(|c| c.blob.as_ref().and_then(blob)).collect()
    }
}

/// Refuses what is no image before it travels: a database would refuse it, and all that travels
/// with it.
fn check(origin: Option<&str>, bytes: &[u8]) -> Result<(), String> {
    embedders::dimensions(bytes).map(|_| ()).map_err(|e| {
        format!(
            "{}: {e}; where files are no images, say so: `--ingest-type VIDEO` or `BLOB`",
            origin.unwrap_or("the image")
        )
    })
}
