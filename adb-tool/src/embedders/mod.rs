//! `adb embedders`: what there is to make vectors with, and vectors.

mod embed;
mod faces;
mod get;
mod init;
mod ls;
mod tune;

use crate::exit::Exit;

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

/// Looks where the environment says, and shows downloads.
pub(crate) fn chooser() -> anyhow::Result<adb::embedders::Chooser> {
    let chooser = adb::embedders::Chooser::from_env()?;
    Ok(match crate::out::is_quiet() {
        true => chooser,
        false => chooser.on_download(adb::embedders::OnDownload::shown()),
    })
}
