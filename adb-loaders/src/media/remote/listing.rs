//! What lies in a bucket, or is linked from the pages of a web server.

use std::{collections::HashSet, sync::Arc, sync::LazyLock};

use percent_encoding::percent_decode_str;
use regex::Regex;
use tokio::sync::mpsc::{Receiver, Sender};
use url::Url;

use super::{
    Remote,
    fetch::Fetcher,
    place::{Place, shown},
};
use crate::media::{MediaError, MediaErrorKind, MediaReader};

/// Folders within folders that are followed on a web server.
const DEPTH: usize = 32;

/// One file of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place below what was listed, with `/` between folders.
    pub name: String,
    /// The address by which it can be fetched.
    pub url: String,
    /// Its size in bytes, where the listing says it.
    pub size: Option<u64>,
    /// By which the store tells its state from another, where the listing says it.
    pub etag: Option<String>,
}

/// The files below `s3://bucket/prefix`, `gs://bucket/prefix` or `https://host/folder/`, in the order
/// of the store, or of the links.
///
/// A web server is asked for its pages, and the links of those are followed that lead further down:
/// not up, not to other hosts, not to what bears a `?`, as links do that sort a page. What a page does
/// not link is not found. Since the caller names it, a server may be on this machine or in a private
/// network; what its pages lead on to may not, but below what is listed.
///
/// It is read ahead while it is taken. Taking from it waits, and may not be done by async code.
#[derive(Debug)]
pub struct Listing {
    from: Receiver<Result<Entry, MediaError>>,
    // It reads.
    _remote: Arc<Remote>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remote")
    }
}

impl Listing {
    /// Whether an address is one that can be listed.
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        scheme.is_some_and(|s| matches!(s.as_str(), "http" | "https" | "s3" | "gs"))
    }

    /// Begins to list.
    ///
    /// # Errors
    /// When it is no address. What goes wrong later comes as the last entry.
    pub fn open(reader: &MediaReader, address: &str) -> Result<Self, MediaError> {
        let place = Place::parse(address).map_err(|kind| MediaError::new(shown(address), kind))?;
        let remote = reader.remote()?;
        let address = address.to_owned();
        let from = remote.stream(move |fetcher, to| async move {
            let listed = match place {
                Place::Http(url) => pages(&fetcher, url, &to).await,
                Place::Object { .. } => bucket(&fetcher, &place, &to).await,
            };
            if let Err(kind) = listed {
                // Who took from it has gone, if it can't be sent.
                let _ = to.send(Err(MediaError::new(shown(&address), kind))).await;
            }
        });
        Ok(Self { from, _remote: remote })
    }
}

impl Iterator for Listing {
    type Item = Result<Entry, MediaError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.from.blocking_recv()
    }
}

type To = Sender<Result<Entry, MediaError>>;

#[cfg(any(feature = "s3", feature = "gs"))]
async fn bucket(fetcher: &Fetcher, place: &Place, to: &To) -> Result<(), MediaErrorKind> {
    use std::time::Duration;

    use futures_util::StreamExt as _;

    let Place::Object { cloud, bucket, key } = place else { return Ok(()) };
    let store = fetcher.stores.bucket(*cloud, bucket)?;
    let key = key.trim_end_matches('/');
    let prefix = super::store::path(key)?;
    let below = if key.is_empty() { String::new() } else { format!("{key}/") };
    let (mut after, mut fruitless) = (None, 0);
    loop {
        let mut entries = match &after {
            None => store.list(Some(&prefix)),
            Some(last) => store.list_with_offset(Some(&prefix), last),
        };
        let fault = loop {
            match entries.next().await {
                None => return Ok(()),
                Some(Err(e)) => break super::store::fault(&e),
                Some(Ok(meta)) => {
                    fruitless = 0;
                    let key = meta.location.as_ref();
                    let entry = Entry {
                        name: key.strip_prefix(below.as_str()).unwrap_or(key).to_owned(),
                        url: format!("{}://{bucket}/{key}", cloud.scheme()),
                        size: Some(meta.size),
                        etag: meta.e_tag,
                    };
                    if to.send(Ok(entry)).await.is_err() {
                        return Ok(());
                    }
                    after = Some(meta.location);
                }
            }
        };
        fruitless += 1;
        let wait: Duration = fault.wait.unwrap_or_default();
        if !fault.kind.is_transient()
            || fruitless >= fetcher.options.attempts.max(1)
            || wait > fetcher.options.longest_wait
        {
            return Err(fault.kind);
        }
        let pause = crate::retry::jittered(fetcher.options.backoff * (1 << fruitless.min(6)));
        tokio::time::sleep(wait.max(pause)).await;
    }
}

#[cfg(not(any(feature = "s3", feature = "gs")))]
#[expect(clippy::unused_async, reason = "as with the features")]
async fn bucket(_: &Fetcher, place: &Place, _: &To) -> Result<(), MediaErrorKind> {
    match place {
        Place::Object { cloud, .. } => Err(MediaErrorKind::NoFeature(cloud.scheme())),
        Place::Http(_) => Ok(()),
    }
}

