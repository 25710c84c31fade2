//! Images: decoding within bounds, operations, encoding.

use std::{borrow::Cow, io::Cursor};

use image::{
    DynamicImage, GenericImageView as _, ImageBuffer, ImageFormat, ImageReader, Limits, Pixel,
    imageops::FilterType,
};

use crate::request::{
    fault::Fault,
    picture::{Format, Operation, Picture, Size},
};

/// Pixels that an image may have, before, between and after operations.
pub(super) const MAX_PIXELS: u64 = 1 << 26;
/// Bytes that decoding may take.
const MAX_MEMORY: u64 = 512 << 20;

/// A decoded image and how it was encoded.
pub(crate) struct Decoded {
    image: DynamicImage,
    format: Format,
}

/// A frame of a video: it is encoded as JPEG unless another format is asked for.
impl From<DynamicImage> for Decoded {
    fn from(image: DynamicImage) -> Self {
        Self { image, format: Format::Jpeg }
    }
}

/// Makes of an image's bytes what is asked for.
pub(crate) fn make<'a>(bytes: &'a [u8], picture: &Picture) -> Result<Cow<'a, [u8]>, Fault> {
    if picture.is_untouched() {
        return Ok(bytes.into());
    }
    work_on(decode(bytes)?, picture).map(Cow::Owned)
}

/// Makes of a decoded image what is asked for.
pub(crate) fn work_on(decoded: Decoded, picture: &Picture) -> Result<Vec<u8>, Fault> {
    let Decoded { mut image, format } = decoded;
    for operation in &picture.operations {
        image = apply(image, operation)?;
    }
    encode(&image, picture.format.unwrap_or(format))
}

/// Whether bytes begin as an image file does. What follows is not decoded here.
pub(crate) fn is_image(bytes: &[u8]) -> bool {
    const MAGIC: [&[u8]; 6] =
        [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*", b"BM"];
    let web_p = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    web_p || MAGIC.iter().any(|magic| bytes.starts_with(magic))
}

/// Cuts a box out of an image, as far as it lies in it.
pub(crate) fn crop(
    decoded: &Decoded,
    [x, y, width, height]: [f64; 4],
    format: Option<Format>,
) -> Result<Vec<u8>, Fault> {
    let (w, h) = decoded.image.dimensions();
    let clamp = |from: f64, length: f64, side: u32| {
        let start = from.floor().clamp(0.0, f64::from(side));
        let end = (from + length).ceil().clamp(start, f64::from(side));
        (start as u32, (end - start) as u32)
    };
    let ((x, width), (y, height)) = (clamp(x, width, w), clamp(y, height, h));
    if width == 0 || height == 0 {
        return Err(bad(format!("the region lies outside of its image of {w} × {h} pixels")));
    }
    let part = decoded.image.crop_imm(x, y, width, height);
    encode(&part, format.unwrap_or(decoded.format))
}

fn bad(message: impl Into<String>) -> Fault {
    Fault::new(message).code("bad_image")
}

/// Decodes JPEG and PNG; the header is asked for the size before anything is unpacked.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, Fault> {
    let unreadable = |e: image::ImageError| bad(format!("the image can't be decoded: {e}"));
    let reader = || {
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|e| bad(format!("the image can't be read: {e}")))?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_MEMORY);
        reader.limits(limits);
        Ok(reader)
    };
    let first: ImageReader<_> = reader()?;
    let format = match first.format() {
        Some(ImageFormat::Jpeg) => Format::Jpeg,
        Some(ImageFormat::Png) => Format::Png,
        _ => {
            return Err(bad(
                "the image is neither JPEG nor PNG, which are the formats that can be worked on; ask for its bytes as they are",
            ));
        }
    };
    let (width, height) = first.into_dimensions().map_err(unreadable)?;
    check_size(width.into(), height.into())?;
    let image = reader()?.decode().map_err(unreadable)?;
    Ok(Decoded { image: eight_bits(image), format })
}

