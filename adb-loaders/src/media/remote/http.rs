//! One answer over HTTP: redirections, parts, and what the server says of it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming, header};
use url::Url;

use super::{
    ask::{Answer, Ask, Body, Fault, Opened, Tags},
    transport::{Transports, cause},
};
use crate::media::MediaErrorKind;

/// Redirections that are followed.
const HOPS: usize = 6;
/// How much of a refusal is read.
const REFUSAL: usize = 16 << 10;
const AGENT: &str = concat!("adb/", env!("CARGO_PKG_VERSION"));

/// Asks for an address, and for those that it leads to. `listed` is what the user wants to have
/// listed, if it is a page of that.
pub(super) async fn open(
    transports: &Transports,
    url: &Url,
    listed: Option<&Url>,
    ask: &Ask,
) -> Result<Answer, Fault> {
    let mut url = url.clone();
    for _ in 0..HOPS {
        let transport = transports.of(&url, listed);
        transport.check(&url)?;
        let request = request(&url, ask)?;
        let answer = transport.send(request).await?;
        let status = answer.status();
        if status == StatusCode::NOT_MODIFIED && ask.is_conditional() {
            return Ok(Answer::NotModified);
        }
        if status.is_redirection() {
            url = follow(&url, answer.headers())?;
            continue;
        }
        if status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT {
            return opened(answer, ask).map(Answer::Opened);
        }
        if status == StatusCode::RANGE_NOT_SATISFIABLE && ask.from > 0 {
            return Ok(Answer::Other);
        }
        let wait = retry_after(answer.headers());
        let text = refusal(answer).await;
        return Err(refused(status, text, wait));
    }
    Err(MediaErrorKind::Address(format!("it leads on more than {HOPS} times")).into())
}

fn request(url: &Url, ask: &Ask) -> Result<Request<Full<Bytes>>, Fault> {
    let mut request = Request::get(url.as_str())
        .header(header::USER_AGENT, AGENT)
        .header(header::ACCEPT, "*/*")
        // Sizes and parts are of the bytes themselves, not of a compressed form.
        .header(header::ACCEPT_ENCODING, "identity");
    if ask.from > 0 {
        request = request.header(header::RANGE, format!("bytes={}-", ask.from));
        if let Some(same) = ask.tags.etag.as_ref().or(ask.tags.modified.as_ref()) {
            request = request.header(header::IF_RANGE, same);
        }
    } else if let Some(known) = &ask.known {
        if let Some(etag) = &known.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(modified) = &known.modified {
            request = request.header(header::IF_MODIFIED_SINCE, modified);
        }
    }
    request.body(Full::default()).map_err(|e| MediaErrorKind::Address(e.to_string()).into())
}

fn follow(url: &Url, headers: &HeaderMap) -> Result<Url, Fault> {
    let bad = |why: String| Fault::from(MediaErrorKind::Address(why));
    let to = text(headers, header::LOCATION)
        .ok_or_else(|| bad("it leads elsewhere and does not say where".to_owned()))?;
    let to = url.join(to).map_err(|e| bad(format!("it leads to no address: {e}")))?;
    match to.scheme() {
        "https" => Ok(to),
        "http" if url.scheme() == "http" => Ok(to),
        "http" => Err(bad(
            "it leads from https to http, where bytes could be changed on the way".to_owned()
        )),
        other => Err(bad(format!("it leads to `{other}:`, which is not followed"))),
    }
}

fn opened(answer: Response<Incoming>, ask: &Ask) -> Result<Opened, Fault> {
    let headers = answer.headers();
    if let Some(coding) = text(headers, header::CONTENT_ENCODING)
        && !coding.eq_ignore_ascii_case("identity")
    {
        let why = format!("the server sends it compressed (`{coding}`), unasked");
        return Err(MediaErrorKind::Address(why).into());
    }
    let length = text(headers, header::CONTENT_LENGTH).and_then(|n| n.parse::<u64>().ok());
    let (start, total) = match answer.status() {
        StatusCode::PARTIAL_CONTENT => {
            let range = text(headers, header::CONTENT_RANGE).and_then(content_range);
            let (start, total) = range.unwrap_or((ask.from, None));
            (start, total.or(length.map(|n| start + n)))
        }
        _ => (0, length),
    };
    Ok(Opened {
        start,
        total,
        tags: tags(headers),
        fresh_for: fresh_for(headers),
        body: Body::Http(answer.into_body()),
    })
}

