//! Inference, in batches over rows.
//!
//! One task sorts what the decoders have ready by set and kind of input. A batch goes when it is
//! full, or when the oldest of it has waited long enough, so that a slow source moves on too. It is
//! computed by one of several threads, and a row goes on when all of its vectors are there.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use adb_model::{Batches, EmbedError, Embedder, NodeId, PreparedImage, SetSpec};
use tokio::{
    task::JoinSet,
    time::{Instant as Clock, timeout_at},
};

use super::{
    Context, Embedders, Gate, Item, Job, JobInput, Row as RowOf,
    belt::{Receiver, Sender, Unsent, belt},
    failure::Stage,
    lock,
};

/// A row that vectors are made for.
pub(super) trait Waits: Send + Sized + 'static {
    /// Where a vector belongs in it.
    type Place: Copy + Send + 'static;

    /// The vectors that it wants, once.
    fn take_jobs(&mut self) -> Vec<Job<Self::Place>>;

    /// Whether it wants any.
    fn wants(&self) -> bool;

    /// Takes one of them.
    fn fill(&mut self, place: Self::Place, vector: Vec<f32>) -> Result<(), String>;

    /// Waits until its media may be read.
    fn pass_to_media(&mut self, gate: &Gate);

    /// What is told of it.
    fn row(&self) -> &RowOf;

    /// The same, at its end.
    fn into_row(self) -> RowOf;
}

impl Waits for Item {
    type Place = NodeId;

    fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    fn wants(&self) -> bool {
        !self.jobs.is_empty()
    }

    fn fill(&mut self, node: NodeId, vector: Vec<f32>) -> Result<(), String> {
        self.graph.fill(node, vector).map_err(|e| e.to_string())
    }

    /// Later calls return at once, and so do those of rows without any.
    fn pass_to_media(&mut self, gate: &Gate) {
        let has_media = || self.graph.media().next().is_some() || self.media.bytes() > 0;
        if self.held_media.is_none() && has_media() {
            gate.pass();
            self.held_media = Some(gate.hold(0));
        }
    }

    fn row(&self) -> &RowOf {
        &self.row
    }

    fn into_row(self) -> RowOf {
        self.row
    }
}

/// Starts the stage.
pub(super) fn spawn<I: Waits>(
    workers: &mut JoinSet<()>,
    context: &Arc<Context>,
    from: Receiver<I>,
    to: &Sender<I>,
) {
    let at_once = context.embedders.at_once();
    // One more batch is made ready while all threads compute.
    let (full_tx, full_rx) = belt::<Batch<I>>(1);
    workers.spawn(collect(context.clone(), from, full_tx, at_once));
    for _ in 0..at_once {
        let (context, to, from) = (context.clone(), to.clone(), full_rx.clone());
        workers.spawn_blocking(move || compute(&context, &from, &to));
    }
}

impl Embedders {
    fn every(&self) -> impl Iterator<Item = &Arc<dyn Embedder>> {
        self.all.iter().chain(self.by_set.values())
    }

    fn batches(&self) -> impl Iterator<Item = Batches> {
        self.every().flat_map(|embedder| {
            let identity = embedder.identity();
            let images = identity.images.then(|| embedder.image_batches());
            let texts = identity.texts.then(|| embedder.text_batches());
            images.into_iter().chain(texts)
        })
    }

    /// Batches that are worth computing at the same time.
    pub(super) fn at_once(&self) -> usize {
        self.batches().map(|b| b.at_once).max().unwrap_or(1).max(1)
    }

    /// The largest batch that any embedder likes.
    pub(super) fn largest_batch(&self) -> usize {
        self.batches().map(|b| b.size).max().unwrap_or_else(|| Batches::default().size).max(1)
    }
}

/// A row that waits for vectors.
struct Waiting<I> {
    /// Until the last of its jobs is done.
    item: Option<I>,
    jobs: usize,
    failure: Option<String>,
}

type Row<I> = Arc<Mutex<Waiting<I>>>;

struct Wanted<I: Waits> {
    row: Row<I>,
    place: I::Place,
    input: JobInput,
}

struct Batch<I: Waits> {
    set: SetSpec,
    images: bool,
    jobs: Vec<Wanted<I>>,
}

/// A batch that is being filled.
struct Filling<I: Waits> {
    batch: Batch<I>,
    size: usize,
    /// When it goes, full or not.
    due: Clock,
}

/// While there are rows ready that may fill it, a batch that is due waits on: this task itself waits
/// for the embedder, and the rows of that time are still to be sorted. But not for ever, or a kind
/// of input that is rare would wait for the end of the source.
const MOST_PATIENCE: u32 = 10;

/// How long one that is ready waits for others to be sorted with it: little beside decoding it.
const SORTED_TOGETHER: Duration = Duration::from_millis(1);

