//! The other transport: `POST /api`, and what operators ask for.

use adb_protocol::{Message, rest, secrecy::SecretString, why_unavailable};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartError},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::{Bytes, BytesMut};
use serde_json::Value as Json;

use crate::{metrics::Outcome, pace::Pace, service::Service};

/// The routes. Whoever can reach them may read `/healthz` and `/metrics`, which hold no data.
pub(crate) fn router(service: Service) -> Router {
    let limit = service.limits().message;
    Router::new()
        .route("/api", post(api))
        .route("/api/", post(api))
        .layer(DefaultBodyLimit::max(limit))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .with_state(service)
}

async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], service.metrics().text())
}

/// Errors of the query language come with status 200: the SDK repeats a request that is answered
/// with anything else, as is meant where the database was not reached.
async fn api(State(service): State<Service>, headers: HeaderMap, form: Multipart) -> Response {
    let limits = service.limits();
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(limits.message);
    if announced > limits.message {
        let told = format!("a request of {announced} bytes; {} are allowed\n", limits.message);
        return (StatusCode::PAYLOAD_TOO_LARGE, told).into_response();
    }
    let _room = service.room(announced).await;
    let message = match read(&headers, form, Pace::new(limits.arrival)).await {
        Ok(message) => message,
        Err(refusal) => return refusal,
    };
    service.metrics().received(announced);
    let (outcome, (json, blobs)) = service.answer(message).await;
    if outcome == Outcome::Unavailable {
        // Whoever knows HTTP tries again.
        service.metrics().sent(json.len());
        return (StatusCode::SERVICE_UNAVAILABLE, why(&json)).into_response();
    }
    let answer = rest::encode(&json, &blobs);
    service.metrics().sent(answer.len());
    ([(header::CONTENT_TYPE, "application/json")], Body::from(answer)).into_response()
}

/// Why the database was not reached, as a line.
fn why(json: &[u8]) -> String {
    let answer: Json = serde_json::from_slice(json).unwrap_or_default();
    format!("{}\n", why_unavailable(&answer).unwrap_or("the database was not reached"))
}

/// Takes the parts `query` and `blobs` of a form; others are passed over.
async fn read(
    headers: &HeaderMap,
    mut form: Multipart,
    mut pace: Pace,
) -> Result<Message, Response> {
    let bad = |told: String| (StatusCode::BAD_REQUEST, told).into_response();
    let broken = |e: MultipartError| (e.status(), format!("{}\n", e.body_text())).into_response();
    let late = || (StatusCode::REQUEST_TIMEOUT, "took too long\n").into_response();
    let mut json: Option<Bytes> = None;
    let mut blobs = Vec::new();
    loop {
        let next = pace.keep(form.next_field(), |_| 0).await.ok_or_else(late)?;
        let Some(mut field) = next.map_err(broken)? else { break };
        let is = |name: &str| field.name() == Some(name);
        let (is_query, is_blob) = (is("query"), is("blobs"));
        let mut content = BytesMut::new();
        let size = |chunk: &Result<Option<Bytes>, _>| match chunk {
            Ok(Some(chunk)) => chunk.len(),
            _ => 0,
        };
        while let Some(chunk) =
            pace.keep(field.chunk(), size).await.ok_or_else(late)?.map_err(broken)?
        {
            if is_query || is_blob {
                content.extend_from_slice(&chunk);
            }
        }
        if is_query {
            json = Some(content.freeze());
        } else if is_blob {
            blobs.push(content.freeze());
        }
    }
    let json = json.ok_or_else(|| bad("there is no part `query`\n".to_owned()))?;
    if std::str::from_utf8(&json).is_err() {
        return Err(bad("the part `query` is not UTF-8\n".to_owned()));
    }
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .map(|token| SecretString::from(token.trim()));
    Ok(Message { json, blobs, token })
}
