//! Tries sessions, threads and batches on made-up input, and remembers what was fastest.

use std::{
    fs,
    sync::{Barrier, Mutex, PoisonError},
    time::{Duration, Instant},
};

use adb_model::{EmbedError, Embedder as _, PreparedImage};

use super::{
    Bundle, Cache, Device, Error, OnnxEmbedder,
    setting::{Setting, cores},
    tuning::{Tuned, Tuning},
};

/// What is tried, and for how long.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TuneOptions {
    /// What computes.
    pub device: Device,
    /// How long each combination runs, once it is warm. A batch that was begun is finished.
    pub each: Duration,
    /// Whether the side that reads images is measured, if there is one.
    pub images: bool,
    /// Whether the side that reads text is measured, if there is one.
    pub texts: bool,
    /// Batches that are tried.
    pub batches: Vec<usize>,
    /// Sessions that are tried, each number with the threads that the cores have room for. Numbers
    /// whose weights would not fit into the memory that is free are left out.
    pub sessions: Vec<usize>,
}

impl Default for TuneOptions {
    fn default() -> Self {
        Self::on(Device::default())
    }
}

impl TuneOptions {
    /// What is tried on a device: on a card, larger batches.
    #[must_use]
    pub fn on(device: Device) -> Self {
        let batches = match device {
            Device::Cpu => vec![1, 4, 8, 16, 32],
            Device::Cuda(_) => vec![8, 32, 64, 128],
        };
        let sessions = (0..4).map(|n| 1 << n).filter(|n| *n <= cores()).collect();
        Self { device, each: Duration::from_secs(2), images: true, texts: true, batches, sessions }
    }
}

/// One combination, and how fast it was.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Trial {
    /// Whether images were computed, or text.
    pub images: bool,
    /// The combination.
    pub setting: Setting,
    /// Inputs a second, all sessions together.
    pub per_second: f64,
}

/// A larger combination must gain so much to be preferred: sessions cost memory, batches time until
/// the first answer.
const GAIN: f64 = 1.02;

/// Measures a bundle on this machine, and remembers the fastest combination beside it in the cache,
/// where every [`OnnxEmbedder`] of this bundle finds it.
///
/// It takes a few seconds for each combination, and means something only while nothing else
/// computes. `on_trial` is told of each as it is measured.
///
/// ```no_run
/// use adb_loaders::embedders::{self, Cache, TuneOptions};
/// # fn main() -> Result<(), embedders::Error> {
/// let cache = Cache::from_env()?;
/// if let Some(bundle) = cache.bundle("clip-vit-b-16")? {
///     let tuning = embedders::tune(&bundle, &cache, &TuneOptions::default(), |trial| {
///         println!("{:?}: {:.1} a second", trial.setting, trial.per_second);
///     })?;
///     println!("{tuning:?}");
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the run time can't be had, the device can't be used, the bundle does not work, or the cache
/// can't be written.
pub fn tune(
    bundle: &Bundle,
    cache: &Cache,
    options: &TuneOptions,
    mut on_trial: impl FnMut(&Trial),
) -> Result<Tuning, Error> {
    let mut best = |images: bool| -> Result<Option<Tuned>, Error> {
        let trials = trials(bundle, cache, options, images, &mut on_trial)?;
        Ok(fastest(&trials))
    };
    let identity = bundle.identity();
    let image = if options.images && identity.images { best(true)? } else { None };
    let text = if options.texts && identity.texts { best(false)? } else { None };
    let tuning = Tuning { image, text };
    tuning.remember(bundle, cache, options.device)?;
    Ok(tuning)
}

fn trials(
    bundle: &Bundle,
    cache: &Cache,
    options: &TuneOptions,
    images: bool,
    on_trial: &mut impl FnMut(&Trial),
) -> Result<Vec<Trial>, Error> {
    let failed = |e: EmbedError| Error::bundle(bundle.dir(), e.to_string());
    let weights = weights(bundle, images);
    let mut trials = Vec::new();
    for sessions in options.sessions.iter().copied().filter(|n| *n > 0) {
        // Each session needs its weights, in its own order too, and room to compute in.
        let fits = free_memory().is_none_or(|free| weights * 3 * sessions as u64 <= free);
        if sessions > 1 && !fits {
            tracing::info!(sessions, "not tried: the weights would not fit into the free memory");
            continue;
        }
        let embedder = OnnxEmbedder::new(bundle.clone(), cache.clone())
            .device(options.device)
            .sessions(sessions)
            .batch(1);
        embedder.load(images, !images)?;
        let setting = if images { embedder.image_setting() } else { embedder.text_setting() };
        for batch in options.batches.iter().copied().filter(|n| *n > 0) {
            let input = Input::new(&embedder, images, batch).map_err(failed)?;
            let per_second = measure(&embedder, &input, sessions, options.each).map_err(failed)?;
            let trial = Trial { images, setting: Setting { batch, ..setting }, per_second };
            on_trial(&trial);
            trials.push(trial);
        }
    }
    Ok(trials)
}

