//! Contracts that the compiler checks: what an embedder gives and takes, what a descriptor set is.
//!
//! A type such as [`ClipVitB16`] stands for an embedder at compile time: its name, its dimension,
//! what it can read. It holds no weights; those are a bundle's, found at run time by name.

use serde::{Deserialize, Serialize};

use crate::{Embedding, Image, kept::kept};

/// An embedder as the compiler sees it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an embedder",
    label = "not an embedder",
    note = "name one of `adb::presets`, or implement `adb::EmbedderSpec` for a type of your own"
)]
pub trait EmbedderSpec {
    /// The preset's name, such as `clip-vit-b-16`: also the name of its bundle.
    const NAME: &'static str;
    /// Components of its vectors.
    const DIMENSIONS: usize;
}

/// `E: Produces<Embedding<N>>`: the vectors of embedder `E` have `N` components.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not produce `{V}`",
    label = "this embedder does not produce `{V}`"
)]
pub trait Produces<V>: EmbedderSpec {
    /// What the macro names so that the compiler checks the bound where the user wrote it.
    #[doc(hidden)]
    const CHECKED: () = ();
}

/// `E: Accepts<S>`: embedder `E` can read a field of type `S`, such as [`Image`] or [`String`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't embed a `{S}`",
    label = "this embedder can't read a `{S}`",
    note = "images are read from an `Image` field, text from a `String` field"
)]
pub trait Accepts<S: ?Sized>: EmbedderSpec {
    /// As in [`Produces`].
    #[doc(hidden)]
    const CHECKED: () = ();
}

// The presets are written out, not made by a macro: the compiler shows these lines to whoever
// gets a dimension wrong.

/// CLIP ViT-B/32 (OpenAI's weights): images and text, 512 components.
#[derive(Debug, Clone, Copy)]
pub struct ClipVitB32;

impl EmbedderSpec for ClipVitB32 {
    const NAME: &'static str = "clip-vit-b-32";
    const DIMENSIONS: usize = 512;
}
impl Produces<Embedding<512>> for ClipVitB32 {}
impl Accepts<Image> for ClipVitB32 {}
impl Accepts<String> for ClipVitB32 {}

/// CLIP ViT-B/16 (OpenAI's weights): images and text, 512 components.
#[derive(Debug, Clone, Copy)]
pub struct ClipVitB16;

impl EmbedderSpec for ClipVitB16 {
    const NAME: &'static str = "clip-vit-b-16";
    const DIMENSIONS: usize = 512;
}
impl Produces<Embedding<512>> for ClipVitB16 {}
impl Accepts<Image> for ClipVitB16 {}
impl Accepts<String> for ClipVitB16 {}

/// CLIP ViT-L/14 (OpenAI's weights): images and text, 768 components.
#[derive(Debug, Clone, Copy)]
pub struct ClipVitL14;

impl EmbedderSpec for ClipVitL14 {
    const NAME: &'static str = "clip-vit-l-14";
    const DIMENSIONS: usize = 768;
}
impl Produces<Embedding<768>> for ClipVitL14 {}
impl Accepts<Image> for ClipVitL14 {}
impl Accepts<String> for ClipVitL14 {}

/// The starter that `tools/models` builds from package registries: images and text, 512
/// components. Modest, and not CLIP.
#[derive(Debug, Clone, Copy)]
pub struct Starter512;

impl EmbedderSpec for Starter512 {
    const NAME: &'static str = "starter-512";
    const DIMENSIONS: usize = 512;
}
impl Produces<Embedding<512>> for Starter512 {}
impl Accepts<Image> for Starter512 {}
impl Accepts<String> for Starter512 {}

/// FaceNet (Inception-ResNet-v1), which `tools/models` builds from package registries: images of
/// faces, 128 components. Of a whole image it sees the middle; `face = …` beside `from = …` makes
/// it look for the largest face, and a region is the box of a face.
#[derive(Debug, Clone, Copy)]
pub struct FaceNet128;

