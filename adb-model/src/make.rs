//! Children that are made from a field when a row is ingested: faces from a photo, chunks from a
//! text.
//!
//! A model declares them, `#[adb(regions, from = photo, by = FaceDetector)]`, and a [`ChildMaker`]
//! makes them. Who runs it is whoever brings rows in: nothing here does I/O or starts a thread.

use std::{error::Error, fmt, path::PathBuf, sync::Arc};

use bytes::Bytes;

use crate::{
    Blob, Children, DataModel, GraphBuilder, Image, MediaSource, ModelSchema, Video, graph::ToMake,
};

/// Why no children could be made: any error, since makers are the user's.
pub type MakeError = Box<dyn Error + Send + Sync>;

/// Makes children from a field, for `by = …`.
///
/// It may hold what it needs to work, such as the weights of a detector; it is shared by threads,
/// so that several rows can be worked on at once. For equal input it should make equal children in
/// the same order: the ids of children without an id of their own count them.
///
/// ```
/// use adb_model::{ChildMaker, MakeError};
/// # use adb_model::{Children, DataModel, FieldPlace, GraphBuilder, ModelError, ModelSchema, NodeId, Record};
/// # struct Chunk { text: String }
/// # impl DataModel for Chunk {
/// #     type Columns = ();
/// #     type Bare = Self;
/// #     const SCHEMA: &'static ModelSchema = &ModelSchema {
/// #         name: "Chunk", class: "Chunk", ..ModelSchema::BARE
/// #     };
/// #     fn build(&self, _: &mut GraphBuilder) -> Result<NodeId, ModelError> { unimplemented!() }
/// #     fn columns() {}
/// #     fn read(_: &Record) -> Result<Self, ModelError> { unimplemented!() }
/// # }
///
/// /// Cuts a text where lines are left blank. `Chunk` is a data model.
/// struct Paragraphs;
///
/// impl ChildMaker for Paragraphs {
///     const NAME: &'static str = "paragraphs";
///     type From = String;
///     type Child = Chunk;
///
///     fn make(&self, text: &str) -> Result<Vec<Chunk>, MakeError> {
///         let parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
///         Ok(parts.map(|part| Chunk { text: part.to_owned() }).collect())
///     }
/// }
/// assert_eq!(Paragraphs.make("one\n\ntwo").unwrap().len(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no children",
    label = "not a maker of children",
    note = "implement `adb::ChildMaker` for `{Self}`: what it reads, what it makes, and how"
)]
pub trait ChildMaker: Send + Sync + 'static {
    /// What it is called in schemas and documents of models.
    const NAME: &'static str;
    /// What it reads: [`Image`], [`String`], [`Video`] or [`Blob`].
    type From: MakerInput;
    /// What it makes: a data model, or a [`Linked`](crate::Linked) one where the connections have
    /// properties.
    type Child: Children;

    /// Makes the children of one row, in order; none is a good answer.
    ///
    /// Blocks. What it gets is a [`Picture`], a `&str` or a [`MediaFile`], as [`From`](Self::From)
    /// says.
    ///
    /// # Errors
    /// When it can't: the row fails with this reason.
    fn make(
        &self,
        from: <Self::From as MakerInput>::Given<'_>,
    ) -> Result<Vec<Self::Child>, MakeError>;
}

/// A maker that several runs share.
impl<M: ChildMaker> ChildMaker for Arc<M> {
    const NAME: &'static str = M::NAME;
    type From = M::From;
    type Child = M::Child;
    fn make(
        &self,
        from: <Self::From as MakerInput>::Given<'_>,
    ) -> Result<Vec<Self::Child>, MakeError> {
        (**self).make(from)
    }
}

/// What a maker can read: the type that stands for it in [`ChildMaker::From`].
#[diagnostic::on_unimplemented(
    message = "a maker can't read a `{Self}`",
    label = "a maker reads an `Image`, a `String`, a `Video` or a `Blob`"
)]
pub trait MakerInput {
    /// What the maker gets to see.
    type Given<'a>;
    /// The same as data.
    const READS: Reads;
    /// What the maker gets to see of a source; nothing if that is of another kind.
    fn given(source: MakerSource<'_>) -> Option<Self::Given<'_>>;
}

/// What a maker reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reads {
    /// An [`Image`].
    Image,
    /// A [`String`].
    Text,
    /// A [`Video`].
    Video,
    /// A [`Blob`].
    Blob,
}

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reads::Image => "an image",
            Reads::Text => "a text",
            Reads::Video => "a video",
            Reads::Blob => "a blob",
        })
    }
}

