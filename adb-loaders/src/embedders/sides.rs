//! The graphs of a bundle, and what goes in and comes out of each.

use ort::value::TensorElementType;

use super::{
    manifest::{ImageTower, TextTower},
    session::{Feed, GraphRunner, Port, Values},
    tokenizer::Tokens,
};

/// A graph and the names of what goes in and comes out.
pub(super) struct Graph {
    pub(super) runner: GraphRunner,
    pub(super) output: String,
    /// The batch that it takes, if it does not take any.
    pub(super) batch: Option<usize>,
}

/// The graph that reads images.
pub(super) struct ImageSide {
    pub(super) graph: Graph,
    pub(super) input: String,
}

/// The graph that reads text.
pub(super) struct TextSide {
    pub(super) graph: Graph,
    ids: Port,
    mask: Option<Port>,
    types: Option<Port>,
}

impl ImageSide {
    /// A graph, if it is as the bundle describes it.
    pub(super) fn of(runner: GraphRunner, tower: &ImageTower) -> Result<Self, String> {
        let input = pick(&runner.inputs, tower.input.as_deref(), "pixel_values", "input")?;
        let output = pick(&runner.outputs, tower.output.as_deref(), "image_embeds", "output")?;
        let batch = fixed_batch(&input)?;
        Ok(Self { graph: Graph { runner, output: output.name, batch }, input: input.name })
    }
}

impl TextSide {
    /// A graph, if it is as the bundle describes it.
    pub(super) fn of(runner: GraphRunner, tower: &TextTower) -> Result<Self, String> {
        let (ids, mask, types) = text_inputs(&runner.inputs, tower)?;
        let output = pick(&runner.outputs, tower.output.as_deref(), "text_embeds", "output")?;
        let batch = fixed_batch(&ids)?;
        Ok(Self { graph: Graph { runner, output: output.name, batch }, ids, mask, types })
    }

    /// Whether it takes texts of any length, and not of one alone.
    pub(super) fn takes_any_length(&self) -> bool {
        self.ids.shape.get(1) == Some(&-1)
    }

    /// What it is fed with, for so many texts.
    pub(super) fn feeds(&self, texts: usize, tokens: Tokens) -> Vec<Feed<'_>> {
        let shape = vec![texts as i64, tokens.width as i64];
        let mut feeds = vec![integers(&self.ids, shape.clone(), tokens.ids)];
        if let Some(types) = &self.types {
            feeds.push(integers(types, shape.clone(), vec![0; tokens.mask.len()]));
        }
        if let Some(mask) = &self.mask {
            feeds.push(integers(mask, shape, tokens.mask));
        }
        feeds
    }
}

fn integers(port: &Port, shape: Vec<i64>, values: Vec<i64>) -> Feed<'_> {
    let values = if port.kind == Some(TensorElementType::Int32) {
        // Ids come from a vocabulary that was counted with 32 bits.
        Values::I32(values.into_iter().map(|v| v as i32).collect())
    } else {
        Values::I64(values)
    };
    Feed { name: &port.name, shape, values }
}

/// The port that the bundle names; else the usual one; else the only one.
fn pick(ports: &[Port], named: Option<&str>, usual: &str, what: &str) -> Result<Port, String> {
    let has = |name: &str| ports.iter().find(|p| p.name == name);
    let found = match named {
        Some(name) => has(name),
        None => has(usual).or_else(|| if ports.len() == 1 { ports.first() } else { None }),
    };
    found.cloned().ok_or_else(|| {
        let all = ports.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
        let wanted = named.unwrap_or(usual);
        format!("this graph has no {what} `{wanted}` but {all}; name the right one in bundle.json")
    })
}

/// Ids, mask and token types.
fn text_inputs(
    ports: &[Port],
    tower: &TextTower,
) -> Result<(Port, Option<Port>, Option<Port>), String> {
    match &tower.inputs {
        Some(named) => {
            let port = |name: &String| pick(ports, Some(name), "", "input");
            let (mask, types) = (named.mask.as_ref().map(port), named.types.as_ref().map(port));
            Ok((port(&named.ids)?, mask.transpose()?, types.transpose()?))
        }
        None => {
            let ids = pick(ports, None, "input_ids", "input")?;
            let usual = |name: &str| ports.iter().find(|port| port.name == name).cloned();
            Ok((ids, usual("attention_mask"), usual("token_type_ids")))
        }
    }
}

/// Graphs are exported for any batch, or for a batch of one.
fn fixed_batch(input: &Port) -> Result<Option<usize>, String> {
    match input.shape.first() {
        None | Some(-1) => Ok(None),
        Some(1) => Ok(Some(1)),
        Some(n) => Err(format!(
            "this graph takes exactly {n} inputs at once; export it for any number, or for one"
        )),
    }
}
