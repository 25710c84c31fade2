//! The side that reads images.

use std::path::Path;

use adb_model::PreparedImage;
use ort::value::TensorElementType;
use serde_json::Value as Json;

use super::{Graph, Notes, run, side_file, weights};
use crate::embedders::{
    Channels, Filter, ImageTower, Layout, Preprocess, Resize,
    session::{Feed, Port, Values},
};

/// Names of outputs that are the vector, where there are several outputs.
const OUTPUTS: [&str; 6] =
    ["image_embeds", "embeddings", "embedding", "image_features", "pooler_output", "output"];

const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
/// Of ImageNet, as torchvision has them.
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

fn is_image(port: &Port) -> bool {
    port.shape.len() == 4 && port.kind == Some(TensorElementType::Float32)
}

/// Whether a graph takes an image and nothing else.
pub(super) fn reads(inputs: &[Port]) -> bool {
    inputs.iter().filter(|port| is_image(port)).count() == 1
}

/// The tower, and the length of its vectors.
pub(super) fn describe(
    dir: &Path,
    graph: &Graph,
    clip: bool,
    notes: &mut Notes,
) -> Result<(ImageTower, usize), String> {
    let file = &graph.file;
    let inputs = &graph.runner.inputs;
    let [input] = &inputs[..] else {
        return Err(format!("`{file}` takes more than an image: {}", super::list(inputs)));
    };
    let (layout, sure) = layout(&input.shape)
        .ok_or_else(|| format!("`{file}` takes {:?}, which has no 3 channels", input.shape))?;
    let edges = match layout {
        Layout::Nchw => &input.shape[2..4],
        Layout::Nhwc => &input.shape[1..3],
    };
    let config = side_file(dir, file, "preprocessor_config.json");
    let side = side(edges, config.as_ref())
        .map_err(|m| format!("`{file}` takes {:?}: {m}", input.shape))?;
    let crop = side.unwrap_or(224);
    let shape = layout.shape(1, i64::from(crop));
    let count = shape.iter().product::<i64>() as usize;
    // Not all the same: some graphs divide by a picture's deviation.
    let picture = [PreparedImage((0..count).map(|at| (at % 255) as f32 / 255.0).collect())];
    let feeds = || {
        let values = Values::Images(&picture);
        vec![Feed { name: &input.name, shape: shape.clone(), values }]
    };
    let (output, length) = run(graph, &OUTPUTS, feeds)?;
    notes.found(format!(
        "`{file}` reads images: input `{}` {:?}, {} × {}, output `{output}`",
        input.name,
        input.shape,
        if layout == Layout::Nchw { "channels first" } else { "channels last" },
        crop
    ));
    if !sure {
        notes.check("`layout`: the graph does not say where its channels stand");
    }
    if side.is_none() {
        notes.check("`center_crop`: the graph takes any size; 224 was taken");
    }
    let mut steps = match config.as_ref() {
        Some(config) => from_config(config, crop, notes),
        None => guessed(crop, length, clip, notes),
    };
    steps.layout = layout;
    let tower = ImageTower {
        weights: weights(dir, file),
        input: Some(input.name.clone()),
        output: Some(output),
        ..tower(file, steps)
    };
    Ok((tower, length))
}

fn tower(file: &str, preprocess: Preprocess) -> ImageTower {
    ImageTower {
        file: file.into(),
        weights: Vec::new(),
        input: None,
        output: None,
        preprocess,
        faces: None,
    }
}

/// The layout, and whether the graph says it.
fn layout(shape: &[i64]) -> Option<(Layout, bool)> {
    match (shape[1], shape[3]) {
        (3, last) => Some((Layout::Nchw, last != 3)),
        (_, 3) => Some((Layout::Nhwc, true)),
        (-1, -1) => Some((Layout::Nchw, false)),
        _ => None,
    }
}

/// The crop's side, if anything says it.
fn side(edges: &[i64], config: Option<&Json>) -> Result<Option<u32>, String> {
    match *edges {
        [height, width] if height > 0 && width > 0 && height != width => {
            Err("only squares can be cut".into())
        }
        [height, width] if height > 0 || width > 0 => {
            u32::try_from(height.max(width)).map(Some).map_err(|_| "that is too large".into())
        }
        _ => {
            Ok(config
                .and_then(|config| edge(&config["crop_size"]).or_else(|| edge(&config["size"]))))
        }
    }
}