/// What is there to be read, before it is known who reads it.
#[derive(Clone, Copy)]
pub enum MakerSource<'a> {
    /// A text.
    Text(&'a str),
    /// A picture, a video or a file.
    Media(&'a dyn OpenMedia),
}

impl fmt::Debug for MakerSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MakerSource::Text(text) => f.debug_tuple("Text").field(text).finish(),
            MakerSource::Media(media) => f.debug_tuple("Media").field(media.source()).finish(),
        }
    }
}

/// Media that can be read when they are asked for: what runs the makers implements it.
pub trait OpenMedia {
    /// As the row has it.
    fn source(&self) -> &MediaSource;
    /// Where it lies, if it is a file.
    fn path(&self) -> Option<PathBuf>;
    /// The encoded file itself; asking again costs nothing.
    ///
    /// # Errors
    /// When it can't be read.
    fn bytes(&self) -> Result<Bytes, MakeError>;
    /// The pixels of a picture.
    ///
    /// # Errors
    /// When it can't be read, or is no picture.
    fn decode(&self) -> Result<Pixels, MakeError>;
}

/// A picture that children are made from.
#[derive(Clone, Copy)]
pub struct Picture<'a>(&'a dyn OpenMedia);

/// A video, or a file of any kind, that children are made from.
#[derive(Clone, Copy)]
pub struct MediaFile<'a>(&'a dyn OpenMedia);

macro_rules! opened {
    ($name:ident) => {
        impl<'a> $name<'a> {
            /// From what can be opened: for tests of makers.
            #[must_use]
            pub fn new(media: &'a dyn OpenMedia) -> Self {
                Self(media)
            }

            /// As the row has it: a path, an address, bytes.
            #[must_use]
            pub fn source(&self) -> &'a MediaSource {
                self.0.source()
            }

            /// Where it lies, if it is a file: for programs that read it themselves.
            #[must_use]
            pub fn path(&self) -> Option<PathBuf> {
                self.0.path()
            }

            /// The encoded file itself; asking again costs nothing.
            ///
            /// # Errors
            /// When it can't be read.
            pub fn bytes(&self) -> Result<Bytes, MakeError> {
                self.0.bytes()
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(self.source()).finish()
            }
        }
    };
}
opened!(Picture);
opened!(MediaFile);

impl Picture<'_> {
    /// Its pixels: those that the corners of a [`Rect`](crate::Rect) count. Decodes anew each
    /// time.
    ///
    /// # Errors
    /// When it can't be read, or is no picture.
    pub fn decode(&self) -> Result<Pixels, MakeError> {
        self.0.decode()
    }
}

/// A decoded picture: 8 bits for each of red, green and blue, rows from top to bottom. EXIF
/// orientation is left alone, as embedders and the database leave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width × height × 3` bytes.
    pub rgb: Vec<u8>,
}

impl Pixels {
    /// The colour of one pixel, counted from the upper left corner; nothing outside of the picture.
    #[must_use]
    pub fn at(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let start = (y as usize * self.width as usize + x as usize) * 3;
        self.rgb.get(start..start + 3)?.try_into().ok()
    }
}

impl MakerInput for String {
    type Given<'a> = &'a str;
    const READS: Reads = Reads::Text;
    fn given(source: MakerSource<'_>) -> Option<&str> {
        match source {
            MakerSource::Text(text) => Some(text),
            MakerSource::Media(_) => None,
        }
    }
}

macro_rules! media_inputs {
    ($($ty:ident as $given:ident),*) => {$(
        impl MakerInput for $ty {
            type Given<'a> = $given<'a>;
            const READS: Reads = Reads::$ty;
            fn given(source: MakerSource<'_>) -> Option<$given<'_>> {
                match source {
                    MakerSource::Media(media) => Some($given(media)),
                    MakerSource::Text(_) => None,
                }
            }
        }

        impl MakeSource for $ty {
            type Input = Self;
            fn input(&self) -> Option<MakeInput> {
                Some(MakeInput::Media(self.source().clone()))
            }
        }
    )*};
}
media_inputs!(Image as Picture, Video as MediaFile, Blob as MediaFile);

/// A field that children can be made from: `from = …` beside `by = …` names one.
#[diagnostic::on_unimplemented(
    message = "no children can be made from a `{Self}`",
    label = "a maker reads an `Image`, a `String`, a `Video` or a `Blob`",
    note = "name another field in `from = …`; an `Option` of one will do"
)]
pub trait MakeSource {
    /// What a maker must read: [`Image`], [`String`], [`Video`] or [`Blob`].
    type Input: MakerInput;
    /// What to make children from, when there is anything.
    fn input(&self) -> Option<MakeInput>;
}

impl MakeSource for String {
    type Input = Self;
    fn input(&self) -> Option<MakeInput> {
        Some(MakeInput::Text(self.clone()))
    }
}

impl<T: MakeSource> MakeSource for Option<T> {
    type Input = T::Input;
    fn input(&self) -> Option<MakeInput> {
        self.as_ref().and_then(MakeSource::input)
    }
}

