//! `make-sample`: a data set in CelebA's layout, with faces that we draw, people that there are
//! several pictures of, and vectors that lie near each other where the person is the same.

mod person;
mod picture;

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use fastrand::Rng;
use npyz::WriterBuilder as _;

use crate::attributes::Attributes;
use person::Person;

/// Write a made-up data set in CelebA's layout: drawn faces, attributes as frequent as CelebA's.
#[derive(clap::Args)]
#[command(after_help = "Example:
  celeba make-sample --rows 1000 celeba-sample")]
pub(crate) struct MakeSample {
    /// A new directory.
    directory: PathBuf,
    /// How many faces.
    #[arg(long, default_value_t = 1000)]
    rows: u32,
    /// Pictures of one person, on average; CelebA has 20.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    each: u32,
    /// Width of the pictures in pixels; CelebA's are 178 wide and 218 high.
    #[arg(long, default_value_t = 178, value_parser = clap::value_parser!(u32).range(16..=1780))]
    width: u32,
    /// The same number gives the same data set.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl MakeSample {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        if self.directory.exists() {
            anyhow::bail!("{} is there already; name a new directory", self.directory.display());
        }
        // Made under another name, so that what bears the name is whole.
        let partly = self.directory.with_extension("part");
        let write = || -> anyhow::Result<()> {
            if partly.exists() {
                fs::remove_dir_all(&partly)?;
            }
            self.write(&partly)?;
            Ok(fs::rename(&partly, &self.directory)?)
        };
        write().with_context(|| self.directory.display().to_string())?;
        println!("{} faces written to {}", self.rows, self.directory.display());
        Ok(())
    }

    fn write(&self, directory: &Path) -> anyhow::Result<()> {
        let pictures = directory.join("img_align_celeba");
        fs::create_dir_all(&pictures)?;
        fs::create_dir(directory.join("vectors"))?;
        let mut tables = Tables::create(directory)?;
        let mut people = npy(&directory.join("vectors/facenet.npy"), self.rows)?;
        let mut looks = npy(&directory.join("vectors/clip.npy"), self.rows)?;
        for row in 0..self.rows {
            let mut rng = Rng::with_seed(mixed(self.seed, row.into()));
            // CelebA's order has no order of people.
            let identity = rng.u32(0..(self.rows / self.each).max(1)) + 1;
            let person = Person::new(mixed(self.seed, 1 << 40 | u64::from(identity)));
            let face = person.photographed(&mut rng);
            let image_id = format!("{:06}.jpg", row + 1);
            tables.write(&image_id, identity, &face, self.rows, row, &mut rng)?;
            let picture = picture::draw(&face, self.width, &mut rng);
            fs::write(pictures.join(&image_id), picture?)?;
            people.extend(person.vector(&mut rng))?;
            looks.extend(face.vector(&mut rng))?;
        }
        people.finish()?;
        looks.finish()?;
        tables.finish()
    }
}

/// A number for each pair, far from those of its neighbours.
fn mixed(seed: u64, of: u64) -> u64 {
    Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ of).u64(..)
}

type Npy = npyz::NpyWriter<f32, BufWriter<File>>;

fn npy(path: &Path, rows: u32) -> anyhow::Result<Npy> {
    let options = npyz::WriteOptions::new().default_dtype().shape(&[rows.into(), 512]);
    Ok(options.writer(BufWriter::with_capacity(1 << 20, File::create(path)?)).begin_nd()?)
}

/// A face as the tables have it.
pub(crate) struct Drawn {
    attributes: Attributes,
    /// Eyes, nose, corners of the mouth, in shares of width and height.
    points: [(f64, f64); 5],
    /// Seed of what a person keeps: skin, shape.
    looks: u64,
}

struct Tables {
    attributes: csv::Writer<File>,
    boxes: csv::Writer<File>,
    landmarks: csv::Writer<File>,
    partitions: csv::Writer<File>,
    identities: BufWriter<File>,
}

impl Tables {
    fn create(directory: &Path) -> anyhow::Result<Self> {
        let table = |name: &str, columns: &[&str]| -> anyhow::Result<csv::Writer<File>> {
            let mut table = csv::Writer::from_path(directory.join(name))?;
            table.write_record(std::iter::once("image_id").chain(columns.iter().copied()))?;
            Ok(table)
        };
        Ok(Self {
            attributes: table("list_attr_celeba.csv", &Attributes::NAMES)?,
            boxes: table("list_bbox_celeba.csv", &crate::source::BOX)?,
            landmarks: table("list_landmarks_align_celeba.csv", &crate::source::POINTS)?,
            partitions: table("list_eval_partition.csv", &["partition"])?,
            identities: BufWriter::new(File::create(directory.join("identity_CelebA.txt"))?),
        })
    }

    fn write(
        &mut self,
        image_id: &str,
        identity: u32,
        face: &Drawn,
        rows: u32,
        row: u32,
        rng: &mut Rng,
    ) -> anyhow::Result<()> {
        let id = std::iter::once(image_id.to_owned());
        let signs = face.attributes.values().map(|yes| if yes { "1" } else { "-1" }.to_owned());
        self.attributes.write_record(id.clone().chain(signs))?;
        let wide = rng.i32(60..400);
        let wild = [rng.i32(0..300), rng.i32(0..300), wide, wide * 11 / 8];
        self.boxes.write_record(id.clone().chain(wild.map(|n| n.to_string())))?;
        // Of CelebA's upright pictures, whatever size is drawn.
        let points = face.points.iter().flat_map(|(x, y)| [x * 178.0, y * 218.0]);
        self.landmarks.write_record(id.clone().chain(points.map(|n| format!("{n:.0}"))))?;
        // 80 % to train with, then 10 % to choose by, then 10 % to test with.
        let partition = u8::from(row >= rows / 10 * 8) + u8::from(row >= rows / 10 * 9);
        self.partitions.write_record(id.chain([partition.to_string()]))?;
        writeln!(self.identities, "{image_id} {identity}")?;
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<()> {
        for mut table in [self.attributes, self.boxes, self.landmarks, self.partitions] {
            table.flush()?;
        }
        Ok(self.identities.flush()?)
    }
}