/// Four forms of pixels are all that operations need to know of.
fn eight_bits(image: DynamicImage) -> DynamicImage {
    use DynamicImage::{ImageLuma8, ImageLumaA8, ImageRgb8, ImageRgba8};
    let color = image.color();
    match image {
        image @ (ImageLuma8(_) | ImageLumaA8(_) | ImageRgb8(_) | ImageRgba8(_)) => image,
        image => match (color.has_color(), color.has_alpha()) {
            (false, false) => image.into_luma8().into(),
            (false, true) => image.into_luma_alpha8().into(),
            (true, false) => image.into_rgb8().into(),
            (true, true) => image.into_rgba8().into(),
        },
    }
}

pub(super) fn check_size(width: u64, height: u64) -> Result<(), Fault> {
    match width.checked_mul(height) {
        Some(1..=MAX_PIXELS) => Ok(()),
        _ => Err(bad(format!(
            "an image of {width} × {height} pixels is not worked on; there may be from 1 to {MAX_PIXELS}"
        ))),
    }
}

/// Does the same with each form of pixels.
macro_rules! each_form {
    ($image:expr, $buffer:ident => $work:expr) => {
        match $image {
            DynamicImage::ImageLuma8($buffer) => DynamicImage::ImageLuma8($work),
            DynamicImage::ImageLumaA8($buffer) => DynamicImage::ImageLumaA8($work),
            DynamicImage::ImageRgb8($buffer) => DynamicImage::ImageRgb8($work),
            DynamicImage::ImageRgba8($buffer) => DynamicImage::ImageRgba8($work),
            other => other,
        }
    };
}

fn apply(image: DynamicImage, operation: &Operation) -> Result<DynamicImage, Fault> {
    let (width, height) = image.dimensions();
    Ok(match *operation {
        Operation::Threshold(value) => each_form!(image, buffer => threshold(buffer, value)),
        Operation::Resize(size) => {
            let (w, h) = new_size(width, height, size)?;
            // Rows are made first: what lies between has the old width and the new height.
            check_size(width.into(), h.into())?;
            image.resize_exact(w, h, FilterType::Triangle)
        }
        Operation::Crop { x, y, width: w, height: h } => {
            if !is_within([x, y, w, h], (width, height)) {
                return Err(bad(format!(
                    "the crop of {w} × {h} pixels at ({x}, {y}) is not within the image of {width} × {height}"
                )));
            }
            image.crop_imm(x, y, w, h)
        }
        Operation::Flip { vertical, horizontal } => match (vertical, horizontal) {
            (true, true) => image.rotate180(),
            (true, false) => image.flipv(),
            _ => image.fliph(),
        },
        Operation::Rotate { angle, grow } => rotate(image, angle.rem_euclid(360.0), grow)?,
    })
}

/// Whether a crop (x, y, width, height) is one, and within a picture of this size.
pub(super) fn is_within([x, y, width, height]: [u32; 4], size: (u32, u32)) -> bool {
    let fits = |from: u32, length: u32, side: u32| {
        length > 0 && from.checked_add(length).is_some_and(|end| end <= side)
    };
    fits(x, width, size.0) && fits(y, height, size.1)
}

pub(super) fn new_size(width: u32, height: u32, size: Size) -> Result<(u32, u32), Fault> {
    let scaled = |side: u32, by: f64| (f64::from(side) * by).round().max(1.0);
    let (w, h) = match size {
        Size::Scale(by) => (scaled(width, by), scaled(height, by)),
        Size::Sides { width: Some(w), height: Some(h) } => (f64::from(w), f64::from(h)),
        Size::Sides { width: Some(w), height: None } => {
            (f64::from(w), scaled(height, f64::from(w) / f64::from(width)))
        }
        Size::Sides { width: None, height: Some(h) } => {
            (scaled(width, f64::from(h) / f64::from(height)), f64::from(h))
        }
        Size::Sides { width: None, height: None } => (f64::from(width), f64::from(height)),
    };
    // Conversions saturate, and what is too much stays too much.
    check_size(w as u64, h as u64)?;
    Ok((w as u32, h as u32))
}

