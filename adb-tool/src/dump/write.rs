//! Writing a database, or what a query finds of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use adb::{Answer, Database, Request, StoredSchema, ask, components, uuid::Uuid};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::export;

use super::{
    ADDRESS, HEAD, Head, Index, MARK, Of, Other, Row, STAGES, VERSION, WITHOUT,
    find::{self, Class},
    select,
    stored::{put_parameters, put_properties},
};

/// Objects in one request; their blobs are in memory at the same time.
const WITH_BLOBS: usize = 32;

/// What was written.
pub(crate) struct Written {
    pub(crate) rows: u64,
    pub(crate) files: u64,
}

/// Writes all objects, or with `query`, Find commands, those that they find, with what these lie in
/// and the connections between them. Ids of all objects are held in memory; their content is not.
pub(crate) async fn write(
    db: &dyn Database,
    to: &Path,
    query: Option<&Json>,
) -> anyhow::Result<Written> {
    let schema = StoredSchema::fetch(db).await?;
    let mut classes = find::classes(db, &schema).await?;
    if let Some(query) = query {
        let found = select::found(db, query).await?;
        select::keep(db, &mut classes, found).await?;
    }
    let mut dump = Writer::new(to, classes)?;
    for at in 0..dump.classes.len() {
        dump.objects(db, at).await?;
    }
    let names: BTreeSet<&str> = schema.connections.iter().map(|c| c.name.as_str()).collect();
    for name in names.into_iter().filter(|name| !name.starts_with('_')) {
        for at in 0..dump.classes.len() {
            dump.connections(db, name, at).await?;
        }
    }
    dump.finish(&schema)
}

struct Writer {
    root: PathBuf,
    classes: Arc<[Class]>,
    /// The place of an object's class among them.
    class_of: HashMap<Arc<str>, u16>,
    stages: Vec<BufWriter<File>>,
    rows: BTreeMap<String, u64>,
    connections: BTreeSet<String>,
    files: u64,
}

impl Writer {
    fn new(root: &Path, classes: Vec<Class>) -> anyhow::Result<Self> {
        let place = || root.display().to_string();
        export::make_empty(root)?;
        let mut stages = Vec::new();
        for stage in STAGES {
            let path = root.join(format!("{stage}.jsonl"));
            stages.push(BufWriter::new(File::create(path).with_context(place)?));
        }
        let mut class_of = HashMap::new();
        for (at, class) in (0..).zip(&classes) {
            class_of.extend(class.ids.iter().map(|id| (id.clone(), at)));
        }
        Ok(Self {
            root: root.to_owned(),
            classes: classes.into(),
            class_of,
            stages,
            rows: BTreeMap::new(),
            connections: BTreeSet::new(),
            files: 0,
        })
    }

