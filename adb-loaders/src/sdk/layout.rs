//! What each column of a file is for, by its header.

use super::{
    condition::{self, Condition, Generator},
    kind::{BOX, IngestType, POLYGONS, SOURCES},
};

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) kind: IngestType,
    pub(super) form: Form,
    pub(super) shape: Shape,
    pub(super) properties: Vec<Property>,
    /// `constraint_…`
    pub(super) guards: Vec<Property>,
    /// `updateif_…`
    pub(super) conditions: Vec<Condition>,
    /// `gen_…`
    pub(super) generated: Vec<(Generator, String)>,
    /// `updateif_blobsha1_…` and the like.
    pub(super) hashes: Vec<(Generator, String)>,
}

/// What is done with an object that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// It is left as it is.
    Add,
    /// Its properties are changed, if the row's conditions hold.
    Update,
    /// The same, and where its file has changed it is replaced.
    Newest,
}

/// A column that becomes a property, or compares one.
#[derive(Debug)]
pub(super) struct Property {
    pub(super) column: usize,
    pub(super) name: String,
    pub(super) date: bool,
}

/// Columns that belong to one kind of file.
#[derive(Debug)]
pub(super) enum Shape {
    /// The first column is the class.
    Entity,
    /// The first column is the class, the next two find the ends.
    Connection {
        src: End,
        dst: End,
    },
    /// The first column names the file.
    Media {
        format: Option<usize>,
    },
    /// The first column finds the image.
    Box {
        image: String,
        label: Option<usize>,
    },
    Polygon {
        image: String,
        polygons: usize,
        label: Option<usize>,
    },
    DescriptorSet,
    Descriptor {
        label: Option<usize>,
    },
}

/// How an end of a connection is found.
#[derive(Debug)]
pub(super) struct End {
    pub(super) class: String,
    pub(super) property: String,
}

/// Classes of objects that are no entities.
const SYSTEM: [&str; 9] = [
    "_Blob",
    "_BoundingBox",
    "_Clip",
    "_Descriptor",
    "_DescriptorSet",
    "_Frame",
    "_Image",
    "_Polygon",
    "_Video",
];

impl End {
    /// `Class@property`
    fn parse(header: &str) -> Result<Self, String> {
        let (class, property) = header
            .split_once('@')
            .filter(|(class, property)| !class.is_empty() && !property.is_empty())
            .ok_or_else(|| format!("the column `{header}` should find an end: `Class@property`"))?;
        if class.starts_with('_') && !SYSTEM.contains(&class) {
            return Err(format!(
                "`{header}`: there is no class `{class}`; those with an underscore are {}",
                SYSTEM.join(", ")
            ));
        }
        Ok(Self { class: class.to_owned(), property: property.to_owned() })
    }

    pub(super) fn is_entity(&self) -> bool {
        !self.class.starts_with('_')
    }
}

impl Layout {
    pub(super) fn parse(header: &[String], kind: IngestType) -> Result<Self, String> {
        check_names(header, kind)?;
        let (shape, first) = shape(header, kind)?;
        let mut layout = Self {
            kind,
            form: Form::Add,
            shape,
            properties: Vec::new(),
            guards: Vec::new(),
            conditions: Vec::new(),
            generated: Vec::new(),
            hashes: Vec::new(),
        };
        for (column, name) in header.iter().enumerate().skip(first) {
            if layout.shape.takes(column) {
                continue;
            }
            layout.column(column, name)?;
        }
        layout.form = layout.told_form()?;
        Ok(layout)
    }

    fn column(&mut self, column: usize, name: &str) -> Result<(), String> {
        if let Some(guarded) = name.strip_prefix("constraint_") {
            let mut guard = Property::of(column, guarded);
            // A set's name is no property of the user's.
            if self.kind == IngestType::DescriptorSet && guard.name == "name" {
                guard.name = "_name".to_owned();
            }
            self.guards.push(guard);
        } else if let Some((generator, property)) = condition::generated(name, "gen_")? {
            self.generated.push((generator, property));
        } else if let Some((generator, property)) = condition::generated(name, "updateif_")? {
            self.hashes.push((generator, property));
        } else if let Some(condition) = Condition::parse(column, name)? {
            self.conditions.push(condition);
        } else {
            self.properties.push(Property::of(column, name));
        }
        Ok(())
    }

    fn told_form(&self) -> Result<Form, String> {
        let form = match (&self.hashes[..], &self.generated[..], &self.conditions[..]) {
            ([], [], []) => return Ok(Form::Add),
            ([], [], _) => Form::Update,
            ([], _, _) => {
                return Err("it has a column `gen_…` and none that compares what is made with what is stored: add `updateif_blobsha1_K` for `gen_blobsha1_K`".to_owned());
            }
            _ => Form::Newest,
        };
        let (fits, kinds) = match form {
            Form::Newest => (self.kind.is_media(), "images, videos and blobs"),
            _ => (
                self.kind.is_media() || self.kind == IngestType::Entity,
                "entities, images, videos and blobs",
            ),
        };
        if !fits {
            return Err(format!(
                "columns `updateif_…` are for {kinds}, and its rows are of the type {}",
                self.kind
            ));
        }
        if self.guards.is_empty() {
            return Err("columns `updateif_…` need to know which object is meant: add a column `constraint_K` for the property that identifies it".to_owned());
        }
        if form == Form::Newest && self.hashes.iter().any(|(g, _)| *g == Generator::InsertDate) {
            return Err("`updateif_insertdate_…` never holds: the time of now is no stored one; compare `blobsha1`".to_owned());
        }
        Ok(form)
    }
}

