//! The same searches end to end: the Cookbook goes through the pipeline into an embedded database
//! and is searched there. With `--vectors`, every answer's order is compared with the order that
//! plain cosines of those vectors give.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{collections::HashMap, fs, path::PathBuf, sync::Arc};

use adb::{
    loaders::{Ingest, JsonSource},
    prelude::*,
    query::Hit,
};
use adb_bench::{
    Dish, DishPhotos, Figures, SEARCHES, cores, embedder, found_at, photo, read_dishes,
};
use anyhow::{Context as _, ensure};
use clap::Parser;
use serde::Deserialize;

/// Ingests a Cookbook into an embedded database and searches it by text.
#[derive(Parser)]
struct Cli {
    /// A directory with dishes.json beside images/.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The bundle's directory [default: starter-512 in the cache].
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Vectors of the same data, as the program `vectors` and evaluate.py --dump write them.
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
}

/// The part of the file that is needed here.
#[derive(Deserialize)]
struct Vectors {
    photo: Vec<String>,
    photo_vectors: Vec<Vec<f64>>,
    name_vectors: Vec<Vec<f64>>,
    caption_vectors: Vec<Vec<f64>>,
    query: Vec<String>,
    query_vectors: Vec<Vec<f64>>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let embedder = Arc::new(embedder(cli.bundle.as_deref(), cores())?);
    let dishes = read_dishes(&cli.data)?;
    let directory = tempfile::tempdir()?;
    let address = directory.path().join("cookbook.adb");
    let db = adb::connect(address.to_str().context("the temporary directory has an odd name")?)?;

    let source = JsonSource::<Dish>::open(cli.data.join("dishes.json"))?;
    let report = Ingest::new(db.clone()).embedder(embedder.clone()).run(source).await?;
    println!("{report}");
    ensure!(report.added == dishes.len() as u64, "not every dish went in");

    let mut orders: HashMap<String, Vec<String>> = HashMap::new();
    let (mut by_name, mut by_caption) = (Figures::default(), Figures::default());
    for dish in &dishes {
        let own = photo(dish)?.to_string_lossy();
        let hits = search(&*db, &*embedder, &dish.name, dishes.len()).await?;
        by_name.add(found_at(&hits, |hit| hit.name == dish.name));
        orders.insert(dish.name.clone(), order(hits));
        let hits = search(&*db, &*embedder, &dish.caption, dishes.len()).await?;
        by_caption.add(found_at(&hits, |hit| hit.photo == own));
        orders.insert(dish.caption.clone(), order(hits));
    }
    println!("\nthrough the database, {} photos", dishes.len());
    println!("  names     {by_name}\n  captions  {by_caption}");
    for (text, accepted) in SEARCHES {
        let hits = search(&*db, &*embedder, text, dishes.len()).await?;
        let first = found_at(&hits, |hit| accepted.contains(&hit.name.as_str()));
        let rank = first.map_or("none".to_owned(), |rank| rank.to_string());
        println!("  {text}: the first accepted dish has rank {rank}");
        for (rank, hit) in (1..).zip(&hits).take(5) {
            println!("  {rank:>4}  {:.3}  {}  ({})", hit.similarity, hit.name, hit.photo);
        }
        orders.insert(text.to_owned(), order(hits));
    }
    match cli.vectors {
        Some(path) => compare(&path, &dishes, &orders),
        None => Ok(()),
    }
}

struct Found {
    name: String,
    photo: String,
    similarity: f64,
}

async fn search(
    db: &dyn Database,
    embedder: &dyn Embedder,
    text: &str,
    k: usize,
) -> anyhow::Result<Vec<Found>> {
    let hits = Dish::find().nearest::<DishPhotos>(text, k).fetch(db, embedder).await?;
    ensure!(hits.len() == k, "{} hits for {text:?}, wanted {k}", hits.len());
    let found = |Hit { value: dish, distance, .. }: Hit<Dish>| Found {
        name: dish.name,
        photo: dish.photo.source().origin().unwrap_or_default(),
        similarity: distance,
    };
    Ok(hits.into_iter().map(found).collect())
}

fn order(hits: Vec<Found>) -> Vec<String> {
    hits.into_iter().map(|hit| hit.photo).collect()
}

/// Says how many searches gave the order that the vectors give.
fn compare(
    path: &std::path::Path,
    dishes: &[Dish],
    orders: &HashMap<String, Vec<String>>,
) -> anyhow::Result<()> {
    let text = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    let vectors: Vectors = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not as expected", path.display()))?;
    let places: HashMap<&str, usize> = vectors.photo.iter().map(String::as_str).zip(0..).collect();
    let mut texts: Vec<(&str, &[f64])> = Vec::new();
    for dish in dishes {
        let own = photo(dish)?.to_string_lossy();
        let place = *places.get(&*own).with_context(|| format!("{own} has no vectors"))?;
        texts.push((&dish.name, &vectors.name_vectors[place]));
        texts.push((&dish.caption, &vectors.caption_vectors[place]));
    }
    texts.extend(
        vectors
            .query
            .iter()
            .map(String::as_str)
            .zip(vectors.query_vectors.iter().map(Vec::as_slice)),
    );
    let (mut same, mut first_differing) = (0, None);
    for (text, vector) in &texts {
        let mut expected: Vec<(f64, &str)> = (vectors.photo.iter())
            .zip(&vectors.photo_vectors)
            .map(|(photo, other)| (cosine(vector, other), photo.as_str()))
            .collect();
        expected.sort_by(|one, other| other.0.total_cmp(&one.0));
        let expected: Vec<&str> = expected.into_iter().map(|(_, photo)| photo).collect();
        let got = orders.get(*text).with_context(|| format!("{text:?} was not searched for"))?;
        if *got == expected {
            same += 1;
        } else if let Some(rank) = (0..got.len()).find(|at| got[*at] != expected[*at]) {
            first_differing.get_or_insert((*text, rank + 1));
        }
    }
    println!("\n{same} of {} searches order all photos as {} does", texts.len(), path.display());
    if let Some((text, rank)) = first_differing {
        println!("  the first that does not: {text:?}, from rank {rank} on");
    }
    Ok(())
}

fn cosine(one: &[f64], other: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}