    fn row(&mut self, stage: usize, row: &Row) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.stages[stage], row)?;
        self.stages[stage].write_all(b"\n")?;
        *self.rows.entry(STAGES[stage].to_owned()).or_default() += 1;
        Ok(())
    }

    /// An object that is exported as well.
    fn other(&self, id: &str) -> Option<Other> {
        let class = &self.classes[usize::from(*self.class_of.get(id)?)];
        Some(Other { class: class.name.clone(), id: id.to_owned() })
    }

    async fn objects(&mut self, db: &dyn Database, at: usize) -> anyhow::Result<()> {
        let blobs = ["_Image", "_Video", "_Blob", "_Descriptor"];
        let classes = self.classes.clone();
        let class = &classes[at];
        let blobs = blobs.contains(&class.name.as_str());
        for ids in class.ids.chunks(if blobs { WITH_BLOBS } else { WITHOUT }) {
            let (objects, content) = find::objects(db, class, ids, blobs).await?;
            let containers = find::containers(db, class, ids).await?;
            let of = self.described(db, class, ids).await?;
            for object in &objects {
                self.object(class, object, &content, &containers, &of)?;
            }
        }
        Ok(())
    }

    /// What descriptors are of, by their ids.
    async fn described(
        &self,
        db: &dyn Database,
        class: &Class,
        ids: &[Arc<str>],
    ) -> anyhow::Result<HashMap<String, Vec<Of>>> {
        let mut of: HashMap<String, Vec<Of>> = HashMap::new();
        if class.name != "_Descriptor" {
            return Ok(of);
        }
        for (side, begins_there) in [("src", false), ("dst", true)] {
            for ends in find::edges(db, "_DescriptorConnection", class, ids, side).await? {
                let (here, there) = if begins_there { (ends.1, ends.0) } else { ends };
                if let Some(other) = self.other(&there) {
                    of.entry(here).or_default().push(Of { other, begins_there });
                }
            }
        }
        Ok(of)
    }

    fn object(
        &mut self,
        class: &Class,
        object: &Json,
        content: &[Bytes],
        containers: &HashMap<String, String>,
        of: &HashMap<String, Vec<Of>>,
    ) -> anyhow::Result<()> {
        let id = find::id(object)?;
        let (stage, add) = (class.stage(), format!("Add{}", class.suffix()));
        let mut with = Map::new();
        if !class.name.starts_with('_') {
            with.insert("class".to_owned(), class.name.as_str().into());
        }
        put_parameters(&class.name, object, &mut with);
        put_properties(object, &mut with);
        let mut refs = BTreeMap::new();
        if let Some(container) = containers.get(&id) {
            let parameter = if stage == 2 { "video_ref" } else { "image_ref" };
            let other = self.other(container).with_context(|| {
                format!("{id} lies in {container}, which the database does not give")
            })?;
            refs.insert(parameter.to_owned(), other);
        }
        let of: Vec<Of> = of.get(&id).into_iter().flatten().map(copied).collect();
        let kinds: BTreeSet<_> = of.iter().map(|of| (&of.other.class, of.begins_there)).collect();
        if kinds.len() > 1 {
            bail!(
                "the descriptor {id} is of objects of several classes, which no command can make"
            );
        }
        let blob = object.get("_blob_index").and_then(Json::as_u64);
        let blob = blob.and_then(|place| content.get(usize::try_from(place).ok()?));
        let (mut file, mut vector) = (None, None);
        match (class.name.as_str(), blob) {
            ("_Descriptor", Some(blob)) => vector = Some(components(blob).collect()),
            ("_Image" | "_Video" | "_Blob", Some(blob)) => file = Some(self.file(&id, blob)?),
            ("_Descriptor" | "_Image" | "_Video" | "_Blob", None) => {
                bail!("the database did not give the content of {id}")
            }
            _ => {}
        }
        let url = ["_url", ADDRESS].into_iter().find_map(|key| object.get(key)?.as_str());
        let url = url.map(str::to_owned);
        self.row(stage, &Row { id, add, with, refs, of, file, url, vector })
    }

    fn file(&mut self, id: &str, blob: &[u8]) -> anyhow::Result<String> {
        // A folder for each thousand: some systems are slow with more.
        let folder = format!("files/{:03}", self.files / 1000);
        let name = format!("{folder}/{}", export::name(id, blob));
        let path = self.root.join(&name);
        let place = || path.display().to_string();
        fs::create_dir_all(self.root.join(folder)).with_context(place)?;
        fs::write(&path, blob).with_context(place)?;
        self.files += 1;
        Ok(name)
    }

    /// Connections of a class that begin at objects of a class.
    async fn connections(
        &mut self,
        db: &dyn Database,
        name: &str,
        at: usize,
    ) -> anyhow::Result<()> {
        let classes = self.classes.clone();
        let class = &classes[at];
        for ids in class.ids.chunks(WITHOUT) {
            let request = Request::json(&json!([
                {format!("Find{}", class.suffix()): {"constraints": find::by_ids(ids), "_ref": 1}},
                {"FindConnection": {
                    "with_class": name, "src": 1, "uniqueids": true,
                    "results": {"all_properties": true, "list": ["_src", "_dst"]},
                }},
            ]));
            let (answers, _) = ask(db, request).await?;
            for connection in Answer::at(&answers, 1)?.connections() {
                let end = |key: &str| {
                    let id = connection.get(key).and_then(Json::as_str).unwrap_or_default();
                    self.other(id)
                };
                // Of a selection, an end may be left out.
                let (Some(src), Some(dst)) = (end("_src"), end("_dst")) else { continue };
                let mut with = Map::new();
                with.insert("class".to_owned(), name.into());
                put_properties(connection, &mut with);
                let row = Row {
                    id: find::id(connection)?,
                    add: "AddConnection".to_owned(),
                    with,
                    refs: [("src".to_owned(), src), ("dst".to_owned(), dst)].into(),
                    of: Vec::new(),
                    file: None,
                    url: None,
                    vector: None,
                };
                self.row(STAGES.len() - 1, &row)?;
                self.connections.insert(name.to_owned());
            }
        }
        Ok(())
    }

    fn finish(mut self, schema: &StoredSchema) -> anyhow::Result<Written> {
        for stage in &mut self.stages {
            stage.flush()?;
        }
        let full = self.classes.iter().filter(|class| !class.ids.is_empty());
        let classes: Vec<String> = full.map(|class| class.name.clone()).collect();
        let index = |class: &str, property: &str, connection: bool| {
            let (class, property) = (class.to_owned(), property.to_owned());
            // The database has its own on what it writes itself.
            (!property.starts_with('_') && property != MARK).then_some(Index {
                connection,
                class,
                property,
            })
        };
        let mut indexes = Vec::new();
        for class in schema.classes.iter().filter(|class| classes.contains(&class.name)) {
            let indexed = class.properties.iter().filter(|property| property.indexed);
            indexes.extend(indexed.filter_map(|p| index(&class.name, &p.name, false)));
        }
        for class in schema.connections.iter().filter(|c| self.connections.contains(&c.name)) {
            let indexed = class.properties.iter().filter(|property| property.indexed);
            indexes.extend(indexed.filter_map(|p| index(&class.name, &p.name, true)));
        }
        let rows = self.rows.values().sum();
        let head = Head {
            adb_export: VERSION,
            id: Uuid::now_v7().simple().to_string(),
            rows: self.rows,
            classes,
            connections: self.connections.into_iter().collect(),
            indexes,
        };
        // Last: a directory without it is not whole.
        let text = serde_json::to_string_pretty(&head)? + "\n";
        fs::write(self.root.join(HEAD), text).with_context(|| self.root.display().to_string())?;
        Ok(Written { rows, files: self.files })
    }
}

fn copied(of: &Of) -> Of {
    Of { other: of.other.clone(), begins_there: of.begins_there }
}
