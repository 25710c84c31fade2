//! Reading files, looking at images, changing rows, decoding what is to be embedded: on several
//! threads, beside inference.

use adb_model::{EmbedError, Embedder, NoFace, PreparedFace, PreparedImage};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{How, Item};
use crate::{
    MediaReader,
    commands::{Command, CommandBlob, Comparison, ImageDescriptors},
    pipeline::{
        Context, Job, JobInput,
        belt::Receiver,
        prepare::{Prepared, each},
    },
    sdk::transform::{IMAGE_SHA256, sha256},
};

/// The property by which a descriptor knows its image.
pub(super) const OF_IMAGE: &str = "image_sha256";

pub(super) fn run(
    context: &Context,
    how: &How,
    media: &MediaReader,
    from: &Receiver<Item>,
    to: &Prepared<Item>,
) {
    each(
        context,
        from,
        to,
        |item| read(context, how, media, item),
        |item| change(context, how, item).map_err(Into::into),
    );
}

fn read(context: &Context, how: &How, media: &MediaReader, item: &mut Item) -> Result<(), String> {
    let reading = context.tally.stages.media.run();
    let fetched = std::mem::take(&mut item.fetched);
    // Downloads have a budget of their own.
    let counted: usize = fetched.values().map(Bytes::len).sum();
    let read = item.commands.read_blobs_from(item.next, media, fetched, how.checks_images);
    if let Some(held) = &mut item.held_media {
        let all: usize = item.commands.blobs().iter().map(Bytes::len).sum();
        held.add(all.saturating_sub(counted));
    }
    item.row.spent += reading.time();
    read
}

fn change(context: &Context, how: &How, item: &mut Item) -> Result<(), String> {
    let decoding = context.tally.stages.decode.run();
    let mut change = || {
        for transform in &how.transforms {
            transform.apply(&mut item.commands)?;
        }
        for descriptors in &how.descriptors {
            describe(context, descriptors, item)?;
        }
        Ok(())
    };
    let changed = change();
    item.row.spent += decoding.time();
    changed
}

/// Adds a descriptor of each image, to be filled.
fn describe(
    context: &Context,
    descriptors: &ImageDescriptors,
    item: &mut Item,
) -> Result<(), String> {
    let set = descriptors.set;
    let embedder = context
        .embedders
        .of(&set)
        .ok_or_else(|| format!("there is no embedder for the set `{}`", set.name))?;
    // The same image in two steps is embedded once.
    let mut made: Option<(String, Option<usize>)> = None;
    for s in item.next..item.commands.steps.len() {
        let images = item.commands.steps[s].commands.iter().enumerate();
        let images: Vec<usize> =
            images.filter(|(_, c)| c.name == "AddImage").map(|(i, _)| i).collect();
        for i in images {
            let Some(bytes) = item.commands.steps[s].commands[i].media().cloned() else { continue };
            let known = item.commands.steps[s].commands[i].property(IMAGE_SHA256);
            let sha = known.and_then(Json::as_str).map_or_else(|| sha256(&bytes), str::to_owned);
            let place = match &made {
                Some((of, place)) if *of == sha => *place,
                _ => {
                    let input = input(context, &**embedder, descriptors.faces, &bytes)?;
                    let place = input.map(|input| {
                        item.commands.vectors.push(None);
                        let node = item.commands.vectors.len() - 1;
                        item.jobs.push(Job { node, set, input: JobInput::Image(input) });
                        node
                    });
                    made = Some((sha.clone(), place));
                    place
                }
            };
            let Some(place) = place else { continue };
            let commands = &mut item.commands.steps[s].commands;
            let reference = reference(commands, i);
            commands.push(add_descriptor(set.name, &sha, reference, place));
        }
    }
    Ok(())
}

/// The reference of a command, which gets one if it has none.
fn reference(commands: &mut [Command], i: usize) -> u64 {
    let own = |c: &Command| c.body.get("_ref").and_then(Json::as_u64);
    if let Some(own) = own(&commands[i]) {
        return own;
    }
    let free = commands.iter().filter_map(own).max().unwrap_or(0) + 1;
    commands[i].body.insert("_ref".to_owned(), free.into());
    free
}

/// The guard names the set: the same image may have a descriptor in another one.
fn add_descriptor(set: &str, sha: &str, reference: u64, place: usize) -> Command {
    let body = json!({
        "set": set, "properties": { OF_IMAGE: sha }, "connect": {"ref": reference},
    });
    let guard = vec![Comparison::equal(OF_IMAGE, sha), Comparison::equal("_set_name", set)];
    Command::new("AddDescriptor", body).with("if_not_found", guard).blob(CommandBlob::Made(place))
}

/// What is to be embedded; nothing where there is no face to be.
fn input(
    context: &Context,
    embedder: &dyn Embedder,
    faces: bool,
    bytes: &Bytes,
) -> Result<Option<PreparedImage>, String> {
    let most = context.options.max_decoded_bytes;
    if faces {
        match embedder.prepare_face(bytes, NoFace::Skip, Some(most)) {
            Ok(PreparedFace::Found(image) | PreparedFace::Whole(image)) => return Ok(Some(image)),
            Ok(_) => {
                context.tally.without_face();
                return Ok(None);
            }
            // It looks for none: then images are of faces already.
            Err(EmbedError::Modality { what: "faces", .. }) => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    let prepared = embedder.prepare_image_within(bytes, None, most);
    prepared.map(Some).map_err(|e| e.to_string())
}
