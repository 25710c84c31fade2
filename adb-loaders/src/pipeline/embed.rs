//! Inference, in batches over rows.

use std::{sync::Arc, time::Instant};

use adb_model::{EmbedError, Embedder, PreparedImage, SetSpec};
use async_channel::{Receiver, Sender, TryRecvError};

use super::{Context, Item, Job, JobInput};

/// Takes what the decoders have ready, up to a batch. An embedder that is free starts on what
/// there is: waiting for a fuller batch would leave it idle.
pub(super) fn run(context: &Context, from: &Receiver<Item>, to: &Sender<Item>) {
    while let Ok(first) = from.recv_blocking() {
        let mut items = vec![first];
        let mut jobs = items[0].jobs.len();
        while jobs < context.options.embed_batch {
            match from.try_recv() {
                Ok(item) => {
                    jobs += item.jobs.len();
                    items.push(item);
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        for (item, filled) in embed(context, items) {
            let sent = filled.and_then(|()| {
                to.send_blocking(item)
                    .map_err(|unsent| (unsent.0.at, "the pipeline broke off".to_owned()))
            });
            if let Err((at, reason)) = sent {
                context.tally.failed(at, reason);
            }
        }
    }
}

type Failed = (crate::RowPlace, String);

/// Fills all vectors of these rows; a fault costs the rows that it concerns.
fn embed(context: &Context, mut items: Vec<Item>) -> Vec<(Item, Result<(), Failed>)> {
    let mut failures: Vec<Option<String>> = vec![context.is_broken(); items.len()];
    let mut batches: Vec<Batch> = Vec::new();
    for (i, item) in items.iter_mut().enumerate() {
        for job in std::mem::take(&mut item.jobs) {
            let is_image = matches!(job.input, JobInput::Image(_));
            let batch = batches.iter_mut().find(|b| b.set == job.set && b.images == is_image);
            match batch {
                Some(batch) => batch.jobs.push((i, job)),
                None => {
                    batches.push(Batch { set: job.set, images: is_image, jobs: vec![(i, job)] });
                }
            }
        }
    }
    for batch in batches {
        // `prepare` has seen to it that there is one.
        let Some(embedder) = context.embedders.of(&batch.set) else { continue };
        let jobs: Vec<(usize, Job)> =
            batch.jobs.into_iter().filter(|(i, _)| failures[*i].is_none()).collect();
        let started = Instant::now();
        for (i, node, vector) in infer(embedder, jobs) {
            let filled = vector
                .map_err(|e| e.to_string())
                .and_then(|v| items[i].graph.fill(node, v).map_err(|e| e.to_string()));
            match filled {
                Ok(()) => context.tally.embedded(1),
                Err(reason) => failures[i] = Some(reason),
            }
        }
        context.tally.stages.embed.add(started.elapsed());
    }
    items
        .into_iter()
        .zip(failures)
        .map(|(item, failure)| {
            let result = failure.map_or(Ok(()), |reason| Err((item.at.clone(), reason)));
            (item, result)
        })
        .collect()
}

struct Batch {
    set: SetSpec,
    images: bool,
    jobs: Vec<(usize, Job)>,
}

type Inferred = (usize, adb_model::NodeId, Result<Vec<f32>, EmbedError>);

/// One batch; if that fails, each of it alone, so that one bad input costs its own row.
fn infer(embedder: &Arc<dyn Embedder>, jobs: Vec<(usize, Job)>) -> Vec<Inferred> {
    let mut places = Vec::with_capacity(jobs.len());
    let (mut images, mut texts) = (Vec::new(), Vec::new());
    for (i, job) in jobs {
        places.push((i, job.node));
        match job.input {
            JobInput::Image(image) => images.push(image),
            JobInput::Text(text) => texts.push(text),
        }
    }
    let one_by_one: Vec<Result<Vec<f32>, EmbedError>> = if texts.is_empty() {
        match exact(embedder, images.len(), embedder.embed_images(images.clone())) {
            Ok(vectors) => vectors.into_iter().map(Ok).collect(),
            Err(_) => images.into_iter().map(|image| one_image(embedder, image)).collect(),
        }
    } else {
        let all: Vec<&str> = texts.iter().map(String::as_str).collect();
        match exact(embedder, all.len(), embedder.embed_texts(&all)) {
            Ok(vectors) => vectors.into_iter().map(Ok).collect(),
            Err(_) => all
                .into_iter()
                .map(|text| exact(embedder, 1, embedder.embed_texts(&[text])).map(only))
                .collect(),
        }
    };
    places.into_iter().zip(one_by_one).map(|((i, node), vector)| (i, node, vector)).collect()
}

fn one_image(embedder: &Arc<dyn Embedder>, image: PreparedImage) -> Result<Vec<f32>, EmbedError> {
    exact(embedder, 1, embedder.embed_images(vec![image])).map(only)
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
