//! `adb ingest generate-embedding-csv-from-image-csv`: vectors as files, to be ingested later.

use std::path::{Path, PathBuf};

use adb::loaders::{
    IngestType, SdkCsv,
    sdk::{Embedded, EmbeddingFiles},
};

use super::transformers::{Asked, Name};
use crate::exit::{Exit, usage};

/// Make vectors of the images that a table names, and write them to files instead of a database.
///
/// The working directory gets the vectors (`.npy`), and tables of their set, of the descriptors, and
/// of the connections to the images. These go in with `from-csv`, once the images are there; and
/// they must have gone in with `--transformer image_properties`.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb ingest generate-embedding-csv-from-image-csv dishes.adb.csv looks \\
      --transformer clip_pytorch_embeddings")]
pub(crate) struct EmbeddingCsv {
    /// The table: a file of the Python SDK's whose rows are images.
    input_file: PathBuf,
    /// The descriptor set that the vectors are to go into.
    set_name: String,
    /// Which embedder: clip_pytorch_embeddings or facenet_pytorch_embeddings, with another than the
    /// SDK's own behind it: `clip_pytorch_embeddings=starter-512`.
    #[arg(long, value_name = "NAME[=EMBEDDER]")]
    transformer: Vec<Asked>,
    /// Not supported: embed by an adb embedder.
    #[arg(long, value_name = "PATH", hide = true)]
    user_transformer: Vec<String>,
    /// So many rows; -1 means all.
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true,
        value_parser = clap::value_parser!(i64).range(-1..))]
    sample_count: i64,
    /// Write over files that are there.
    #[arg(long)]
    replace: bool,
}

impl EmbeddingCsv {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        if let Some(path) = self.user_transformer.first() {
            usage!(
                "--user-transformer {path}: transformers in Python are not run; make an ONNX bundle of the model (`adb embedders init`) and name it: `--transformer clip_pytorch_embeddings=DIRECTORY`"
            );
        }
        let embeds = |asked: &&Asked| matches!(asked.name, Name::Clip | Name::Facenet);
        let Some(asked) = self.transformer.iter().rfind(embeds) else {
            usage!(
                "vectors need an embedder: --transformer clip_pytorch_embeddings or facenet_pytorch_embeddings"
            );
        };
        let mut source = SdkCsv::open_as(&self.input_file, IngestType::Image)?;
        if let Ok(rows) = u64::try_from(self.sample_count) {
            source = source.most_rows(rows);
        }
        let (chooser, bundle) = asked.bundle().await?;
        let embedder = chooser.embedder(bundle);
        let input = self.input_file.file_name().unwrap_or_default().to_string_lossy();
        let files = EmbeddingFiles {
            folder: Path::new(".").to_owned(),
            stem: format!("{input}_{}", asked.name),
            set: self.set_name.clone(),
            faces: asked.name == Name::Facenet,
        };
        if let Some(there) = files.there().first().filter(|_| !self.replace) {
            usage!(
                "{}: it is there already, perhaps of another set or table; --replace writes over it and the files that belong to it, or go to another directory",
                there.display()
            );
        }
        let made = tokio::task::spawn_blocking(move || files.make(source, &embedder)).await??;
        Ok(tell(&made, &self.input_file))
    }
}

fn tell(made: &Embedded, input: &Path) -> Exit {
    for failure in made.failures.iter().take(20) {
        eprintln!("failed: {failure}");
    }
    println!("vectors made: {}, images failed: {}", made.vectors, made.failures.len());
    let tables: Vec<String> =
        made.files.iter().take(3).map(|file| file.display().to_string()).collect();
    println!(
        "to bring them in, here into my.adb:\n  adb ingest from-csv {} --transformer image_properties --db my.adb\n  adb ingest from-csv {} --db my.adb",
        input.display(),
        tables.join(" ")
    );
    match made.failures.is_empty() {
        true => Exit::Well,
        false => Exit::RowsFailed,
    }
}
