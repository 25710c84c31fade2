//! What a face is.

use adb::{Accepts, EmbedderSpec, Produces, prelude::*};

use crate::attributes::Attributes;

/// FaceNet with the weights that give 512 components: a bundle of the user's own, so a type of our
/// own.
pub(crate) struct FaceNet512;

impl EmbedderSpec for FaceNet512 {
    const NAME: &'static str = "facenet-512";
    const DIMENSIONS: usize = 512;
}
impl Produces<Embedding<512>> for FaceNet512 {}
impl Accepts<Image> for FaceNet512 {}

/// The space in which people look alike.
#[derive(DescriptorSet)]
#[adb(name = "celeb_people", embedder = FaceNet512, metric = Cosine, engine = Hnsw)]
pub(crate) struct People;

/// The space in which pictures look alike.
#[derive(DescriptorSet)]
#[adb(name = "celeb_looks", embedder = ClipVitB32, metric = Cosine, engine = Hnsw)]
pub(crate) struct Looks;

/// A face of CelebA, as `img_align_celeba` has it: 178 × 218 pixels, turned upright.
#[derive(DataModel)]
#[adb(image)]
pub(crate) struct Face {
    /// The file's name, such as `000001.jpg`.
    #[adb(id)]
    pub(crate) image_id: String,
    #[adb(flatten)]
    pub(crate) attributes: Attributes,
    #[adb(flatten)]
    pub(crate) landmarks: Landmarks,
    #[adb(flatten)]
    pub(crate) wild: WildBox,
    pub(crate) partition: Partition,
    /// Who it is, where the data set's `identity_CelebA.txt` is at hand.
    #[adb(index)]
    pub(crate) identity: Option<u32>,
    pub(crate) photo: Image,
    #[adb(embed(from = photo, set = People))]
    pub(crate) person: Embedding<512>,
    #[adb(embed(from = photo, set = Looks))]
    pub(crate) look: Embedding<512>,
}

/// Five points, in pixels of the upright picture.
#[derive(Debug, Clone, PartialEq, Default, Properties)]
pub(crate) struct Landmarks {
    pub(crate) lefteye_x: i32,
    pub(crate) lefteye_y: i32,
    pub(crate) righteye_x: i32,
    pub(crate) righteye_y: i32,
    pub(crate) nose_x: i32,
    pub(crate) nose_y: i32,
    pub(crate) leftmouth_x: i32,
    pub(crate) leftmouth_y: i32,
    pub(crate) rightmouth_x: i32,
    pub(crate) rightmouth_y: i32,
}

/// Where the face lies in the photo that it was cut from, in pixels.
///
/// Four properties and no bounding box: that photo (`img_celeba`) is not in the database, and a
/// region lies within its picture.
#[derive(Debug, Clone, PartialEq, Default, Properties)]
pub(crate) struct WildBox {
    #[adb(rename = "box_x")]
    pub(crate) x: i32,
    #[adb(rename = "box_y")]
    pub(crate) y: i32,
    #[adb(rename = "box_width")]
    pub(crate) width: i32,
    #[adb(rename = "box_height")]
    pub(crate) height: i32,
}

/// The authors' division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Property)]
#[adb(rename_all = "lowercase")]
pub(crate) enum Partition {
    Train,
    Valid,
    Test,
}