/// Made-up input: what is in it makes no difference to the time.
enum Input {
    Images(Vec<PreparedImage>),
    Texts(Vec<String>),
}

impl Input {
    fn new(embedder: &OnnxEmbedder, images: bool, batch: usize) -> Result<Self, EmbedError> {
        if !images {
            // As long as a caption.
            let text = |n| format!("dish {n}: a bowl of rice with lentils, coriander and yoghurt");
            return Ok(Input::Texts((0..batch).map(text).collect()));
        }
        let noise = image::RgbImage::from_fn(64, 64, |x, y| {
            image::Rgb([x * 37 + y * 11, x * 5 + y * 53, x * y].map(|v| v as u8))
        });
        let mut encoded = std::io::Cursor::new(Vec::new());
        noise
            .write_to(&mut encoded, image::ImageFormat::Bmp)
            .map_err(|e| EmbedError::Unreadable(e.to_string()))?;
        let image = embedder.prepare_image(encoded.get_ref(), None)?;
        Ok(Input::Images(vec![image; batch]))
    }

    /// How many it computed.
    fn run(&self, embedder: &OnnxEmbedder) -> Result<usize, EmbedError> {
        Ok(match self {
            Input::Images(images) => embedder.embed_images(images)?.len(),
            Input::Texts(texts) => {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                embedder.embed_texts(&texts)?.len()
            }
        })
    }
}

/// Inputs a second of all sessions, each fed by a thread of its own.
fn measure(
    embedder: &OnnxEmbedder,
    input: &Input,
    sessions: usize,
    each: Duration,
) -> Result<f64, EmbedError> {
    let warm = Barrier::new(sessions);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..sessions {
            scope.spawn(|| {
                // Opens its session and sets its memory up. Whoever failed must not keep others.
                let first = input.run(embedder);
                warm.wait();
                let rate = first.and_then(|_| {
                    let (start, mut count) = (Instant::now(), 0);
                    while count == 0 || start.elapsed() < each {
                        count += input.run(embedder)?;
                    }
                    Ok(count as f64 / start.elapsed().as_secs_f64())
                });
                results.lock().unwrap_or_else(PoisonError::into_inner).push(rate);
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().sum()
}

/// The first that no later one beats clearly: trials come in the order of what they cost.
fn fastest(trials: &[Trial]) -> Option<Tuned> {
    let most = trials.iter().map(|t| t.per_second).fold(0.0, f64::max);
    let cost = |t: &&Trial| (t.setting.sessions, t.setting.batch);
    trials
        .iter()
        .filter(|t| t.per_second * GAIN >= most)
        .min_by_key(cost)
        .map(|t| Tuned { setting: t.setting, per_second: t.per_second })
}

/// Bytes of one side's graph.
fn weights(bundle: &Bundle, images: bool) -> u64 {
    let manifest = bundle.manifest();
    let (image, text) = (manifest.image.as_ref(), manifest.text.as_ref());
    let (file, more) = match images {
        true => (image.map(|t| &t.file), image.map(|t| &t.weights)),
        false => (text.map(|t| &t.file), text.map(|t| &t.weights)),
    };
    let bytes = |name: &String| manifest.files.get(name).map_or(0, |entry| entry.bytes);
    file.into_iter().chain(more.into_iter().flatten()).map(bytes).sum()
}

/// Where the system tells it in a file.
fn free_memory() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(sessions: usize, batch: usize, per_second: f64) -> Trial {
        let setting = Setting { sessions, threads: 1, batch };
        Trial { images: true, setting, per_second }
    }

    #[test]
    fn the_cheapest_of_the_fastest_is_taken() {
        assert_eq!(fastest(&[]), None);
        let best = |trials: &[Trial]| fastest(trials).unwrap().setting;
        let clear = [trial(1, 1, 10.0), trial(1, 8, 20.0), trial(2, 8, 30.0)];
        assert_eq!(best(&clear), clear[2].setting);
        let close = [trial(2, 16, 30.0), trial(2, 8, 29.9), trial(1, 8, 29.0)];
        assert_eq!(best(&close), close[1].setting);
        let closer = [trial(2, 16, 30.0), trial(1, 32, 29.8), trial(1, 8, 1.0)];
        assert_eq!(best(&closer), closer[1].setting);
    }
}