impl EmbedderSpec for FaceNet128 {
    const NAME: &'static str = "facenet-128";
    const DIMENSIONS: usize = 128;
}
impl Produces<Embedding<128>> for FaceNet128 {}
impl Accepts<Image> for FaceNet128 {}

/// Fits everything: stands in a set whose declaration has an error, so that the models that use it
/// have none.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct AnyEmbedder;

impl EmbedderSpec for AnyEmbedder {
    const NAME: &'static str = "";
    const DIMENSIONS: usize = 0;
}
impl<V> Produces<V> for AnyEmbedder {}
impl<S: ?Sized> Accepts<S> for AnyEmbedder {}

/// How nearness is measured in a descriptor set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Metric {
    /// `CS`: cosine similarity, higher is nearer.
    Cosine,
    /// `IP`: inner product, higher is nearer.
    InnerProduct,
    /// `L2`: squared Euclidean distance, smaller is nearer.
    L2,
}

impl Metric {
    /// The query language's name.
    #[must_use]
    pub const fn wire_name(self) -> &'static str {
        match self {
            Metric::Cosine => "CS",
            Metric::InnerProduct => "IP",
            Metric::L2 => "L2",
        }
    }

    /// The metric of a name in the query language.
    #[must_use]
    pub fn named(wire_name: &str) -> Option<Self> {
        [Metric::Cosine, Metric::InnerProduct, Metric::L2]
            .into_iter()
            .find(|metric| metric.wire_name() == wire_name)
    }
}

/// How a descriptor set is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Engine {
    /// `Flat`: exact.
    Flat,
    /// `IVF`: inverted lists, approximate.
    Ivf,
    /// `HNSW`: a navigable graph, approximate.
    Hnsw,
}

impl Engine {
    /// The query language's name.
    #[must_use]
    pub const fn wire_name(self) -> &'static str {
        match self {
            Engine::Flat => "Flat",
            Engine::Ivf => "IVF",
            Engine::Hnsw => "HNSW",
        }
    }
}

/// All that a descriptor set's declaration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SetSpec {
    /// The set's name in the database.
    pub name: &'static str,
    /// Components of each vector.
    pub dimensions: usize,
    /// How nearness is measured.
    pub metric: Metric,
    /// How it is searched.
    pub engine: Engine,
    /// Name of the embedder that fills it unless the user says otherwise.
    pub embedder: &'static str,
}

impl SetSpec {
    /// A set whose name is known at run time alone; its other parts are yours to say.
    ///
    /// Each name is kept once, for as long as the program runs.
    ///
    /// ```
    /// let mut set = adb_model::SetSpec::named(&["dish", "photos"].join("_"));
    /// set.dimensions = 512;
    /// assert_eq!(set.name, "dish_photos");
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Self {
        let (name, metric, engine) = (kept(name), Metric::Cosine, Engine::Flat);
        Self { name, dimensions: 0, metric, engine, embedder: "" }
    }

    /// The set `name`, filled by embedder `E`.
    #[must_use]
    pub const fn new<E: EmbedderSpec>(name: &'static str, metric: Metric, engine: Engine) -> Self {
        Self { name, dimensions: E::DIMENSIONS, metric, engine, embedder: E::NAME }
    }

    /// The set `name`, filled by the embedder of `S`: for `S`'s own declaration.
    #[must_use]
    pub const fn of<S: DescriptorSet>(name: &'static str, metric: Metric, engine: Engine) -> Self {
        Self::new::<S::Embedder>(name, metric, engine)
    }
}

/// A descriptor set, declared once with `#[derive(DescriptorSet)]` and shared by all models that
/// put vectors into it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a descriptor set",
    label = "not a descriptor set",
    note = "declare it: `#[derive(DescriptorSet)] #[adb(name = \"…\", embedder = …)] struct {Self};`"
)]
pub trait DescriptorSet {
    /// The embedder that it is declared with.
    type Embedder: EmbedderSpec;
    /// The declaration.
    const SPEC: SetSpec;
}