impl Property {
    fn of(column: usize, name: &str) -> Self {
        let (date, name) = match name.strip_prefix("date:") {
            Some(name) => (true, name),
            None => (false, name),
        };
        Self { column, name: name.to_owned(), date }
    }
}

impl Shape {
    /// Whether a column behind the leading ones is of the kind's own.
    fn takes(&self, column: usize) -> bool {
        match self {
            Shape::Media { format } => *format == Some(column),
            Shape::Box { label, .. } => *label == Some(column),
            Shape::Polygon { polygons, label, .. } => *polygons == column || *label == Some(column),
            // A descriptor's label is a property as well: what the SDK has written is found by it.
            _ => false,
        }
    }
}

/// The kind's own columns, and where the others begin.
fn shape(header: &[String], kind: IngestType) -> Result<(Shape, usize), String> {
    let name = |i: usize| header.get(i).map_or("", String::as_str);
    let place = |wanted: &str| header.iter().position(|name| name == wanted);
    let must_begin = |names: &[&str], from: usize| {
        for (i, wanted) in names.iter().enumerate() {
            if name(from + i) != *wanted {
                return Err(format!(
                    "column {} of the type {kind} is `{wanted}`, and this one is `{}`",
                    from + i + 1,
                    name(from + i)
                ));
            }
        }
        Ok(())
    };
    let image = || name(0).to_owned();
    Ok(match kind {
        IngestType::Entity => {
            must_begin(&["EntityClass"], 0)?;
            (Shape::Entity, 1)
        }
        IngestType::Connection => {
            must_begin(&["ConnectionClass"], 0)?;
            let (src, dst) = (End::parse(name(1))?, End::parse(name(2))?);
            (Shape::Connection { src, dst }, 3)
        }
        IngestType::Image | IngestType::Video | IngestType::Blob => {
            if !SOURCES.contains(&name(0)) {
                return Err(format!(
                    "the first column of the type {kind} is one of {}, and this one is `{}`",
                    SOURCES.join(", "),
                    name(0)
                ));
            }
            let format = place("format").filter(|_| kind == IngestType::Image);
            (Shape::Media { format }, 1)
        }
        IngestType::BoundingBox => {
            must_begin(&BOX, 1)?;
            (Shape::Box { image: image(), label: place("_label") }, 5)
        }
        IngestType::Polygon => {
            let polygons = place(POLYGONS).filter(|column| *column > 0).ok_or_else(|| {
                format!("the type {kind} has a column `{POLYGONS}`, and this file has none")
            })?;
            (Shape::Polygon { image: image(), polygons, label: place("_label") }, 1)
        }
        IngestType::DescriptorSet => {
            must_begin(&["name", "dimensions", "engine", "metric"], 0)?;
            (Shape::DescriptorSet, 4)
        }
        IngestType::Descriptor => {
            must_begin(&["filename", "index", "set"], 0)?;
            let label = place("label").filter(|column| *column > 2);
            (Shape::Descriptor { label }, 3)
        }
    })
}

fn check_names(header: &[String], kind: IngestType) -> Result<(), String> {
    for (i, name) in header.iter().enumerate() {
        if name.is_empty() {
            return Err(format!(
                "column {} has no name; if a table's row numbers were written with it, leave them out",
                i + 1
            ));
        }
        // Both ends may be found alike.
        let ends = kind == IngestType::Connection && i == 2;
        let before = header[..i].iter().position(|other| other == name);
        if let Some(before) = before
            && !(ends && before == 1)
        {
            return Err(format!("two columns are called `{name}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(header: &str) -> Result<Layout, String> {
        let header: Vec<String> = header.split(',').map(str::to_owned).collect();
        let kind = IngestType::of_header(&header).unwrap();
        Layout::parse(&header, kind)
    }

    #[test]
    fn forms_are_told_by_their_columns() {
        for (header, form) in [
            ("filename,id,constraint_id", Form::Add),
            ("filename,id,v,constraint_id,updateif_<v", Form::Update),
            ("EntityClass,id,v,constraint_id,updateif_v", Form::Update),
            ("filename,id,constraint_id,gen_blobsha1_sha,updateif_blobsha1_sha", Form::Newest),
        ] {
            assert_eq!(layout(header).unwrap().form, form, "{header}");
        }
    }

    #[test]
    fn faults_of_a_header_are_named() {
        for (header, said) in [
            ("EntityClass,a,a", "two columns are called `a`"),
            ("EntityClass,,a", "column 2 has no name"),
            ("ConnectionClass,A,B@id", "`A` should find an end"),
            ("ConnectionClass,_X@id,B@id", "no class `_X`"),
            ("EntityClass,v,updateif_v", "constraint_K"),
            ("EntityClass,v,constraint_v,gen_blobsize_n,updateif_blobsize_n", "type ENTITY"),
            ("filename,v,constraint_v,gen_blobsize_n", "updateif_blobsha1_K"),
            ("filename,v,constraint_v,gen_md5_n", "`gen_md5_n`"),
            ("filename,constraint_v,gen_insertdate_n,updateif_insertdate_n", "never holds"),
            ("id,x_pos,y_pos,width,height,constraint_a,updateif_a", "type BOUNDING_BOX"),
        ] {
            let error = layout(header).unwrap_err();
            assert!(error.contains(said), "{header}: {error}");
        }
    }

    #[test]
    fn both_ends_may_be_found_alike_and_properties_may_have_dots() {
        let layout = layout("ConnectionClass,A@the.id,A@the.id,w").unwrap();
        let Shape::Connection { src, dst } = layout.shape else { panic!("a connection") };
        assert_eq!((src.property.as_str(), dst.property.as_str()), ("the.id", "the.id"));
    }
}
