//! `adb schema`: what is in a database.

use adb::{
    StoredProperty, StoredSchema,
    ensure::{FilledBy, FoundSet},
    loaders::runs,
};
use comfy_table::{Table, presets};
use serde_json::{Map, Value as Json, json};

use crate::{database::Db, exit::Exit};

/// Say what is in the database: classes, properties, connections, indexes, descriptor sets.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb schema --db my.adb
  adb schema --db my.adb --mermaid")]
pub(crate) struct Schema {
    #[command(flatten)]
    db: Db,
    /// Print a JSON object.
    #[arg(long, conflicts_with = "mermaid")]
    json: bool,
    /// Print a diagram in Mermaid's language, as Markdown pages show it.
    #[arg(long)]
    mermaid: bool,
    /// Also show what the system and adb keep for themselves, such as runs of ingestion.
    #[arg(long)]
    all: bool,
}

impl Schema {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let db = self.db.read()?;
        let mut schema = StoredSchema::fetch(&*db).await?;
        if !self.all {
            let is_kept = |name: &str| matches!(name, "_DescriptorSet" | runs::CLASS);
            schema.classes.retain(|class| !is_kept(&class.name));
            schema.connections.retain(|class| !class.name.starts_with("_DescriptorSetTo"));
            for class in &mut schema.classes {
                class.properties.retain(|property| is_for_people(&property.name));
            }
            for class in &mut schema.connections {
                class.properties.retain(|property| is_for_people(&property.name));
            }
        }
        match (self.json, self.mermaid) {
            (true, _) => println!("{:#}", as_json(&schema)),
            (_, true) => println!("{}", mermaid(&schema)),
            _ => print(&schema),
        }
        Ok(Exit::Well)
    }
}

/// Whether a property is not one that adb or the system keeps for itself.
fn is_for_people(name: &str) -> bool {
    !name.starts_with('_') && !name.starts_with("adb_")
}

pub(crate) fn print(schema: &StoredSchema) {
    if schema.classes.is_empty() && schema.sets.is_empty() {
        println!("the database is empty");
        return;
    }
    let mut table = table(["CLASS", "OBJECTS", "PROPERTY", "TYPE", "HAVE IT", "INDEX"]);
    for class in &schema.classes {
        rows(&mut table, &class.name, class.objects, &class.properties);
    }
    println!("{table}");
    if !schema.connections.is_empty() {
        println!();
        let mut connections =
            self::table(["CONNECTION", "NUMBER", "PROPERTY", "TYPE", "HAVE IT", "INDEX"]);
        for class in &schema.connections {
            let name = format!("{}: {} → {}", class.name, class.src, class.dst);
            rows(&mut connections, &name, class.connections, &class.properties);
        }
        println!("{connections}");
    }
    if !schema.sets.is_empty() {
        println!();
        let mut sets =
            self::table(["SET", "VECTORS", "DIMENSIONS", "METRIC", "ENGINE", "FILLED BY"]);
        for set in &schema.sets {
            sets.add_row([
                set.name.clone(),
                set.count.map(|count| count.to_string()).unwrap_or_default(),
                set.dimensions.to_string(),
                set.metrics.join(", "),
                set.engines.join(", "),
                filled_by(set),
            ]);
        }
        println!("{sets}");
    }
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table
}

fn rows(table: &mut Table, name: &str, objects: u64, properties: &[StoredProperty]) {
    let mut first = (name.to_owned(), objects.to_string());
    for property in properties {
        table.add_row([
            std::mem::take(&mut first.0),
            std::mem::take(&mut first.1),
            property.name.clone(),
            property.type_name.clone(),
            property.objects.to_string(),
            if property.indexed { "yes".to_owned() } else { String::new() },
        ]);
    }
    if properties.is_empty() {
        table.add_row([
            first.0,
            first.1,
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
}

/// Who made a set's vectors, for people.
fn filled_by(set: &FoundSet) -> String {
    match &set.filled_by {
        None if set.is_vacant => "nobody yet".to_owned(),
        None => "it does not say".to_owned(),
        Some(FilledBy::Caller) => "the caller's own vectors".to_owned(),
        Some(FilledBy::Embedder { name, hash }) => {
            format!("{name} ({})", hash.get(..12).unwrap_or(hash))
        }
    }
}

fn as_json(schema: &StoredSchema) -> Json {
    let classes = schema.classes.iter().map(|class| {
        json!({
            "class": class.name, "objects": class.objects,
            "properties": properties(&class.properties),
        })
    });
    let connections = schema.connections.iter().map(|class| {
        json!({
            "class": class.name, "src": class.src, "dst": class.dst,
            "connections": class.connections, "properties": properties(&class.properties),
        })
    });
    let sets = schema.sets.iter().map(|set| {
        let (embedder, hash) = match &set.filled_by {
            Some(FilledBy::Embedder { name, hash }) => (Some(name), Some(hash)),
            _ => (None, None),
        };
        json!({
            "set": set.name, "vectors": set.count, "dimensions": set.dimensions,
            "metrics": set.metrics, "engines": set.engines,
            "embedder": embedder, "embedder_hash": hash,
            "filled_by_caller": matches!(set.filled_by, Some(FilledBy::Caller)),
        })
    });
    json!({
        "version": 1,
        "classes": classes.collect::<Vec<_>>(),
        "connections": connections.collect::<Vec<_>>(),
        "sets": sets.collect::<Vec<_>>(),
    })
}

fn properties(properties: &[StoredProperty]) -> Map<String, Json> {
    let entry = |property: &StoredProperty| {
        let shown = json!({
            "type": property.type_name, "objects": property.objects, "indexed": property.indexed,
        });
        (property.name.clone(), shown)
    };
    properties.iter().map(entry).collect()
}

/// An entity-relationship diagram.
pub(crate) fn mermaid(schema: &StoredSchema) -> String {
    let mut text = "erDiagram".to_owned();
    for class in &schema.classes {
        text.push_str(&format!("\n    {} {{", quoted(&class.name)));
        for property in &class.properties {
            let index = if property.indexed { " \"indexed\"" } else { "" };
            text.push_str(&format!(
                "\n        {} {}{index}",
                word(&property.type_name),
                word(&property.name)
            ));
        }
        text.push_str("\n    }");
    }
    for class in &schema.connections {
        text.push_str(&format!(
            "\n    {} }}o--o{{ {} : {}",
            quoted(&class.src),
            quoted(&class.dst),
            quoted(&class.name)
        ));
    }
    text
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace(['"', '\n', '\r'], "'"))
}

/// Mermaid's attributes are words of letters, digits, `-` and `_`, and begin with a letter.
fn word(name: &str) -> String {
    let mut word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if !word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        word.insert(0, 'p');
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_their_quotes() {
        assert_eq!(quoted("a\"\nb"), "\"a''b\"");
        assert_eq!(word("5_o_Clock Shadow"), "p5_o_Clock_Shadow");
    }
}
