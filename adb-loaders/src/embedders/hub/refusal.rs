//! What a hub's refusal means, and what to do about it.

use std::time::Duration;

use ureq::{Body, http::Response};

use super::{Hub, http::text};

/// The message, and how long the hub wants to be left alone.
pub(super) fn refusal(
    hub: &Hub,
    repository: &str,
    path: &str,
    response: &Response<Body>,
) -> (String, Option<Duration>) {
    let status = response.status();
    let token = hub.token.as_ref();
    let advice = match (status.as_u16(), token) {
        (401, None) => format!(
            ": {repository} is private or not there; if it is private, set HF_TOKEN or log in with the hub's own client"
        ),
        (401, Some(token)) => {
            format!(": it does not accept the token from {}; set another", token.from)
        }
        (403, None) => {
            format!(
                ": who may read {repository} is decided there; ask for access, then set HF_TOKEN"
            )
        }
        (403, Some(token)) => format!(
            ": the owner of the token from {} may not read {repository}; ask for access at {}/{repository}",
            token.from, hub.endpoint
        ),
        (404, _) => ": the file is not there; the repository may have been changed".to_owned(),
        (429, _) => {
            ": it has had too many requests; wait, or set HF_TOKEN to be allowed more".to_owned()
        }
        (500.., _) => ": it has troubles of its own; try again later".to_owned(),
        _ => String::new(),
    };
    let waits = matches!(status.as_u16(), 429 | 503);
    let wait = text(response.headers(), "retry-after")
        .filter(|_| waits)
        // The other form is a date, for which the caller's own pause is as good.
        .and_then(|seconds| seconds.parse().ok())
        .map(Duration::from_secs);
    (format!("it answers {status} to a request for {path} of {repository}{advice}"), wait)
}
