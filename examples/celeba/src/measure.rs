//! `measure`: filtered searches against an exact scan of the same vectors.

use std::{collections::HashSet, path::PathBuf, time::Instant};

use adb::{Constraint, DataModel as _, Database};
use anyhow::Context as _;
use comfy_table::{Table, presets};
use serde_json::json;

use crate::{
    attributes::Attributes,
    face::{Face, People},
    source::CelebA,
};
use adb::loaders::Source as _;

/// Time filtered searches, and count what an exact scan finds and they don't.
#[derive(clap::Args)]
#[command(after_help = "Example:
  celeba measure --data celeba-sample --db celeba.adb")]
pub(crate) struct Measure {
    /// The directory that the database was filled from, with vectors/facenet.npy.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The database: a directory, or a server's address.
    #[arg(long, default_value = "celeba.adb")]
    db: String,
    /// Searches for each filter.
    #[arg(long, default_value_t = 100)]
    searches: usize,
    /// Neighbours that each asks for.
    #[arg(short, default_value_t = 10)]
    k: usize,
    /// Tells each figure as a line of JSON.
    #[arg(long)]
    json: bool,
}

/// From all faces to one in two hundred or so.
const FILTERS: [&str; 4] = [
    "",
    "Young && Smiling",
    "Black_Hair && !Eyeglasses && Male && !No_Beard",
    "Gray_Hair && Eyeglasses && Smiling",
];

/// What the scan needs of a face.
struct Known {
    image_id: String,
    attributes: Attributes,
    vector: Vec<f32>,
}

impl Measure {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        anyhow::ensure!(self.searches > 0, "--searches wants 1 or more");
        let faces = self.known()?;
        let db = adb::connect(&self.db)?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["filter", "passes", "first, ms", "p50, ms", "p99, ms", "recall"]);
        for filter in FILTERS {
            let constraint: Constraint =
                if filter.is_empty() { Constraint::All(Vec::new()) } else { filter.parse()? };
            let passes = |face: &Known| passes(filter, &face.attributes);
            let share =
                faces.iter().filter(|face| passes(face)).count() as f64 / faces.len() as f64;
            let (mut times, mut hits, mut found, mut wanted) = (Vec::new(), Vec::new(), 0, 0);
            let step = (faces.len() / self.searches.max(1)).max(1);
            let asked = || faces.iter().step_by(step).take(self.searches);
            for face in asked() {
                let started = Instant::now();
                hits.push(search(&*db, &constraint, &face.vector, self.k).await?);
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
            // Afterwards: a scan leaves nothing of the database in the processor's caches.
            for (face, hits) in asked().zip(&hits) {
                let exact = scan(&faces, passes, &face.vector, self.k);
                wanted += exact.len();
                found += hits.iter().filter(|id| exact.contains(id.as_str())).count();
            }
            let first = times[0];
            times.sort_by(f64::total_cmp);
            let recall = (wanted > 0).then(|| found as f64 / wanted as f64);
            if self.json {
                let case = match filter {
                    "" => "search, no filter".to_owned(),
                    _ => format!("search, {:.2} % pass", share * 100.0),
                };
                let print = |unit: &str, value: f64| {
                    println!(
                        "{}",
                        json!({"case": case, "unit": unit, "value": value, "recall": recall})
                    );
                };
                print("ms, the first", first);
                print("ms p50", at(&times, 0.5));
                print("ms p99", at(&times, 0.99));
                continue;
            }
            table.add_row([
                if filter.is_empty() { "(none)" } else { filter }.to_owned(),
                format!("{:.2} %", share * 100.0),
                format!("{first:.2}"),
                format!("{:.2}", at(&times, 0.5)),
                format!("{:.2}", at(&times, 0.99)),
                recall.map_or("–".to_owned(), |recall| format!("{recall:.4}")),
            ]);
        }
        if !self.json {
            println!("{table}");
        }
        Ok(())
    }

    fn known(&self) -> anyhow::Result<Vec<Known>> {
        let source = CelebA::open(&self.data)?;
        anyhow::ensure!(
            source.has_people(),
            "{}: there is no vectors/facenet.npy",
            self.data.display()
        );
        let (mut faces, mut fault) = (Vec::new(), None);
        source.read(&mut |row, _| {
            match row.value {
                Ok(Some(face)) => faces.push(Known {
                    vector: face.person.as_slice().unwrap_or_default().to_vec(),
                    image_id: face.image_id,
                    attributes: face.attributes,
                }),
                // Nobody left it out.
                Ok(None) => {}
                Err(reason) => fault = Some(format!("{}: {reason}", row.at)),
            }
            std::ops::ControlFlow::Continue(())
        })?;
        match fault {
            Some(fault) => anyhow::bail!(fault),
            None => (!faces.is_empty()).then_some(faces).context("there are no faces"),
        }
    }
}

/// Of sorted times, the one below which this share lies.
fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)]
}

async fn search(
    db: &dyn Database,
    filter: &Constraint,
    vector: &[f32],
    k: usize,
) -> anyhow::Result<Vec<String>> {
    let faces = Face::find().filter(|_| filter.clone().into());
    let hits = faces.nearest::<People>(Vec::new(), k).fetch_by(db, vector).await?;
    Ok(hits.into_iter().map(|hit| hit.value.image_id).collect())
}

/// The nearest among those that pass, by looking at all.
fn scan<'a>(
    faces: &'a [Known],
    passes: impl Fn(&Known) -> bool,
    vector: &[f32],
    k: usize,
) -> HashSet<&'a str> {
    let mut near: Vec<(f32, &str)> = faces
        .iter()
        .filter(|face| passes(face))
        .map(|face| (cosine(&face.vector, vector), face.image_id.as_str()))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(k).map(|(_, id)| id).collect()
}

/// Of vectors of length 1; eight sums side by side, as processors add.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// The filters above as Rust has them, apart from what the database makes of their text.
fn passes(filter: &str, of: &Attributes) -> bool {
    match FILTERS.iter().position(|known| *known == filter) {
        Some(1) => of.young && of.smiling,
        Some(2) => of.black_hair && !of.eyeglasses && of.male && !of.no_beard,
        Some(3) => of.gray_hair && of.eyeglasses && of.smiling,
        _ => true,
    }
}
