//! `adb embedders`: what there is to make vectors with, and vectors.

mod embed;
mod faces;
mod get;
mod init;
mod ls;
mod tune;

use std::sync::OnceLock;

use adb::embedders::{Cache, Chooser, Device, Hub, OnDownload};

use crate::{exit::Exit, out};

/// What there is to make vectors with, and vectors.
///
/// NAME is the name of a preset or of a bundle in the cache (ADB_CACHE_DIR), or the directory of a
/// bundle.
#[derive(clap::Subcommand)]
#[command(after_help = "Examples:
  adb embedders ls
  adb embedders embed clip-vit-b-32 --text \"a lentil dish\"")]
pub(crate) enum Embedders {
    Ls(ls::Ls),
    #[command(visible_alias = "fetch")]
    Get(get::Get),
    Init(init::Init),
    Embed(embed::Embed),
    Faces(faces::Faces),
    Tune(tune::Tune),
}

impl Embedders {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Embedders::Ls(command) => command.run()?,
            Embedders::Get(command) => command.run()?,
            Embedders::Init(command) => command.run()?,
            Embedders::Embed(command) => command.run()?,
            Embedders::Faces(command) => command.run()?,
            Embedders::Tune(command) => command.run()?,
        }
        Ok(Exit::Well)
    }
}

/// What computes vectors, wherever some are made.
#[derive(clap::Args)]
pub(crate) struct Computing {
    /// What computes vectors: `cpu`, or `cuda` or `cuda:1` (an NVIDIA card; adb must be built with
    /// the feature `cuda`) [default: ADB_DEVICE, else cpu].
    #[arg(long, value_name = "DEVICE", global = true, hide_short_help = true)]
    device: Option<Device>,
}

static DEVICE: OnceLock<Device> = OnceLock::new();

impl Computing {
    /// What was asked for holds from now on.
    pub(crate) fn start(&self) {
        if let Some(device) = self.device {
            DEVICE.get_or_init(|| device);
        }
    }
}

/// What was asked for to compute with, else what the environment names.
pub(crate) fn device() -> anyhow::Result<Device> {
    Ok(match DEVICE.get() {
        Some(device) => *device,
        None => Device::from_env()?,
    })
}

/// Looks where the environment says, and shows downloads.
pub(crate) fn chooser() -> anyhow::Result<Chooser> {
    let chooser = Chooser::new(Cache::from_env()?, Hub::from_env()).device(device()?);
    Ok(match out::is_quiet() {
        true => chooser,
        false => chooser.on_download(OnDownload::shown()),
    })
}
