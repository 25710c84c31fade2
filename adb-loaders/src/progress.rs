//! A progress bar for people who watch.

use std::{sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::Progress;

/// Draws `progress` on standard error until the ingestion ends; draws nothing where that is no
/// terminal. Runs on a thread of its own; wait for it with [`Bar::finish`].
#[derive(Debug)]
pub struct Bar(std::thread::JoinHandle<()>);

impl Bar {
    /// Begins to draw.
    #[must_use]
    pub fn start(progress: Arc<Progress>) -> Self {
        Self(std::thread::spawn(move || draw(&progress)))
    }

    /// Waits until the ingestion has ended and the bar is gone.
    pub fn finish(self) {
        // The drawing thread returns nothing and holds nothing that a panic could spoil.
        let _ = self.0.join();
    }
}

fn draw(progress: &Progress) {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {percent:>3}% [{bar:24}] {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    let started = std::time::Instant::now();
    while !progress.has_ended() {
        // The source's bytes say how far it is; rows in flight are not finished yet.
        let (rows, finished) = (progress.rows().max(1), progress.finished());
        bar.set_length(progress.source_size());
        bar.set_position((progress.source_read() as f64 * finished as f64 / rows as f64) as u64);
        let rate = finished as f64 / started.elapsed().as_secs_f64().max(0.1);
        bar.set_message(format!(
            "{finished} rows: {} added, {} existed, {} failed; {} vectors; {rate:.1} rows/s",
            progress.added(),
            progress.existed(),
            progress.failed(),
            progress.embedded(),
        ));
        bar.tick();
        std::thread::sleep(Duration::from_millis(100));
    }
    bar.finish_and_clear();
}