async fn pages(fetcher: &Fetcher, mut top: Url, to: &To) -> Result<(), MediaErrorKind> {
    top.set_query(None);
    top.set_fragment(None);
    if !top.path().ends_with('/') {
        let path = format!("{}/", top.path());
        top.set_path(&path);
    }
    let mut seen = HashSet::from([top.clone()]);
    // The first link of a page is taken first, with all that is below it.
    let mut folders = vec![(top.clone(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let page = match fetcher.page(&folder, &top).await {
            Ok(page) => page,
            Err(e) if folder == top => {
                return Err(MediaErrorKind::Network(format!("it can't be listed: {e}")));
            }
            Err(e) => {
                return Err(MediaErrorKind::Network(format!("a folder can't be listed: {e}")));
            }
        };
        let mut below = Vec::new();
        for link in links(&folder, &top, &String::from_utf8_lossy(&page)) {
            if !seen.insert(link.clone()) {
                continue;
            }
            if link.path().ends_with('/') {
                if depth < DEPTH {
                    below.push((link, depth + 1));
                }
                continue;
            }
            let Some(name) = name_below(&top, &link) else { continue };
            let entry = Entry { name, url: link.to_string(), size: None, etag: None };
            if to.send(Ok(entry)).await.is_err() {
                return Ok(());
            }
        }
        folders.extend(below.into_iter().rev());
    }
    Ok(())
}

/// Where the links of a page lead that lead below `top`.
fn links(page: &Url, top: &Url, html: &str) -> Vec<Url> {
    // The pattern is constant, and the tests compile it. Letters stand in it twice, since the tables
    // for those of all languages are left out of this build.
    static LINK: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = concat!(
            r"(?s)<!--.*?-->|<[aA]\s(?:[^>]*?\s)?[hH][rR][eE][fF]\s*=\s*",
            r#"(?:"([^"]*)"|'([^']*)'|([^\s>"']+))"#,
        );
        Regex::new(pattern).expect("the pattern is one")
    });
    let found = LINK.captures_iter(html).filter_map(|groups| {
        let href = groups.get(1).or(groups.get(2)).or(groups.get(3))?.as_str().trim();
        let href = htmlize::unescape_attribute(href);
        let mut url = page.join(&href).ok()?;
        url.set_fragment(None);
        let is_below = url.scheme() == top.scheme()
            && url.host() == top.host()
            && url.port_or_known_default() == top.port_or_known_default()
            && url.username().is_empty()
            && url.query().is_none()
            && url.path().len() > top.path().len()
            && url.path().starts_with(top.path());
        is_below.then_some(url)
    });
    found.collect()
}

/// What a file is called below what was listed; nothing if that could be taken for another place.
fn name_below(top: &Url, file: &Url) -> Option<String> {
    let rest = file.path().strip_prefix(top.path())?;
    let name = percent_decode_str(rest).decode_utf8().ok()?;
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    // A slash that was escaped is none between folders.
    let same = name.split('/').count() == rest.split('/').count();
    (same && name.split('/').all(is_plain)).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_that_lead_down_are_followed() {
        let top = Url::parse("https://x.example/pub/photos/").unwrap();
        let html = r##"
            <a href="../">up</a> <a href="?C=N;O=D">Name</a> <A class=x HREF='cats/'>cats</A>
            <a href="a%20b.jpg">a b</a><a href=plain.jpg>p</a> <a href="/pub/photos/abs.jpg">abs</a>
            <a href="/pub/other.jpg">other</a> <a href="https://evil.example/pub/photos/x.jpg">x</a>
            <a href="http://x.example/pub/photos/x.jpg">http</a> <a href="#top">top</a>
            <!-- <a href="hidden.jpg">hidden</a> --> <a name="n" href="q&amp;a.jpg#part">q&a</a>
            <a href="a/../../../secret.jpg">secret</a> <a href="%2e%2e/%2e%2e/up.jpg">up</a>
            <link href="style.css"> <a href="javascript:x()">js</a> <a href="cats">no slash</a>"##;
        let found: Vec<String> = links(&top, &top, html).iter().map(Url::to_string).collect();
        let below = |name: &str| format!("https://x.example/pub/photos/{name}");
        assert_eq!(
            found,
            ["cats/", "a%20b.jpg", "plain.jpg", "abs.jpg", "q&a.jpg", "cats"].map(below)
        );
    }

    #[test]
    fn names_are_places_below() {
        let top = Url::parse("https://x.example/p/").unwrap();
        let name = |rest: &str| name_below(&top, &top.join(rest).unwrap());
        assert_eq!(name("a%20b/c.jpg").as_deref(), Some("a b/c.jpg"));
        for bad in ["a%2f..%2f..%2fetc", "a%5c..%5cb", "a%00", "%ff"] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }
}
