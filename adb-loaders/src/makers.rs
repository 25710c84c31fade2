//! Who makes children: the makers that a run has, and what they get to read.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

use adb_model::{
    AnyMaker, FieldRole, Graph, MadeBy, MakeError, MakeInput, MakerSource, MediaSource,
    ModelSchema, ObjectKind, OpenMedia, Pixels, Reads, ToMake,
};
use bytes::Bytes;

use crate::{Error, ErrorKind, MediaReader, embedders::decode, error::panic_message};

/// Makers by name.
#[derive(Clone, Default)]
pub(crate) struct Makers(BTreeMap<&'static str, Arc<dyn AnyMaker>>);

impl Makers {
    pub(crate) fn add(&mut self, maker: Arc<dyn AnyMaker>) {
        self.0.insert(maker.name(), maker);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sees to it that there is a maker for all that a model declares, and that it fits; adds those
    /// that need nothing to be made.
    pub(crate) fn complete(&mut self, schema: &'static ModelSchema) -> Result<(), Error> {
        for model in schema.reachable() {
            for field in model.fields {
                let FieldRole::Children { made: Some(made), model: child, .. } = field.role else {
                    continue;
                };
                let place = || format!("{}.{}", model.name, field.name);
                if !self.0.contains_key(made.maker) {
                    let maker = (made.by_default)().ok_or_else(|| {
                        let known: Vec<&str> = self.0.keys().copied().collect();
                        ErrorKind::NoMaker {
                            maker: made.maker.to_owned(),
                            field: place(),
                            known: match known.as_slice() {
                                [] => "none".to_owned(),
                                names => names.join(", "),
                            },
                        }
                    })?;
                    self.add(maker);
                }
                let maker = &self.0[made.maker];
                if let Some(fault) = misfit(&**maker, made, model, child.get()) {
                    return Err(ErrorKind::OtherMaker {
                        maker: made.maker.to_owned(),
                        field: place(),
                        fault,
                    }
                    .into());
                }
            }
        }
        Ok(())
    }

    /// Makes all children that a graph still needs, theirs too; answers how many. Of a graph whose
    /// children can't be made nothing is left.
    pub(crate) fn make(
        &self,
        graph: &mut Graph,
        root: &MediaReader,
        media: &mut MediaCache,
        max_decoded_bytes: u64,
    ) -> Result<u64, String> {
        if graph.to_make().is_empty() {
            return Ok(0);
        }
        let mut builder = std::mem::take(graph).reopen();
        let mut count = 0;
        let mut rounds = 0;
        while let Some(task) = builder.next_to_make() {
            // Each of a great many children can have its own; what never ends is a fault.
            rounds += 1;
            if rounds > MOST_ROUNDS {
                return Err(format!(
                    "{}: the children of `{}` have children that it makes, without end",
                    place(&task),
                    task.maker
                ));
            }
            // `complete` has seen to it that there is one.
            let maker = self.0.get(task.maker).ok_or("its maker is gone")?;
            let file = match &task.input {
                MakeInput::Text(_) => None,
                MakeInput::Media(source) => {
                    Some(MediaInput::new(source, root, media, max_decoded_bytes))
                }
            };
            let source = match (&task.input, &file) {
                (MakeInput::Media(_), Some(file)) => MakerSource::Media(file),
                (MakeInput::Media(_), None) => return Err("its media are gone".to_owned()),
                (MakeInput::Text(text), _) => MakerSource::Text(text),
            };
            // Makers are the user's: one that panics costs its row.
            let run = || maker.make_into(source, &task, &mut builder);
            let made = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                Err(format!("it panicked: {}", panic_message(&*panic)).into())
            });
            let read = file.and_then(MediaInput::read);
            if let Some((origin, bytes)) = read {
                media.0.insert(origin, bytes);
            }
            count += made.map_err(|e| {
                format!("`{}` could not make the children of {}: {e}", task.maker, place(&task))
            })? as u64;
            builder.made(&task);
        }
        *graph = builder.finish();
        // Of what was made, some may be identified by bytes that are yet to be read.
        graph.identify(|source| match source.origin().and_then(|o| media.0.get(&o)) {
            Some(bytes) => Ok(bytes.clone()),
            None => root.read(source),
        })?;
        Ok(count)
    }
}

/// More in one row is taken for a circle.
const MOST_ROUNDS: usize = 100_000;

fn place(task: &ToMake) -> String {
    format!("{}.{}", task.at.model, task.at.field)
}

/// Why a maker is not the one that a model means: for structs the compiler has checked this, unless
/// another maker bears the name.
fn misfit(
    maker: &dyn AnyMaker,
    made: MadeBy,
    model: &ModelSchema,
    child: &ModelSchema,
) -> Option<String> {
    let makes = maker.makes();
    if (makes.kind, makes.class) != (child.kind, child.class) {
        return Some(format!("it makes `{}`, and the field holds `{}`", makes.class, child.class));
    }
    let from = model.fields.iter().find(|f| f.name == made.from)?;
    let given = match from.role {
        FieldRole::Media { kind: ObjectKind::Image, .. } => Reads::Image,
        FieldRole::Media { kind: ObjectKind::Video, .. } => Reads::Video,
        FieldRole::Media { .. } => Reads::Blob,
        _ => Reads::Text,
    };
    let reads = maker.reads();
    (reads != given).then(|| format!("it reads {reads}, and `{}` is {given}", made.from))
}

/// Files of one row that were read for its makers: storing and embedding them reads them once.
#[derive(Debug, Default)]
pub(crate) struct MediaCache(pub(crate) std::collections::HashMap<String, Bytes>);

impl MediaCache {
    /// What it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.values().map(Bytes::len).sum()
    }
}

/// Media of a row, read when a maker asks for them.
#[derive(Debug)]
struct MediaInput<'a> {
    source: &'a MediaSource,
    root: &'a MediaReader,
    bytes: OnceCell<Bytes>,
    max_decoded_bytes: u64,
}

impl<'a> MediaInput<'a> {
    fn new(
        source: &'a MediaSource,
        root: &'a MediaReader,
        cache: &MediaCache,
        max_decoded_bytes: u64,
    ) -> Self {
        let input = Self { source, root, bytes: OnceCell::new(), max_decoded_bytes };
        if let Some(known) = source.origin().and_then(|origin| cache.0.get(&origin)) {
            // It was empty a line ago.
            let _ = input.bytes.set(known.clone());
        }
        input
    }

    /// What was read, and where it comes from.
    fn read(self) -> Option<(String, Bytes)> {
        Some((self.source.origin()?, self.bytes.into_inner()?))
    }
}

impl OpenMedia for MediaInput<'_> {
    fn source(&self) -> &MediaSource {
        self.source
    }

    fn path(&self) -> Option<PathBuf> {
        self.root.path(self.source)
    }

    fn bytes(&self) -> Result<Bytes, MakeError> {
        if let Some(bytes) = self.bytes.get() {
            return Ok(bytes.clone());
        }
        let bytes = self.root.read(self.source)?;
        Ok(self.bytes.get_or_init(|| bytes).clone())
    }

    fn decode(&self) -> Result<Pixels, MakeError> {
        Ok(decode(&self.bytes()?, self.max_decoded_bytes)?)
    }
}
