//! What changes rows on their way, by the names of the Python SDK's transformers.

use std::fmt::Write as _;

use adb_model::{ensure::PropertyIndex, jiff::Timestamp};
use sha2::{Digest, Sha256};

use super::condition::Generator;
use crate::{
    commands::{Command, CommandRow, CommandTransform, Comparison},
    embedders,
};

/// The property of an image's hash.
pub(crate) const IMAGE_SHA256: &str = "adb_image_sha256";

/// `common_properties`: where objects come from. Each that is given is written on the images,
/// videos, boxes and polygons that rows add.
#[derive(Debug, Clone, Default)]
pub struct CommonProperties {
    /// `adb_data_source`
    pub data_source: Option<String>,
    /// `adb_timestamp`
    pub timestamp: Option<String>,
    /// `adb_main_object`
    pub main_object: Option<String>,
}

impl CommandTransform for CommonProperties {
    fn apply(&self, row: &mut CommandRow) -> Result<(), String> {
        let given = [
            ("adb_data_source", &self.data_source),
            ("adb_timestamp", &self.timestamp),
            ("adb_main_object", &self.main_object),
        ];
        for command in row.commands_mut() {
            if !matches!(
                command.name.as_str(),
                "AddImage" | "AddVideo" | "AddBoundingBox" | "AddPolygon"
            ) {
                continue;
            }
            for (name, value) in given {
                if let Some(value) = value {
                    command.set_property(name, value.as_str());
                }
            }
        }
        Ok(())
    }
}

/// `image_properties`: an image's size in bytes and pixels, its hash and its id.
///
/// `adb_image_id` is the property `id`, as text; of an image without one, a number made from its
/// bytes, so that a second run makes the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImageProperties;

impl CommandTransform for ImageProperties {
    fn apply(&self, row: &mut CommandRow) -> Result<(), String> {
        for command in row.commands_mut().filter(|c| c.name == "AddImage") {
            let Some(bytes) = command.media().cloned() else { continue };
            let sha = sha256(&bytes);
            let id = command.property("id").and_then(|id| match id {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text.clone()).filter(|t| !t.is_empty()),
                other => Some(other.to_string()),
            });
            command.set_property("adb_image_size", bytes.len());
            if let Ok((width, height)) = embedders::dimensions(&bytes) {
                command.set_property("adb_image_width", width);
                command.set_property("adb_image_height", height);
            }
            command.set_property("adb_image_id", id.unwrap_or_else(|| sha[..32].to_owned()));
            command.set_property(IMAGE_SHA256, sha);
        }
        Ok(())
    }

    fn indexes(&self) -> Vec<PropertyIndex> {
        vec![PropertyIndex::of_entity("_Image", "adb_data_source")]
    }
}

/// `gen_…`: what is made from a row's file, for files that are compared with what is stored.
#[derive(Debug)]
pub(super) struct Generate {
    pub(super) generated: Vec<(Generator, String)>,
    pub(super) hashes: Vec<(Generator, String)>,
}

impl CommandTransform for Generate {
    fn apply(&self, row: &mut CommandRow) -> Result<(), String> {
        let bytes = row.commands().find_map(Command::media).cloned();
        let bytes = bytes.ok_or("the file was not read")?;
        let value = |generator: Generator| match generator {
            Generator::BlobSha1 => sha1_smol::Sha1::from(&bytes).digest().to_string().into(),
            Generator::BlobSize => bytes.len().into(),
            Generator::InsertDate => {
                Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string().into()
            }
        };
        for command in row.commands_mut() {
            if command.is_add() {
                for (generator, name) in &self.generated {
                    command.set_property(name, value(*generator));
                }
            } else if command.name.starts_with("Update")
                && let Some((_, constraints)) = &mut command.constraints
            {
                for (generator, name) in &self.hashes {
                    let stored: serde_json::Value = value(*generator);
                    constraints.push(Comparison::equal(name.clone(), stored));
                }
            }
        }
        Ok(())
    }
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
