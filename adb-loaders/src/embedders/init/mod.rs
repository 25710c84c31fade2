//! A first `bundle.json`, by looking at ONNX files.
//!
//! Graphs say what they take and give, and files that came with them say more. The rest is guessed
//! from what is known of well-known models, and each guess is told.

mod image;
mod text;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Cache, Device, Error, FORMAT, FileEntry, Manifest, Preset, Runtime,
    bundle::MANIFEST,
    session::{Feed, GraphRunner, Opening, Port},
};

/// A description of ONNX files that is still to be checked by somebody who knows them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Draft {
    /// The description.
    pub manifest: Manifest,
    /// What was read from the files, in sentences.
    pub found: Vec<String>,
    /// What was guessed and decides the vectors: the user must compare it with what the model's
    /// authors say.
    pub to_check: Vec<String>,
    dir: PathBuf,
}

/// What the user knows already.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Known {
    /// The bundle's name; the directory's, if this says nothing.
    pub name: Option<String>,
    /// The graph that reads images, if there are several.
    pub image: Option<String>,
    /// The graph that reads text, if there are several.
    pub text: Option<String>,
}

/// A graph of the directory, opened.
struct Graph {
    /// Its path in the directory, with `/`.
    file: String,
    runner: GraphRunner,
}

/// What is gathered on the way.
#[derive(Default)]
struct Notes {
    found: Vec<String>,
    to_check: Vec<String>,
}

impl Notes {
    fn found(&mut self, text: impl Into<String>) {
        self.found.push(text.into());
    }

    fn check(&mut self, text: impl Into<String>) {
        self.to_check.push(text.into());
    }
}

impl Draft {
    /// Looks at the ONNX files in a directory and in its subdirectories: opens each, runs the one
    /// that reads images and the one that reads text once. Blocks.
    ///
    /// # Errors
    /// When there is no graph that reads images or text, or more than one of a kind; when a graph
    /// can't be loaded or its output is no vector for each input; when the tokenizer's file is
    /// missing or of a kind that adb can't do; when the two sides differ in length.
    pub fn of(dir: &Path, known: &Known, cache: &Cache) -> Result<Self, Error> {
        let runtime = Runtime::start(cache)?;
        let fault = |message: String| Error::bundle(dir, message);
        let mut notes = Notes::default();
        let (mut images, mut texts) = (Vec::new(), Vec::new());
        for file in onnx_files(dir)? {
            let wanted = [&known.image, &known.text];
            let named = wanted.iter().any(|name| name.as_deref() == Some(file.as_str()));
            let both = wanted.iter().all(|name| name.is_some());
            if both && !named {
                continue;
            }
            let path = dir.join(&file);
            let opening = Opening { device: Device::Cpu, sessions: 1, threads: 1 };
            let runner = GraphRunner::open(runtime, &path, opening)
                .map_err(|e| Error::bundle(&path, format!("this graph can't be loaded: {e}")))?;
            let graph = Graph { file, runner };
            match (image::reads(&graph.runner.inputs), text::reads(&graph.runner.inputs)) {
                (true, true) => notes.found(format!(
                    "`{}` reads images and text at once, and was left out: a bundle takes a graph for each",
                    graph.file
                )),
                (true, false) => images.push(graph),
                (false, true) => texts.push(graph),
                (false, false) => notes.found(format!(
                    "`{}` was left out: it takes {}, neither one image nor token ids",
                    graph.file,
                    list(&graph.runner.inputs)
                )),
            }
        }
        let image = one(images, known.image.as_deref(), "images").map_err(fault)?;
        let text = one(texts, known.text.as_deref(), "text").map_err(fault)?;
        if image.is_none() && text.is_none() {
            let seen = notes.found.join("; ");
            return Err(fault(format!(
                "there is no ONNX file that takes an image or token ids{}{seen}",
                if seen.is_empty() { "" } else { ": " }
            )));
        }
        let (mut towers, mut lengths) = ((None, None), Vec::new());
        if let Some(graph) = &text {
            let (tower, length) = text::describe(dir, graph, &mut notes).map_err(fault)?;
            (towers.1, lengths) = (Some(tower), vec![length]);
        }
        if let Some(graph) = &image {
            let clip = towers.1.as_ref().is_some_and(text::is_clip);
            let (tower, length) = image::describe(dir, graph, clip, &mut notes).map_err(fault)?;
            towers.0 = Some(tower);
            lengths.push(length);
        }
        let dimensions = lengths[0];
        if lengths.iter().any(|length| *length != dimensions) {
            return Err(fault(format!(
                "text becomes vectors of {} components and images of {}: they are of two models",
                lengths[0], lengths[1]
            )));
        }
        notes.found(format!("vectors have {dimensions} components"));
        let name = known.name.clone().unwrap_or_else(|| name_of(dir));
        let preset = Preset::named(&name);
        let mut manifest = Manifest {
            format: FORMAT,
            name,
            description: preset.map(|p| p.description.to_owned()).unwrap_or_default(),
            dimensions,
            normalize: true,
            image: towers.0,
            text: towers.1,
            source: "described by `adb embedders init`".into(),
            licence: String::new(),
            files: BTreeMap::new(),
        };
        let used: Vec<String> = manifest.used().into_iter().map(str::to_owned).collect();
        for file in used {
            let path = dir.join(&file);
            manifest.files.insert(file, FileEntry::of(&path)?);
        }
        manifest.check().map_err(fault)?;
        notes.check("`normalize`: vectors are brought to unit length, as most models want it");
        notes
            .check("`description`, `source` and `licence`: for those who use the bundle after you");
        let Notes { found, to_check } = notes;
        Ok(Self { manifest, found, to_check, dir: dir.to_owned() })
    }