async fn collect<I: Waits>(
    context: Arc<Context>,
    from: Receiver<I>,
    full: Sender<Batch<I>>,
    at_once: usize,
) {
    let mut filling: Vec<Filling<I>> = Vec::new();
    loop {
        let due = filling.iter().filter(|f| !f.batch.jobs.is_empty()).map(|f| f.due).min();
        let next = match due {
            Some(due) => timeout_at(due, from.batch(SORTED_TOGETHER)).await,
            None => Ok(from.batch(SORTED_TOGETHER).await),
        };
        let patience = match next {
            Ok(Some(items)) => {
                items.into_iter().for_each(|item| sort(&context, item, &mut filling));
                MOST_PATIENCE
            }
            Ok(None) => break,
            // Nothing more was ready.
            Err(_) => 0,
        };
        let patience = context.options.linger.saturating_mul(patience);
        let long_ago = Clock::now().checked_sub(patience);
        let left = from.is_closed().then(|| from.len());
        for f in &mut filling {
            // A row can bring more jobs than a batch has room for.
            while f.goes(long_ago, left, at_once) {
                let batch = f.batch.split(f.portion(left, at_once));
                f.due = Clock::now() + context.options.linger;
                dispatch(&context, &full, batch).await;
            }
        }
    }
    for mut f in filling {
        while !f.batch.jobs.is_empty() {
            let batch = f.batch.split(f.portion(Some(0), at_once));
            dispatch(&context, &full, batch).await;
        }
    }
}

impl<I: Waits> Filling<I> {
    fn portion(&self, left: Option<usize>, at_once: usize) -> usize {
        portion(self.size, self.batch.jobs.len(), left, at_once)
    }

    fn goes(&self, long_ago: Option<Clock>, left: Option<usize>, at_once: usize) -> bool {
        let is_old = long_ago.is_some_and(|then| self.due <= then);
        let jobs = self.batch.jobs.len();
        jobs > 0 && (is_old || jobs >= self.portion(left, at_once))
    }
}

/// How many of those that wait go at once. `left`: rows that come yet, once it is known that these
/// are the last. Then portions become smaller and smaller, so that no session is idle while another
/// still has a whole batch.
fn portion(size: usize, waiting: usize, left: Option<usize>, at_once: usize) -> usize {
    left.map_or(size, |left| (waiting + left).div_ceil(2 * at_once).clamp(1, size))
}

/// Puts a row's jobs where they belong.
fn sort<I: Waits>(context: &Context, mut item: I, filling: &mut Vec<Filling<I>>) {
    let jobs = item.take_jobs();
    let waiting = Waiting { item: Some(item), jobs: jobs.len(), failure: None };
    let row = Arc::new(Mutex::new(waiting));
    for Job { node: place, set, input } in jobs {
        let images = matches!(input, JobInput::Image(_));
        let at = filling.iter().position(|f| f.batch.set == set && f.batch.images == images);
        let at = at.unwrap_or_else(|| {
            let batch = Batch { set, images, jobs: Vec::new() };
            let size = context.batch_size(&set, images);
            filling.push(Filling { batch, size, due: Clock::now() });
            filling.len() - 1
        });
        let f = &mut filling[at];
        if f.batch.jobs.is_empty() {
            f.due = Clock::now() + context.options.linger;
        }
        f.batch.jobs.push(Wanted { row: row.clone(), place, input });
    }
}

async fn dispatch<I: Waits>(context: &Context, full: &Sender<Batch<I>>, batch: Batch<I>) {
    if let Err(unsent) = full.send(batch).await {
        for wanted in unsent.0.jobs {
            if let Some((item, _)) = wanted.row.done(Some("the pipeline broke off".to_owned())) {
                context.tally.lost(item.into_row(), Stage::Embed);
            }
        }
    }
}

impl Context {
    fn batch_size(&self, set: &SetSpec, images: bool) -> usize {
        let liked = |embedder: &Arc<dyn Embedder>| match images {
            true => embedder.image_batches().size,
            false => embedder.text_batches().size,
        };
        let size = self.options.embed_batch.or_else(|| self.embedders.of(set).map(liked));
        size.unwrap_or_else(|| Batches::default().size).max(1)
    }
}

impl<I: Waits> Batch<I> {
    /// Takes the oldest jobs out.
    fn split(&mut self, most: usize) -> Self {
        let rest = self.jobs.split_off(most.min(self.jobs.len()));
        Self { jobs: std::mem::replace(&mut self.jobs, rest), ..*self }
    }
}

/// One job less to wait for; the row and its fault, if that was the last one.
trait Done<I> {
    fn done(&self, failure: Option<String>) -> Option<(I, Option<String>)>;
}

impl<I: Waits> Done<I> for Row<I> {
    fn done(&self, failure: Option<String>) -> Option<(I, Option<String>)> {
        let mut row = lock(self);
        row.jobs -= 1;
        row.failure = row.failure.take().or(failure);
        if row.jobs > 0 {
            return None;
        }
        let failure = row.failure.take();
        row.item.take().map(|item| (item, failure))
    }
}

