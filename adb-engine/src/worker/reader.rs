//! Readers: each request sees one committed state, and waits for no writer.

use std::sync::Arc;

use adb_model::{DbError, Response};
use async_channel::Receiver;

use super::{Job, Work, indexer::Indexing, reply};
use crate::{
    directory::Directory,
    error::{Error, ErrorKind},
    media::Media,
    run::{Done, Run, Undone},
    store::Store,
    vectors::cache::VectorCache,
};

/// One reading thread.
pub(crate) struct Reader {
    pub(crate) directory: Directory,
    pub(crate) vectors: Arc<VectorCache>,
    pub(crate) media: Arc<Media>,
    pub(crate) response_limit: usize,
    pub(crate) indexing: Arc<Indexing>,
    /// Opened with the first request.
    pub(crate) store: Option<Store>,
}

impl Reader {
    /// Answers until the channel closes and is empty.
    pub(crate) fn work(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv_blocking() {
            let to = job.answer.clone();
            let answer = self.answer(&job);
            drop(job);
            if answer.is_err() {
                // Whatever state the connection is in: the next request gets a fresh one.
                self.store = None;
            }
            reply(&to, answer);
            if self.vectors.take_wish() {
                self.indexing.look();
            }
        }
    }

    fn answer(&mut self, job: &Job) -> Result<Response, DbError> {
        match self.read(job) {
            Ok(Done { answers, blobs }) => Ok(Response::Done { answers, blobs }),
            Err(Undone::Refused(refusal)) => Ok(Response::Refused(refusal)),
            Err(Undone::Store(kind)) => Err(self.directory.error(kind).into()),
        }
    }

    fn read(&mut self, job: &Job) -> Result<Done, Undone> {
        if self.store.is_none() {
            let store = Store::open_reader(&self.directory).map_err(Error::into_kind)?;
            self.store = Some(store);
        }
        let Some(store) = &mut self.store else {
            return Err(Undone::Store(ErrorKind::Closed));
        };
        // The first statement that reads takes the snapshot that the others see.
        store.conn.prepare_cached("BEGIN")?.execute([])?;
        store.refresh()?;
        let Work { commands, blobs } = &*job.work;
        let run = Run::new(store, &self.vectors, &self.media, None, blobs, self.response_limit);
        let done = super::run(run, commands);
        if !matches!(done, Err(Undone::Store(_))) {
            // After a failure the connection is dropped, and what failed is the better answer.
            store.conn.prepare_cached("COMMIT")?.execute([])?;
        }
        done
    }
}
