//! Columns: where each cell of a line goes in its row.

use adb_model::{FieldRole, FieldSchema, ModelSchema, ValueType};
use csv::{ByteRecord, StringRecord};
use serde_json::Value as Json;

use super::{
    super::{Object, ObjectText},
    cell,
};

/// Places in a list that a header may name; a header is no place to ask for memory.
const MOST_PLACES: usize = 10_000;

/// The columns of a table.
#[derive(Debug)]
pub(super) struct Columns {
    columns: Vec<Column>,
    separator: char,
    /// Whether each is a key of its own, and none is JSON: then a line is written as it is read.
    is_flat: bool,
}

/// A column: its name, where its cells go in a row, and the field that takes them.
#[derive(Debug)]
struct Column {
    name: String,
    /// Nothing if its cells go nowhere.
    path: Vec<Step>,
    /// `"key":`, where it is a key of its own.
    key: Option<String>,
    field: Option<&'static FieldSchema>,
    /// A part of a field, whose type nobody has written down.
    inside: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(String),
    /// `[3]`: an item of a list.
    Item(usize),
    /// `[]`: each item of a list, from the items of the cell.
    Each,
}

impl Columns {
    /// By a header's names; `map` says what some of them are called in rows.
    pub(super) fn new(
        header: &StringRecord,
        schema: &'static ModelSchema,
        map: &[(String, String)],
        separator: char,
    ) -> Result<Self, String> {
        for (column, _) in map {
            if header.iter().all(|name| name.trim() != column) {
                let names: Vec<&str> = header.iter().collect();
                return Err(format!(
                    "there is no column `{column}` that could be mapped; there are: {}",
                    names.join(", ")
                ));
            }
        }
        let mut columns: Vec<Column> = Vec::with_capacity(header.len());
        for name in header {
            let name = name.trim();
            let key = map.iter().find(|(column, _)| column == name).map(|(_, key)| key.as_str());
            let column = Column::of(name, key.unwrap_or(name), schema)?;
            let is_taken = |other: &&Column| !other.path.is_empty() && other.path == column.path;
            if let Some(other) = columns.iter().find(is_taken) {
                return Err(match other.name == name {
                    true => format!("two columns are called `{name}`"),
                    false => format!("the columns `{}` and `{name}` go to one field", other.name),
                });
            }
            columns.push(column);
        }
        let is_flat = columns.iter().all(|c| c.path.is_empty() || c.key.is_some());
        Ok(Self { columns, separator, is_flat })
    }

    /// How many of them a field takes.
    pub(super) fn known(&self) -> usize {
        self.columns.iter().filter(|c| c.field.is_some()).count()
    }

    /// A line as what the same row would be elsewhere; `text` is where it is written, if it is.
    pub(super) fn read<'t>(
        &self,
        record: &ByteRecord,
        text: &'t mut Vec<u8>,
    ) -> Result<ObjectText<'t>, String> {
        if record.len() != self.columns.len() {
            return Err(format!(
                "the line has {} cells, the header {} columns",
                record.len(),
                self.columns.len()
            ));
        }
        if !self.is_flat {
            return self.object(record).map(ObjectText::Object);
        }
        text.clear();
        text.push(b'{');
        for (column, cell) in self.columns.iter().zip(record) {
            let cell = column.text(cell)?;
            let Some(key) = &column.key else { continue };
            let before = text.len();
            if before > 1 {
                text.push(b',');
            }
            text.extend_from_slice(key.as_bytes());
            if !cell::write(column.field, cell, text) {
                text.truncate(before);
            }
        }
        text.push(b'}');
        std::str::from_utf8(text).map(ObjectText::Text).map_err(|e| e.to_string())
    }

    fn object(&self, record: &ByteRecord) -> Result<Object, String> {
        let mut object = Object::new();
        for (column, cell) in self.columns.iter().zip(record) {
            let cell = column.text(cell)?;
            let value = match column.path.contains(&Step::Each) {
                _ if column.path.is_empty() => None,
                true => cell::list(column.field, cell, self.separator),
                false if column.inside => (!cell.is_empty()).then(|| cell::json(cell)),
                false => cell::value(column.field, cell),
            };
            if let Some(value) = value {
                put(&mut object, &column.path, value)
                    .map_err(|reason| format!("the cell of `{}`: {reason}", column.name))?;
            }
        }
        for column in &self.columns {
            if let [Step::Key(key), Step::Item(_), ..] = column.path.as_slice()
                && let Some(Json::Array(items)) = object.get_mut(key)
            {
                items.retain(|item| !item.is_null());
            }
        }
        Ok(object)
    }
}

impl Column {
    fn of(name: &str, key: &str, schema: &'static ModelSchema) -> Result<Self, String> {
        let mut column =
            Self { name: name.to_owned(), path: Vec::new(), key: None, field: None, inside: false };
        if key.is_empty() {
            // A column without a name, as index columns are, or mapped to nothing.
            return Ok(column);
        }
        column.resolve(key, schema, &[])?;
        if let [Step::Key(key)] = column.path.as_slice()
            && cell::type_of(column.field) != ValueType::Json
        {
            column.key = Some(format!("{}:", Json::from(key.as_str())));
        }
        Ok(column)
    }