    /// Writes `bundle.json`, and gives its path. One that is there stays, unless `replace`.
    ///
    /// # Errors
    /// When there is one, or it can't be written.
    pub fn write(&self, replace: bool) -> Result<PathBuf, Error> {
        let path = self.dir.join(MANIFEST);
        if !replace && path.exists() {
            return Err(Error::bundle(&path, "it is there already, and was left as it is"));
        }
        let text = serde_json::to_string_pretty(&self.manifest)
            .map_err(|e| Error::bundle(&path, e.to_string()))?;
        let draft = self.dir.join(".bundle.json.draft");
        fs::write(&draft, text + "\n").map_err(|e| Error::io(&draft, e))?;
        fs::rename(&draft, &path).map_err(|e| Error::io(&path, e))?;
        Ok(path)
    }
}

fn list(ports: &[Port]) -> String {
    let each = |port: &Port| format!("{} {:?}", port.name, port.shape);
    ports.iter().map(each).collect::<Vec<_>>().join(", ")
}

/// The only one, or the one that was named.
fn one(graphs: Vec<Graph>, named: Option<&str>, what: &str) -> Result<Option<Graph>, String> {
    let names: Vec<String> = graphs.iter().map(|graph| graph.file.clone()).collect();
    let mut left: Vec<Graph> =
        graphs.into_iter().filter(|graph| named.is_none_or(|name| graph.file == name)).collect();
    match (left.len(), named) {
        (0, Some(name)) => Err(format!("`{name}` is no graph that reads {what}")),
        (0 | 1, _) => Ok(left.pop()),
        _ => Err(format!("several graphs read {what}: {}; name one of them", names.join(", "))),
    }
}

/// Paths of ONNX files below a directory, with `/`, in order.
fn onnx_files(dir: &Path) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let place = dir.join(&folder);
        for entry in fs::read_dir(&place).map_err(|e| Error::io(&place, e))? {
            let entry = entry.map_err(|e| Error::io(&place, e))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // What begins with a dot is somebody's own; deeper than that nobody exports.
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{folder}{name}");
            if entry.path().is_dir() {
                if folder.matches('/').count() < 2 {
                    folders.push(path + "/");
                }
            } else if name.to_ascii_lowercase().ends_with(".onnx") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Files in which a graph keeps its weights, by the names that exporters give them.
fn weights(dir: &Path, file: &str) -> Vec<String> {
    ["_data", ".data"]
        .iter()
        .map(|ending| format!("{file}{ending}"))
        .chain(file.strip_suffix(".onnx").map(|stem| format!("{stem}.data")))
        .filter(|name| dir.join(name).is_file())
        .collect()
}

/// A file beside the graph, or in the directory itself, as JSON.
fn side_file(dir: &Path, graph: &str, name: &str) -> Option<serde_json::Value> {
    let text = fs::read(dir.join(beside(dir, graph, name)?)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Where a file lies that belongs to a graph.
fn beside(dir: &Path, graph: &str, name: &str) -> Option<String> {
    let folder = graph.rsplit_once('/').map_or("", |(folder, _)| folder);
    let near = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    [near, name.to_owned()].into_iter().find(|path| dir.join(path).is_file())
}

/// Runs a graph once; gives the name of the output that has a vector, and its length.
fn run<'a>(
    graph: &Graph,
    usual: &[&str],
    feeds: impl Fn() -> Vec<Feed<'a>>,
) -> Result<(String, usize), String> {
    let outputs = &graph.runner.outputs;
    let flat = |port: &&Port| port.shape.is_empty() || port.shape.len() == 2;
    let named = usual.iter().find_map(|name| outputs.iter().find(|port| port.name == *name));
    let Some(output) = named.or_else(|| outputs.iter().find(flat)) else {
        return Err(format!(
            "`{}` gives {}, and none of it is one vector for each input; export it with its pooling",
            graph.file,
            list(outputs)
        ));
    };
    let (shape, _) = graph
        .runner
        .run(feeds(), &output.name)
        .map_err(|e| format!("`{}` fails when it is run: {e}", graph.file))?;
    match shape[..] {
        [1, length] if length > 0 => Ok((output.name.clone(), length as usize)),
        _ => Err(format!(
            "`{}` gives `{}` of the shape {shape:?} for one input, and [1, dimensions] is wanted",
            graph.file, output.name
        )),
    }
}

/// The directory's name, made a plain word.
fn name_of(dir: &Path) -> String {
    let whole = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let name = whole.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = name.trim_start_matches('.').chars().map(plain).collect();
    if name.is_empty() { "embedder".into() } else { name }
}
