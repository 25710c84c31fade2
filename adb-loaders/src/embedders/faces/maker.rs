//! Faces as children of a photo.

use std::{
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use adb_model::{ChildMaker, Children, EmbedError, Image, MakeError, NoFace, Picture, Rect};

use super::{Face, FaceDetector};

/// A model of a face, such as a bounding box in its photo.
///
/// ```
/// use adb_loaders::embedders::{Face, FromFace};
/// use adb_model::Rect;
///
/// struct FaceBox { area: Rect, score: f64 }
///
/// impl FromFace for FaceBox {
///     fn from_face(area: Rect, face: Option<&Face>) -> Self {
///         Self { area, score: face.map_or(0.0, |face| f64::from(face.score)) }
///     }
/// }
/// ```
pub trait FromFace {
    /// The object for a face: its box, and the face; without a face where the whole picture stands
    /// for one ([`NoFace::Whole`]).
    fn from_face(area: Rect, face: Option<&Face>) -> Self;
}

/// Makes a child of each face in a photo, the largest first: for `by = …`.
///
/// `C` is the model of a face, most of all a `#[adb(bounding_box)]` whose embedding is made from
/// its area. A photo without a face fails its row, unless [`otherwise`](Self::otherwise) says what
/// else is to be done.
///
/// ```ignore
/// #[adb(regions, from = photo, by = FaceMaker<FaceBox>)]
/// faces: Vec<FaceBox>,
/// ```
/// `Ingest::maker(FaceMaker::<FaceBox>::new(detector).otherwise(NoFace::Skip))` brings it.
pub struct FaceMaker<C> {
    detector: Arc<FaceDetector>,
    otherwise: NoFace,
    without_face: AtomicU64,
    child: PhantomData<fn() -> C>,
}

impl<C> fmt::Debug for FaceMaker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaceMaker")
            .field("detector", &self.detector)
            .field("otherwise", &self.otherwise)
            .finish_non_exhaustive()
    }
}

impl<C> FaceMaker<C> {
    /// A maker that looks with this detector.
    #[must_use]
    pub fn new(detector: Arc<FaceDetector>) -> Self {
        Self {
            detector,
            otherwise: NoFace::default(),
            without_face: AtomicU64::new(0),
            child: PhantomData,
        }
    }

    /// Sets what comes of a photo without a face: its row fails, it has no children, or one of the
    /// whole picture.
    #[must_use]
    pub fn otherwise(mut self, otherwise: NoFace) -> Self {
        self.otherwise = otherwise;
        self
    }

    /// How many photos had no face so far, whatever came of them. The maker is shared with a run
    /// through an `Arc`.
    #[must_use]
    pub fn without_face(&self) -> u64 {
        self.without_face.load(Ordering::Relaxed)
    }
}

impl<C: Children + FromFace + 'static> ChildMaker for FaceMaker<C> {
    const NAME: &'static str = "faces";
    type From = Image;
    type Child = C;

    fn make(&self, photo: Picture<'_>) -> Result<Vec<C>, MakeError> {
        let pixels = photo.decode()?;
        let faces = self.detector.detect(&pixels)?;
        if !faces.is_empty() {
            return Ok(faces.iter().map(|face| C::from_face(face.rect(), Some(face))).collect());
        }
        self.without_face.fetch_add(1, Ordering::Relaxed);
        match self.otherwise {
            NoFace::Skip => Ok(Vec::new()),
            NoFace::Whole => {
                let (width, height) = (pixels.width.into(), pixels.height.into());
                Ok(vec![C::from_face(Rect { x: 0, y: 0, width, height }, None)])
            }
            _ => Err(EmbedError::NoFace.into()),
        }
    }
}
