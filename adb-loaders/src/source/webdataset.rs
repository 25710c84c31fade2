//! WebDataset: samples in tar files, each of several members that have a name in common.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use adb_model::{FieldRole, ModelSchema, ObjectKind, ValueType, graph::row_identity};
use bytes::Bytes;
use serde_json::Value as Json;

use super::{
    EachObject, Object, ObjectRow, ObjectSource, ObjectText, PlainModel, RowPlace, check_names,
    directory::{extensions, media_kind},
    input::Input,
    name_of, name_of_all,
    plain::{FILE, PATH},
};
use crate::{Error, MediaRoot};

/// The samples of tar files: members of one name but for what follows its first dot, one after
/// another, are a row.
///
/// The member with an ending of the model's kind of media (`jpg`, `png`, …) goes to the model's
/// field for a file; what a `.json` member says is the row's; the text of `.txt` is `txt`, the
/// number of `.cls` is `cls`; other members have their ending as key. `key` is the sample's name,
/// and `path` that of its shard and its own, where the model has such fields. Files may be packed
/// with gzip or Zstandard. Nothing is unpacked to disk.
///
/// The form: <https://github.com/webdataset/webdataset>.
#[derive(Debug)]
pub struct TarObjects {
    files: Vec<PathBuf>,
    name: String,
    size: u64,
    map: Vec<(String, String)>,
    max_sample_bytes: u64,
}

/// Samples that are looked at for a model.
const SAMPLES_OBSERVED: u64 = 100;

impl TarObjects {
    /// Opens files, which are read one after another.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn open(files: Vec<PathBuf>) -> Result<Self, Error> {
        let mut size = 0;
        for file in &files {
            size += std::fs::metadata(file).map_err(|e| Error::source(file, e))?.len();
        }
        let name = name_of_all(&files);
        Ok(Self { files, name, size, map: Vec::new(), max_sample_bytes: 512 << 20 })
    }

    /// Gives the source a name, the same on every run: of one file it is the file's whole path, and
    /// several have none without this. See [`ObjectSource::name`].
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Reads a member's ending, or a key of its JSON, as another key; an empty one leaves it out.
    #[must_use]
    pub fn map(mut self, found: impl Into<String>, key: impl Into<String>) -> Self {
        self.map.push((found.into(), key.into()));
        self
    }

    /// Sets how many bytes a sample may have: 512 MiB without it. A larger one fails.
    #[must_use]
    pub fn max_sample_bytes(mut self, bytes: u64) -> Self {
        self.max_sample_bytes = bytes;
        self
    }

    /// Adds to a model what there is to be had of the samples, by the first 100.
    ///
    /// # Errors
    /// When the first file can't be read.
    pub fn observed(&self, mut model: PlainModel) -> Result<PlainModel, Error> {
        let Some(first) = self.files.first() else { return Ok(model) };
        let mut seen = 0;
        let kind = Some(model.kind());
        let _stopped =
            self.read_file(first, &Fields::of(&ModelSchema::BARE, kind), 0, &mut |row, _| {
                if let Ok(Some(ObjectText::Object(mut object))) = row.object {
                    object.retain(|_, value| {
                        row.media.iter().all(|(name, _)| value.as_str() != Some(name.as_str()))
                    });
                    model.observe(&object);
                }
                seen += 1;
                match seen < SAMPLES_OBSERVED {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            })?;
        Ok(model)
    }

    fn read_file(
        &self,
        path: &Path,
        fields: &Fields,
        before: u64,
        each: EachObject<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let input = Input::open(path)?;
        let (file, whole, taken) = (input.name(), name_of(path), input.taken());
        let shard = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let mut shard = Shard { of: self, fields, file, whole, shard, taken, before, row: 0 };
        shard.read(input.reader, each).map_err(|e| Error::source(path, e))
    }
}

