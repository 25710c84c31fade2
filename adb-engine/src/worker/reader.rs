//! Readers: each request sees one committed state, and waits for no writer.
//!
//! Handing a request to another thread and its answer back takes as long as a small search. So one
//! that was answered in no time before, and meets the same state of the database, is run where it is
//! asked for; see [`Reader::here`].

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use adb_model::{DbError, Response};
use async_channel::Receiver;

use super::{Job, Work, indexer::Indexing, reply};
use crate::{
    directory::Directory,
    error::{Error, ErrorKind},
    media::Media,
    request::{Command, Named},
    run::{Done, Run, Undone},
    store::{BUSY_TIMEOUT, Store, memo::Text},
    vectors::cache::VectorCache,
};

/// What takes no longer may be done where it is asked for: an asynchronous caller has other things to
/// do meanwhile, and beside what takes longer the way to another thread is short.
const NO_TIME: Duration = Duration::from_micros(500);

/// A request that only reads, on its way.
pub(crate) struct Read {
    pub(crate) job: Job,
    pub(crate) text: Text,
}

/// What answers requests that only read: on threads of its own, or on the caller's.
pub(crate) struct Reader {
    pub(crate) directory: Directory,
    pub(crate) vectors: Arc<VectorCache>,
    pub(crate) media: Arc<Media>,
    pub(crate) response_limit: usize,
    pub(crate) indexing: Arc<Indexing>,
    pub(crate) stores: Stores,
    /// Requests that may be answered where they are asked for, and are about to be.
    pub(crate) arrivals: AtomicUsize,
}

/// The connections of all readers that are at rest. The one that was used last is taken first: it
/// remembers what the last requests asked for, whoever is to run the next one.
#[derive(Default)]
pub(crate) struct Stores(Mutex<Vec<Store>>);

impl Stores {
    pub(crate) fn put(&self, store: Store) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(store);
    }

    /// Closes them.
    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self) -> Option<Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// The next one if it has answered this request in no time.
    fn take_quick(&self, text: Text) -> Option<Store> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.pop_if(|store| knows_as_quick(store, text))
    }

    fn is_quick(&self, text: Text) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.last().is_some_and(|store| knows_as_quick(store, text))
    }
}

/// Whether a connection has answered a request in no time.
fn knows_as_quick(store: &Store, text: Text) -> bool {
    store.memo.as_ref().is_some_and(|memo| memo.is_quick(text))
}

impl Reader {
    /// Answers until the channel closes and is empty.
    pub(crate) fn work(&self, requests: &Receiver<Read>) {
        while let Ok(Read { job, text }) = requests.recv_blocking() {
            let to = job.answer.clone();
            let done = self.read(&job.work, text);
            drop(job);
            reply(&to, self.answer(done));
            self.pass_wish_on();
        }
    }

    /// Answers a request on the caller's thread, if it was answered in no time before and neither the
    /// database has changed since nor others ask at the same time; these are better off with a
    /// thread each.
    pub(crate) async fn here(&self, work: &Work, text: Text) -> Option<Result<Response, DbError>> {
        let says_something = |named: &Named| matches!(named.command, Command::LogMessage(_));
        if !self.stores.is_quick(text) || work.commands.iter().any(says_something) {
            // What is begun here, and then left to a thread, must have left no trace.
            return None;
        }
        let arrival = Arrival::new(&self.arrivals);
        // Whatever else the caller's task or its thread is about to ask for comes here now.
        let mut waited = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        if !arrival.is_alone() {
            return None;
        }
        drop(arrival);
        let done = self.read_if_quick(work, text)?;
        let answer = self.answer(done);
        self.pass_wish_on();
        Some(answer)
    }

    fn answer(&self, done: Result<Done, Undone>) -> Result<Response, DbError> {
        match done {
            Ok(Done { answers, blobs }) => Ok(Response::Done { answers, blobs }),
            Err(Undone::Refused(refusal)) => Ok(Response::Refused(refusal)),
            Err(Undone::Store(kind)) => Err(self.directory.error(kind).into()),
            Err(Undone::Slow) => {
                let bug = ErrorKind::Bug("a reader's thread was in a hurry".to_owned());
                Err(self.directory.error(bug).into())
            }
        }
    }

