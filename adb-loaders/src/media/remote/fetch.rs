//! A download, with all the attempts that it takes.

use std::{sync::Arc, time::Duration};

use adb_model::ObjectKind;
use bytes::Bytes;
use hyper::body::Incoming;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    cache::{Cache, Kept},
    hosts::{Host, Hosts},
    http,
    place::{Place, shown},
    transport::{Policy, Transport},
};
use crate::{
    media::{MediaError, MediaErrorKind, MediaOptions, budget::Held, sniff},
    retry::jittered,
};

/// No pause between two attempts is longer, unless the server asks for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A body whose size is not told begins with so much of the budget.
const UNTOLD: u64 = 1 << 20;

/// What a server said by which an object's state can be told from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) etag: Option<String>,
    pub(super) modified: Option<String>,
}

impl Tags {
    pub(super) fn is_empty(&self) -> bool {
        self.etag.is_none() && self.modified.is_none()
    }

    /// Whether two parts with these tags are of the same bytes; weak tags don't promise that.
    fn is_strong(&self) -> bool {
        match &self.etag {
            Some(etag) => !etag.starts_with("W/"),
            None => self.modified.is_some(),
        }
    }

    /// Whether they are of two states; an answer of a part may leave tags out.
    fn differ(&self, other: &Self) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        differ(&self.etag, &other.etag) || differ(&self.modified, &other.modified)
    }
}

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Ask {
    /// The first byte that is wanted.
    pub(super) from: u64,
    /// Of the object whose beginning is there.
    pub(super) tags: Tags,
    /// What the cache holds.
    pub(super) known: Option<Tags>,
}

impl Ask {
    pub(super) fn is_conditional(&self) -> bool {
        self.from == 0 && self.known.is_some()
    }
}

pub(super) enum Answer {
    Opened(Opened),
    /// The cache holds it.
    NotModified,
    /// It is no longer the object whose beginning is there.
    Other,
}

/// The beginning of an answer.
pub(super) struct Opened {
    /// Where the body begins.
    pub(super) start: u64,
    /// The size of the whole object.
    pub(super) total: Option<u64>,
    pub(super) tags: Tags,
    /// How long it may be used without asking again; nothing if it may not be kept.
    pub(super) fresh_for: Option<Duration>,
    pub(super) body: Body,
}

pub(super) enum Body {
    Http(Incoming),
    #[cfg(any(feature = "s3", feature = "gs"))]
    Object(super::store::Stream),
}

impl Body {
    async fn next(&mut self) -> Result<Option<Bytes>, MediaErrorKind> {
        match self {
            Self::Http(body) => http::next(body).await,
            #[cfg(any(feature = "s3", feature = "gs"))]
            Self::Object(stream) => super::store::next(stream).await,
        }
    }
}

/// Why an attempt brought nothing.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: MediaErrorKind,
    /// When the server wants to be asked again.
    pub(super) wait: Option<Duration>,
    /// Whether it says so to all that ask it.
    pub(super) of_host: bool,
}

impl From<MediaErrorKind> for Fault {
    fn from(kind: MediaErrorKind) -> Self {
        Self { kind, wait: None, of_host: false }
    }
}

/// All that downloads share.
#[derive(Debug)]
pub(crate) struct Fetcher {
    pub(super) options: Arc<MediaOptions>,
    all: Semaphore,
    hosts: Hosts,
    /// To what rows name.
    of_rows: Transport,
    #[cfg(any(feature = "s3", feature = "gs"))]
    pub(super) stores: super::store::Stores,
    cache: Option<Cache>,
}

/// A download under way.
struct Download<'a> {
    place: &'a Place,
    bytes: Vec<u8>,
    tags: Tags,
    total: Option<u64>,
    fresh_for: Option<Duration>,
    kept: Option<Kept>,
    held: Option<Held>,
    /// What was held for others before.
    base: u64,
    limit: Limit,
}

/// How long a download may take. Waiting for its turn does not count.
#[derive(Clone, Copy)]
struct Limit {
    until: Instant,
    whole: Duration,
}

impl Limit {
    fn new(whole: Duration) -> Self {
        Self { until: Instant::now() + whole, whole }
    }

    async fn timed<T>(&self, task: impl Future<Output = T>) -> Result<T, MediaErrorKind> {
        let late = MediaErrorKind::TimedOut { what: "it was not there", limit: self.whole };
        timeout_at(self.until, task).await.map_err(|_| late)
    }

    async fn untimed<T>(&mut self, task: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = task.await;
        self.until += started.elapsed();
        done
    }
}

impl Fetcher {
    pub(super) fn new(options: Arc<MediaOptions>) -> Result<Self, MediaError> {
        let cache = match &options.cache {
            Some(dir) => Some(Cache::open(dir, options.cache_bytes)?),
            None => None,
        };
        Ok(Self {
            all: Semaphore::new(options.downloads.max(1)),
            hosts: Hosts::new(options.per_host),
            of_rows: Transport::new(&options, Policy::of_rows(&options))?,
            #[cfg(any(feature = "s3", feature = "gs"))]
            stores: super::store::Stores::new(&options)?,
            cache,
            options,
        })
    }

