//! From what was seen to a model document.

use std::collections::HashMap;

use adb::{
    Convention, Engine, Metric, ObjectKind, ValueType,
    document::{Document, Field, Model, RelationDocument, Role, Set, VERSION},
    embedders::Preset,
    ensure::CALLER,
    loaders::Counted,
};

use super::{
    look::{Column, Seen},
    words,
};
use crate::exit::{Usage, usage};

/// A document, and what a person should know of it.
pub(super) struct Draft {
    pub(super) document: Document,
    /// What dates are in Rust, by model and field.
    pub(super) dates: HashMap<(String, String), DateForm>,
    pub(super) notes: Vec<String>,
}

/// How dates are written in the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateForm {
    Day,
    Time,
    Moment,
}

/// Who is to make vectors of pictures.
pub(super) struct Embedder {
    name: String,
    dimensions: usize,
}

impl Embedder {
    /// A preset, or `name:dimensions`.
    pub(super) fn named(text: &str) -> Result<Self, Usage> {
        if let Some(preset) = Preset::named(text) {
            return Ok(Self { name: preset.name.to_owned(), dimensions: preset.dimensions });
        }
        let parts = text.split_once(':').and_then(|(name, n)| Some((name, n.parse().ok()?)));
        match parts {
            Some((name, dimensions)) if dimensions > 0 && !name.is_empty() => {
                Ok(Self { name: name.to_owned(), dimensions })
            }
            _ => {
                let names: Vec<&str> = Preset::all().iter().map(|preset| preset.name).collect();
                Err(Usage(format!(
                    "--embedder {text}: this is none of {}; another one is given with its \
                     dimensions, such as `mine:512`",
                    names.join(", ")
                )))
            }
        }
    }
}

impl Draft {
    pub(super) fn of(
        class: &str,
        seen: &Seen,
        id: Option<&str>,
        embedder: Option<Embedder>,
    ) -> anyhow::Result<Self> {
        if let Some(id) = id
            && !seen.columns.iter().any(|column| column.key == id)
        {
            usage!("--id {id}: the rows have no such key");
        }
        let document = Document { version: VERSION, models: Vec::new(), sets: Vec::new() };
        let mut draft = Self { document, dates: HashMap::new(), notes: Vec::new() };
        draft.model(class, seen, id, embedder);
        draft.notes.push(format!(
            "a draft, from {}: read it, and change what is not meant",
            Counted(seen.rows as u64, "row")
        ));
        Ok(draft)
    }

    /// Adds a model, and those of the objects within; answers its name.
    fn model(
        &mut self,
        class: &str,
        seen: &Seen,
        id: Option<&str>,
        embedder: Option<Embedder>,
    ) -> String {
        let name = self.free_name(class);
        let place = self.document.models.len();
        self.document.models.push(Model {
            name: name.clone(),
            class: name.clone(),
            kind: ObjectKind::Entity,
            convention: Convention::default(),
            doc: String::new(),
            fields: Vec::new(),
            untyped: false,
            content_id: false,
        });
        let id = id.or_else(|| match place {
            0 => identity(seen),
            // The same object often stands in several rows; a name says which.
            _ => identity(seen).or_else(|| name_of_objects(seen)),
        });
        if id.is_none() {
            let repeats = name_of_objects(seen)
                .map(|key| format!(" (`{key}` is in every row, and repeats)"))
                .unwrap_or_default();
            self.notes.push(format!(
                "`{name}`: no key has another value in every row{repeats}, so a row is known by \
                 its place in the file and a changed row is another object; if a key identifies \
                 one all the same, name it with --id; if several do together, give each of them \
                 the role `id` in the model"
            ));
        }
        let own = own_picture(seen, &name);
        let mut fields: Vec<Field> = Vec::new();
        for column in &seen.columns {
            let mut field = words::field(&column.key);
            while fields.iter().any(|known| known.name == field) {
                field.push('_');
            }
            let is_id = id == Some(column.key.as_str());
            let mut property = words::property(&column.key);
            let is_taken = |property: &String| {
                *property != column.key
                    && (seen.columns.iter().any(|other| other.key == *property)
                        || fields.iter().any(|known| known.property == *property))
            };
            while is_taken(&property) {
                property.push('_');
            }
            if property != column.key {
                self.notes.push(format!(
                    "`{name}.{field}`: what rows call `{}` is stored as `{property}`, a name that \
                     the database takes",
                    column.key
                ));
            }
            let role = self.role(&name, &field, seen, column, is_id);
            fields.push(Field {
                name: field,
                key: column.key.clone(),
                within: None,
                of_optional: false,
                property,
                doc: String::new(),
                was: Vec::new(),
                role,
                default: None,
            });
        }
        if let (Some(embedder), Some(picture)) = (embedder, picture(seen)) {
            self.embed(&name, &mut fields, picture, embedder);
        }
        let model = &mut self.document.models[place];
        model.fields = fields;
        if own {
            model.kind = ObjectKind::Image;
        }
        name
    }

