//! Rows that are commands themselves, through the same stages as rows of models.
//!
//! ```text
//! source → probe → media, check, transforms, decode (threads) → embed → pack → write (tasks) → report
//! ```

mod prepare;
mod probe;
mod write;

use std::{collections::HashMap, ops::ControlFlow, sync::Arc, time::Instant};

use adb_model::{
    EmbedderIdentity, ObjectKind,
    ensure::{FilledBy, PropertyIndex, ensure_indexes, ensure_set, inspect_set, unclaimed_notice},
};
use bytes::Bytes;

use super::{
    Context, Gate, Held, Ingest, Job, Report, Row, Run, Stage, Wanted,
    belt::{Sender, belt, belt_of},
    embed,
    embed::Waits,
    fetch::Fetches,
    prepare::Prepared,
    run::ThisRun,
};
use crate::{
    Error, ErrorKind, SourceRow,
    commands::{CommandRow, CommandSource, CommandTransform, ImageDescriptors},
    letters::Header,
};

/// A row on its way.
struct Item {
    row: Row,
    commands: CommandRow,
    /// The step that comes next, and what those before it came to.
    next: usize,
    done: Vec<Done>,
    jobs: Vec<Job<usize>>,
    /// What was fetched for it, by address.
    fetched: HashMap<String, Bytes>,
    /// What downloads hold of their budget, until the row is written.
    #[cfg(feature = "http")]
    downloads: Vec<crate::media::budget::Held>,
    /// Bytes of the row itself.
    _held: Held,
    /// Bytes of its files.
    held_media: Option<Held>,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    /// Whether its object was there.
    existed: bool,
    /// Whether it added its object.
    added: bool,
    /// Objects that an update or a deletion concerned.
    changed: u64,
    /// Whether it added a descriptor to an object that was there.
    described: bool,
}

impl Waits for Item {
    type Place = usize;

    fn take_jobs(&mut self) -> Vec<Job<usize>> {
        std::mem::take(&mut self.jobs)
    }

    fn wants(&self) -> bool {
        !self.jobs.is_empty()
    }

    fn fill(&mut self, place: usize, vector: Vec<f32>) -> Result<(), String> {
        if let Some(component) = vector.iter().position(|c| !c.is_finite()) {
            return Err(format!("component {component} of the vector is not a finite number"));
        }
        let bytes: Bytes = vector.iter().flat_map(|c| c.to_le_bytes()).collect();
        if let Some(made) = self.commands.vectors.get_mut(place) {
            *made = Some(bytes);
        }
        Ok(())
    }

    fn pass_to_media(&mut self, gate: &Gate) {
        gate.pass();
        self.held_media = Some(gate.hold(0));
    }

    fn row(&self) -> &Row {
        &self.row
    }

    fn into_row(self) -> Row {
        self.row
    }
}

impl Fetches for Item {
    fn addresses(&self, _: Wanted) -> Vec<(&str, Option<ObjectKind>)> {
        self.commands
            .addresses(self.next)
            .filter(|(url, _)| !self.fetched.contains_key(*url))
            .collect()
    }

    #[cfg(feature = "http")]
    fn fetched(&mut self, url: String, bytes: Bytes) {
        self.fetched.insert(url, bytes);
    }

    #[cfg(feature = "http")]
    fn hold(&mut self, held: crate::media::budget::Held) {
        self.downloads.push(held);
    }

    #[cfg(feature = "http")]
    fn took(&mut self, time: std::time::Duration) {
        self.row.spent += time;
    }
}

/// What a source says of all of its rows.
struct How {
    transforms: Vec<Arc<dyn CommandTransform>>,
    descriptors: Vec<ImageDescriptors>,
    checks_images: bool,
}

