//! The workers of the stage.

use std::{collections::BTreeMap, pin::Pin, pin::pin, sync::Arc, time::Duration};

use adb_model::ObjectKind;
use tokio::time::timeout;

use super::{Fetches, Wanted};
use crate::{
    MediaReader,
    media::budget::Budget,
    pipeline::{
        Context, Run,
        belt::{Receiver, Sender, belt},
        failure,
    },
};

/// Places of a pipeline at which rows are fetched, at most. Each has a budget of its own: rows at one
/// can't wait for rows at another.
const PLACES: u64 = 3;
/// How often a download looks whether anybody still wants it.
const LOOKS: Duration = Duration::from_millis(200);

impl Run {
    /// Starts workers that hand rows on to `to`.
    pub(super) fn downloads<I: Fetches>(
        &mut self,
        wanted: Wanted,
        to: &Sender<I>,
    ) -> Option<(Wanted, Sender<I>)> {
        let options = &self.context.options.media;
        // Some of them wait for hosts that want to be left alone.
        let workers = options.downloads.max(1) * 2;
        let budget = Budget::new(options.bytes_in_flight / PLACES);
        let (into, from) = belt::<I>(1);
        for _ in 0..workers {
            let stage = Stage {
                context: self.context.clone(),
                media: self.media.clone(),
                wanted,
                budget: budget.clone(),
            };
            self.workers.spawn(stage.run(from.clone(), to.clone()));
        }
        Some((wanted, into))
    }
}

struct Stage {
    context: Arc<Context>,
    media: MediaReader,
    wanted: Wanted,
    budget: Arc<Budget>,
}

impl Stage {
    async fn run<I: Fetches>(self, from: Receiver<I>, to: Sender<I>) {
        let context = &self.context;
        while let Some(mut item) = from.recv().await {
            let fetching = context.tally.stages.media.run();
            let fetched = match context.is_broken() {
                Some(reason) => Err(reason),
                None => self.fetch(&mut item).await,
            };
            item.took(fetching.time());
            drop(fetching);
            match fetched {
                // Another run will fetch it.
                Err(_) if context.stop.is_stopped() => context.tally.put_back(),
                Err(reason) => context.tally.failed(item.into_row(), failure::Stage::Media, reason),
                Ok(()) => {
                    if let Err(unsent) = to.send(item).await {
                        context.tally.lost(unsent.0.into_row(), failure::Stage::Media);
                    }
                }
            }
        }
    }

    /// Fetches each address once, however many fields name it.
    async fn fetch<I: Fetches>(&self, item: &mut I) -> Result<(), String> {
        let needed = item.addresses(self.wanted).into_iter();
        let urls: BTreeMap<String, Option<ObjectKind>> =
            needed.map(|(url, kind)| (url.to_owned(), kind)).collect();
        let mut held = self.budget.nothing();
        for (url, kind) in urls {
            let (bytes, grown) = {
                let download = pin!(self.media.download_within(&url, kind, held));
                self.unless_over(download).await??
            };
            held = grown;
            item.fetched(url, bytes);
        }
        item.hold(held);
        Ok(())
    }

    /// Ends with the run: who stops does not wait for a slow server.
    async fn unless_over<T>(
        &self,
        mut task: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, String> {
        loop {
            if let Ok(done) = timeout(LOOKS, task.as_mut()).await {
                return Ok(done);
            }
            if let Some(reason) = self.context.is_broken() {
                return Err(reason);
            }
            if self.context.stop.is_stopped() {
                return Err("it was not fetched before the run was stopped".to_owned());
            }
        }
    }
}
