//! The first stage: rows of the source become graphs.

use std::{ops::ControlFlow, time::Instant};

use adb_model::GraphBuilder;

use super::{
    Context, Item,
    failure::{Reason, Stage},
    fetch::Outlet,
    mirror::Seen,
    tally::Row,
};
use crate::{Source, SourceRow, ToGraph as _, makers::MediaCache};

pub(super) fn read_source<S: Source>(source: S, context: &Context, to: &Outlet) {
    let tally = &context.tally;
    // What it spends on waiting for the stages behind it does not count.
    let mut since = Instant::now();
    let mut broke = false;
    let result = source.read(&mut |row: SourceRow<S::Row>, bytes| {
        let SourceRow { at, value, ignored, identity, raw, media } = row;
        let Some(value) = value.transpose() else {
            tally.row_left_out(bytes);
            tally.stages.read.add(since.elapsed());
            since = Instant::now();
            broke = context.is_over();
            return if broke { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        };
        tally.row_read(bytes);
        let builder = GraphBuilder::for_row(identity);
        let row = Row::new(at, raw, identity, !media.is_empty());
        let graph = value.map_err(Reason::from).and_then(|value| {
            let graph = value.graph_in(builder)?;
            // Of a row that can't be read, not all keys may have been seen.
            tally.ignored(&ignored);
            match ignored.first() {
                Some(key) if context.options.strict => Err(format!(
                    "no field takes the key `{key}`; take it away, or ingest without `--strict` (`Options::strict` in code)"
                )
                .into()),
                _ => Ok(graph),
            }
        });
        tally.stages.read.add(since.elapsed());
        let go = match graph {
            Err(reason) => {
                context.seen.iter().for_each(Seen::unknown);
                tally.failed(row, Stage::Read, reason);
                ControlFlow::Continue(())
            }
            Ok(graph) => {
                context.seen.iter().for_each(|seen| seen.row(&graph));
                context.rows_gate.pass();
                let media = MediaCache(media.into_iter().collect());
                let bytes = row.raw.len() + graph.blob_bytes() + media.bytes();
                let held = context.rows_gate.hold(bytes);
                let item = Item { _held: Some(held), media, ..Item::of_row(row, graph, context) };
                match to.send_blocking(item) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(unsent) => {
                        tally.lost(unsent.0.row, Stage::Read);
                        ControlFlow::Break(())
                    }
                }
            }
        };
        if let Some(e) = tally.letters_error() {
            context.fail(e);
        }
        since = Instant::now();
        broke = go.is_break() || context.is_over();
        if broke { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match result {
        Err(e) => tally.source_broke(e),
        Ok(()) if !broke => tally.source_ended(),
        Ok(()) => {}
    }
}