    /// The bytes behind an address; what they hold of a budget is handed on with them.
    pub(super) async fn download(
        &self,
        url: &str,
        kind: Option<ObjectKind>,
        held: Option<Held>,
    ) -> Result<(Bytes, Option<Held>), MediaError> {
        let done = match Place::parse(url) {
            Ok(place) => self.run(&place, kind, held).await,
            Err(fault) => Err(fault),
        };
        done.map_err(|kind| MediaError::new(shown(url), kind))
    }

    async fn run(
        &self,
        place: &Place,
        kind: Option<ObjectKind>,
        held: Option<Held>,
    ) -> Result<(Bytes, Option<Held>), MediaErrorKind> {
        let cached = self.cache.as_ref().map(|cache| (cache, self.key(place)));
        let mut download = Download {
            place,
            bytes: Vec::new(),
            tags: Tags::default(),
            total: None,
            fresh_for: None,
            kept: None,
            base: held.as_ref().map_or(0, Held::bytes),
            held,
            limit: Limit::new(self.options.total_timeout),
        };
        let host = self.hosts.get(&place.host());
        // Twice at most: what is kept may turn out to be broken, and is then gone.
        while let Some((cache, key)) = &cached {
            download.kept = cache.find(key).await;
            let is_fresh = download.kept.as_ref().is_some_and(Kept::is_fresh);
            if !is_fresh && self.attempts(&mut download, &host).await? == Came::FromServer {
                break;
            }
            let size = download.kept.take().map_or(0, |kept| kept.size);
            if let Some(held) = &mut download.held {
                held.raise(download.base + size).await;
            }
            if let Some(bytes) = cache.read(key).await {
                check(kind, &bytes)?;
                return Ok((bytes, download.held));
            }
        }
        if cached.is_none() {
            self.attempts(&mut download, &host).await?;
        }
        check(kind, &download.bytes)?;
        let Download { bytes, tags, fresh_for, held, .. } = download;
        let bytes = Bytes::from(bytes);
        if let (Some((cache, key)), Some(fresh_for)) = (cached, fresh_for)
            && !(tags.is_empty() && fresh_for.is_zero())
        {
            cache.put(key, tags, fresh_for, bytes.clone()).await;
        }
        Ok((bytes, held))
    }