    /// A search may have found a graph missing.
    fn pass_wish_on(&self) {
        if self.vectors.take_wish() {
            self.indexing.look();
        }
    }

    fn read(&self, work: &Work, text: Text) -> Result<Done, Undone> {
        let mut store = match self.stores.take() {
            Some(store) => store,
            None => Store::open_reader(&self.directory).map_err(Error::into_kind)?,
        };
        store.begin()?;
        store.refresh()?;
        self.read_in(store, work, text, false)
    }

    fn read_if_quick(&self, work: &Work, text: Text) -> Option<Result<Done, Undone>> {
        let store = self.stores.take_quick(text)?;
        match begin_unchanged(&store) {
            Ok(true) => match self.read_in(store, work, text, true) {
                Err(Undone::Slow) => None,
                done => Some(done),
            },
            Ok(false) => {
                if store.end().is_ok() {
                    self.stores.put(store);
                }
                None
            }
            // A thread tries it again, with another connection.
            Err(_) => None,
        }
    }

    /// Runs a request in the snapshot that a connection has taken, and puts the connection back;
    /// not after a failure, which may have left it in any state.
    /// `here`: whether that is on the caller's thread.
    fn read_in(
        &self,
        mut store: Store,
        work: &Work,
        text: Text,
        here: bool,
    ) -> Result<Done, Undone> {
        let start = Instant::now();
        let Work { commands, blobs } = work;
        let (vectors, media) = (&self.vectors, &self.media);
        let run = Run::new(&mut store, vectors, media, None, blobs, self.response_limit);
        let done = super::run(run.hurried(here), commands);
        if !matches!(done, Err(Undone::Store(_))) {
            store.end()?;
            if let Some(memo) = &store.memo {
                let quick = start.elapsed() <= NO_TIME && !matches!(done, Err(Undone::Slow));
                memo.note_quick(text, quick);
            }
            self.stores.put(store);
        }
        done
    }
}

/// Begins without waiting for another process that mends the log, say; whether the snapshot is of the
/// state that the connection remembers.
fn begin_unchanged(store: &Store) -> Result<bool, ErrorKind> {
    store.conn.busy_timeout(Duration::ZERO)?;
    store.begin()?;
    let unchanged = store.is_unchanged()?;
    store.conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(unchanged)
}

/// One of those that are about to be answered where they are asked for.
struct Arrival<'a>(&'a AtomicUsize);

impl<'a> Arrival<'a> {
    fn new(all: &'a AtomicUsize) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all)
    }

    fn is_alone(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use adb_model::Request;
    use bytes::Bytes;

    use super::*;
    use crate::{
        request,
        store::{Settings, format::class_id, sum::sum},
        vectors::scan::ExactScan,
    };

    /// A database, the connection that may write to it, and what answers requests that read.
    fn database() -> (tempfile::TempDir, Store, Reader) {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path(), true, Settings::default()).unwrap();
        let writer = Store::open_writer(&directory).unwrap();
        let reader = Reader {
            directory,
            vectors: Arc::new(VectorCache::new(ExactScan::default(), None, 8192)),
            media: Arc::new(Media::new(1 << 20)),
            response_limit: 1 << 20,
            indexing: Indexing::new().0,
            stores: Stores::default(),
            arrivals: AtomicUsize::new(0),
        };
        (dir, writer, reader)
    }

    fn add_blob(writer: &Store, id: i64) {
        let sql = format!("INSERT INTO c{} (id, txn) VALUES ({id}, 1)", class_id::BLOB);
        writer.conn.execute_batch(&sql).unwrap();
    }

    fn parsed(text: &'static str, blobs: Vec<Bytes>) -> (Work, Text) {
        let request = Request::new(text, blobs);
        let commands = request::parse(&request).unwrap();
        (Work { commands, blobs: request.blobs }, Text::of(&request.commands))
    }

