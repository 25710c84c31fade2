//! A download, with all the attempts that it takes.

use std::{sync::Arc, time::Duration};

use adb_model::ObjectKind;
use bytes::Bytes;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use url::Url;

use super::{
    ask::{Answer, Ask, Fault, Opened, Tags},
    cache::{Cache, Kept},
    download::{Came, Download, Limit, other_part},
    hosts::{Host, Hosts},
    http,
    place::{Place, shown},
    transport::Transports,
};
use crate::{
    media::{MediaError, MediaErrorKind, MediaOptions, budget::Held, sniff},
    retry::jittered,
};

/// No pause between two attempts is longer, unless the server asks for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// All that downloads share.
#[derive(Debug)]
pub(crate) struct Fetcher {
    pub(super) options: Arc<MediaOptions>,
    all: Semaphore,
    hosts: Hosts,
    transports: Transports,
    #[cfg(any(feature = "s3", feature = "gs"))]
    pub(super) stores: super::store::Stores,
    cache: Option<Cache>,
}

/// What is to be fetched.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    place: &'a Place,
    kind: Option<ObjectKind>,
    /// What the user wants to have listed, where this is a page of it.
    listed: Option<&'a Url>,
}

impl<'a> Wanted<'a> {
    fn at(place: &'a Place) -> Self {
        Self { place, kind: None, listed: None }
    }
}

impl Fetcher {
    pub(super) fn new(options: Arc<MediaOptions>) -> Result<Self, MediaError> {
        let cache = match &options.cache {
            Some(dir) => Some(Cache::open(dir, options.cache_bytes)?),
            None => None,
        };
        let transports = Transports::new(&options)?;
        Ok(Self {
            all: Semaphore::new(options.downloads.max(1)),
            hosts: Hosts::new(options.per_host),
            #[cfg(any(feature = "s3", feature = "gs"))]
            stores: super::store::Stores::new(&options, transports.of_user().clone()),
            transports,
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
            Ok(place) => self.run(Wanted { kind, ..Wanted::at(&place) }, held).await,
            Err(fault) => Err(fault),
        };
        done.map_err(|kind| MediaError::new(shown(url), kind))
    }

    async fn run(
        &self,
        wanted: Wanted<'_>,
        held: Option<Held>,
    ) -> Result<(Bytes, Option<Held>), MediaErrorKind> {
        let Wanted { place, kind, listed } = wanted;
        let cached = self.cache.as_ref().map(|cache| (cache, self.key(place)));
        let mut download = Download {
            place,
            listed,
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
        let opened = match self.open(download, &ask).await? {
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
        if let Err(to) = download.make_room() {
            return Ok(Came::WithoutRoom(to));
        }
        loop {
            let next = timeout(self.options.idle_timeout, body.next()).await;
            let limit = self.options.idle_timeout;
            let next =
                next.map_err(|_| MediaErrorKind::TimedOut { what: "nothing more came", limit })?;
            match next {
                Ok(Some(bytes)) => {
                    if let Err(to) = download.add(&bytes, self.options.max_bytes)? {
                        return Ok(Came::WithoutRoom(to));
                    }
                }
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

    async fn open(&self, download: &Download<'_>, ask: &Ask) -> Result<Answer, Fault> {
        match download.place {
            Place::Http(url) => http::open(&self.transports, url, download.listed, ask).await,
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

    /// A page of a web server, for the listing of `top`.
    pub(super) async fn page(&self, url: &Url, top: &Url) -> Result<Bytes, MediaError> {
        let place = Place::Http(url.clone());
        let done = self.run(Wanted { listed: Some(top), ..Wanted::at(&place) }, None).await;
        Ok(done.map_err(|kind| MediaError::new(shown(url.as_str()), kind))?.0)
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
