//! What `tune` has found, kept beside the bundle in the cache.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Bundle, Cache, Device, Error,
    runtime::Runtime,
    setting::{Setting, cores},
};

/// Version of the file.
const FORMAT: u32 = 1;

/// The fastest setting of each side that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// The side that reads images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Tuned>,
    /// The side that reads text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Tuned>,
}

/// A setting, and how fast it was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The setting.
    #[serde(flatten)]
    pub setting: Setting,
    /// Inputs a second, all sessions together.
    pub per_second: f64,
}

/// What a measure holds for: another bundle, machine, library or device is measured anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Key {
    /// The bundle's hash.
    bundle: String,
    processor: String,
    cores: usize,
    library: String,
    device: Device,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    key: Key,
    #[serde(flatten)]
    tuning: Tuning,
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    format: u32,
    records: Vec<Record>,
}

impl Key {
    fn new(bundle: &Bundle, runtime: &Runtime, device: Device) -> Self {
        Self {
            bundle: bundle.identity().hash.clone(),
            processor: processor(),
            cores: cores(),
            library: runtime.version(),
            device,
        }
    }
}

impl Tuning {
    /// The file in which it is kept: `embedders/<name>.tuning.json` in the cache.
    #[must_use]
    pub fn file(bundle: &Bundle, cache: &Cache) -> PathBuf {
        let name = &bundle.identity().name;
        cache.bundle_dir(name).with_file_name(format!("{name}.tuning.json"))
    }

    /// What was found for this bundle on this machine, with this library and device. A file that
    /// can't be read is as good as none.
    #[must_use]
    pub fn remembered(bundle: &Bundle, cache: &Cache, device: Device) -> Option<Self> {
        let records = read(bundle, cache);
        let hash = &bundle.identity().hash;
        // Only then is it worth loading the library.
        if !records.iter().any(|r| r.key.bundle == *hash && r.key.device == device) {
            return None;
        }
        let key = Key::new(bundle, Runtime::start(cache).ok()?, device);
        records.into_iter().find(|r| r.key == key).map(|r| r.tuning)
    }

    /// Keeps it for the embedders that are opened from now on, on this machine.
    ///
    /// # Errors
    /// When the cache can't be written, or the run time can't be had.
    pub fn remember(&self, bundle: &Bundle, cache: &Cache, device: Device) -> Result<(), Error> {
        let key = Key::new(bundle, Runtime::start(cache)?, device);
        let mut records = read(bundle, cache);
        // One side may have been measured alone; what is known of the other stays.
        let known = records.iter().find(|r| r.key == key).map(|r| r.tuning);
        let known = known.unwrap_or(Tuning { image: None, text: None });
        let tuning = Tuning { image: self.image.or(known.image), text: self.text.or(known.text) };
        records.retain(|r| r.key != key);
        records.push(Record { key, tuning });

        let path = Self::file(bundle, cache);
        let file = File { format: FORMAT, records };
        let write = || {
            let folder = path.parent().ok_or(std::io::ErrorKind::InvalidInput)?;
            fs::create_dir_all(folder)?;
            // In one step, so that nobody reads half of it.
            let whole = path.with_extension(format!("partial-{}", std::process::id()));
            fs::write(&whole, serde_json::to_vec_pretty(&file)?)?;
            fs::rename(&whole, &path)
        };
        write().map_err(|e| Error::io(&path, e))
    }
}

fn read(bundle: &Bundle, cache: &Cache) -> Vec<Record> {
    let path = Tuning::file(bundle, cache);
    let Ok(text) = fs::read(&path) else { return Vec::new() };
    match serde_json::from_slice::<File>(&text) {
        Ok(file) if file.format == FORMAT => file.records,
        Ok(file) => {
            tracing::warn!(path = %path.display(), format = file.format, "another release wrote what was tuned; tune again");
            Vec::new()
        }
        Err(e) => {
            tracing::warn!(path = %path.display(), "what was tuned can't be read: {e}; tune again");
            Vec::new()
        }
    }
}

/// The processor's name, where the system says it in a file; else its kind.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    match name {
        Some((_, name)) => name.trim().to_owned(),
        None => format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let setting = Setting { sessions: 2, threads: 1, batch: 16 };
        let key = Key {
            bundle: "ab".into(),
            processor: processor(),
            cores: 2,
            library: "rel-1.31.1 26250ae".into(),
            device: Device::Cuda(1),
        };
        let tuning = Tuning { image: Some(Tuned { setting, per_second: 31.5 }), text: None };
        let file = File { format: FORMAT, records: vec![Record { key: key.clone(), tuning }] };
        let text = serde_json::to_string_pretty(&file).unwrap();
        assert!(
            text.contains(r#""sessions": 2"#) && text.contains(r#""device": "cuda:1""#),
            "{text}"
        );
        let read: File = serde_json::from_str(&text).unwrap();
        assert_eq!((&read.records[0].key, read.records[0].tuning), (&key, tuning));
    }
}