impl ObjectSource for TarObjects {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn media_root(&self) -> MediaRoot {
        self.files.first().map_or_else(|| MediaRoot::new("."), |first| MediaRoot::beside(first))
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn read(self, schema: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        check_names(&self.files, schema)?;
        let fields = Fields::of(schema, media_kind(schema));
        let mut before = 0;
        for path in &self.files {
            if self.read_file(path, &fields, before, each)?.is_break() {
                break;
            }
            before += std::fs::metadata(path).map_or(0, |meta| meta.len());
        }
        Ok(())
    }
}

/// What the model has room for.
struct Fields {
    kind: Option<ObjectKind>,
    /// The field for a sample's file.
    file: Option<String>,
    /// All fields that hold files.
    files: Vec<&'static str>,
    key: bool,
    path: bool,
    /// Whether the model takes what `.cls` says as a text.
    cls_is_text: bool,
}

impl Fields {
    fn of(schema: &'static ModelSchema, kind: Option<ObjectKind>) -> Self {
        let has = |key: &str| schema.fields.iter().any(|field| field.key == key);
        let media = |field: &&adb_model::FieldSchema| matches!(field.role, FieldRole::Media { kind: of, .. } if Some(of) == kind);
        let file = match schema.fields.is_empty() {
            true => Some(FILE.to_owned()),
            false => schema.fields.iter().find(media).map(|field| field.key.to_owned()),
        };
        let files = schema.fields.iter().filter(|f| matches!(f.role, FieldRole::Media { .. }));
        let files = files.map(|field| field.key).collect();
        let cls_is_text = schema.fields.iter().any(|field| {
            field.key == "cls"
                && matches!(
                    field.role,
                    FieldRole::Id(ValueType::String)
                        | FieldRole::Property { value_type: ValueType::String, .. }
                )
        });
        Self { kind, file, files, key: has("key"), path: has(PATH), cls_is_text }
    }

    fn is_file(&self, ending: &str) -> bool {
        let last = ending.rsplit('.').next().unwrap_or(ending);
        match self.kind.and_then(extensions) {
            Some(endings) => endings.contains(&last),
            None => !["json", "txt", "cls"].contains(&last),
        }
    }
}

/// A tar file being read.
struct Shard<'a> {
    of: &'a TarObjects,
    fields: &'a Fields,
    file: Arc<str>,
    /// Its whole path.
    whole: String,
    shard: String,
    taken: Arc<AtomicU64>,
    before: u64,
    row: u64,
}

/// Members of one name.
#[derive(Default)]
struct Sample {
    key: String,
    /// By ending, in order of endings.
    members: BTreeMap<String, Bytes>,
    size: u64,
    fault: Option<String>,
}

impl Shard<'_> {
    fn read(
        &mut self,
        reader: Box<dyn BufRead + Send>,
        each: EachObject<'_>,
    ) -> io::Result<ControlFlow<()>> {
        let mut archive = tar::Archive::new(reader);
        let mut sample: Option<Sample> = None;
        for entry in archive.entries()? {
            let mut entry = entry?;
            // Links and folders are nothing to read.
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path_bytes();
            let name = String::from_utf8_lossy(&path).into_owned();
            let is_text = std::str::from_utf8(&path).is_ok();
            let Some((key, ending)) = split(&name) else { continue };
            if sample.as_ref().is_none_or(|sample| sample.key != key) {
                let before = sample.replace(Sample { key: key.to_owned(), ..Sample::default() });
                if let Some(before) = before
                    && self.give(before, each).is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
            }
            let Some(sample) = &mut sample else { continue };
            if !is_text {
                sample.fault.get_or_insert_with(|| "its name is not UTF-8".to_owned());
            }
            sample.size = sample.size.saturating_add(entry.size());
            let most = self.of.max_sample_bytes;
            if sample.size > most {
                sample.members.clear();
                sample.fault.get_or_insert(format!("the sample has more than {most} bytes"));
                continue;
            }
            let size = usize::try_from(entry.size()).unwrap_or_default();
            // Trust in a header goes as far as what is there.
            let mut bytes = Vec::with_capacity(size.min(1 << 20));
            let read = entry.by_ref().take(most).read_to_end(&mut bytes)?;
            if read < size {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("it ends within {name}; rows before it were ingested"),
                ));
            }
            if sample.members.insert(ending.clone(), bytes.into()).is_some() {
                sample
                    .fault
                    .get_or_insert(format!("it has two members with the ending `{ending}`"));
            }
        }
        match sample {
            Some(last) => Ok(self.give(last, each)),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    fn give(&mut self, sample: Sample, each: EachObject<'_>) -> ControlFlow<()> {
        self.row += 1;
        let at = RowPlace { file: self.file.clone(), row: self.row, line: None };
        let place = format!("{}/{}", self.shard, sample.key);
        let identity = row_identity(&self.whole, 0, sample.key.as_bytes());
        let mut media = Vec::new();
        let object = self.object(sample, &place, &mut media);
        let object = object.map(ObjectText::Object).map_err(|e| format!("{place}: {e}"));
        let mut row = ObjectRow::identified(at, object, identity);
        row.media = media;
        each(row, self.before + self.taken.load(Ordering::Relaxed))
    }

    fn object(
        &self,
        sample: Sample,
        place: &str,
        media: &mut Vec<(String, Bytes)>,
    ) -> Result<Object, String> {
        if let Some(fault) = sample.fault {
            return Err(fault);
        }
        let mut object = Object::new();
        if self.fields.key {
            object.insert("key".to_owned(), sample.key.as_str().into());
        }
        if self.fields.path {
            object.insert(PATH.to_owned(), place.into());
        }
        let mut file = self.fields.file.clone();
        for (ending, bytes) in sample.members {
            let mapped = self.mapped(&ending);
            if mapped == Some("") {
                continue;
            }
            let takes_file = match mapped {
                Some(key) => self.fields.files.contains(&key),
                None => self.fields.is_file(&ending),
            };
            if takes_file {
                let key = mapped.map(str::to_owned).or_else(|| file.take());
                let name = format!("{place}.{ending}");
                object.insert(key.unwrap_or(ending), name.as_str().into());
                media.push((name, bytes));
                continue;
            }
            let text = std::str::from_utf8(&bytes).map(str::trim);
            let fault = |reason: String| format!("its member `{ending}`: {reason}");
            if ending == "json" && mapped.is_none() {
                let text = text.map_err(|_| fault("it is not UTF-8".to_owned()))?;
                for (key, value) in ObjectText::Text(text).into_object().map_err(fault)? {
                    match self.mapped(&key) {
                        Some("") => {}
                        Some(key) => drop(object.insert(key.to_owned(), value)),
                        None => drop(object.insert(key, value)),
                    }
                }
                continue;
            }
            let value = match (text, ending.as_str()) {
                (Err(_), ending) if mapped.is_some() || ["txt", "cls"].contains(&ending) => {
                    return Err(fault("it is no text, or not in UTF-8".to_owned()));
                }
                (Err(_), _) => {
                    // Nobody is to be told less than that there is such a member.
                    Json::String(format!("{} bytes", bytes.len()))
                }
                (Ok(text), "json") => {
                    serde_json::from_str(text).map_err(|e| fault(e.to_string()))?
                }
                (Ok(text), "cls") if self.fields.cls_is_text => text.into(),
                (Ok(text), "cls") => text.parse::<i64>().map_or_else(|_| text.into(), Json::from),
                (Ok(text), _) => text.into(),
            };
            let key = mapped.unwrap_or(&ending).to_owned();
            // What the JSON says of the same name holds.
            object.entry(key).or_insert(value);
        }
        Ok(object)
    }

    fn mapped(&self, found: &str) -> Option<&str> {
        self.of.map.iter().find(|(from, _)| from == found).map(|(_, key)| key.as_str())
    }
}

