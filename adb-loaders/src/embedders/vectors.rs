//! Embedders without a database: pictures and texts in, vectors out.

use std::{
    borrow::Cow,
    fs, io,
    ops::Index,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use adb_model::{EmbedError, Embedder, PreparedImage};
use bytes::Bytes;

use super::{Chooser, Error, ErrorKind, OnnxEmbedder, setting::cores};

/// Vectors of one embedder, a row for each input.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    dimensions: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// Components of each row.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.dimensions.max(1)
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The rows, in the order of the inputs.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dimensions.max(1))
    }

    /// All components, row after row.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// All components, row after row.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.values
    }
}

/// Panics where there is no such row.
impl Index<usize> for Vectors {
    type Output = [f32];

    fn index(&self, row: usize) -> &[f32] {
        &self.values[row * self.dimensions..][..self.dimensions]
    }
}

/// What [`OnnxEmbedder::images`] reads: encoded pictures in memory (`[u8]`, `Vec<u8>`,
/// [`Bytes`]), or the paths of files (`str`, `String`, [`Path`], [`PathBuf`]).
pub trait AsPicture: Sync {
    /// The encoded picture.
    ///
    /// # Errors
    /// When its file can't be read.
    fn encoded(&self) -> io::Result<Cow<'_, [u8]>>;

    /// What messages call it, if it has a name.
    fn path(&self) -> Option<&Path> {
        None
    }
}

macro_rules! pictures {
    (bytes: $($bytes:ty),+; paths: $($path:ty),+) => {
        $(impl AsPicture for $bytes {
            fn encoded(&self) -> io::Result<Cow<'_, [u8]>> {
                Ok(Cow::Borrowed(self.as_ref()))
            }
        })+
        $(impl AsPicture for $path {
            fn encoded(&self) -> io::Result<Cow<'_, [u8]>> {
                fs::read(self).map(Cow::Owned)
            }

            fn path(&self) -> Option<&Path> {
                Some(self.as_ref())
            }
        })+
    };
}
pictures!(bytes: [u8], Vec<u8>, Bytes; paths: str, String, Path, PathBuf);

impl<P: AsPicture + ?Sized> AsPicture for &P {
    fn encoded(&self) -> io::Result<Cow<'_, [u8]>> {
        (**self).encoded()
    }

    fn path(&self) -> Option<&Path> {
        (**self).path()
    }
}

impl OnnxEmbedder {
    /// The embedder of a bundle: of a name such as `clip-vit-b-32`, from the cache or else from
    /// the hub, or in a directory. Blocks while it is fetched. See [`Chooser`] for a cache, a hub,
    /// and a progress bar of your own.
    ///
    /// ```no_run
    /// use adb_loaders::embedders::Embedder;
    ///
    /// let clip = Embedder::open("clip-vit-b-32")?;
    /// let photos = clip.images(&["dal.jpg", "naan.jpg"])?;
    /// let words = clip.texts(&["a lentil dish"])?;
    /// let similarity: f32 = photos[0].iter().zip(&words[0]).map(|(x, y)| x * y).sum();
    /// # Ok::<_, adb_loaders::embedders::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`Chooser::bundle`].
    pub fn open(bundle: &str) -> Result<Self, Error> {
        Chooser::from_env()?.open(bundle)
    }

    /// The vectors of encoded pictures, a row for each: decoded on all cores beside inference.
    /// Blocks.
    ///
    /// # Errors
    /// When a picture can't be read, which the message names; when the bundle reads no images;
    /// when inference fails. No vector is given then.
    pub fn images<P: AsPicture>(&self, pictures: &[P]) -> Result<Vectors, Error> {
        let batches = self.image_batches();
        // One more than compute, so that a session that is free finds the next batch decoded.
        let workers = cores().max(batches.at_once + 1);
        self.in_batches(pictures, batches.size, workers, |batch, first| {
            let prepare = |(at, picture): (usize, &P)| {
                self.prepare_picture(picture).map_err(|e| {
                    let name = picture.path().map(|path| format!(" ({})", path.display()));
                    input(format!("picture {}{}", first + at, name.unwrap_or_default()), e)
                })
            };
            let prepared = batch.iter().enumerate().map(prepare).collect::<Result<Vec<_>, _>>()?;
            self.embed_images(&prepared).map_err(|e| batch_of("pictures", batch.len(), first, e))
        })
    }

    /// The vectors of texts, a row for each. Blocks.
    ///
    /// # Errors
    /// When the bundle reads no text, or inference fails.
    pub fn texts<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vectors, Error> {
        let batches = self.text_batches();
        self.in_batches(texts, batches.size, batches.at_once, |batch, first| {
            let texts: Vec<&str> = batch.iter().map(AsRef::as_ref).collect();
            self.embed_texts(&texts).map_err(|e| batch_of("texts", batch.len(), first, e))
        })
    }

    fn prepare_picture(&self, picture: &impl AsPicture) -> Result<PreparedImage, EmbedError> {
        let encoded = picture.encoded().map_err(|e| EmbedError::Unreadable(e.to_string()))?;
        self.prepare_image(&encoded, None)
    }

    fn in_batches<T: Sync>(
        &self,
        inputs: &[T],
        size: usize,
        workers: usize,
        embed: impl Fn(&[T], usize) -> Result<Vec<Vec<f32>>, Error> + Sync,
    ) -> Result<Vectors, Error> {
        let dimensions = self.identity().dimensions;
        // Few inputs are shared out, so that all workers have some.
        let size = size.min(inputs.len().div_ceil(workers.max(1))).max(1);
        let batches: Vec<&[T]> = inputs.chunks(size).collect();
        let all = in_parallel(&batches, workers, |at, batch| embed(batch, at * size))?;
        let mut values = Vec::with_capacity(inputs.len() * dimensions);
        all.iter().flatten().for_each(|vector| values.extend_from_slice(vector));
        Ok(Vectors { dimensions, values })
    }
}

fn input(input: String, source: EmbedError) -> Error {
    ErrorKind::Input { input, source }.into()
}

fn batch_of(what: &str, count: usize, first: usize, source: EmbedError) -> Error {
    input(format!("{what} {first} to {}", first + count - 1), source)
}

/// Applies `work` to each item and its place, on so many threads; of several faults the first
/// counts, and after one no item is begun.
fn in_parallel<T: Sync, R: Send, E: Send>(
    items: &[T],
    workers: usize,
    work: impl Fn(usize, &T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            let result = work(at, item);
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            done.push((at, result));
        }
    };
    let mut all: Vec<(usize, Result<R, E>)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers.min(items.len())).map(|_| scope.spawn(take)).collect();
        let mut all = take();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}
