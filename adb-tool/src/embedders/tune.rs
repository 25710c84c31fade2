//! `adb embedders tune`

use std::time::Duration;

use adb::embedders::{self, Cache, TuneOptions, Tuning};

use crate::numbers::{at_least_one, seconds};

/// Measure which sessions, threads and batches are fastest here, and remember them.
///
/// Takes half a minute for each side on a few cores; nothing else should compute meanwhile. What is
/// found holds for this bundle, processor, library and device, and is used from then on.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb embedders tune clip-vit-b-32 --seconds 0.5")]
pub(crate) struct Tune {
    /// The embedder: a name, or the directory of a bundle.
    name: String,
    /// Seconds for each combination.
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Batches to try.
    #[arg(long, value_delimiter = ',', value_name = "N,...", value_parser = at_least_one)]
    batches: Option<Vec<usize>>,
    /// Numbers of sessions to try, each with the threads that the cores have room for.
    #[arg(long, value_delimiter = ',', value_name = "N,...", value_parser = at_least_one)]
    sessions: Option<Vec<usize>>,
    /// Measure the side that reads images alone.
    #[arg(long, conflicts_with = "texts")]
    images: bool,
    /// Measure the side that reads text alone.
    #[arg(long)]
    texts: bool,
}

impl Tune {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let bundle = super::chooser()?.bundle(&self.name)?;
        let cache = Cache::from_env()?;
        let mut options = TuneOptions::on(super::device()?);
        options.each = Duration::from_secs_f64(self.seconds);
        options.images = !self.texts;
        options.texts = !self.images;
        options.batches = self.batches.unwrap_or(options.batches);
        options.sessions = self.sessions.unwrap_or(options.sessions);
        let tuning = embedders::tune(&bundle, &cache, &options, |trial| {
            let what = if trial.images { "images" } else { "texts" };
            let setting = trial.setting;
            eprintln!(
                "{:>3} sessions, {:>3} threads, batch {:>3}: {:>8.1} {what}/s",
                setting.sessions, setting.threads, setting.batch, trial.per_second
            );
        })?;
        for (what, tuned) in [("images", tuning.image), ("texts", tuning.text)] {
            if let Some(tuned) = tuned {
                let setting = tuned.setting;
                println!(
                    "{what}: {} sessions, {} threads, batch {}: {:.1}/s",
                    setting.sessions, setting.threads, setting.batch, tuned.per_second
                );
            }
        }
        println!("remembered in {}", Tuning::file(&bundle, &cache).display());
        Ok(())
    }
}
