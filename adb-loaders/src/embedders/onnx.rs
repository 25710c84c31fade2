//! The embedder that runs a bundle's graphs.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use adb_model::{
    Batches, EmbedError, Embedder, EmbedderIdentity, NoFace, Pixels, PreparedFace, PreparedImage,
    Rect,
};

use super::{
    Bundle, Cache, Device, Error, Face, FaceDetector, FaceFinder, MAX_DECODED_BYTES, Setting,
    manifest::{ImageTower, TextTower, TokenizerSpec},
    picture::{Rgb, decode_in},
    prepare::Preparer,
    runtime::Runtime,
    session::{Feed, GraphRunner, Opening, Values},
    setting::{ByHand, Settings},
    sides::{Graph, ImageSide, TextSide},
    tokenizer::Tokenizer,
    tuning::Tuning,
};

/// Runs the graphs of a bundle.
///
/// Each side is loaded when it is first used: a search needs the text side alone. Loading checks
/// the files against the hashes in `bundle.json`.
///
/// How many sessions compute on how many threads, and in which batches, is set by hand, or was
/// found by [`tune`](super::tune) on this machine, or is a guess ([`Setting`]).
pub struct OnnxEmbedder {
    bundle: Bundle,
    cache: Cache,
    device: Device,
    by_hand: ByHand,
    settings: OnceLock<Settings>,
    max_decoded_bytes: u64,
    preparer: Option<Preparer>,
    tokenizer: OnceLock<Result<Tokenizer, Error>>,
    image: OnceLock<Result<ImageSide, Error>>,
    text: OnceLock<Result<TextSide, Error>>,
    detector: OnceLock<Result<Arc<FaceDetector>, Error>>,
}

impl fmt::Debug for OnnxEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxEmbedder")
            .field("bundle", &self.bundle.dir())
            .field("device", &self.device)
            .field("by_hand", &self.by_hand)
            .finish_non_exhaustive()
    }
}

impl OnnxEmbedder {
    /// An embedder of a bundle; `cache` is where ONNX Runtime's library is looked for.
    ///
    /// Inference uses every core. Nothing is loaded yet: see [`load`](Self::load).
    #[must_use]
    pub fn new(bundle: Bundle, cache: Cache) -> Self {
        let preparer = bundle.manifest().image.as_ref().map(|t| Preparer::new(&t.preprocess));
        let (device, by_hand) = Default::default();
        let (settings, tokenizer, image, text, detector) = Default::default();
        Self {
            bundle,
            cache,
            device,
            by_hand,
            settings,
            max_decoded_bytes: MAX_DECODED_BYTES,
            preparer,
            tokenizer,
            image,
            text,
            detector,
        }
    }

