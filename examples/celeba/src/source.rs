//! The data set's tables, as Kaggle has them, read side by side: one face a line.

use std::{
    collections::HashMap,
    fs::{self, File},
    ops::ControlFlow,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use adb::{
    DataModel as _, Embedding, Image, ModelSchema,
    loaders::{Error, ErrorKind, MediaRoot, RowPlace, Source, SourceRow},
};
use anyhow::Context as _;
use csv::{Reader, StringRecord};

use crate::{
    attributes::Attributes,
    face::{Face, Landmarks, Partition, WildBox},
    vectors::Vectors,
};

/// The four tables and, where they are there, who is on the pictures and vectors made elsewhere.
pub(crate) struct CelebA {
    attributes: Table,
    boxes: Table,
    landmarks: Table,
    partitions: Table,
    identities: HashMap<String, u32>,
    people: Option<Vectors>,
    looks: Option<Vectors>,
    pictures: PathBuf,
}

impl CelebA {
    /// Opens what lies in `directory`.
    pub(crate) fn open(directory: &Path) -> anyhow::Result<Self> {
        let vectors = directory.join("vectors");
        Ok(Self {
            attributes: Table::open(directory, "list_attr_celeba.csv", &Attributes::NAMES)?,
            boxes: Table::open(directory, "list_bbox_celeba.csv", &BOX)?,
            landmarks: Table::open(directory, "list_landmarks_align_celeba.csv", &POINTS)?,
            partitions: Table::open(directory, "list_eval_partition.csv", &["partition"])?,
            identities: identities(&directory.join("identity_CelebA.txt"))?,
            people: Vectors::open(&vectors.join("facenet.npy"))?,
            looks: Vectors::open(&vectors.join("clip.npy"))?,
            pictures: pictures(directory),
        })
    }

    /// Whether the rows bring their vectors of people.
    pub(crate) fn has_people(&self) -> bool {
        self.people.is_some()
    }

    /// Whether the rows bring their vectors of looks.
    pub(crate) fn has_looks(&self) -> bool {
        self.looks.is_some()
    }

    fn face(&mut self, record: &StringRecord) -> Result<Face, String> {
        let image_id = self.attributes.id(record)?.to_owned();
        let attributes = attributes(&self.attributes, record)?;
        let [x, y, width, height] = self.boxes.beside(&image_id)?;
        let [
            lefteye_x,
            lefteye_y,
            righteye_x,
            righteye_y,
            nose_x,
            nose_y,
            leftmouth_x,
            leftmouth_y,
            rightmouth_x,
            rightmouth_y,
        ] = self.landmarks.beside(&image_id)?;
        let [partition] = self.partitions.beside::<u8, 1>(&image_id)?;
        let partition = match partition {
            0 => Partition::Train,
            1 => Partition::Valid,
            2 => Partition::Test,
            other => return Err(format!("partition: {other} is none of 0, 1, 2")),
        };
        let vector = |vectors: &mut Option<Vectors>| match vectors {
            Some(vectors) => vectors.next(),
            None => Ok(Embedding::default()),
        };
        Ok(Face {
            attributes,
            landmarks: Landmarks {
                lefteye_x,
                lefteye_y,
                righteye_x,
                righteye_y,
                nose_x,
                nose_y,
                leftmouth_x,
                leftmouth_y,
                rightmouth_x,
                rightmouth_y,
            },
            wild: WildBox { x, y, width, height },
            partition,
            identity: self.identities.get(&image_id).copied(),
            person: vector(&mut self.people)?,
            look: vector(&mut self.looks)?,
            photo: Image::path(&image_id),
            image_id,
        })
    }
}

impl Source for CelebA {
    type Row = Face;

    fn schema(&self) -> &'static ModelSchema {
        Face::SCHEMA
    }

    fn media_root(&self) -> MediaRoot {
        MediaRoot::new(&self.pictures)
    }

    fn size(&self) -> Option<u64> {
        Some(self.attributes.size)
    }

    fn read(
        mut self,
        each: &mut dyn FnMut(SourceRow<Face>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let file: Arc<str> = self.attributes.path.display().to_string().into();
        let mut record = StringRecord::new();
        let mut row = 0;
        loop {
            match self.attributes.reader.read_record(&mut record) {
                Ok(true) => row += 1,
                Ok(false) => return Ok(()),
                Err(e) => {
                    let path = self.attributes.path;
                    return Err(ErrorKind::Source { path, source: e.into() }.into());
                }
            }
            let at = RowPlace {
                file: file.clone(),
                row,
                line: record.position().map(csv::Position::line),
            };
            let face = SourceRow::of(at, self.face(&record));
            let read = self.attributes.reader.position().byte();
            if each(face, read).is_break() {
                return Ok(());
            }
        }
    }
}

pub(crate) const BOX: [&str; 4] = ["x_1", "y_1", "width", "height"];
pub(crate) const POINTS: [&str; 10] = [
    "lefteye_x",
    "lefteye_y",
    "righteye_x",
    "righteye_y",
    "nose_x",
    "nose_y",
    "leftmouth_x",
    "leftmouth_y",
    "rightmouth_x",
    "rightmouth_y",
];

/// One of the tables: `image_id`, and columns of numbers.
struct Table {
    path: PathBuf,
    size: u64,
    reader: Reader<File>,
    /// Where `image_id` and the columns that are read stand.
    id: usize,
    columns: Vec<usize>,
    record: StringRecord,
}

impl Table {
    fn open(directory: &Path, name: &str, columns: &[&str]) -> anyhow::Result<Self> {
        let path = directory.join(name);
        let open = || -> anyhow::Result<(u64, Reader<File>)> {
            let file = File::open(&path)?;
            Ok((file.metadata()?.len(), Reader::from_reader(file)))
        };
        let (size, mut reader) = open().with_context(|| {
            format!(
                "{}: the directory must have the tables of CelebA as Kaggle has them; \
                 `celeba make-sample` writes such",
                path.display()
            )
        })?;
        let header = reader.headers().with_context(|| path.display().to_string())?;
        let at = |name: &str| {
            header
                .iter()
                .position(|column| column == name)
                .with_context(|| format!("{}: there is no column `{name}`", path.display()))
        };
        let id = at("image_id")?;
        let columns = columns.iter().map(|name| at(name)).collect::<Result<_, _>>()?;
        Ok(Self { path, size, reader, id, columns, record: StringRecord::new() })
    }

    fn id<'a>(&self, record: &'a StringRecord) -> Result<&'a str, String> {
        match record.get(self.id) {
            Some(id) if !id.is_empty() => Ok(id),
            _ => Err("image_id: there is none".to_owned()),
        }
    }

    /// The numbers of the next line, which must be about `image_id`.
    ///
    /// All tables have the same order; where one lacks a line, all that follow would be given to
    /// the wrong face.
    fn beside<T: FromStr, const N: usize>(&mut self, image_id: &str) -> Result<[T; N], String> {
        let name = self.path.display();
        match self.reader.read_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return Err(format!("{name} ends before {image_id}")),
            Err(e) => return Err(format!("{name}: {e}")),
        }
        let id = self.record.get(self.id).unwrap_or_default();
        if id != image_id {
            return Err(format!("{name} has {id} where list_attr_celeba.csv has {image_id}"));
        }
        let numbers: Vec<T> = self
            .columns
            .iter()
            .map(|&column| {
                let cell = self.record.get(column).unwrap_or_default().trim();
                cell.parse().map_err(|_| format!("{name}, {image_id}: `{cell}` is no number"))
            })
            .collect::<Result<_, _>>()?;
        numbers.try_into().map_err(|_| format!("{name}, {image_id}: numbers are missing"))
    }
}

