//! The side that reads text.

use std::{fs, path::Path};

use ort::value::TensorElementType;

use super::{Graph, Notes, beside, run, side_file, weights};
use crate::embedders::{
    TextInputs, TextTower, TokenizerSpec,
    session::{Feed, Port, Values},
    tokenizer,
};

/// Names of outputs that are the vector, where there are several outputs.
const OUTPUTS: [&str; 6] = [
    "text_embeds",
    "sentence_embedding",
    "sentence_embeddings",
    "embeddings",
    "embedding",
    "pooler_output",
];
/// Names of tokenizers' files, the best known first.
const TOKENIZERS: [&str; 4] =
    ["tokenizer.json", "bpe_simple_vocab_16e6.txt.gz", "merges.txt", "merges.txt.gz"];

fn is_whole(port: &Port) -> bool {
    matches!(port.kind, Some(TensorElementType::Int64 | TensorElementType::Int32))
        && port.shape.len() == 2
}

/// Whether a graph takes token ids.
pub(super) fn reads(inputs: &[Port]) -> bool {
    inputs.iter().any(is_whole)
}

pub(super) fn is_clip(tower: &TextTower) -> bool {
    matches!(tower.tokenizer, TokenizerSpec::ClipBpe { .. })
}

/// The tower, and the length of its vectors.
pub(super) fn describe(
    dir: &Path,
    graph: &Graph,
    notes: &mut Notes,
) -> Result<(TextTower, usize), String> {
    let file = &graph.file;
    let ports = &graph.runner.inputs;
    let named = |name: &str| ports.iter().find(|port| port.name == name).map(|p| p.name.clone());
    let (mask, types) = (named("attention_mask"), named("token_type_ids"));
    let others = ports
        .iter()
        .filter(|port| Some(&port.name) != mask.as_ref() && Some(&port.name) != types.as_ref());
    let ids = match &others.collect::<Vec<_>>()[..] {
        [ids] if is_whole(ids) => *ids,
        _ => {
            return Err(format!(
                "`{file}` takes {}; ids alone, with `attention_mask` and `token_type_ids` or without, are what can be fed",
                super::list(ports)
            ));
        }
    };
    let fixed = ids.shape.get(1).and_then(|n| usize::try_from(*n).ok()).filter(|n| *n > 0);
    let tokenizer = tokenizer(dir, file, fixed, notes)?;
    // As many ids as a graph of a fixed length takes, else start, a word and end.
    let width = match &tokenizer {
        TokenizerSpec::ClipBpe { context, .. } => *context,
        TokenizerSpec::HfJson { .. } => fixed.unwrap_or(3),
    };
    let feeds = || {
        ports
            .iter()
            .map(|port| {
                let one = Some(&port.name) == mask.as_ref();
                let values = vec![i64::from(one); width];
                let values = match port.kind {
                    Some(TensorElementType::Int32) => {
                        Values::I32(values.into_iter().map(|v| v as i32).collect())
                    }
                    _ => Values::I64(values),
                };
                Feed { name: &port.name, shape: vec![1, width as i64], values }
            })
            .collect()
    };
    let (output, length) = run(graph, &OUTPUTS, feeds)?;
    notes.found(format!(
        "`{file}` reads text: input `{}` {:?}{}, output `{output}`",
        ids.name,
        ids.shape,
        if mask.is_some() { " and a mask" } else { "" }
    ));
    let tower = TextTower {
        file: file.clone(),
        weights: weights(dir, file),
        inputs: Some(TextInputs { ids: ids.name.clone(), mask, types }),
        output: Some(output),
        tokenizer,
    };
    Ok((tower, length))
}

/// The tokenizer's file, tried with both kinds, and the longest text.
fn tokenizer(
    dir: &Path,
    graph: &str,
    fixed: Option<usize>,
    notes: &mut Notes,
) -> Result<TokenizerSpec, String> {
    let found = TOKENIZERS.iter().find_map(|name| beside(dir, graph, name));
    let Some(file) = found else {
        return Err(format!(
            "`{graph}` reads text, and there is no tokenizer: put one of {} beside it",
            TOKENIZERS.join(", ")
        ));
    };
    let bytes = fs::read(dir.join(&file)).map_err(|e| format!("{file}: {e}"))?;
    let limit = fixed.or_else(|| told(dir, graph));
    let is_clip = match tokenizer::kind(bytes) {
        Ok(is_clip) => is_clip,
        Err(why) => {
            return Err(format!("the tokenizer {file} is of no kind that adb can do: {why}"));
        }
    };
    let (what, usual) = if is_clip { ("CLIP's BPE", 77) } else { ("WordPiece", 256) };
    notes.found(format!("`{file}` is a tokenizer: {what}"));
    let limit = limit.unwrap_or_else(|| {
        let key = if is_clip { "context" } else { "max_tokens" };
        notes.check(format!(
            "`{key}`: nothing says how many tokens a text may have; {usual} was taken"
        ));
        usual
    });
    Ok(if is_clip {
        TokenizerSpec::ClipBpe { file, context: limit }
    } else {
        TokenizerSpec::HfJson { file, max_tokens: limit }
    })
}

/// How many tokens a text may have, as the files say that come with models.
fn told(dir: &Path, graph: &str) -> Option<usize> {
    [
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
        ("config.json", "max_position_embeddings"),
    ]
    .iter()
    .find_map(|(file, key)| side_file(dir, graph, file)?[key].as_u64())
    // Some files say "any length" with a number that no text has.
    .filter(|tokens| (3..=65_536).contains(tokens))
    .and_then(|tokens| usize::try_from(tokens).ok())
}
