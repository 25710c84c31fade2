//! Reading pictures, decoding and resizing them: on several threads, beside inference.

use adb_model::{EmbedError, EmbedInput, MediaSource, PreparedFace};
use bytes::Bytes;

use super::{
    Context, Item, Job, JobInput, Known,
    belt::{Receiver, Sender, Unsent, Way},
    embed::Waits,
    failure::{Reason, Stage},
    upsert, work,
};
use crate::{MediaReader, makers::MediaCache};

pub(super) fn run(
    context: &Context,
    media: &MediaReader,
    known: &Known,
    from: &Receiver<Item>,
    to: &Prepared<Item>,
) {
    each(
        context,
        from,
        to,
        |item| read(context, media, known, item),
        |item| decode(context, known, item),
    );
}

/// Where rows go that are ready: those that want vectors to be embedded, the others past that.
pub(super) struct Prepared<I> {
    pub(super) embed: Sender<I>,
    pub(super) write: Sender<I>,
}

impl<I> Clone for Prepared<I> {
    fn clone(&self) -> Self {
        Self { embed: self.embed.clone(), write: self.write.clone() }
    }
}

impl<I: Waits> Way<I> for Prepared<I> {
    fn hand_on(&self, item: I) -> Result<(), Unsent<I>> {
        let way = if item.wants() { &self.embed } else { &self.write };
        way.send_blocking(item)
    }
}

/// Takes rows of either kind: reads the media of each, makes it ready, and hands it on.
pub(super) fn each<I: Waits>(
    context: &Context,
    from: &Receiver<I>,
    to: &Prepared<I>,
    read: impl Fn(&mut I) -> Result<(), String>,
    make_ready: impl Fn(&mut I) -> Result<(), Reason>,
) {
    work::each(context, from, to, Stage::Media, |item| {
        let prepared = read(item)
            .map_err(|reason| (Stage::Media, reason.into()))
            .and_then(|()| make_ready(item).map_err(|reason| (Stage::Decode, reason)));
        context.tally.spent(item.row());
        prepared
    });
}

/// Reads a row's media.
fn read(
    context: &Context,
    media: &MediaReader,
    known: &Known,
    item: &mut Item,
) -> Result<(), String> {
    if item.graph.media_mut().next().is_none() {
        return Ok(());
    }
    let reading = context.tally.stages.media.run();
    // A picture that is both stored and embedded is read once, and makers may have read it.
    let read = &mut item.media.0;
    let mut bytes_read = 0;
    for source in item.graph.media_mut() {
        let bytes = match source.origin() {
            Some(origin) => match read.get(&origin) {
                Some(bytes) => bytes.clone(),
                None => {
                    if let Some(stamp) = known.before_reading(source) {
                        item.stamps.insert(origin.clone(), stamp);
                    }
                    let bytes = media.read(source)?;
                    bytes_read += bytes.len();
                    read.insert(origin, bytes.clone());
                    bytes
                }
            },
            None => media.read(source)?,
        };
        *source = MediaSource::Bytes(bytes);
    }
    item.hold_media(bytes_read);
    item.row.spent += reading.time();
    Ok(())
}

/// Compares them with what is there, and prepares what is to be embedded.
fn decode(context: &Context, known: &Known, item: &mut Item) -> Result<(), Reason> {
    if item.graph.nodes().iter().all(|n| n.media.is_none() && n.descriptor.is_none()) {
        // It takes less time than two looks at the clock.
        return decode_item(context, known, item);
    }
    let decoding = context.tally.stages.decode.run();
    let decoded = decode_item(context, known, item);
    item.row.spent += decoding.time();
    decoded
}

fn decode_item(context: &Context, known: &Known, item: &mut Item) -> Result<(), Reason> {
    item.graph.of_run(&context.run.id);
    item.graph.mark_contents(|set| context.embedders.identity(set));
    item.note(context, known);
    if let Some(upserts) = &context.upserts {
        upsert::compare(context, upserts, item)?;
    }
    let (mut jobs, mut left_out) = (Vec::new(), Vec::new());
    for (node, set, input) in item.graph.wanted()? {
        let embedder = context.embedders.of(&set).ok_or_else(|| {
            format!(
                "there is no vector for the set `{}`, and no embedder to make one; give the row a vector, or the ingestion an embedder",
                set.name
            )
        })?;
        let picture = |source: &MediaSource, region| {
            let bytes = source.loaded().ok_or("the picture was not read")?;
            let prepared = embedder
                .prepare_image_within(bytes, region, context.options.max_decoded_bytes)
                .map_err(|e| match file_of(&item.media, bytes) {
                    Some(file) => format!("{file}: {e}"),
                    None => e.to_string(),
                })?;
            Ok::<_, String>(JobInput::Image(prepared))
        };
        let input = match input {
            EmbedInput::Image(source) => picture(source, None)?,
            EmbedInput::Region(source, rect) => picture(source, Some(*rect))?,
            EmbedInput::Face(source, otherwise) => {
                let bytes = source.loaded().ok_or("the picture was not read")?;
                let most = context.options.max_decoded_bytes;
                let prepared = embedder.prepare_face(bytes, *otherwise, Some(most));
                match prepared.map_err(|e| e.to_string())? {
                    PreparedFace::Found(image) => JobInput::Image(image),
                    PreparedFace::Whole(image) => {
                        context.tally.without_face();
                        JobInput::Image(image)
                    }
                    _ => {
                        context.tally.without_face();
                        left_out.push(node);
                        continue;
                    }
                }
            }
            EmbedInput::Text(text) => JobInput::Text(text.clone()),
            EmbedInput::OwnRegion => {
                return Err(format!(
                    "a vector of the set `{}` is to be made from the region's part of a picture, and what the region lies in has none in this row; give the vector",
                    set.name
                )
                .into());
            }
            other => return Err(format!("nothing can be embedded from {other:?}").into()),
        };
        jobs.push(Job { node, set, input });
    }
    for &node in &left_out {
        let plan = item.known.as_mut().and_then(|known| known.plan_mut());
        let done = match plan {
            Some(plan) => plan.leave_out(&mut item.graph, node),
            None => item.graph.leave_out(node),
        };
        if !done {
            return Err(EmbedError::NoFace.to_string().into());
        }
    }
    if !left_out.is_empty() {
        item.note_left_out(left_out.len());
    }
    item.jobs = jobs;
    item.left_out = left_out;
    item.media = MediaCache::default();
    Ok(())
}

/// Where bytes were read from; they have been handed on since, and are still the same.
fn file_of<'a>(media: &'a MediaCache, bytes: &Bytes) -> Option<&'a str> {
    let same = |read: &Bytes| read.as_ptr() == bytes.as_ptr() && read.len() == bytes.len();
    media.0.iter().find(|(_, read)| same(read)).map(|(origin, _)| origin.as_str())
}
