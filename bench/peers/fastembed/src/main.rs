//! fastembed's side of `bench/embed.sh`: the same graphs, files, threads and batches as all sides.
//!
//!     fastembed-peer images|texts BUNDLE DATA THREADS BATCH REPEAT
//!
//! BUNDLE is what `tools/models/random_clip.py` makes, DATA a directory with images/ and texts.txt.
//! Each figure is a line of JSON. ONNX Runtime is the library that `ORT_DYLIB_PATH` names.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use fastembed::{
    ImageEmbedding, ImageInitOptionsUserDefined, InitOptionsUserDefined, TextEmbedding,
    TokenizerFiles, UserDefinedEmbeddingModel, UserDefinedImageEmbeddingModel,
};
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, bundle, data, threads, batch, repeat] = arguments.as_slice() else {
        bail!("usage: fastembed-peer images|texts BUNDLE DATA THREADS BATCH REPEAT");
    };
    let (bundle, data) = (Path::new(bundle), Path::new(data));
    let (threads, batch, repeat): (usize, usize, usize) =
        (threads.parse()?, batch.parse()?, repeat.parse()?);
    match what.as_str() {
        "images" => images(bundle, data, threads, batch, repeat),
        "texts" => texts(bundle, data, threads, batch, repeat),
        other => bail!("`{other}` is neither images nor texts"),
    }
}

fn images(
    bundle: &Path,
    data: &Path,
    threads: usize,
    batch: usize,
    repeat: usize,
) -> anyhow::Result<()> {
    let manifest: Value = serde_json::from_slice(&fs::read(bundle.join("bundle.json"))?)?;
    let steps = &manifest["image"]["preprocess"];
    let config = json!({
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": true, "size": {"shortest_edge": steps["resize"]["shortest_edge"]}, "resample": 3,
        "do_center_crop": true, "crop_size": steps["center_crop"],
        "do_rescale": true, "rescale_factor": 1.0 / 255.0,
        "do_normalize": true, "image_mean": steps["mean"], "image_std": steps["std"],
    });
    let model = UserDefinedImageEmbeddingModel::new(
        fs::read(bundle.join("image.onnx"))?,
        config.to_string().into_bytes(),
    );
    let options = ImageInitOptionsUserDefined::new().with_intra_threads(threads);
    let mut embedder = ImageEmbedding::try_new_from_user_defined(model, options)?;
    let mut files: Vec<PathBuf> =
        fs::read_dir(data.join("images"))?.map(|f| Ok(f?.path())).collect::<anyhow::Result<_>>()?;
    files.sort();
    embedder.embed(&files[..batch.min(files.len())], Some(batch))?;
    measure("images", batch, files.len() * repeat, || {
        for _ in 0..repeat {
            let vectors = embedder.embed(&files, Some(batch))?;
            ensure!(vectors.len() == files.len());
        }
        Ok(())
    })
}

fn texts(
    bundle: &Path,
    data: &Path,
    threads: usize,
    batch: usize,
    repeat: usize,
) -> anyhow::Result<()> {
    let read = |name: &str| fs::read(bundle.join(name)).with_context(|| name.to_owned());
    let files = TokenizerFiles {
        tokenizer_file: read("tokenizer.json")?,
        config_file: br#"{"pad_token_id": 0}"#.to_vec(),
        special_tokens_map_file: b"{}".to_vec(),
        tokenizer_config_file: br#"{"model_max_length": 77, "pad_token": "!"}"#.to_vec(),
    };
    let model = UserDefinedEmbeddingModel::new(read("text.onnx")?, files);
    let options = InitOptionsUserDefined::new().with_intra_threads(threads).with_max_length(77);
    let mut embedder = TextEmbedding::try_new_from_user_defined(model, options)?;
    let text = fs::read_to_string(data.join("texts.txt"))?;
    let texts: Vec<&str> = text.lines().collect();
    embedder.embed(&texts[..batch.min(texts.len())], Some(batch))?;
    measure("texts", batch, texts.len() * repeat, || {
        for _ in 0..repeat {
            let vectors = embedder.embed(&texts, Some(batch))?;
            ensure!(vectors.len() == texts.len());
        }
        Ok(())
    })
}

/// Runs it between two looks at the clocks, and prints the figures.
fn measure(
    what: &str,
    batch: usize,
    count: usize,
    run: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (start, before) = (Instant::now(), processor_seconds()?);
    run()?;
    let (wall, used) = (start.elapsed().as_secs_f64(), processor_seconds()? - before);
    let case = format!("{what}, batch {batch}");
    for (unit, value) in [
        (format!("{what}/s"), count as f64 / wall),
        (format!("{what}/CPU-s"), count as f64 / used),
        ("MB at peak".to_owned(), peak_megabytes()?),
    ] {
        println!("{}", json!({"case": case, "unit": unit, "value": value}));
    }
    Ok(())
}

/// Of all threads, user and system, in steps of a hundredth.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, after) = stat.rsplit_once(')').context("an odd /proc/self/stat")?;
    let ticks: Vec<&str> = after.split_whitespace().skip(11).take(2).collect();
    Ok(ticks.iter().map(|t| t.parse::<f64>()).sum::<Result<f64, _>>()? / 100.0)
}

fn peak_megabytes() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}
