//! The other transport: `POST /api`, and what operators ask for.

use adb_protocol::{Message, rest, secrecy::SecretString};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartError},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use tokio::time::timeout;

use crate::service::Service;

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
/// with anything else.
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
    let message = match timeout(limits.patience(announced), read(&headers, form)).await {
        Ok(Ok(message)) => message,
        Ok(Err(refusal)) => return refusal,
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "took too long\n").into_response(),
    };
    service.metrics().received(announced);
    let (json, blobs) = service.answer(message).await;
    let answer = rest::encode(&json, &blobs);
    service.metrics().sent(answer.len());
    ([(header::CONTENT_TYPE, "application/json")], Body::from(answer)).into_response()
}

/// Takes the parts `query` and `blobs` of a form; others are passed over.
async fn read(headers: &HeaderMap, mut form: Multipart) -> Result<Message, Response> {
    let bad = |told: String| (StatusCode::BAD_REQUEST, told).into_response();
    let broken = |e: MultipartError| (e.status(), format!("{}\n", e.body_text())).into_response();
    let mut json: Option<Bytes> = None;
    let mut blobs = Vec::new();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("query") => json = Some(field.bytes().await.map_err(broken)?),
            Some("blobs") => blobs.push(field.bytes().await.map_err(broken)?),
            _ => {}
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
