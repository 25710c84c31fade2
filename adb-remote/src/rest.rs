//! The other transport: a form to `/api/`, an answer in JSON.

use std::{
    collections::VecDeque,
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use adb_protocol::{
    Error as WireError, Message, login, rest,
    secrecy::{ExposeSecret, SecretString},
};
use bytes::{Bytes, BytesMut};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1::{self, SendRequest},
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{task::AbortHandle, time::timeout};

use crate::{
    Error,
    connection::{Answered, Broken},
    dial::{Target, late},
};

/// As the Python SDK asks for it; `/api` is the same place.
const PATH: &str = "/api/";
/// Bytes of an answer in HTTP's own words that are read for the error.
const TOLD: usize = 16 << 10;

/// A connection on which nothing is under way. Dropped, it is closed.
pub(crate) struct Rest {
    sender: SendRequest<Form>,
    host: HeaderValue,
    driver: AbortHandle,
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Rest {
    /// Connects, and begins TLS if it is wanted.
    pub(crate) async fn open(target: &Target) -> Result<Self, Error> {
        let stream = target.protect(target.dial().await?).await?;
        let failed = |source| Error::Connect { address: target.address(), source };
        let begun = timeout(target.connect, http1::handshake(TokioIo::new(stream)));
        let (sender, connection) = match begun.await {
            Ok(begun) => begun.map_err(|e| failed(io::Error::other(e)))?,
            Err(_) => return Err(failed(late())),
        };
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer learns of it as well.
            if let Err(e) = connection.await {
                tracing::debug!(reason = %e, "connection ended");
            }
        });
        let host = HeaderValue::from_str(&target.address())
            .map_err(|e| failed(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
        Ok(Self { sender, host, driver: driver.abort_handle() })
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a message and waits for its answer.
    pub(crate) async fn ask(&mut self, message: &Message, limit: usize) -> Answered {
        let form = rest::form(&message.json, &message.blobs, &boundary());
        if form.length() > limit {
            let (announced, limit) = (form.length() as u64, limit as u64);
            return Err(Broken::TooLong(WireError::TooLong { announced, limit }));
        }
        let whole = Arc::new(AtomicBool::new(false));
        let request = self
            .request(form, message.token.as_ref(), Arc::clone(&whole))
            .map_err(|e| Broken::Sending(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
        let failed = |e: hyper::Error| {
            // What was never begun, or not taken whole, can't have been done: the form lacks its end.
            let unsent = e.is_canceled() || !whole.load(Ordering::Acquire);
            let broken = if unsent { Broken::Sending } else { Broken::Receiving };
            broken(io::Error::other(told(&e)))
        };
        self.sender.ready().await.map_err(failed)?;
        let answer = self.sender.send_request(request).await.map_err(failed)?;
        // Base64 takes four bytes for three.
        let room = limit / 3 * 4 + 4096;
        receive(answer, room).await
    }

    fn request(
        &self,
        form: rest::Form,
        token: Option<&SecretString>,
        whole: Arc<AtomicBool>,
    ) -> Result<Request<Form>, hyper::http::Error> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(PATH)
            .header(header::HOST, self.host.clone())
            .header(header::CONTENT_TYPE, form.content_type());
        if let Some(token) = token {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))?;
            bearer.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let left = form.length();
        request.body(Form { pieces: form.into_pieces().into(), left, whole })
    }
}

/// What stands between the parts: nothing that a blob holds, since nobody can know it before.
fn boundary() -> String {
    let chance = || RandomState::new().hash_one(0);
    format!("adb-{:016x}{:016x}", chance(), chance())
}

/// Hyper's own words say little without the cause.
fn told(e: &hyper::Error) -> String {
    match std::error::Error::source(e) {
        _ if e.is_parse() => {
            format!(
                "{e}: this is no HTTP; if the server wants TLS, the address begins with https://"
            )
        }
        Some(cause) => format!("{e}: {cause}"),
        None => e.to_string(),
    }
}

/// The form as a body that tells when all of it was taken.
struct Form {
    pieces: VecDeque<Bytes>,
    left: usize,
    whole: Arc<AtomicBool>,
}

impl Body for Form {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let form = self.get_mut();
        let piece = form.pieces.pop_front();
        form.left -= piece.as_ref().map_or(0, Bytes::len);
        if form.pieces.is_empty() {
            form.whole.store(true, Ordering::Release);
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

/// Reads an answer of `room` bytes at most.
async fn receive(answer: Response<Incoming>, room: usize) -> Answered {
    let (head, mut body) = answer.into_parts();
    if head.status == StatusCode::UNAUTHORIZED {
        // As the answer that says so in JSON: nothing was done, and a new session helps.
        return Ok((login::not_authenticated(), Vec::new()));
    }
    if head.status != StatusCode::OK {
        // Whatever can be had of it: the status alone says enough.
        let body = read(&mut body, TOLD).await.unwrap_or_default();
        return Err(Broken::Status {
            status: head.status.as_u16(),
            told: words(head.status, &head.headers, &body),
            retry_after: retry_after(&head.headers),
        });
    }
    let body = read(&mut body, room).await?;
    if is_page(&head.headers, &body) {
        let fault = "a page of HTML instead of JSON: something else answers at this address";
        return Err(Broken::Answer(WireError::Answer(fault.to_owned())));
    }
    rest::decode(&body).map_err(Broken::Answer)
}

/// Memory is taken as bytes come.
async fn read(body: &mut Incoming, room: usize) -> Result<Bytes, Broken> {
    let too_long =
        |announced: u64| Broken::Answer(WireError::TooLong { announced, limit: room as u64 });
    let announced = body.size_hint().lower();
    if announced > room as u64 {
        return Err(too_long(announced));
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|e| Broken::Receiving(io::Error::other(told(&e))))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > room {
            return Err(too_long((bytes.len() + data.len()) as u64));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn is_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html")) || body.trim_ascii().starts_with(b"<")
}

/// What a status other than 200 means here: what was said, or what is likely.
fn words(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let place = headers.get(header::LOCATION).and_then(|place| place.to_str().ok());
    if let Some(place) = place.filter(|_| status.is_redirection()) {
        // What follows may hold a secret.
        let place = place.split(['?', '#']).next().unwrap_or_default();
        return format!("it leads to {place}; give that address, if it is the right one");
    }
    let hint = match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "the REST interface is not there: see `host` and `port` in the configuration"
        }
        StatusCode::PAYLOAD_TOO_LARGE => "the request is too long for it: send smaller batches",
        _ => "",
    };
    let text = String::from_utf8_lossy(body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let said: String = match is_page(headers, body) {
        true => String::new(),
        false => line.chars().take(200).collect(),
    };
    match (said.is_empty(), hint.is_empty()) {
        (false, true) => said,
        (true, false) => hint.to_owned(),
        (true, true) => "no reason is given".to_owned(),
        (false, false) => format!("{said}; {hint}"),
    }
}

/// Seconds; the other form, a date, is not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_statuses_say() {
        let of = |status: u16, head: &[(header::HeaderName, &str)], body: &str| {
            let headers = head.iter().map(|(n, v)| (n.clone(), v.parse().unwrap())).collect();
            words(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
        };
        assert_eq!(of(500, &[], "\n out of memory \n more"), "out of memory");
        assert_eq!(of(500, &[], "<html><h1>Oh</h1></html>"), "no reason is given");
        assert!(of(413, &[], "").contains("smaller batches"));
        assert!(of(404, &[], "nothing here").starts_with("nothing here; the REST"));
        let moved = [(header::LOCATION, "https://db.example.com/api/?token=hunter2")];
        let told = of(308, &moved, "");
        assert!(
            told.contains("https://db.example.com/api/;") && !told.contains("hunter2"),
            "{told}"
        );
    }

    #[test]
    fn boundaries_differ() {
        assert_ne!(boundary(), boundary());
        assert!(boundary().len() < 70, "the most that a boundary may have");
    }
}
