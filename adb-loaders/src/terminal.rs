//! For programs that run in a terminal: a progress bar, and Ctrl-C that loses nothing.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    Progress, Stop,
    embedders::{Download, OnDownload},
};

/// Draws `progress` on standard error until it is dropped; draws nothing where that is no
/// terminal.
#[derive(Debug)]
pub struct Bar {
    ended: Arc<AtomicBool>,
    drawing: Option<JoinHandle<()>>,
}

impl Bar {
    /// Begins to draw, on a thread of its own.
    #[must_use]
    pub fn start(progress: Arc<Progress>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let drawing = std::thread::spawn({
            let ended = ended.clone();
            move || draw(&progress, &ended)
        });
        Self { ended, drawing: Some(drawing) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(drawing) = self.drawing.take() {
            drawing.thread().unpark();
            // The drawing thread returns nothing and holds nothing that a panic could spoil.
            let _ = drawing.join();
        }
    }
}

fn draw(progress: &Progress, ended: &AtomicBool) {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {percent:>3}% [{bar:24}] {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    let started = Instant::now();
    while !ended.load(Ordering::Acquire) {
        // The source's bytes say how far it is; rows in flight are not finished yet.
        let (rows, finished) = (progress.rows().max(1), progress.finished());
        bar.set_length(progress.source_size());
        bar.set_position((progress.source_read() as f64 * finished as f64 / rows as f64) as u64);
        let rate = finished as f64 / started.elapsed().as_secs_f64().max(0.1);
        bar.set_message(format!(
            "{finished} rows: {} added, {} existed, {} updated, {} failed; {} vectors; {rate:.1} rows/s",
            progress.added(),
            progress.existed(),
            progress.updated(),
            progress.failed(),
            progress.embedded(),
        ));
        bar.tick();
        std::thread::park_timeout(Duration::from_millis(100));
    }
    bar.finish_and_clear();
}

impl OnDownload {
    /// Shows downloads on standard error: a bar on a terminal, a line for each elsewhere.
    #[must_use]
    pub fn shown() -> Self {
        let bar: Mutex<Option<ProgressBar>> = Mutex::default();
        Self::new(move |download| {
            let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
            let drawn = bar.get_or_insert_with(|| download_bar(download));
            drawn.set_position(download.done);
            if download.done == download.total {
                drawn.finish_and_clear();
                *bar = None;
            }
        })
    }
}

#[expect(clippy::print_stderr, reason = "it speaks to the person who waits")]
fn download_bar(download: &Download) -> ProgressBar {
    let megabytes = download.total / 1_000_000;
    eprintln!("downloading {} from {} ({megabytes} MB)", download.bundle, download.hub);
    let bar = ProgressBar::new(download.total);
    let template = "{percent:>3}% [{bar:24}] {bytes} of {total_bytes}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

impl Stop {
    /// One that Ctrl-C triggers: what was begun is brought to its end, then the run reports. A
    /// second Ctrl-C ends the process at once with exit code 130; that loses nothing either,
    /// because what the database has acknowledged is safe, and the next run goes on from there.
    ///
    /// Must be called within a tokio runtime.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "it speaks to the person who pressed the keys")]
    pub fn on_ctrl_c() -> Self {
        let stop = Self::default();
        tokio::spawn({
            let stop = stop.clone();
            async move {
                if tokio::signal::ctrl_c().await.is_err() {
                    return; // no handler could be set, so Ctrl-C still ends the process
                }
                eprintln!("stopping when what was begun is done; Ctrl-C again ends it at once");
                stop.stop();
                if tokio::signal::ctrl_c().await.is_ok() {
                    std::process::exit(130);
                }
            }
        });
        stop
    }
}
