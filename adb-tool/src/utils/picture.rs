//! `adb utils visualize-schema`

use std::{
    io::{ErrorKind, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use adb::StoredSchema;
use anyhow::{Context as _, bail};

use crate::{
    database::Db,
    exit::{Exit, usage},
    schema::mermaid,
};

/// Draw classes and connections into a file.
///
/// Mermaid (`mmd`) and Graphviz's language (`dot`) are written as they are; pictures (`png`, `svg`,
/// `pdf`) are drawn by Graphviz's program `dot`, if it is installed.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb utils visualize-schema --filename schema --format dot --db my.adb")]
pub(crate) struct VisualizeSchema {
    #[command(flatten)]
    db: Db,
    /// The file, without its ending.
    #[arg(long, default_value = "schema")]
    filename: PathBuf,
    /// `mmd`, `dot`, or a format that Graphviz draws.
    #[arg(long, default_value = "png")]
    format: String,
}

impl VisualizeSchema {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        if self.format.is_empty() || !self.format.bytes().all(|b| b.is_ascii_alphanumeric()) {
            usage!("`{}` is no format; `mmd`, `dot`, `svg` and `png` are", self.format);
        }
        let db = self.db.read()?;
        let schema = StoredSchema::fetch(&*db).await?;
        let mut name = self.filename.into_os_string();
        name.push(format!(".{}", self.format));
        let path = PathBuf::from(name);
        let drawn = match self.format.as_str() {
            "mmd" => (mermaid(&schema) + "\n").into_bytes(),
            "dot" | "gv" => graph(&schema).into_bytes(),
            format => drawn(format, &graph(&schema))?,
        };
        std::fs::write(&path, drawn).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
        Ok(Exit::Well)
    }
}

fn drawn(format: &str, graph: &str) -> anyhow::Result<Vec<u8>> {
    let program = Command::new("dot")
        .arg(format!("-T{format}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut program = match program {
        Ok(program) => program,
        Err(e) if e.kind() == ErrorKind::NotFound => usage!(
            "Graphviz's program `dot` is not installed, which draws {format}; install it, take \
             --format dot or --format mmd, or `adb schema --mermaid`"
        ),
        Err(e) => return Err(e).context("Graphviz's program `dot`"),
    };
    if let Some(mut input) = program.stdin.take() {
        // If it does not read, it says why.
        let _ = input.write_all(graph.as_bytes());
    }
    let output = program.wait_with_output().context("Graphviz's program `dot`")?;
    if !output.status.success() {
        bail!(
            "Graphviz's program `dot` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}

/// The schema in Graphviz's language.
fn graph(schema: &StoredSchema) -> String {
    let mut text = "digraph schema {\n  node [shape=record];\n".to_owned();
    for class in &schema.classes {
        let properties: Vec<String> = class
            .properties
            .iter()
            .filter(|property| !property.name.starts_with('_'))
            .map(|property| {
                let mark = if property.indexed { " *" } else { "" };
                format!("{}: {}{mark}\\l", label(&property.name), label(&property.type_name))
            })
            .collect();
        text.push_str(&format!(
            "  \"{0}\" [label=\"{{{0} ({1})|{2}}}\"];\n",
            label(&class.name),
            class.objects,
            properties.concat()
        ));
    }
    for class in &schema.connections {
        text.push_str(&format!(
            "  \"{}\" -> \"{}\" [label=\"{} ({})\"];\n",
            label(&class.src),
            label(&class.dst),
            label(&class.name),
            class.connections
        ));
    }
    text.push_str("}\n");
    text
}

/// Without what Graphviz gives a meaning to.
fn label(name: &str) -> String {
    name.replace(['"', '\\', '{', '}', '|', '<', '>', '\n', '\r'], "_")
}