pub(super) fn tags(headers: &HeaderMap) -> Tags {
    let etag = text(headers, header::ETAG).map(str::to_owned);
    let modified = text(headers, header::LAST_MODIFIED).map(str::to_owned);
    Tags { etag, modified }
}

/// `bytes 10-99/100`: where it begins, and the whole's size.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// How long it may be used without asking again; nothing if it may not be kept.
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let said = text(headers, header::CACHE_CONTROL).unwrap_or_default().to_ascii_lowercase();
    let mut directives = said.split(',').map(str::trim);
    if directives.clone().any(|d| d == "no-store") {
        return None;
    }
    if directives.clone().any(|d| d == "no-cache") {
        return Some(Duration::ZERO);
    }
    let age = directives.find_map(|d| d.strip_prefix("max-age=")?.parse().ok());
    Some(age.map_or(Duration::ZERO, Duration::from_secs))
}

/// `Retry-After`: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let said = text(headers, header::RETRY_AFTER)?;
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(said).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// What a refusal means.
pub(super) fn refused(status: StatusCode, text: String, wait: Option<Duration>) -> Fault {
    let code = status.as_u16();
    let busy = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(code, 408 | 425 | 429);
    if !busy {
        return MediaErrorKind::Refused { status: code, text }.into();
    }
    Fault { kind: MediaErrorKind::Busy { status: code, text, wait }, wait, of_host: code == 429 }
}

/// The code of S3's and Google's refusals, which are XML; nothing of others.
pub(super) async fn refusal(answer: Response<Incoming>) -> String {
    let mut body = answer.into_body();
    let mut read = Vec::new();
    while read.len() < REFUSAL {
        match tokio::time::timeout(Duration::from_secs(2), body.frame()).await {
            Ok(Some(Ok(frame))) => read.extend_from_slice(&frame.into_data().unwrap_or_default()),
            _ => break,
        }
    }
    let read = String::from_utf8_lossy(&read);
    let part = |tag: &str| {
        let (_, rest) = read.split_once(&format!("<{tag}>"))?;
        let (value, _) = rest.split_once(&format!("</{tag}>"))?;
        let value: String = value.chars().filter(|c| !c.is_control()).take(200).collect();
        Some(value)
    };
    match (part("Code"), part("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => String::new(),
    }
}

/// The next bytes of a body; nothing at its end.
pub(super) async fn next(body: &mut Incoming) -> Result<Option<Bytes>, MediaErrorKind> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(e)) => return Err(cause(&e)),
            // Trailers say nothing of interest.
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn servers_say_when_to_come_back() {
        let wait = |said| retry_after(&headers(&[(header::RETRY_AFTER, said)]));
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(wait("Tue, 01 Jan 2999 00:00:00 GMT").unwrap() > Duration::from_secs(1_000_000));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn parts_say_where_they_begin() {
        assert_eq!(content_range("bytes 10-99/100"), Some((10, Some(100))));
        assert_eq!(content_range("bytes 10-99/*"), Some((10, None)));
        assert_eq!(content_range("lines 1-2/3"), None);
    }

    #[test]
    fn answers_say_how_long_they_hold() {
        let fresh = |said| fresh_for(&headers(&[(header::CACHE_CONTROL, said)]));
        assert_eq!(fresh("public, max-age=60"), Some(Duration::from_secs(60)));
        assert_eq!(fresh("max-age=60, no-cache"), Some(Duration::ZERO));
        assert_eq!(fresh("No-Store"), None);
        assert_eq!(fresh_for(&HeaderMap::new()), Some(Duration::ZERO));
    }
}