/// What children are to be made from.
#[derive(Debug, Clone, PartialEq)]
pub enum MakeInput {
    /// A text.
    Text(String),
    /// A picture, a video or a file.
    Media(MediaSource),
}

/// A field that a maker can fill: `Vec<T>`, or an `Option` of it.
///
/// Children that the row brings stand, and the maker is not asked. An empty `Vec` is one to be
/// filled. With `Option<Vec<T>>` a row can say that there are none: `None` is to be filled, an
/// empty list stands.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't hold children that are made on ingest",
    label = "expected `Vec<T>`, or `Option<Vec<T>>`",
    note = "how many children there are is the maker's matter, so the field is a list"
)]
pub trait MadeChildren: Children {
    /// One of them.
    type Item;
    /// Whether an empty list is an answer, and none to be filled.
    const EMPTY_STANDS: bool;
    /// Whether the maker is to be asked.
    fn is_to_be_made(&self) -> bool;
}

impl<T: Children> MadeChildren for Vec<T> {
    type Item = T;
    const EMPTY_STANDS: bool = false;
    fn is_to_be_made(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Children> MadeChildren for Option<Vec<T>> {
    type Item = T;
    const EMPTY_STANDS: bool = true;
    fn is_to_be_made(&self) -> bool {
        self.is_none()
    }
}

/// `S: SameInput<I>`: a field of type `S` is what a maker of input `I` reads.
#[diagnostic::on_unimplemented(
    message = "the maker reads `{I}`, and the field that it is to read is `{Self}`",
    label = "`from` names a field that is `{Self}`, this maker reads `{I}`"
)]
pub trait SameInput<I> {
    /// What the macro names so that the compiler checks the bound where the user wrote it.
    #[doc(hidden)]
    const CHECKED: () = ();
}

impl<I> SameInput<I> for I {}

/// `T: SameChild<C>`: the field holds `T`s, and its maker makes `C`s.
#[diagnostic::on_unimplemented(
    message = "the maker makes `{C}`, and the field holds `{Self}`",
    label = "this maker makes `{C}`, the field holds `{Self}`"
)]
pub trait SameChild<C> {
    /// As in [`SameInput`].
    #[doc(hidden)]
    const CHECKED: () = ();
}

impl<C> SameChild<C> for C {}

/// A [`ChildMaker`] whose types are known at run time alone.
pub trait AnyMaker: Send + Sync {
    /// [`ChildMaker::NAME`].
    fn name(&self) -> &'static str;
    /// What it reads.
    fn reads(&self) -> Reads;
    /// The schema of what it makes.
    fn makes(&self) -> &'static ModelSchema;
    /// Makes the children of one row, and adds them to its graph; answers how many.
    ///
    /// # Errors
    /// When the maker can't, or a child can't be held by the database.
    fn make_into(
        &self,
        source: MakerSource<'_>,
        task: &ToMake,
        graph: &mut GraphBuilder,
    ) -> Result<usize, MakeError>;
}

impl<M: ChildMaker> AnyMaker for M {
    fn name(&self) -> &'static str {
        M::NAME
    }
    fn reads(&self) -> Reads {
        M::From::READS
    }
    fn makes(&self) -> &'static ModelSchema {
        <M::Child as Children>::Model::SCHEMA
    }
    fn make_into(
        &self,
        source: MakerSource<'_>,
        task: &ToMake,
        graph: &mut GraphBuilder,
    ) -> Result<usize, MakeError> {
        let given = M::From::given(source)
            .ok_or_else(|| format!("it reads {}, and was given {source:?}", M::From::READS))?;
        let children = self.make(given)?;
        for child in &children {
            child.add(graph, task.owner, task.relation)?;
        }
        Ok(children.len())
    }
}

/// A maker that needs nothing to be made: found by the macro where the type has a default.
///
/// Method resolution takes [`WithDefault`] for the probe of such a type, and [`Without`], which is
/// for references to one, for any other.
#[doc(hidden)]
#[derive(Debug)]
pub struct MakerProbe<M>(pub std::marker::PhantomData<M>);

/// Of makers that have a default.
#[doc(hidden)]
pub trait WithDefault {
    /// The maker.
    fn by_default(&self) -> Option<Arc<dyn AnyMaker>>;
}

impl<M: ChildMaker + Default> WithDefault for MakerProbe<M> {
    fn by_default(&self) -> Option<Arc<dyn AnyMaker>> {
        Some(Arc::new(M::default()))
    }
}

/// Of all other makers.
#[doc(hidden)]
pub trait Without {
    /// Nothing.
    fn by_default(&self) -> Option<Arc<dyn AnyMaker>>;
}

impl<M> Without for &MakerProbe<M> {
    fn by_default(&self) -> Option<Arc<dyn AnyMaker>> {
        None
    }
}
