//! Preparers: what takes long and needs no transaction is done before it. Addresses are asked,
//! pictures and videos are made into what is to be stored; then the writer gets the request. One
//! large picture keeps nobody else's write waiting.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use adb_model::DbError;
use async_channel::{Receiver, Sender};
use bytes::Bytes;

use super::{Job, Task, Unprepared, Work, panic_text, reply};
use crate::{
    directory::Directory,
    error::{Error, ErrorKind},
    media::{Media, picture},
    request::{
        Command, Named,
        add::{Add, NewMedia, Ready},
        fault::{Fail, Fault},
        kind::Kind,
    },
    run::Run,
    store::Store,
    vectors::cache::VectorCache,
};

/// One preparing thread.
pub(crate) struct Preparer {
    pub(crate) directory: Directory,
    pub(crate) vectors: Arc<VectorCache>,
    pub(crate) media: Arc<Media>,
    pub(crate) writes: Sender<Task>,
    /// Opened when a guard is to be looked at, if there is a database yet.
    pub(crate) store: Option<Store>,
}

impl Preparer {
    /// Prepares and passes on until the channel closes and is empty.
    pub(crate) fn work(mut self, requests: &Receiver<Unprepared>) {
        while let Ok(Unprepared { mut work, answer }) = requests.recv_blocking() {
            // A fault of ours must not end the thread, nor leave anybody without an answer.
            let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(&mut work)));
            if let Err(panic) = prepared {
                self.store = None;
                let bug = self.directory.error(ErrorKind::Bug(panic_text(&*panic)));
                reply(&answer, Err(bug.into()));
                continue;
            }
            let job = Job { work: Arc::new(work), answer: answer.clone() };
            if self.writes.send_blocking(Task::Request(job)).is_err() {
                reply(&answer, Err(DbError::from(self.directory.error(ErrorKind::Closed))));
            }
        }
    }

    fn prepare(&mut self, work: &mut Work) {
        let until = Instant::now() + self.media.time_limit;
        let mut blobs = work.blobs.iter_mut();
        // What was deleted on the way can't be what a guard will find.
        let mut changes = false;
        for Named { command, .. } in &mut work.commands {
            let blob = if command.takes_blob() { blobs.next() } else { None };
            changes |= matches!(command, Command::Update(_) | Command::Delete(_));
            let Command::Add(add) = command else { continue };
            if add.unprepared().is_none() {
                continue;
            }
            let there = !changes && self.has(add);
            let kind = add.kind;
            let Some(media) = add.unprepared() else { continue };
            media.ready = if there {
                Ready::NotNeeded
            } else {
                self.make(kind, media, blob.as_deref(), until).unwrap_or_else(Ready::Failed)
            };
            if let Some(blob) = blob {
                // What it became is all that is still needed.
                *blob = Bytes::new();
            }
        }
    }

    /// Whether the object is there already, so that nothing has to be made. Whoever deletes it
    /// meanwhile makes the writer refuse the request.
    fn has(&mut self, add: &Add) -> bool {
        let looked = self.look(add);
        if looked.is_err() {
            // The writer will meet the same, and say so.
            self.store = None;
        }
        looked.unwrap_or(false)
    }

    fn look(&mut self, add: &Add) -> Result<bool, Fail> {
        if add.guard.is_none() || !self.directory.has_database() {
            return Ok(false);
        }
        if self.store.is_none() {
            let store = Store::open_reader(&self.directory).map_err(Error::into_kind)?;
            self.store = Some(store);
        }
        let Some(store) = &mut self.store else { return Ok(false) };
        store.begin()?;
        store.refresh()?;
        let run = Run::new(store, &self.vectors, &self.media, None, &[], 0);
        let has = run.has(add);
        store.end()?;
        has
    }

    /// Fetches, works on and looks at the bytes.
    fn make(
        &self,
        kind: Kind,
        media: &NewMedia,
        blob: Option<&Bytes>,
        until: Instant,
    ) -> Result<Ready, Fault> {
        let mut bytes = match &media.url {
            Some(url) => self.media.fetch(url)?,
            None => blob.cloned().ok_or_else(|| Fault::new("it has no blob"))?,
        };
        if kind == Kind::Video {
            if !media.film.is_untouched() {
                let open = self.media.open(&bytes, until)?;
                bytes = open.make(&media.film, self.media.size_limit)?.into();
            }
            // Without a decoder, or for bytes that are no video, the properties are left out.
            let facts = self.media.look(&bytes, until);
            return Ok(Ready::Made(bytes, facts));
        }
        if !media.picture.is_untouched() {
            let made = picture::make(&bytes, &media.picture)?;
            bytes = made.into_owned().into();
        }
        Ok(Ready::Made(bytes, None))
    }
}
