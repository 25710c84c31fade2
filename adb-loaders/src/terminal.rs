//! For programs that run in a terminal: a progress bar, and Ctrl-C that loses nothing.

use std::{
    io::{IsTerminal as _, stderr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    Meter, Progress, Stop,
    embedders::{Download, OnDownload},
};

/// Shows `progress` on standard error until it is dropped: a bar on a terminal; elsewhere a line
/// every half a minute, so that logs stay short.
#[derive(Debug)]
pub struct Bar {
    ended: Arc<AtomicBool>,
    drawing: Option<JoinHandle<()>>,
}

impl Bar {
    /// Begins to show it, on a thread of its own.
    #[must_use]
    pub fn start(progress: Arc<Progress>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let drawing = std::thread::spawn({
            let ended = ended.clone();
            move || match stderr().is_terminal() {
                true => draw(&progress, &ended),
                false => log(&progress, &ended),
            }
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
    let bar = ProgressBar::new(1000);
    let with_share = ProgressStyle::with_template("{spinner} {percent:>3}% [{bar:24}] {msg}");
    if let Ok(style) = with_share {
        bar.set_style(style.progress_chars("=> "));
    }
    let mut meter = Meter::default();
    let mut is_known = true;
    while !ended.load(Ordering::Acquire) {
        let snapshot = meter.read(progress);
        if is_known && snapshot.share.is_none() && snapshot.rows > 0 {
            is_known = false;
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
        }
        bar.set_position((snapshot.share.unwrap_or_default() * 1000.0) as u64);
        bar.set_message(snapshot.to_string());
        bar.tick();
        std::thread::park_timeout(Duration::from_millis(100));
    }
    bar.finish_and_clear();
}

/// How often a line is written where nobody watches.
const LINE_EVERY: Duration = Duration::from_secs(30);

#[expect(clippy::print_stderr, reason = "it speaks to the person who reads the log")]
fn log(progress: &Progress, ended: &AtomicBool) {
    let mut meter = Meter::default();
    let mut next = Instant::now() + LINE_EVERY;
    while !ended.load(Ordering::Acquire) {
        std::thread::park_timeout(Duration::from_secs(1));
        let snapshot = meter.read(progress);
        if Instant::now() >= next {
            next += LINE_EVERY;
            eprintln!("{snapshot}");
        }
    }
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