    /// Attempts until all is there, or a number of them in a row has brought nothing new.
    async fn attempts(
        &self,
        download: &mut Download<'_>,
        host: &Host,
    ) -> Result<Came, MediaErrorKind> {
        let (mut fruitless, mut pause) = (0, self.options.backoff);
        // It is kept while waiting: a host that asks for patience is asked less by that.
        let mut slot = download.limit.untimed(host.slot()).await;
        loop {
            let before = download.bytes.len();
            let mut limit = download.limit;
            // Not kept while waiting: other hosts may be asked meanwhile. It is never closed.
            let one_of_all = limit
                .untimed(async {
                    host.until_free().await;
                    self.all.acquire().await.ok()
                })
                .await;
            download.limit = limit;
            let came = limit.timed(self.attempt(download)).await?;
            drop(one_of_all);
            let fault = match came {
                Ok(Came::WithoutRoom(to)) => {
                    // Who waits for room keeps nobody from what makes room.
                    drop(slot);
                    if let Some(held) = &mut download.held {
                        limit.untimed(held.raise(to)).await;
                    }
                    slot = limit.untimed(host.slot()).await;
                    download.limit = limit;
                    continue;
                }
                Ok(came) => return Ok(came),
                Err(fault) => fault,
            };
            if !fault.kind.is_transient() {
                return Err(fault.kind);
            }
            if download.bytes.len() > before {
                (fruitless, pause) = (0, self.options.backoff);
            }
            fruitless += 1;
            let wait = fault.wait.unwrap_or_default();
            if fruitless >= self.options.attempts.max(1) || wait > self.options.longest_wait {
                return Err(fault.kind);
            }
            if fault.of_host {
                host.pause(wait);
            }
            let pausing = wait.max(jittered(pause));
            tracing::debug!(
                host = download.place.host(),
                error = %fault.kind,
                fruitless,
                ?pausing,
                "a download failed; trying again"
            );
            if download.limit.timed(sleep(pausing)).await.is_err() {
                return Err(fault.kind);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One request, and as much of its body as comes.
    async fn attempt(&self, download: &mut Download<'_>) -> Result<Came, Fault> {
        if !download.tags.is_strong() {
            // Nothing would tell that two parts are of the same object.
            download.restart();
        }
        let ask = Ask {
            from: download.bytes.len() as u64,
            tags: download.tags.clone(),
            known: download.kept.as_ref().map(|kept| kept.tags.clone()),
        };
        let opened = match self.open(download.place, &ask).await? {
            Answer::Opened(opened) => opened,
            Answer::NotModified => {
                return match download.kept {
                    Some(_) => Ok(Came::NotModified),
                    None => Err(other_part().into()),
                };
            }
            Answer::Other => {
                download.restart();
                return Err(other_part().into());
            }
        };
        download.begin(&ask, &opened, self.options.max_bytes)?;
        let Opened { mut body, .. } = opened;
        if let Some(held) = &mut download.held {
            let to = download.base + download.total.unwrap_or(UNTOLD);
            if !held.try_raise(to) {
                return Ok(Came::WithoutRoom(to));
            }
        }
        loop {
            let next = timeout(self.options.idle_timeout, body.next()).await;
            let limit = self.options.idle_timeout;
            let next =
                next.map_err(|_| MediaErrorKind::TimedOut { what: "nothing more came", limit })?;
            match next {
                Ok(Some(bytes)) => download.add(&bytes, self.options.max_bytes)?,
                Ok(None) => break,
                // What came before stays.
                Err(MediaErrorKind::Network(said)) if download.total.is_none() => {
                    return Err(MediaErrorKind::Network(said).into());
                }
                Err(MediaErrorKind::Network(_)) => return Err(download.cut().into()),
                Err(other) => return Err(other.into()),
            }
        }
        match download.total {
            Some(total) if (download.bytes.len() as u64) < total => Err(download.cut().into()),
            _ => Ok(Came::FromServer),
        }
    }

    async fn open(&self, place: &Place, ask: &Ask) -> Result<Answer, Fault> {
        match place {
            Place::Http(url) => http::open(&self.of_rows, url, ask).await,
            #[cfg(any(feature = "s3", feature = "gs"))]
            Place::Object { cloud, bucket, key } => {
                self.stores.open(*cloud, bucket, key, ask).await
            }
            #[cfg(not(any(feature = "s3", feature = "gs")))]
            Place::Object { cloud, .. } => Err(MediaErrorKind::NoFeature(cloud.scheme()).into()),
        }
    }

    /// What the cache knows it by. Buckets of one name may lie with several providers.
    fn key(&self, place: &Place) -> String {
        match place {
            Place::Http(url) => url.to_string(),
            #[cfg(any(feature = "s3", feature = "gs"))]
            Place::Object { cloud, bucket, key } => {
                format!("{} {}://{bucket}/{key}", self.stores.endpoint(*cloud), cloud.scheme())
            }
            #[cfg(not(any(feature = "s3", feature = "gs")))]
            Place::Object { cloud, bucket, key } => format!("{}://{bucket}/{key}", cloud.scheme()),
        }
    }

    /// A page of a web server, for listings.
    pub(super) async fn page(&self, url: &url::Url) -> Result<Bytes, MediaError> {
        let place = Place::Http(url.clone());
        let done = self.run(&place, None, None).await;
        Ok(done.map_err(|kind| MediaError::new(shown(url.as_str()), kind))?.0)
    }
}

/// Where the bytes come from.
#[derive(Debug, PartialEq)]
enum Came {
    FromServer,
    /// From the cache.
    NotModified,
    /// From nowhere yet: there is no room for so many bytes, those of others included.
    WithoutRoom(u64),
}

impl Download<'_> {
    /// Makes ready for a body.
    fn begin(&mut self, ask: &Ask, opened: &Opened, max: u64) -> Result<(), Fault> {
        let have = self.bytes.len() as u64;
        if opened.start == 0 && have > 0 {
            // The whole once more: it has changed, or the server does no parts.
            self.restart();
        } else if opened.start != have
            || (have > 0 && (opened.tags.differ(&ask.tags) || opened.total != self.total))
        {
            self.restart();
            return Err(other_part().into());
        }
        if self.bytes.is_empty() {
            self.tags = opened.tags.clone();
        }
        self.total = opened.total;
        self.fresh_for = opened.fresh_for;
        match opened.total {
            Some(total) if total > max => {
                Err(MediaErrorKind::TooLarge { bytes: Some(total), limit: max }.into())
            }
            Some(total) => {
                let more = usize::try_from(total).unwrap_or(usize::MAX) - self.bytes.len();
                self.bytes.reserve_exact(more);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn add(&mut self, bytes: &[u8], max: u64) -> Result<(), Fault> {
        let size = (self.bytes.len() + bytes.len()) as u64;
        if size > max || self.total.is_some_and(|total| size > total) {
            return Err(MediaErrorKind::TooLarge {
                bytes: None,
                limit: self.total.unwrap_or(max).min(max),
            }
            .into());
        }
        if let Some(held) = &mut self.held {
            held.owe(self.base + size);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn cut(&self) -> MediaErrorKind {
        MediaErrorKind::Cut { got: self.bytes.len() as u64, announced: self.total }
    }

    fn restart(&mut self) {
        self.bytes.clear();
        self.tags = Tags::default();
        self.total = None;
    }
}

/// Whether it is what is needed.
fn check(kind: Option<ObjectKind>, bytes: &[u8]) -> Result<(), MediaErrorKind> {
    if bytes.is_empty() {
        return Err(MediaErrorKind::Empty);
    }
    match (sniff::other_than(kind, bytes), kind) {
        (Some(found), Some(kind)) => Err(MediaErrorKind::Other { found, kind }),
        _ => Ok(()),
    }
}

fn other_part() -> MediaErrorKind {
    MediaErrorKind::Network("the server gives another part than was asked for".to_owned())
}
