//! Which models are parts of images and videos: containment that the compiler checks.
//!
//! `#[derive(DataModel)]` implements these by the kind of the model's objects.

use crate::DataModel;

/// A model of regions: `#[adb(bounding_box)]` or `#[adb(polygon)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a region",
    label = "not a region",
    note = "regions are rectangles and polygons in an image: models with `#[adb(bounding_box)]` and a `Rect`, or `#[adb(polygon)]` and a `Polygon`"
)]
pub trait RegionModel: DataModel {
    /// What the macro names so that the compiler checks the bound where the user wrote it.
    #[doc(hidden)]
    const CHECKED: () = ();
}

/// A model of clips: `#[adb(clip)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a clip",
    label = "not a clip",
    note = "clips are stretches of a video: models with `#[adb(clip)]` and a `TimeSpan`, a `FrameSpan` or a `FractionSpan`"
)]
pub trait ClipModel: DataModel {
    /// As in [`RegionModel`].
    #[doc(hidden)]
    const CHECKED: () = ();
}

/// A model of frames: `#[adb(frame)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a frame",
    label = "not a frame",
    note = "frames are moments of a video: models with `#[adb(frame)]` and a `TimeOffset`, a `FrameNumber` or a `TimeFraction`"
)]
pub trait FrameModel: DataModel {
    /// As in [`RegionModel`].
    #[doc(hidden)]
    const CHECKED: () = ();
}

/// A model of descriptors: `#[adb(descriptor)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a descriptor",
    label = "not a descriptor",
    note = "descriptors are vectors with properties: models with `#[adb(descriptor)]` and a field with `embed(…)`"
)]
pub trait DescriptorModel: DataModel {
    /// As in [`RegionModel`].
    #[doc(hidden)]
    const CHECKED: () = ();
}