fn threshold<P: Pixel<Subpixel = u8>>(
    mut buffer: ImageBuffer<P, Vec<u8>>,
    value: u8,
) -> ImageBuffer<P, Vec<u8>> {
    for pixel in buffer.pixels_mut() {
        pixel.apply_without_alpha(|channel| if channel < value { 0 } else { channel });
    }
    buffer
}

/// Counterclockwise, by 0 to 360 degrees.
fn rotate(image: DynamicImage, angle: f64, grow: bool) -> Result<DynamicImage, Fault> {
    let (width, height) = image.dimensions();
    let square = grow || width == height;
    // Quarter turns lose nothing; the library's are clockwise.
    if angle == 0.0 {
        return Ok(image);
    } else if angle == 180.0 {
        return Ok(image.rotate180());
    } else if angle == 90.0 && square {
        return Ok(image.rotate270());
    } else if angle == 270.0 && square {
        return Ok(image.rotate90());
    }
    let (sin, cos) = angle.to_radians().sin_cos();
    let (w, h) = (f64::from(width), f64::from(height));
    let canvas = if grow {
        ((w * cos.abs() + h * sin.abs()).ceil(), (w * sin.abs() + h * cos.abs()).ceil())
    } else {
        (w, h)
    };
    check_size(canvas.0 as u64, canvas.1 as u64)?;
    let canvas = (canvas.0 as u32, canvas.1 as u32);
    Ok(each_form!(image, buffer => turned(&buffer, sin, cos, canvas)))
}

/// Each pixel of the canvas from the four around the place where it came from; black outside.
fn turned<P: Pixel<Subpixel = u8>>(
    from: &ImageBuffer<P, Vec<u8>>,
    sin: f64,
    cos: f64,
    canvas: (u32, u32),
) -> ImageBuffer<P, Vec<u8>> {
    let channels = usize::from(P::CHANNEL_COUNT);
    let middle = |side: u32| (f64::from(side) - 1.0) / 2.0;
    let (to_x, to_y) = (middle(canvas.0), middle(canvas.1));
    let (from_x, from_y) = (middle(from.width()), middle(from.height()));
    let mut to = ImageBuffer::new(canvas.0, canvas.1);
    for (x, y, pixel) in to.enumerate_pixels_mut() {
        let (dx, dy) = (f64::from(x) - to_x, f64::from(y) - to_y);
        let (sx, sy) = (from_x + dx * cos - dy * sin, from_y + dx * sin + dy * cos);
        let (left, top) = (sx.floor(), sy.floor());
        let (right_share, bottom_share) = (sx - left, sy - top);
        let mut sums = [0.0_f64; 4];
        for (nx, ny, share) in [
            (left, top, (1.0 - right_share) * (1.0 - bottom_share)),
            (left + 1.0, top, right_share * (1.0 - bottom_share)),
            (left, top + 1.0, (1.0 - right_share) * bottom_share),
            (left + 1.0, top + 1.0, right_share * bottom_share),
        ] {
            let inside = (0.0..f64::from(from.width())).contains(&nx)
                && (0.0..f64::from(from.height())).contains(&ny);
            if inside && share > 0.0 {
                let near = from.get_pixel(nx as u32, ny as u32).channels();
                for (sum, channel) in sums.iter_mut().zip(near) {
                    *sum += share * f64::from(*channel);
                }
            }
        }
        let rounded = sums.map(|sum| sum.round() as u8);
        *pixel = *P::from_slice(&rounded[..channels]);
    }
    to
}

fn encode(image: &DynamicImage, format: Format) -> Result<Vec<u8>, Fault> {
    let mut bytes = Cursor::new(Vec::new());
    let written = match format {
        Format::Png => image.write_to(&mut bytes, ImageFormat::Png),
        // JPEG knows no transparency.
        Format::Jpeg if image.color().has_color() => {
            image.to_rgb8().write_to(&mut bytes, ImageFormat::Jpeg)
        }
        Format::Jpeg => image.to_luma8().write_to(&mut bytes, ImageFormat::Jpeg),
    };
    written.map_err(|e| bad(format!("the image can't be encoded: {e}")))?;
    Ok(bytes.into_inner())
}
