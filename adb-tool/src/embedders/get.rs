//! `adb embedders get`

use std::{path::Path, process::Command};

use adb::embedders::{Cache, Origin, Preset};
use anyhow::{Context as _, ensure};

/// Bring a preset's bundle into the cache, or mend it there.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb embedders get clip-vit-b-32")]
pub(crate) struct Get {
    /// The preset.
    name: String,
}

impl Get {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if let Some(script) = script(&self.name)?.filter(|script| Path::new(script).is_file()) {
            // What speaks there is the script; our own output is the directory alone.
            let status = Command::new("python3")
                .arg(script)
                .stdout(std::io::stderr())
                .status()
                .with_context(|| format!("python3 {script}"))?;
            ensure!(status.success(), "python3 {script} ended with {status}");
        }
        let bundle = super::chooser()?.bundle(&self.name)?;
        println!("{}", bundle.dir().display());
        Ok(())
    }
}

/// What builds a preset that is not there yet.
fn script(name: &str) -> anyhow::Result<Option<&'static str>> {
    let Some(Preset { origin: Origin::Built { script }, .. }) = Preset::named(name) else {
        return Ok(None);
    };
    Ok(Cache::from_env()?.bundle(name).ok().flatten().is_none().then_some(script))
}