    /// Vectors of the pictures of a column.
    fn embed(
        &mut self,
        model: &str,
        fields: &mut Vec<Field>,
        picture: &Column,
        embedder: Embedder,
    ) {
        let from = fields.iter().find(|field| field.key == picture.key);
        let Some(from) = from.map(|field| field.name.clone()) else { return };
        let mut field = "look".to_owned();
        while fields.iter().any(|f| [&f.name, &f.key, &f.property].contains(&&field)) {
            field.push('_');
        }
        let set = format!("{}_pictures", words::field(model));
        let optional = matches!(
            fields.iter().find(|known| known.name == from).map(|known| &known.role),
            Some(Role::Media { optional: true, .. })
        );
        self.document.sets.push(Set {
            name: set.clone(),
            dimensions: embedder.dimensions,
            metric: Metric::Cosine,
            engine: Engine::Hnsw,
            embedder: embedder.name,
        });
        fields.push(Field {
            name: field.clone(),
            key: field.clone(),
            within: None,
            of_optional: false,
            property: field,
            doc: String::new(),
            was: Vec::new(),
            role: Role::Embedding {
                set,
                from: Some(from),
                label: None,
                optional,
                class: None,
                face: None,
            },
            default: None,
        });
    }

    fn role(
        &mut self,
        model: &str,
        field: &str,
        seen: &Seen,
        column: &Column,
        is_id: bool,
    ) -> Role {
        let optional = column.present < seen.rows;
        let is_all = |count: usize| count > 0 && count == column.present;
        if is_id {
            return Role::Id { r#type: number_or_text(column) };
        }
        for (count, kind) in [
            (column.images, ObjectKind::Image),
            (column.videos, ObjectKind::Video),
            (column.documents, ObjectKind::Blob),
        ] {
            if is_all(count) {
                return Role::Media { kind, optional };
            }
        }
        let objects = column.objects + column.lists;
        if objects > 0 && is_all(objects + column.empty_lists) {
            let child = self.model(&words::class(&column.key), &column.inner, None, None);
            // Under one key there may be one object here and several there.
            let many = column.lists + column.empty_lists > 0;
            return Role::Children {
                relation: RelationDocument::Connection(format!("Has{child}")),
                edge: Vec::new(),
                many,
                optional: optional || many,
                model: child,
                made: None,
            };
        }
        if is_all(column.vectors)
            && let Some(dimensions) = column.dimensions
        {
            let set = format!("{}_{field}", words::field(model));
            self.document.sets.push(Set {
                name: set.clone(),
                dimensions,
                metric: Metric::Cosine,
                engine: Engine::Hnsw,
                embedder: CALLER.to_owned(),
            });
            self.notes.push(format!(
                "`{model}.{field}` holds vectors of {dimensions} components: they go into the set \
                 `{set}` as they are (`adb ingest … --no-embedder`)"
            ));
            return Role::Embedding {
                set,
                from: None,
                label: None,
                optional,
                class: None,
                face: None,
            };
        }
        let dates = [
            (column.days, DateForm::Day),
            (column.times, DateForm::Time),
            (column.moments, DateForm::Moment),
        ];
        let r#type = if is_all(column.bools) {
            ValueType::Bool
        } else if is_all(column.ints) {
            ValueType::Int
        } else if is_all(column.ints + column.floats) {
            ValueType::Float
        } else if let Some((_, form)) = dates.iter().find(|(count, _)| is_all(*count)) {
            self.dates.insert((model.to_owned(), field.to_owned()), *form);
            ValueType::Date
        } else if column.present == 0 {
            column.declared.unwrap_or(ValueType::String)
        } else if is_all(column.texts) {
            ValueType::String
        } else if is_all(column.json + objects + column.empty_lists + column.vectors) {
            ValueType::Json
        } else if is_all(column.ints + column.floats + column.larger) {
            self.notes.push(format!(
                "`{model}.{field}` has whole numbers beyond 9223372036854775807, which the database \
                 has none of: it is a float here, which keeps 16 digits; write them as texts to keep all"
            ));
            ValueType::Float
        } else {
            let fate = match seen.is_table {
                true => "",
                false => ", and rows in which it is none will fail",
            };
            self.notes.push(format!(
                "`{model}.{field}` has values of several kinds; it is a text here{fate}"
            ));
            ValueType::String
        };
        Role::Property { r#type, optional, indexed: false }
    }

    /// A name that no model has yet.
    fn free_name(&self, class: &str) -> String {
        let mut name = class.to_owned();
        let mut number = 2;
        while self.document.models.iter().any(|model| model.name == name) {
            name = format!("{class}{number}");
            number += 1;
        }
        name
    }
}

fn number_or_text(column: &Column) -> ValueType {
    match column.ints == column.present {
        true => ValueType::Int,
        false => ValueType::String,
    }
}

/// The key that identifies: there in every row, another value in each. Of several the one that is
/// called so, else the first.
fn identity(seen: &Seen) -> Option<&str> {
    let may = |column: &&Column| {
        column.present == seen.rows
            && column.differs()
            && (column.ints == column.present || column.texts == column.present)
            && column.images + column.videos + column.documents == 0
            && column.days + column.times + column.moments == 0
    };
    let candidates: Vec<&str> =
        seen.columns.iter().filter(may).map(|column| column.key.as_str()).collect();
    let called =
        |is: fn(&str) -> bool| candidates.iter().copied().find(|key| is(&key.to_lowercase()));
    called(|key| key == "id" || key == "_id")
        .or_else(|| called(|key| key == "uuid" || key == "guid" || key == "key"))
        // What begins with `_` is mostly another database's own.
        .or_else(|| called(|key| key.ends_with("id") && !key.starts_with('_')))
        .or_else(|| called(|key| key == "name"))
        .or_else(|| candidates.first().copied())
}

/// The key that is called like an identity and there in every object, though its values repeat.
fn name_of_objects(seen: &Seen) -> Option<&str> {
    let names = seen.columns.iter().find(|column| {
        column.present == seen.rows
            && matches!(column.key.to_lowercase().as_str(), "id" | "name" | "uuid")
            && (column.ints == column.present || column.texts == column.present)
    });
    names.map(|column| column.key.as_str())
}

/// The only column of pictures.
fn picture(seen: &Seen) -> Option<&Column> {
    let mut pictures =
        seen.columns.iter().filter(|column| column.images > 0 && column.images == column.present);
    pictures.next().filter(|_| pictures.next().is_none())
}

/// Whether the objects are pictures with properties: each has one, and nothing else that is a file.
fn own_picture(seen: &Seen, _: &str) -> bool {
    let files = |column: &&Column| {
        let files = column.videos.max(column.documents);
        files > 0 && files == column.present
    };
    picture(seen).is_some_and(|column| column.present == seen.rows)
        && !seen.columns.iter().any(|column| files(&column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedders_have_dimensions() {
        assert_eq!(Embedder::named("clip-vit-l-14").unwrap().dimensions, 768);
        assert_eq!(Embedder::named("mine:16").unwrap().dimensions, 16);
        assert!(Embedder::named("mine").is_err_and(|e| e.to_string().contains("clip-vit-b-32")));
    }
}