/// A member's name: its sample's, and the ending, in small letters. Hidden files have none.
fn split(name: &str) -> Option<(&str, String)> {
    let base = name.rfind('/').map_or(0, |at| at + 1);
    let dot = name[base..].find('.')? + base;
    let is_hidden = dot == base || name.split('/').any(|part| part == "__MACOSX");
    (!is_hidden).then(|| (&name[..dot], name[dot + 1..].to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use adb_model::document::LoadedModel;
    use serde_json::json;

    use super::*;

    fn member(tar: &mut Vec<u8>, name: &str, data: &[u8]) {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(data.len() as u64);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(data);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }

    fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = Vec::new();
        for (name, data) in members {
            member(&mut tar, name, data);
        }
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    struct Read {
        rows: Vec<Result<Json, String>>,
        media: Vec<Vec<(String, Bytes)>>,
        end: Result<(), String>,
    }

    fn read(files: &[(&str, Vec<u8>)], set: impl FnOnce(TarObjects) -> TarObjects) -> Read {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (name, data) in files {
            paths.push(dir.path().join(name));
            std::fs::write(dir.path().join(name), data).unwrap();
        }
        let source = set(TarObjects::open(paths).unwrap());
        let model = source.observed(PlainModel::new(ObjectKind::Image));
        let model: LoadedModel = match model {
            Ok(model) => model.document().load().unwrap(),
            Err(_) => PlainModel::new(ObjectKind::Image).document().load().unwrap(),
        };
        let (mut rows, mut media) = (Vec::new(), Vec::new());
        let end = source.read(model.schema(), &mut |row, _| {
            rows.push(row.object.and_then(|o| Ok(o.unwrap().into_object()?.into())));
            media.push(row.media);
            ControlFlow::Continue(())
        });
        Read { rows, media, end: end.map_err(|e| e.to_string()) }
    }

    #[test]
    fn members_of_one_name_are_a_row() {
        let first = tar(&[
            ("data/000.jpg", b"picture 0"),
            ("data/000.json", br#"{"caption": "dal", "width": 5}"#),
            ("data/000.txt", b"some dal\n"),
            ("data/000.cls", b"3"),
            ("data/._000.jpg", b"not this"),
            ("data/001.seg.png", b"mask"),
            ("data/001.JPG", b"picture 1"),
        ]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&tar(&[("x.png", b"picture 2")])).unwrap();
        let files = [("a.tar", first), ("b.tar.gz", packed.finish().unwrap())];
        let read = read(&files, |source| source.map("seg.png", ""));
        read.end.unwrap();
        let rows: Vec<Json> = read.rows.into_iter().map(Result::unwrap).collect();
        assert_eq!(
            rows,
            [
                json!({"path": "a.tar/data/000", "cls": 3, "source": "a.tar/data/000.jpg",
                    "caption": "dal", "width": 5, "txt": "some dal"}),
                json!({"path": "a.tar/data/001", "source": "a.tar/data/001.jpg"}),
                json!({"path": "b.tar.gz/x", "source": "b.tar.gz/x.png"}),
            ]
        );
        let media: Vec<&[u8]> = read.media.iter().map(|media| &*media[0].1).collect();
        assert_eq!(media, [&b"picture 0"[..], b"picture 1", b"picture 2"]);
    }

    #[test]
    fn names_that_lead_out_are_names_and_no_more() {
        let files = [("a.tar", tar(&[("../../etc/passwd.jpg", b"p"), ("/abs.jpg", b"q")]))];
        let read = read(&files, |source| source);
        read.end.unwrap();
        assert_eq!(read.rows.len(), 2);
        // The bytes come with the row, so that the path is read nowhere.
        assert_eq!(read.media[0][0].0, "a.tar/../../etc/passwd.jpg");
        assert_eq!(read.rows[0].as_ref().unwrap()["source"], "a.tar/../../etc/passwd.jpg");
    }

    #[test]
    fn what_is_broken_costs_its_row_or_ends_the_reading() {
        let whole = tar(&[
            ("0.json", b"{broken"),
            ("1.json", b"[1]"),
            ("2.jpg", b"a"),
            ("2.jpg", b"b"),
            ("3.jpg", b"fine"),
        ]);
        let files = [("a.tar", whole.clone())];
        let all = read(&files, |source| source);
        all.end.unwrap();
        for (row, words) in all.rows.iter().zip(["`json`", "a row is an object", "two members"]) {
            assert!(row.as_ref().unwrap_err().contains(words), "{row:?}");
        }
        assert!(all.rows[3].is_ok());
        let cut = whole[..512 * 9 + 2].to_vec();
        let cut = read(&[("a.tar", cut)], |source| source);
        assert!(cut.end.unwrap_err().contains("a.tar"));
        assert_eq!(cut.rows.len(), 3, "those before it");
        let rubbish = read(&[("a.tar", b"no tar at all".repeat(100))], |source| source);
        assert!(rubbish.end.is_err());
    }

    #[test]
    fn texts_are_texts_or_faults() {
        let latin =
            tar(&[("0.jpg", b"p"), ("0.txt", b"caf\xe9"), ("1.jpg", b"q"), ("1.npy", b"\xff")]);
        let read = read(&[("a.tar", latin)], |source| source);
        read.end.unwrap();
        assert!(read.rows[0].as_ref().unwrap_err().contains("`txt`: it is no text"));
        assert_eq!(read.rows[1].as_ref().unwrap()["npy"], "1 bytes");
        let classes = [("0.jpg", &b"p"[..]), ("0.cls", b"3"), ("1.jpg", b"q"), ("1.cls", b"three")];
        let read = self::read(&[("a.tar", tar(&classes))], |source| source);
        let classes: Vec<Json> =
            read.rows.into_iter().map(|row| row.unwrap()["cls"].clone()).collect();
        assert_eq!(classes, ["3", "three"]);
    }

    #[test]
    fn a_sample_that_is_too_large_costs_its_row_and_no_memory() {
        // A bomb: little when packed.
        let bomb = tar(&[("0.jpg", &[0; 1 << 20]), ("0.png", b"x"), ("1.jpg", b"fine")]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&bomb).unwrap();
        let files = [("a.tar.gz", packed.finish().unwrap())];
        let read = read(&files, |source| source.max_sample_bytes(100_000));
        read.end.unwrap();
        assert!(read.rows[0].as_ref().unwrap_err().contains("more than 100000 bytes"));
        assert!(read.rows[1].is_ok());
        // A header that promises more than there is.
        let mut liar = tar(&[("0.jpg", b"x")]);
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..5].copy_from_slice(b"0.jpg");
        header.set_size(400 << 20);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        liar[..512].copy_from_slice(header.as_bytes());
        let end = self::read(&[("a.tar", liar)], |source| source).end.unwrap_err();
        assert!(end.contains("a.tar"), "{end}");
    }
}