/// 1 is yes and -1 is no.
fn attributes(table: &Table, record: &StringRecord) -> Result<Attributes, String> {
    let mut values = [false; 40];
    for (value, (&column, name)) in
        values.iter_mut().zip(table.columns.iter().zip(Attributes::NAMES))
    {
        *value = match record.get(column).unwrap_or_default().trim() {
            "1" => true,
            "-1" | "0" => false,
            other => return Err(format!("{name}: `{other}` is neither 1 nor -1")),
        };
    }
    Ok(Attributes::from_values(values))
}

/// `000001.jpg 2880` a line; the file is given out apart, and need not be there.
fn identities(path: &Path) -> anyhow::Result<HashMap<String, u32>> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(HashMap::new()) };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            let (image_id, identity) = line.trim().split_once(' ').unwrap_or((line, ""));
            let identity = identity.trim().parse().with_context(|| {
                format!("{}, line {}: `{line}` is not a file and a number", path.display(), at + 1)
            })?;
            Ok((image_id.to_owned(), identity))
        })
        .collect()
}

/// Kaggle's archive has one folder within another of the same name.
fn pictures(directory: &Path) -> PathBuf {
    let outer = directory.join("img_align_celeba");
    let inner = outer.join("img_align_celeba");
    if inner.is_dir() { inner } else { outer }
}
