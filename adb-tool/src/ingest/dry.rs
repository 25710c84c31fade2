//! Dry runs: what rows would become, and nothing written.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
};

use adb::{
    Dialect,
    loaders::{self, CommandSource, Source},
};
use serde_json::json;

use crate::{exit::Exit, out};

/// Prints the commands that each row of a model would become.
pub(super) fn of_model(source: impl Source, strict: bool) -> anyhow::Result<Exit> {
    let mut lines = Lines::new();
    let report =
        loaders::dry_run(source, Dialect::default(), strict, &mut |row| lines.print(&row))?;
    for failure in &report.failures {
        eprintln!("failed: {failure}");
    }
    lines.end(report.rows, report.failed)
}

/// Prints the commands of each row that is made of them.
pub(super) fn of_commands<S: CommandSource>(
    sources: impl IntoIterator<Item = S>,
) -> anyhow::Result<Exit> {
    let (mut rows, mut failed) = (0, 0);
    let mut lines = Lines::new();
    for source in sources {
        source.read(&mut |row, _| {
            rows += 1;
            match row.value {
                Ok(Some(commands)) => {
                    let mut line =
                        json!({"file": &*row.at.file, "row": row.at.row, "line": row.at.line});
                    let mut steps = commands.to_json(Dialect::default());
                    line["commands"] = steps.remove(0).into();
                    if !steps.is_empty() {
                        line["then"] = steps.into();
                    }
                    line["blobs"] = commands.origins().into();
                    return lines.print(&line);
                }
                Ok(None) => {}
                Err(reason) => {
                    failed += 1;
                    eprintln!("failed: {}: {reason}", row.at);
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    lines.end(rows, failed)
}

/// Lines of JSON on standard output, until nobody reads them any more.
struct Lines {
    to: io::BufWriter<io::StdoutLock<'static>>,
    written: io::Result<()>,
}

impl Lines {
    fn new() -> Self {
        Self { to: io::BufWriter::new(io::stdout().lock()), written: Ok(()) }
    }

    fn print(&mut self, line: &impl serde::Serialize) -> ControlFlow<()> {
        let written = serde_json::to_writer(&mut self.to, line).map_err(io::Error::from);
        self.written = written.and_then(|()| self.to.write_all(b"\n"));
        match self.written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn end(mut self, rows: u64, failed: u64) -> anyhow::Result<Exit> {
        match self.written.and_then(|()| self.to.flush()) {
            // Who reads has seen enough: `| head`.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Well),
            written => written?,
        }
        let what = if rows == 1 { "row" } else { "rows" };
        out::notice(format_args!("{rows} {what} read, {failed} would fail; nothing was written"));
        Ok(if failed == 0 { Exit::Well } else { Exit::RowsFailed })
    }
}