impl Ingest {
    /// Brings rows of commands into a database: the files of the Python SDK, see
    /// [`SdkCsv`](crate::SdkCsv).
    ///
    /// A row with a guard that is there already is left as it is, and its file is not read. A row
    /// without one is added again by each run, and [`undo`](crate::runs::undo) takes that back; and if the connection breaks while it is written, it
    /// fails rather than being sent twice.
    ///
    /// # Errors
    /// When it can't start: the database does not answer, a set is filled by another embedder, or
    /// there is no embedder for one. What stops it on the way is in [`Report::broken_off`].
    pub async fn run_commands<S: CommandSource>(mut self, source: S) -> Result<Report, Error> {
        let how = How {
            transforms: source.transforms(),
            descriptors: source.descriptors(),
            checks_images: source.checks_images(),
        };
        let (media, size) = (source.media_root(), source.size());
        let header = Header::new(source.rows_are(), self.options.media.place(&media));
        let letters = self.letters.take().map(|letters| letters.open(header)).transpose()?;
        let this = ThisRun::of_commands(&source, self.existing);
        let mut run = Run::begin(self, this, media, None, size, letters);
        run.tell(&source.name(), size);
        let context = run.context.clone();
        context.tally.notices(source.notices());
        let how = Arc::new(how.ensured(&context, source.indexes()).await?);

        let (read_tx, read_rx) = belt_of(run.look_up_batch());
        let probed = belt::<Item>(context.options.rows_per_request);
        let (probed_tx, probed_rx) = run.with_downloads(Wanted::All, probed);
        let (embed_tx, embed_rx) = run.belt_to_embed();
        let (ready_tx, ready_rx) = belt_of(run.request(Item::bytes));
        let prepared = Prepared { embed: embed_tx, write: ready_tx.clone() };
        run.workers.spawn_blocking({
            let context = context.clone();
            move || read(source, &context, &read_tx)
        });
        run.workers.spawn(probe::run(context.clone(), how.clone(), read_rx, probed_tx));
        for _ in 0..context.options.decoders.max(1) {
            let (context, how, media) = (context.clone(), how.clone(), run.media.clone());
            let (rx, tx) = (probed_rx.clone(), prepared.clone());
            run.workers.spawn_blocking(move || prepare::run(&context, &how, &media, &rx, &tx));
        }
        drop((probed_rx, prepared));
        embed::spawn(&mut run.workers, &context, embed_rx, &ready_tx);
        drop(ready_tx);
        for _ in 0..context.options.writers.max(1) {
            run.workers.spawn(write::run(context.clone(), ready_rx.clone()));
        }
        drop((ready_rx, context));
        Ok(run.end().await)
    }
}

impl How {
    /// Sees to it that sets and indexes are there. Sets come first: where there is no embedder for
    /// one, nothing is made.
    async fn ensured(
        mut self,
        context: &Context,
        mut indexes: Vec<PropertyIndex>,
    ) -> Result<Self, Error> {
        for descriptors in &mut self.descriptors {
            let set = &mut descriptors.set;
            let identity: &EmbedderIdentity = context
                .embedders
                .identity(set)
                .ok_or_else(|| ErrorKind::NoEmbedder { set: set.name.to_owned() })?;
            set.dimensions = identity.dimensions;
        }
        for ImageDescriptors { set, .. } in &self.descriptors {
            let filler = FilledBy::of(context.embedders.identity(set));
            ensure_set(context.dialect, &context.db, set, &filler).await?;
            let found = inspect_set(&context.db, set.name).await?;
            if found.is_some_and(|found| found.filled_by.is_none()) {
                context.tally.notices([unclaimed_notice(set.name)]);
            }
        }
        if !self.descriptors.is_empty() {
            indexes.push(PropertyIndex::of_entity("_Descriptor", prepare::OF_IMAGE));
        }
        indexes.extend(self.transforms.iter().flat_map(|transform| transform.indexes()));
        let (_, refused) = ensure_indexes(context.dialect, &context.db, &indexes).await?;
        context.tally.notices(refused);
        Ok(self)
    }
}

fn read<S: CommandSource>(source: S, context: &Context, to: &Sender<Item>) {
    let tally = &context.tally;
    // What it spends on waiting for the stages behind it does not count.
    let mut since = Instant::now();
    let mut broke = false;
    let result = source.read(&mut |row: SourceRow<CommandRow>, bytes| {
        let SourceRow { at, value, identity, raw, media, .. } = row;
        tally.stages.read.add(since.elapsed());
        let row = Row::new(at, raw, identity, !media.is_empty());
        match value {
            Ok(None) => tally.row_left_out(bytes),
            Err(reason) => {
                tally.row_read(bytes);
                tally.failed(row, Stage::Read, reason);
            }
            Ok(Some(commands)) => {
                tally.row_read(bytes);
                context.rows_gate.pass();
                let item = Item {
                    _held: context.rows_gate.hold(row.raw.len()),
                    row,
                    commands,
                    next: 0,
                    done: Vec::new(),
                    jobs: Vec::new(),
                    fetched: HashMap::new(),
                    #[cfg(feature = "http")]
                    downloads: Vec::new(),
                    held_media: None,
                };
                if let Err(unsent) = to.send_blocking(item) {
                    tally.lost(unsent.0.row, Stage::Read);
                    broke = true;
                }
            }
        }
        if let Some(e) = tally.letters_error() {
            context.fail(e);
        }
        since = Instant::now();
        broke = broke || context.is_over();
        if broke { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match result {
        Err(e) => tally.source_broke(e),
        Ok(()) if !broke => tally.source_ended(),
        Ok(()) => {}
    }
}