/// A size as the hub's configurations write it: a number, or an object of several kinds.
fn edge(size: &Json) -> Option<u32> {
    let number = |value: &Json| value.as_u64().and_then(|n| u32::try_from(n).ok());
    ["shortest_edge", "height"].iter().find_map(|key| number(&size[key])).or_else(|| number(size))
}

fn plain(resize: Option<Resize>, crop: u32, mean: [f32; 3], std: [f32; 3]) -> Preprocess {
    Preprocess {
        orient: false,
        resize,
        center_crop: crop,
        mean: Some(mean),
        std: Some(std),
        standardize: false,
        channels: Channels::Rgb,
        layout: Layout::Nchw,
    }
}

/// What `preprocessor_config.json` says, as the hub's libraries write it.
fn from_config(config: &Json, crop: u32, notes: &mut Notes) -> Preprocess {
    notes.found("preprocessing is that of preprocessor_config.json");
    let on = |key: &str| config[key].as_bool().unwrap_or(true);
    // Pillow's numbers.
    let filter = match config["resample"].as_u64() {
        Some(3) => Filter::Bicubic,
        Some(2) | None => Filter::Bilinear,
        Some(other) => {
            notes.check(format!(
                "`filter`: preprocessor_config.json has resample {other}, which adb can't do; bilinear was taken"
            ));
            Filter::Bilinear
        }
    };
    let size = &config["size"];
    let resize = match (on("do_resize"), edge(size)) {
        (false, _) => None,
        (true, None) => Some(Resize::shortest_edge(crop, filter)),
        (true, Some(edge)) if size["height"].is_u64() => Some(Resize::exact(edge, filter)),
        (true, Some(edge)) => Some(Resize::shortest_edge(edge, filter)),
    };
    let three = |key: &str| -> Option<[f32; 3]> {
        let values: Vec<f32> =
            config[key].as_array()?.iter().filter_map(|v| Some(v.as_f64()? as f32)).collect();
        values.try_into().ok()
    };
    let (mean, std) = match (on("do_normalize"), three("image_mean"), three("image_std")) {
        (false, ..) => ([0.0; 3], [1.0; 3]),
        (true, Some(mean), Some(std)) => (mean, std),
        _ => {
            notes.check("`mean` and `std`: preprocessor_config.json does not say them; those of ImageNet were taken");
            (IMAGENET_MEAN, IMAGENET_STD)
        }
    };
    let factor = config["rescale_factor"].as_f64().unwrap_or(1.0 / 255.0);
    if !on("do_rescale") || (factor * 255.0 - 1.0).abs() > 1e-4 {
        notes.check("`mean` and `std`: preprocessor_config.json scales bytes otherwise than by 1/255; compute them for values from 0 to 1");
    }
    plain(resize, crop, mean, std)
}

/// By what is known of models of this shape.
fn guessed(crop: u32, length: usize, clip: bool, notes: &mut Notes) -> Preprocess {
    let same = |value: f32| [value; 3];
    let half = 127.5 / 255.0;
    let (family, resize, mean, std) = if clip {
        let resize = Resize::shortest_edge(crop, Filter::Bicubic);
        ("CLIP, because the text side is CLIP's", resize, CLIP_MEAN, CLIP_STD)
    } else if crop == 160 && (length == 128 || length == 512) {
        let resize = Resize::exact(crop, Filter::Bilinear);
        (
            "FaceNet, because of 160 pixels: give it faces, cut out",
            resize,
            same(half),
            same(128.0 / 255.0),
        )
    } else if crop == 112 {
        let resize = Resize::exact(crop, Filter::Bilinear);
        (
            "ArcFace, because of 112 pixels: give it faces, cut out and upright",
            resize,
            same(half),
            same(half),
        )
    } else {
        // ImageNet's usual 224 of 256.
        let resize = Resize::shortest_edge(crop * 8 / 7, Filter::Bilinear);
        ("ImageNet, because nothing says otherwise", resize, IMAGENET_MEAN, IMAGENET_STD)
    };
    notes.check(format!("`preprocess`: there is no preprocessor_config.json, so it was taken from {family}; compare `resize`, `mean`, `std`, `channels` with what the model's authors do"));
    plain(Some(resize), crop, mean, std)
}