    fn text<'c>(&self, cell: &'c [u8]) -> Result<&'c str, String> {
        std::str::from_utf8(cell).map_err(|_| format!("the cell of `{}` is not UTF-8", self.name))
    }

    /// `edge`: properties of the connection, whose keys lie among the child's.
    fn resolve(
        &mut self,
        key: &str,
        schema: &'static ModelSchema,
        edge: &'static [FieldSchema],
    ) -> Result<(), String> {
        let fields = || schema.fields.iter().chain(edge);
        let within = |field: &FieldSchema| field.inside.and_then(|inside| inside.key);
        for field in fields() {
            let rest = match within(field) {
                None => Some(key),
                Some(outer) => key.strip_prefix(outer).and_then(|rest| rest.strip_prefix('.')),
            };
            if rest == Some(field.key) {
                self.path.extend(within(field).map(|outer| Step::Key(outer.to_owned())));
                self.path.push(Step::Key(field.key.to_owned()));
                self.field = Some(field);
                return Ok(());
            }
        }
        for field in fields().filter(|field| within(field).is_none()) {
            let Some(rest) = key.strip_prefix(field.key) else { continue };
            match field.role {
                FieldRole::Children { model, edge, many, .. } => {
                    let Some((step, rest)) = step(rest, self)? else { continue };
                    if step.is_some() && !many {
                        continue;
                    }
                    self.path.push(Step::Key(field.key.to_owned()));
                    self.path.extend(step);
                    return self.resolve(rest, model.get(), edge);
                }
                FieldRole::Geometry(_)
                | FieldRole::Property { value_type: ValueType::Json, .. } => {
                    let Some(rest) = rest.strip_prefix('.') else { continue };
                    self.path.push(Step::Key(field.key.to_owned()));
                    self.path.extend(rest.split('.').map(|key| Step::Key(key.to_owned())));
                    self.field = Some(field);
                    self.inside = true;
                    return Ok(());
                }
                _ => {}
            }
        }
        self.path.push(Step::Key(key.to_owned()));
        Ok(())
    }
}

/// What follows a list's key, and the rest behind it: `.name`, `[].name`, `[3].name`.
fn step<'k>(rest: &'k str, column: &Column) -> Result<Option<(Option<Step>, &'k str)>, String> {
    if let Some(rest) = rest.strip_prefix('.') {
        return Ok(Some((None, rest)));
    }
    let Some((place, rest)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("].")) else {
        return Ok(None);
    };
    if place.is_empty() {
        if column.path.contains(&Step::Each) {
            return Err(format!("the column `{}` is a list of lists", column.name));
        }
        return Ok(Some((Some(Step::Each), rest)));
    }
    match place.parse::<usize>() {
        Ok(place) if place < MOST_PLACES => Ok(Some((Some(Step::Item(place)), rest))),
        Ok(_) => Err(format!(
            "the column `{}` names an item beyond the {MOST_PLACES} that a list may have here",
            column.name
        )),
        Err(_) => Ok(None),
    }
}

fn put(object: &mut Object, path: &[Step], value: Json) -> Result<(), String> {
    let Some((Step::Key(key), path)) = path.split_first() else {
        return Err("it has no place".to_owned());
    };
    let clash = || Err(format!("another column says otherwise what `{key}` is"));
    match path {
        [] => match object.insert(key.clone(), value) {
            None => Ok(()),
            Some(_) => clash(),
        },
        [Step::Item(at), path @ ..] => {
            let list = object.entry(key.as_str()).or_insert_with(|| Json::Array(Vec::new()));
            let Json::Array(items) = list else { return clash() };
            if items.len() <= *at {
                items.resize(at + 1, Json::Null);
            }
            put_in(&mut items[*at], path, value)
        }
        [Step::Each, path @ ..] => {
            let Json::Array(values) = value else { return Err("it is no list".to_owned()) };
            let list = object.entry(key.as_str()).or_insert_with(|| Json::Array(Vec::new()));
            let Json::Array(items) = list else { return clash() };
            if items.is_empty() {
                items.resize(values.len(), Json::Null);
            }
            if items.len() != values.len() {
                return Err(format!(
                    "it lists {} items, and another column of `{key}[]` lists {}",
                    values.len(),
                    items.len()
                ));
            }
            for (item, value) in items.iter_mut().zip(values) {
                put_in(item, path, value)?;
            }
            Ok(())
        }
        path => {
            let inner = object.entry(key.as_str()).or_insert_with(|| Object::new().into());
            match inner {
                Json::Object(inner) => put(inner, path, value),
                _ => clash(),
            }
        }
    }
}

fn put_in(item: &mut Json, path: &[Step], value: Json) -> Result<(), String> {
    if item.is_null() {
        *item = Object::new().into();
    }
    match item {
        Json::Object(item) => put(item, path, value),
        other => Err(format!("another column has {other} in its place")),
    }
}
