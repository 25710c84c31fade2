//! What would be written, without a database, an embedder or a look at the media.

use std::ops::ControlFlow;

use adb_model::{Dialect, EmbedInput, Graph, GraphBuilder, Lowering, MediaSource};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value as Json, json, value::RawValue};

use super::{
    failure::{Reason, Stage},
    progress::Progress,
    report::Report,
    tally::{Row, Tally},
};
use crate::{Error, MediaOptions, MediaReader, RowPlace, Source, SourceRow, ToGraph as _};

/// What a row would become.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct DryRow {
    /// Where it stands.
    #[serde(flatten)]
    pub at: RowPlace,
    /// Its commands, as an array. An ingestion sends those of several rows in one request, leaves
    /// out what is there already, and adds the hashes of media.
    pub commands: Box<RawValue>,
    /// What the commands take as blobs, in their order: the file, or the vector that would be made.
    pub blobs: Vec<Json>,
    /// Children that would be made, and are not among the commands: model, field and maker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_make: Vec<String>,
}

/// Hands what each row of a source would become to `each`, until that says to stop. The report says
/// which rows can't become anything; others count as added.
///
/// Media are read only where their hash is an object's identity.
///
/// # Errors
/// When the source can't be read.
pub fn dry_run<S: Source>(
    source: S,
    dialect: Dialect,
    strict: bool,
    each: &mut dyn FnMut(DryRow) -> ControlFlow<()>,
) -> Result<Report, Error> {
    let tally = Tally::new(std::sync::Arc::<Progress>::default(), None, None);
    let media = MediaReader::new(source.media_root(), MediaOptions::default());
    let started = std::time::Instant::now();
    source.read(&mut |row: SourceRow<S::Row>, bytes| {
        let SourceRow { at, value, ignored, identity, raw, media: brought } = row;
        let Some(value) = value.transpose() else {
            tally.row_left_out(bytes);
            return ControlFlow::Continue(());
        };
        tally.row_read(bytes);
        let row = Row::new(at, raw, identity, !brought.is_empty());
        let graph = value.map_err(Reason::from).and_then(|value| {
            let graph = value.graph_in(GraphBuilder::for_row(identity))?;
            tally.ignored(&ignored);
            match ignored.first().filter(|_| strict) {
                Some(key) => Err(format!("no field takes the key `{key}`").into()),
                None => Ok(graph),
            }
        });
        match graph.and_then(|graph| describe(&row.at, graph, (&media, &brought), dialect)) {
            Err(reason) => {
                tally.failed(row, Stage::Read, reason);
                ControlFlow::Continue(())
            }
            Ok(described) => {
                tally.added();
                each(described)
            }
        }
    })?;
    tally.source_ended();
    Ok(tally.report(started.elapsed(), false, None))
}

fn describe(
    at: &RowPlace,
    mut graph: Graph,
    (media, brought): (&MediaReader, &[(String, Bytes)]),
    dialect: Dialect,
) -> Result<DryRow, Reason> {
    let to_make = leave_out_what_is_made(&mut graph);
    graph.identify(|source| {
        let known = |origin: String| brought.iter().find(|(name, _)| *name == origin);
        match source.origin().and_then(known) {
            Some((_, bytes)) => Ok(bytes.clone()),
            None => media.read(source).map_err(String::from),
        }
    })?;
    let blobs = blobs(&graph);
    for source in graph.media_mut().filter(|source| source.loaded().is_none()) {
        *source = MediaSource::Bytes(Bytes::new());
    }
    let wanted: Vec<_> =
        graph.wanted()?.into_iter().map(|(node, set, _)| (node, set.dimensions)).collect();
    for (node, dimensions) in wanted {
        graph.fill(node, vec![0.5; dimensions])?;
    }
    let mut lowering = Lowering::with_dialect(dialect);
    lowering.push(&graph)?;
    let commands = String::from_utf8(lowering.finish().commands.into());
    let commands = commands
        .map_err(|e| e.to_string())
        .and_then(|text| RawValue::from_string(text).map_err(|e| e.to_string()))?;
    Ok(DryRow { at: at.clone(), commands, blobs, to_make })
}

/// Children that only their maker knows; answers which those are.
fn leave_out_what_is_made(graph: &mut Graph) -> Vec<String> {
    if graph.to_make().is_empty() {
        return Vec::new();
    }
    let mut builder = std::mem::take(graph).reopen();
    let mut to_make = Vec::new();
    while let Some(task) = builder.next_to_make() {
        to_make.push(format!("{}.{} by {}", task.at.model, task.at.field, task.maker));
    }
    *graph = builder.finish();
    to_make
}

/// What each blob is, in the order of the objects that take one.
fn blobs(graph: &Graph) -> Vec<Json> {
    graph
        .nodes()
        .iter()
        .filter_map(|node| match (&node.media, &node.descriptor) {
            (Some(media), _) => Some(json!({ node.kind.command_suffix(): medium(media) })),
            (None, Some(d)) => {
                let mut vector = json!({"set": d.set.name, "dimensions": d.set.dimensions});
                match (&d.vector, &d.source) {
                    (Some(_), _) => vector["given"] = true.into(),
                    (None, Some(source)) => vector["to_be_made_from"] = input(source),
                    (None, None) => {}
                }
                Some(json!({ "Descriptor": vector }))
            }
            (None, None) => None,
        })
        .collect()
}

fn medium(media: &MediaSource) -> Json {
    match media.origin() {
        Some(origin) => origin.into(),
        None => json!({ "bytes": media.loaded().map(Bytes::len) }),
    }
}

fn input(source: &EmbedInput) -> Json {
    match source {
        EmbedInput::Image(media) => medium(media),
        EmbedInput::Region(media, rect) => json!({
            "part_of": medium(media),
            "x": rect.x, "y": rect.y, "width": rect.width, "height": rect.height,
        }),
        EmbedInput::Face(media, _) => json!({ "face_in": medium(media) }),
        EmbedInput::Text(text) => json!({ "text": text }),
        other => format!("{other:?}").into(),
    }
}