    /// A request that counts blobs.
    fn counting() -> (Work, Text) {
        parsed(r#"[{"FindBlob": {"results": {"count": true}}}]"#, Vec::new())
    }

    fn count(answer: &Response) -> u64 {
        let Response::Done { answers, .. } = answer else { unreachable!("{answer:?}") };
        let (_, body) = answers[0].as_object().unwrap().iter().next().unwrap();
        body["count"].as_u64().unwrap()
    }

    /// However long it took, it counts as no time.
    fn pass_for_quick(reader: &Reader, text: Text) {
        let stores = reader.stores.0.lock().unwrap();
        stores.last().and_then(|store| store.memo.as_ref()).unwrap().note_quick(text, true);
    }

    /// The answer of a reader's thread.
    fn on_a_thread(reader: &Reader, work: &Work, text: Text) -> u64 {
        let answer = reader.answer(reader.read(work, text)).unwrap();
        pass_for_quick(reader, text);
        count(&answer)
    }

    /// What comes of asking at once, if something does before the caller's other tasks had a turn.
    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn here(reader: &Reader, work: &Work, text: Text) -> Option<u64> {
        let mut asked = pin!(reader.here(work, text));
        loop {
            if let Poll::Ready(answer) = poll(asked.as_mut()) {
                return answer.map(|answer| count(&answer.unwrap()));
            }
        }
    }

    #[test]
    fn only_what_was_quick_and_is_as_it_was_is_answered_here() {
        let (_dir, writer, reader) = database();
        let (work, text) = counting();
        add_blob(&writer, 1);
        assert_eq!(here(&reader, &work, text), None, "nobody knows how long it takes");
        assert_eq!(on_a_thread(&reader, &work, text), 1);
        for _ in 0..3 {
            assert_eq!(here(&reader, &work, text), Some(1));
        }
        assert_eq!(here(&reader, &work, Text::of(b"another")), None);
        add_blob(&writer, 2);
        assert_eq!(here(&reader, &work, text), None, "somebody has committed");
        assert_eq!(on_a_thread(&reader, &work, text), 2);
        assert_eq!(here(&reader, &work, text), Some(2));
        writer.conn.execute_batch("BEGIN").unwrap();
        add_blob(&writer, 3);
        assert_eq!(here(&reader, &work, text), Some(2), "what is not committed is not seen");
        writer.conn.execute_batch("COMMIT").unwrap();
        assert_eq!(here(&reader, &work, text), None);
        assert_eq!(reader.arrivals.into_inner(), 0);
    }

    #[test]
    fn what_a_filter_lets_through_is_found_on_a_thread() {
        let (_dir, writer, reader) = database();
        let bytes = 1_f32.to_le_bytes();
        let (set, descriptor) = (class_id::DESCRIPTOR_SET, class_id::DESCRIPTOR);
        let sql = format!(
            "INSERT INTO c{set} (id, txn, name, dimensions, engines, metrics)
                VALUES (1, 1, 's', 1, '[\"Flat\"]', '[\"L2\"]');
            INSERT INTO c{descriptor} (id, txn, set_id, label) VALUES (2, 1, 1, 'a');
            INSERT INTO vector VALUES (2, X'0000803F', {})",
            sum(2, &bytes)
        );
        writer.conn.execute_batch(&sql).unwrap();
        let (other, other_text) = counting();
        on_a_thread(&reader, &other, other_text);
        let find = r#"[{"FindDescriptor": {"set": "s", "k_neighbors": 1, "knn_first": false,
            "with_label": "a", "results": {"count": true}}}]"#;
        let (work, text) = parsed(find, vec![Bytes::copy_from_slice(&bytes)]);
        for _ in 0..2 {
            pass_for_quick(&reader, text);
            assert_eq!(here(&reader, &work, text), None, "a filter that nobody has used yet");
            assert!(!reader.stores.is_quick(text));
        }
        assert_eq!(on_a_thread(&reader, &work, text), 1);
        assert_eq!(here(&reader, &work, text), Some(1));
    }

    #[test]
    fn those_who_ask_together_get_threads() {
        let (_dir, _writer, reader) = database();
        let (work, text) = counting();
        on_a_thread(&reader, &work, text);
        let ask = || Box::pin(reader.here(&work, text));
        let (mut first, mut second, mut third) = (ask(), ask(), ask());
        for each in [&mut first, &mut second, &mut third] {
            assert!(poll(each.as_mut()).is_pending());
        }
        assert!(matches!(poll(first.as_mut()), Poll::Ready(None)), "there are others");
        drop(second);
        assert!(matches!(poll(third.as_mut()), Poll::Ready(Some(_))), "it is the last one");
    }
}