fn compute<I: Waits>(context: &Context, from: &Receiver<Batch<I>>, to: &Sender<I>) {
    while let Some(batch) = from.recv_blocking() {
        if context.stop.is_stopped() {
            // The next run makes these vectors; who waits for the end of this one waits less.
            let rows = batch.jobs.into_iter().filter_map(|job| job.row.done(None));
            rows.for_each(|_| context.tally.put_back());
            continue;
        }
        for (item, failure) in embed(context, batch) {
            match failure {
                Some(reason) => context.tally.failed(item.into_row(), Stage::Embed, reason),
                None => {
                    if let Err(Unsent(item)) = to.send_blocking(item) {
                        context.tally.lost(item.into_row(), Stage::Embed);
                    }
                }
            }
        }
    }
}

/// Fills the vectors of a batch; gives the rows that have all of theirs. A fault costs the rows
/// that it concerns.
fn embed<I: Waits>(context: &Context, batch: Batch<I>) -> Vec<(I, Option<String>)> {
    let computing = context.tally.stages.embed.run();
    let broken = context.is_broken();
    // `prepare` has seen to it that there is one.
    let embedder = context.embedders.of(&batch.set);
    let mut done = Vec::new();
    let mut wanted = Vec::with_capacity(batch.jobs.len());
    for job in batch.jobs {
        let lost = broken.is_some() || embedder.is_none() || lock(&job.row).failure.is_some();
        if lost {
            done.extend(job.row.done(broken.clone()));
        } else {
            wanted.push(job);
        }
    }
    let Some(embedder) = embedder.filter(|_| !wanted.is_empty()) else { return done };
    let mut places = Vec::with_capacity(wanted.len());
    let (mut images, mut texts) = (Vec::new(), Vec::new());
    for Wanted { row, place, input } in wanted {
        places.push((row, place));
        match input {
            JobInput::Image(image) => images.push(image),
            JobInput::Text(text) => texts.push(text),
        }
    }
    let vectors = match batch.images {
        true => of_images(embedder, &images),
        false => of_texts(embedder, &texts),
    };
    for ((row, place), vector) in places.into_iter().zip(vectors) {
        let filled = vector.map_err(|e| e.to_string()).and_then(|vector| {
            match &mut lock(&row).item {
                Some(item) => item.fill(place, vector),
                // It is there until its last job is done.
                None => Ok(()),
            }
        });
        if filled.is_ok() {
            context.tally.embedded(1);
        }
        done.extend(row.done(filled.err()));
    }
    drop(computing);
    done
}

/// One batch; if that fails, each of it alone, so that one bad input costs its own row.
fn of_images(
    embedder: &Arc<dyn Embedder>,
    images: &[PreparedImage],
) -> Vec<Result<Vec<f32>, EmbedError>> {
    match exact(embedder, images.len(), embedder.embed_images(images)) {
        Ok(vectors) => vectors.into_iter().map(Ok).collect(),
        Err(e) if images.len() == 1 => vec![Err(e)],
        Err(_) => images
            .chunks(1)
            .map(|one| exact(embedder, 1, embedder.embed_images(one)).map(only))
            .collect(),
    }
}

fn of_texts(embedder: &Arc<dyn Embedder>, texts: &[String]) -> Vec<Result<Vec<f32>, EmbedError>> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    match exact(embedder, texts.len(), embedder.embed_texts(&texts)) {
        Ok(vectors) => vectors.into_iter().map(Ok).collect(),
        Err(e) if texts.len() == 1 => vec![Err(e)],
        Err(_) => texts
            .chunks(1)
            .map(|one| exact(embedder, 1, embedder.embed_texts(one)).map(only))
            .collect(),
    }
}

/// Called with a list that [`exact`] has found to hold one.
fn only(mut vectors: Vec<Vec<f32>>) -> Vec<f32> {
    vectors.pop().unwrap_or_default()
}

/// Refuses another number of vectors than was asked for: rows would get each other's.
fn exact(
    embedder: &Arc<dyn Embedder>,
    expected: usize,
    result: Result<Vec<Vec<f32>>, EmbedError>,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    result.and_then(|vectors| {
        if vectors.len() == expected {
            return Ok(vectors);
        }
        Err(EmbedError::Inference {
            embedder: embedder.identity().name.clone(),
            message: format!("it gave {} vectors for {expected} inputs", vectors.len()),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::portion;

    #[test]
    fn the_last_portions_become_smaller() {
        let (mut rest, mut sizes) = (30, Vec::new());
        while rest > 0 {
            sizes.push(portion(8, rest, Some(0), 2).min(rest));
            rest -= sizes[sizes.len() - 1];
        }
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        assert_eq!((sizes[0], sizes.last()), (8, Some(&1)), "{sizes:?}");
        // Before the end is known, whole batches.
        assert_eq!((portion(8, 3, None, 2), portion(8, 3, Some(9), 2)), (8, 3));
    }
}