    /// Sets what computes.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self.settings = OnceLock::new();
        self
    }

    /// Sets how many threads compute one batch. Unless sessions are set too, there are as many as
    /// the cores have room for.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.by_hand.threads = Some(threads.max(1));
        self.settings = OnceLock::new();
        self
    }

    /// Sets how many batches are computed at the same time: each session has a copy of the weights.
    /// Unless threads are set too, the sessions share the cores.
    #[must_use]
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.by_hand.sessions = Some(sessions.max(1));
        self.settings = OnceLock::new();
        self
    }

    /// Sets how many inputs a pipeline gives it at once.
    #[must_use]
    pub fn batch(mut self, batch: usize) -> Self {
        self.by_hand.batch = Some(batch.max(1));
        self.settings = OnceLock::new();
        self
    }

    /// How the side that reads images is computed.
    #[must_use]
    pub fn image_setting(&self) -> Setting {
        self.settings().image
    }

    /// How the side that reads text is computed.
    #[must_use]
    pub fn text_setting(&self) -> Setting {
        self.settings().text
    }

    fn settings(&self) -> &Settings {
        self.settings.get_or_init(|| {
            let tuning = match self.by_hand.is_complete() {
                true => None,
                false => Tuning::remembered(&self.bundle, &self.cache, self.device),
            };
            self.by_hand.over(tuning.as_ref(), self.device)
        })
    }

    /// Sets how much memory decoding one picture may take, in bytes, where the caller does not say;
    /// [`MAX_DECODED_BYTES`] unless it is set. An ingestion says it in its options.
    #[must_use]
    pub fn max_decoded_bytes(mut self, bytes: u64) -> Self {
        self.max_decoded_bytes = bytes;
        self
    }

    /// The bundle.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Loads what is not loaded yet, so that a fault shows now and not at the first row.
    ///
    /// # Errors
    /// When the run time can't be had, a file is damaged, or a graph does not fit its description.
    pub fn load(&self, images: bool, texts: bool) -> Result<(), Error> {
        if let Some(tower) = self.bundle.manifest().image.as_ref().filter(|_| images) {
            self.image_side(tower)?;
        }
        if let Some(tower) = self.bundle.manifest().text.as_ref().filter(|_| texts) {
            self.tokenizer(tower)?;
            self.text_side(tower)?;
        }
        Ok(())
    }

    /// The ids that the text side is fed with: row after row, each of the same length.
    ///
    /// # Errors
    /// When the bundle has no text side, or its tokenizer can't be read.
    pub fn token_ids(&self, texts: &[&str]) -> Result<Vec<Vec<i64>>, EmbedError> {
        let tower = self.bundle.manifest().text.as_ref().ok_or_else(|| self.lacks("text"))?;
        let tokens = self.tokenizer(tower).map_err(|e| self.failed(e))?.encode(texts);
        Ok(tokens.ids.chunks(tokens.width.max(1)).map(<[i64]>::to_vec).collect())
    }

    /// The bundle's face detector, loaded when it is first asked for.
    ///
    /// # Errors
    /// When the bundle has none, or it can't be loaded.
    pub fn detector(&self) -> Result<Arc<FaceDetector>, Error> {
        let opened = self.detector.get_or_init(|| {
            let Setting { sessions, threads, .. } = self.settings().image;
            let opening = Opening { device: self.device, sessions, threads };
            FaceDetector::open_on(&self.bundle, &self.cache, opening)
        });
        opened.clone()
    }

    /// How faces are found, and what has to be known to show one to the graph.
    fn faces(&self) -> Option<(&FaceFinder, &Preparer)> {
        let tower = self.bundle.manifest().image.as_ref()?;
        Some((tower.faces.as_ref()?, self.preparer.as_ref()?))
    }

    fn tokenizer(&self, tower: &TextTower) -> Result<&Tokenizer, Error> {
        let opened = self.tokenizer.get_or_init(|| Tokenizer::open(&self.bundle, &tower.tokenizer));
        opened.as_ref().map_err(Clone::clone)
    }

    fn image_side(&self, tower: &ImageTower) -> Result<&ImageSide, Error> {
        let side = self.image.get_or_init(|| {
            let runner = self.open_graph(&tower.file, &tower.weights, self.settings().image)?;
            ImageSide::of(runner, tower).map_err(|m| self.misfit(&tower.file, m))
        });
        side.as_ref().map_err(Clone::clone)
    }

    fn text_side(&self, tower: &TextTower) -> Result<&TextSide, Error> {
        let side = self.text.get_or_init(|| {
            let runner = self.open_graph(&tower.file, &tower.weights, self.settings().text)?;
            TextSide::of(runner, tower).map_err(|m| self.misfit(&tower.file, m))
        });
        side.as_ref().map_err(Clone::clone)
    }

    fn open_graph(
        &self,
        file: &str,
        weights: &[String],
        setting: Setting,
    ) -> Result<GraphRunner, Error> {
        let runtime = Runtime::start(&self.cache)?;
        for name in weights {
            self.bundle.verified(name)?;
        }
        let path = self.bundle.verified(file)?;
        let Setting { sessions, threads, .. } = setting;
        let opening = Opening { device: self.device, sessions, threads };
        GraphRunner::open(runtime, &path, opening).map_err(|e| {
            // Is it the file that was hashed once?
            let files = weights.iter().map(String::as_str).chain([file]);
            let damage = files.map(|name| self.bundle.verified_anew(name)).find_map(Result::err);
            damage
                .unwrap_or_else(|| Error::bundle(&path, format!("this graph can't be loaded: {e}")))
        })
    }

    fn misfit(&self, file: &str, message: String) -> Error {
        Error::bundle(&self.bundle.dir().join(file), message)
    }

    fn lacks(&self, what: &'static str) -> EmbedError {
        EmbedError::Modality { embedder: self.identity().name.clone(), what }
    }

    fn failed(&self, e: impl fmt::Display) -> EmbedError {
        EmbedError::Inference { embedder: self.identity().name.clone(), message: e.to_string() }
    }

    /// Runs a batch, in as many steps as the graph needs.
    fn infer<'a>(
        &self,
        graph: &Graph,
        rows: usize,
        normalize: bool,
        feeds: impl Fn(std::ops::Range<usize>) -> Vec<Feed<'a>>,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut vectors = Vec::with_capacity(rows);
        let step = graph.batch.unwrap_or(rows).max(1);
        for start in (0..rows).step_by(step) {
            let range = start..(start + step).min(rows);
            let wanted = [range.len() as i64, self.identity().dimensions as i64];
            let (shape, values) =
                graph.runner.run(feeds(range), &graph.output).map_err(|e| self.failed(e))?;
            if shape != wanted {
                return Err(self.failed(format!(
                    "its output `{}` has the shape {shape:?}, and {wanted:?} was expected; the bundle does not fit its graph",
                    graph.output
                )));
            }
            for vector in values.chunks_exact(self.identity().dimensions) {
                vectors.push(self.finish(vector, normalize)?);
            }
        }
        Ok(vectors)
    }

    /// The vectors of prepared images, as they come out of the graph.
    pub(super) fn embed_unscaled(
        &self,
        images: &[PreparedImage],
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.image_vectors(images, false)
    }

    fn image_vectors(
        &self,
        images: &[PreparedImage],
        normalize: bool,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let tower = self.bundle.manifest().image.as_ref().ok_or_else(|| self.lacks("images"))?;
        let preparer = self.preparer.as_ref().ok_or_else(|| self.lacks("images"))?;
        if images.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(odd) = images.iter().find(|image| image.0.len() != preparer.len()) {
            return Err(self.failed(format!(
                "an image of {} values was given, and it takes {}; prepare images with the embedder that embeds them",
                odd.0.len(),
                preparer.len()
            )));
        }
        let side = self.image_side(tower).map_err(|e| self.failed(e))?;
        self.infer(&side.graph, images.len(), normalize, |range| {
            let shape = preparer.shape(range.len());
            vec![Feed { name: &side.input, shape, values: Values::Images(&images[range]) }]
        })
    }

    /// A vector that nothing is near to must not get into a set.
    fn finish(&self, vector: &[f32], normalize: bool) -> Result<Vec<f32>, EmbedError> {
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length < f64::from(f32::MIN_POSITIVE) {
            return Err(self.failed(
                "it gave a vector that is zero or not finite for this input, and nothing is near to such a vector",
            ));
        }
        if !normalize {
            return Ok(vector.to_vec());
        }
        Ok(vector.iter().map(|x| (f64::from(*x) / length) as f32).collect())
    }
}

