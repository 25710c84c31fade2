//! `adb transact`: a request as it is, in either dialect.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use adb::{Request, Response};
use anyhow::Context as _;
use serde_json::Value as Json;

use crate::{
    database::Db,
    exit::{Exit, Usage, usage},
    out,
    unmade::writes,
};

/// Send a request in the query language as it is, in either dialect.
#[derive(clap::Subcommand)]
#[command(after_help = "Example:
  echo '[{\"GetStatus\": {}}]' | adb transact from-json-file - --db my.adb")]
pub(crate) enum Transact {
    FromJsonFile(FromJsonFile),
}

/// Send the commands of a JSON file as one transaction, and print the answer.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  echo '[{\"FindImage\": {\"results\": {\"list\": [\"name\"], \"limit\": 3}}}]' > query.json
  adb transact from-json-file query.json --db my.adb
  echo '[{\"GetStatus\": {}}]' | adb transact from-json-file - --db my.adb")]
pub(crate) struct FromJsonFile {
    /// The file: an array of commands; `-` is standard input.
    filepath: PathBuf,
    #[command(flatten)]
    db: Db,
    /// What becomes of the answer.
    #[arg(long, value_enum, default_value = "stdout")]
    output_type: OutputType,
    /// Where `raw_json` writes the answer.
    #[arg(long, value_name = "PATH")]
    output_path: Option<PathBuf>,
    /// A blob that goes with the commands, in their order; may be given more than once.
    #[arg(long = "blob", value_name = "FILE")]
    blobs: Vec<PathBuf>,
    /// Write the answer's blobs into this directory, as 0.bin, 1.bin and so on.
    #[arg(long, value_name = "DIR")]
    blobs_to: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum OutputType {
    /// Print it.
    Stdout,
    /// Write it to a file.
    RawJson,
    /// A file system of it: the Python SDK alone does that.
    MountCoco,
}

impl Transact {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Transact::FromJsonFile(command) => command.run().await,
        }
    }
}

impl FromJsonFile {
    async fn run(self) -> anyhow::Result<Exit> {
        if self.output_type == OutputType::MountCoco {
            usage!(
                "--output-type mount_coco mounts a file system, which adb does not; `adb export` \
                 writes pictures and rows into a directory"
            );
        }
        if self.output_type == OutputType::RawJson && self.output_path.is_none() {
            usage!("--output-type raw_json needs --output-path");
        }
        let commands = read(&self.filepath)?;
        let is_json = serde_json::from_slice::<Json>(&commands);
        let writes = match &is_json {
            Ok(Json::Array(commands)) => commands.iter().any(writes),
            Ok(_) => return Err(no_request(&self.filepath, "an array of commands is wanted")),
            Err(e) => return Err(no_request(&self.filepath, &e.to_string())),
        };
        let mut blobs = Vec::new();
        for path in &self.blobs {
            blobs.push(read(path)?.into());
        }
        let db = if writes { self.db.open()? } else { self.db.read()? };
        let (answer, blobs, exit) = match db.execute(Request::new(commands, blobs)).await? {
            Response::Refused(refusal) => {
                out::error(&anyhow::anyhow!("the database refused the request: {refusal}"));
                return Ok(Exit::Failed);
            }
            done => {
                let (answers, blobs) = done.done().map_err(|e| anyhow::anyhow!("{e}"))?;
                (Json::Array(answers), blobs, Exit::Well)
            }
        };
        match &self.output_path {
            Some(path) if self.output_type == OutputType::RawJson => {
                fs::write(path, answer.to_string()).with_context(|| path.display().to_string())?;
            }
            _ => println!("{answer:#}"),
        }
        if let Some(directory) = &self.blobs_to {
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
            for (i, blob) in blobs.iter().enumerate() {
                let path = directory.join(format!("{i}.bin"));
                fs::write(&path, blob).with_context(|| path.display().to_string())?;
            }
        } else if !blobs.is_empty() {
            out::notice(format_args!(
                "{} blobs came as well; --blobs-to DIR writes them",
                blobs.len()
            ));
        }
        Ok(exit)
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut all = Vec::new();
        io::stdin().lock().read_to_end(&mut all).context("standard input")?;
        return Ok(all);
    }
    fs::read(path).with_context(|| path.display().to_string())
}

fn no_request(path: &Path, fault: &str) -> anyhow::Error {
    let from = match path.as_os_str() == "-" {
        true => "standard input".into(),
        false => path.to_string_lossy(),
    };
    Usage(format!("{from}: this is no request: {fault}")).into()
}
