//! Readers: each request sees one committed state, and waits for no writer.

use std::sync::{Arc, Mutex, PoisonError};

use adb_model::{DbError, Response};
use async_channel::Receiver;

use super::{Job, Work, indexer::Indexing, reply};
use crate::{
    directory::Directory,
    error::Error,
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
    pub(crate) stores: Arc<Stores>,
}

/// The connections of all reading threads that are at rest. The one that was used last is taken
/// first: it remembers what the last requests asked for, whichever thread is to run the next one.
#[derive(Default)]
pub(crate) struct Stores(Mutex<Vec<Store>>);

impl Stores {
    pub(crate) fn put(&self, store: Store) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(store);
    }

    fn take(&self) -> Option<Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl Reader {
    /// Answers until the channel closes and is empty.
    pub(crate) fn work(self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv_blocking() {
            let to = job.answer.clone();
            let answer = self.answer(&job);
            drop(job);
            reply(&to, answer);
            if self.vectors.take_wish() {
                self.indexing.look();
            }
        }
    }

    fn answer(&self, job: &Job) -> Result<Response, DbError> {
        let answer = match self.read(job) {
            Ok(Done { answers, blobs }) => Response::Done { answers, blobs },
            Err(Undone::Refused(refusal)) => Response::Refused(refusal),
            Err(Undone::Store(kind)) => return Err(self.directory.error(kind).into()),
        };
        Ok(answer)
    }

    fn read(&self, job: &Job) -> Result<Done, Undone> {
        let mut store = match self.stores.take() {
            Some(store) => store,
            None => Store::open_reader(&self.directory).map_err(Error::into_kind)?,
        };
        let done = self.read_with(&mut store, job);
        if !matches!(done, Err(Undone::Store(_))) {
            // Otherwise, whatever state the connection is in: the next request gets another one.
            self.stores.put(store);
        }
        done
    }

    fn read_with(&self, store: &mut Store, job: &Job) -> Result<Done, Undone> {
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