impl Embedder for OnnxEmbedder {
    fn identity(&self) -> &EmbedderIdentity {
        self.bundle.identity()
    }

    fn prepare_image(
        &self,
        encoded: &[u8],
        region: Option<Rect>,
    ) -> Result<PreparedImage, EmbedError> {
        self.prepare_image_within(encoded, region, self.max_decoded_bytes)
    }

    fn prepare_image_within(
        &self,
        encoded: &[u8],
        region: Option<Rect>,
        max_bytes: u64,
    ) -> Result<PreparedImage, EmbedError> {
        let preparer = self.preparer.as_ref().ok_or_else(|| self.lacks("images"))?;
        let (Some(region), Some((faces, _))) = (region, self.faces()) else {
            return preparer.prepare(encoded, region, max_bytes);
        };
        let (decoded, _room) = decode_in(encoded, max_bytes)?;
        let image = decoded.rgb;
        if image.is_all(region) {
            return preparer.prepare_rgb(&image);
        }
        preparer.face(&image, region, faces.margin)
    }

    fn prepare_face(
        &self,
        encoded: &[u8],
        otherwise: NoFace,
        max_bytes: Option<u64>,
    ) -> Result<PreparedFace, EmbedError> {
        let (faces, preparer) = self.faces().ok_or_else(|| self.lacks("faces"))?;
        let detector = self.detector().map_err(|e| self.failed(e))?;
        let (decoded, _room) = decode_in(encoded, max_bytes.unwrap_or(self.max_decoded_bytes))?;
        let Rgb { width, height, pixels } = decoded.rgb;
        let picture = Pixels { width, height, rgb: pixels };
        let found = detector.detect(&picture)?.first().map(Face::rect);
        let image = Rgb { width, height, pixels: picture.rgb };
        match (found, otherwise) {
            (Some(face), _) => preparer.face(&image, face, faces.margin).map(PreparedFace::Found),
            (None, NoFace::Skip) => Ok(PreparedFace::Skipped),
            (None, NoFace::Whole) => preparer.prepare_rgb(&image).map(PreparedFace::Whole),
            (None, _) => Err(EmbedError::NoFace),
        }
    }

    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.image_vectors(images, self.bundle.manifest().normalize)
    }

    fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let tower = self.bundle.manifest().text.as_ref().ok_or_else(|| self.lacks("text"))?;
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let tokenizer = self.tokenizer(tower).map_err(|e| self.failed(e))?;
        let side = self.text_side(tower).map_err(|e| self.failed(e))?;
        // The texts before the end token don't depend on what comes after it: CLIP's padding need not
        // be computed where the graph takes texts of any length.
        let is_clip = matches!(tower.tokenizer, TokenizerSpec::ClipBpe { .. });
        let shorten = is_clip && side.takes_any_length();
        self.infer(&side.graph, texts.len(), self.bundle.manifest().normalize, |range| {
            let mut tokens = tokenizer.encode(&texts[range.clone()]);
            if shorten {
                tokens.shorten();
            }
            side.feeds(range.len(), tokens)
        })
    }

    fn image_batches(&self) -> Batches {
        self.settings().image.batches()
    }

    fn text_batches(&self) -> Batches {
        self.settings().text.batches()
    }
}
