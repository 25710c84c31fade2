//! From a line to commands, as the Python SDK's loader of its kind makes them.

use adb_model::MediaSource;
use serde_json::{Map, Value as Json, json};

use super::{
    kind::IngestType,
    layout::{End, Form, Layout, Property, Shape},
    list,
    types::CellType,
};
use crate::{
    MediaRoot,
    commands::{Command, CommandBlob, CommandRow, Comparison, Step, When},
    vectors::{VectorFiles, VectorIndex, VectorRow},
};

/// Makes the rows of one file.
pub(super) struct Rows<'a> {
    pub(super) header: &'a [String],
    pub(super) layout: &'a Layout,
    pub(super) types: &'a [CellType],
    pub(super) root: &'a MediaRoot,
    pub(super) vectors: VectorFiles,
}

impl Rows<'_> {
    pub(super) fn row(&mut self, cells: &[&str]) -> Result<CommandRow, String> {
        let properties = self.properties(cells)?;
        let guard = self.guards(cells)?;
        let add = |body: Json| {
            let mut body = body;
            if let Json::Object(body) = &mut body
                && !properties.is_empty()
            {
                body.insert("properties".to_owned(), Json::Object(properties.clone()));
            }
            let name = format!("Add{}", self.layout.kind.suffix());
            Command::new(name, body).with("if_not_found", guard.clone())
        };
        let commands = match &self.layout.shape {
            Shape::Entity => {
                let class = self.needed(cells, 0)?;
                let added = add(json!({"class": class}));
                return self.steps(cells, added, &guard, Some(class), &properties);
            }
            Shape::Media { format } => {
                let mut body = Map::new();
                if let Some(format) = format.map(|column| cells[column]).filter(|f| !f.is_empty()) {
                    body.insert("format".to_owned(), format.into());
                }
                if self.layout.kind == IngestType::Image && self.layout.form == Form::Add {
                    body.insert("_ref".to_owned(), 1.into());
                }
                let source = self.needed(cells, 0)?;
                let blob = CommandBlob::Media(MediaSource::from_text(source));
                let added = add(Json::Object(body)).blob(blob);
                return self.steps(cells, added, &guard, None, &properties);
            }
            Shape::Connection { src, dst } => {
                let class = self.needed(cells, 0)?;
                let added = add(json!({"class": class, "src": 1, "dst": 2}));
                vec![self.end(cells, src, 1)?, self.end(cells, dst, 2)?, added]
            }
            Shape::Box { image, label } => {
                let mut rectangle = Map::new();
                for (i, edge) in ["x", "y", "width", "height"].into_iter().enumerate() {
                    rectangle.insert(edge.to_owned(), self.whole(cells, i + 1)?.into());
                }
                let mut body = json!({"image_ref": 1, "rectangle": rectangle});
                put_label(&mut body, label.map(|column| cells[column]));
                vec![self.image(cells, image, true)?, add(body)]
            }
            Shape::Polygon { image, polygons, label } => {
                let rings: Json = serde_json::from_str(self.needed(cells, *polygons)?)
                    .ok()
                    .filter(Json::is_array)
                    .ok_or_else(|| {
                        "the cell of `polygons` is no JSON array of rings, such as [[[0,0],[1,0],[1,1]]]".to_owned()
                    })?;
                let mut body = json!({"image_ref": 1, "polygons": rings});
                put_label(&mut body, label.map(|column| cells[column]));
                vec![self.image(cells, image, false)?, add(body)]
            }
            Shape::DescriptorSet => {
                let words = |column: usize| {
                    let cell = self.needed(cells, column)?;
                    list::parse(cell)
                        .map_err(|e| format!("the cell of `{}`: {e}", self.header[column]))
                };
                vec![add(json!({
                    "name": self.needed(cells, 0)?, "dimensions": self.whole(cells, 1)?,
                    "engine": words(2)?, "metric": words(3)?,
                }))]
            }
            Shape::Descriptor { label } => {
                let mut body = json!({"set": self.needed(cells, 2)?});
                put_label(&mut body, label.map(|column| cells[column]));
                let added = add(body);
                let blob = self.vector(cells)?;
                vec![added.blob(blob)]
            }
        };
        Ok(CommandRow::of(commands))
    }

    /// The steps of a row whose object may be there, by the file's form.
    fn steps(
        &self,
        cells: &[&str],
        add: Command,
        guard: &[Comparison],
        class: Option<&str>,
        properties: &Map<String, Json>,
    ) -> Result<CommandRow, String> {
        if self.layout.form == Form::Add {
            return Ok(CommandRow::of(vec![add]));
        }
        let suffix = self.layout.kind.suffix();
        let with_class = || class.map_or_else(|| json!({}), |class| json!({"with_class": class}));
        let mut changed = with_class();
        changed["properties"] = Json::Object(properties.clone());
        let mut constraints = guard.to_vec();
        for condition in &self.layout.conditions {
            let value = self.compared(cells, condition.column, condition.date)?;
            let property = condition.property.clone();
            constraints.push(Comparison { property, op: condition.op, value });
        }
        let update =
            Command::new(format!("Update{suffix}"), changed).with("constraints", constraints);
        let mut steps = vec![
            Step { when: When::Always, commands: vec![add.clone()] },
            Step { when: When::Existed, commands: vec![update] },
        ];
        if self.layout.form == Form::Newest {
            let delete = Command::new(format!("Delete{suffix}"), with_class())
                .with("constraints", guard.to_vec());
            steps.push(Step { when: When::NotUpdated, commands: vec![delete, add] });
        }
        Ok(CommandRow { steps, vectors: Vec::new() })
    }

    fn properties(&self, cells: &[&str]) -> Result<Map<String, Json>, String> {
        let mut properties = Map::new();
        for Property { column, name, date } in &self.layout.properties {
            // A missing cell leaves its property out.
            if let Some(value) = self.value(cells, *column)? {
                let value = if *date { json!({"_date": cells[*column]}) } else { value };
                properties.insert(name.clone(), value);
            }
        }
        Ok(properties)
    }

    fn guards(&self, cells: &[&str]) -> Result<Vec<Comparison>, String> {
        let guard = |Property { column, name, date }: &Property| {
            Ok(Comparison::equal(name.clone(), self.compared(cells, *column, *date)?))
        };
        self.layout.guards.iter().map(guard).collect()
    }

    fn value(&self, cells: &[&str], column: usize) -> Result<Option<Json>, String> {
        self.types[column]
            .value(cells[column])
            .map_err(|e| format!("the cell of `{}`: {e}", self.header[column]))
    }

    /// The value of a cell that something is compared with.
    fn compared(&self, cells: &[&str], column: usize, date: bool) -> Result<Json, String> {
        let value = self.value(cells, column)?.ok_or_else(|| {
            format!(
                "the cell of `{}` is empty, and there is nothing to compare with; give it a value",
                self.header[column]
            )
        })?;
        Ok(if date { json!({"_date": cells[column]}) } else { value })
    }

    fn needed<'c>(&self, cells: &[&'c str], column: usize) -> Result<&'c str, String> {
        Some(cells[column])
            .filter(|cell| !cell.is_empty())
            .ok_or_else(|| format!("the cell of `{}` is empty", self.header[column]))
    }

    /// A whole number; of one with a fraction, its whole part.
    fn whole(&self, cells: &[&str], column: usize) -> Result<i64, String> {
        let cell = self.needed(cells, column)?;
        let number = cell.trim();
        let of_float = |value: f64| (value.abs() < 9e15).then_some(value.trunc() as i64);
        let whole = number.parse().ok().or_else(|| number.parse().ok().and_then(of_float));
        whole.ok_or_else(|| format!("the cell of `{}`: `{cell}` is no number", self.header[column]))
    }

    fn end(&self, cells: &[&str], end: &End, reference: u64) -> Result<Command, String> {
        let column = usize::try_from(reference).unwrap_or(1);
        let value = self.compared(cells, column, false)?;
        let mut body = json!({"_ref": reference, "unique": true});
        let verb = match end.is_entity() {
            true => {
                body["with_class"] = end.class.as_str().into();
                "FindEntity".to_owned()
            }
            false => format!("Find{}", &end.class[1..]),
        };
        let which = if reference == 1 { "source" } else { "destination" };
        let mut find = Command::new(verb, body);
        find.must_find = Some(format!(
            "the {which} of this connection (the `{}` whose `{}` is {value})",
            end.class, end.property
        ));
        Ok(find.with("constraints", vec![Comparison::equal(end.property.clone(), value)]))
    }

    /// The image that a region lies in.
    fn image(&self, cells: &[&str], property: &str, unique: bool) -> Result<Command, String> {
        let value = self.compared(cells, 0, false)?;
        let mut body = json!({"_ref": 1, "blobs": false});
        if unique {
            body["unique"] = true.into();
        }
        let mut find = Command::new("FindImage", body);
        find.must_find = Some(format!("the image whose `{property}` is {value}"));
        Ok(find.with("constraints", vec![Comparison::equal(property.to_owned(), value)]))
    }

    fn vector(&mut self, cells: &[&str]) -> Result<CommandBlob, String> {
        let path = std::path::Path::new(self.needed(cells, 0)?);
        let path = self.root.resolve(path).map_err(|e| e.to_string())?;
        let cell = self.needed(cells, 1)?;
        let index = match cell.trim().parse() {
            Ok(number) => VectorIndex::Number(number),
            Err(_) => VectorIndex::Name(cell.to_owned()),
        };
        Ok(CommandBlob::Array(VectorRow { file: self.vectors.open(&path)?, index }))
    }
}

fn put_label(body: &mut Json, label: Option<&str>) {
    if let Some(label) = label.filter(|label| !label.is_empty()) {
        body["label"] = label.into();
    }
}
