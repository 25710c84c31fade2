//! Files of rows: the same dishes as JSON Lines, as CSV, and as the Python SDK's CSV.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::PathBuf,
};

use adb_bench::{Dish, photo, read_dishes};
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

/// Writes `photos` (dishes with a file each) and `dishes` (without) as `.jsonl`, `.csv` and
/// `.sdk.csv`, beside the files.
#[derive(Args)]
pub(crate) struct Rows {
    /// A directory with dishes.json beside images/.
    #[arg(long, value_name = "DIR")]
    cookbook: PathBuf,
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[arg(long)]
    rows: u64,
}

/// A dish without what hangs on it: a row of a table.
#[derive(Serialize)]
struct Row<'a> {
    dish_id: u64,
    name: &'a str,
    cuisine: &'a str,
    caption: &'a str,
    contributor: &'a str,
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

impl Rows {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let dishes = read_dishes(&self.cookbook)?;
        fs::create_dir_all(self.data.join("images"))?;
        for dish in &dishes {
            let path = photo(dish)?;
            let from = self.cookbook.join(path);
            fs::copy(&from, self.data.join(path))
                .with_context(|| format!("{} can't be copied", from.display()))?;
        }
        for pictures in [true, false] {
            self.write(&dishes, pictures)?;
        }
        Ok(())
    }

    fn write(&self, dishes: &[Dish], pictures: bool) -> anyhow::Result<()> {
        let name = if pictures { "photos" } else { "dishes" };
        let create = |ending: &str| -> anyhow::Result<BufWriter<File>> {
            Ok(BufWriter::new(File::create(self.data.join(format!("{name}.{ending}")))?))
        };
        let (mut lines, mut csv, mut sdk) = (create("jsonl")?, create("csv")?, create("sdk.csv")?);
        let columns = "dish_id,name,cuisine,caption,contributor,location";
        writeln!(csv, "{columns}{}", if pictures { ",url" } else { "" })?;
        let first = if pictures { "filename" } else { "EntityClass" };
        writeln!(sdk, "{first},{columns},constraint_dish_id")?;
        for (dish_id, dish) in (0..self.rows).zip(dishes.iter().cycle()) {
            let path = photo(dish)?.to_str().context("a picture has an odd name")?;
            let text = |text: &'static str, of: &Option<String>| of.clone().unwrap_or(text.into());
            let (cuisine, contributor, location) = (
                text("none", &dish.cuisine),
                text("nobody", &dish.contributor),
                text("nowhere", &dish.location),
            );
            let row = Row {
                dish_id,
                name: &dish.name,
                cuisine: &cuisine,
                caption: &dish.caption,
                contributor: &contributor,
                location: &location,
                url: pictures.then_some(path),
            };
            serde_json::to_writer(&mut lines, &row)?;
            lines.write_all(b"\n")?;
            let texts = [row.name, row.cuisine, row.caption, row.contributor, row.location];
            let cells = texts.map(|text| format!("\"{}\"", text.replace('"', "\"\"")));
            let cells = format!("{dish_id},{}", cells.join(","));
            match row.url {
                Some(url) => writeln!(csv, "{cells},{url}")?,
                None => writeln!(csv, "{cells}")?,
            }
            writeln!(sdk, "{},{cells},{dish_id}", row.url.unwrap_or("Recipe"))?;
        }
        for mut file in [lines, csv, sdk] {
            file.flush()?;
        }
        Ok(())
    }
}
