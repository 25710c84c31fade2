//! The answer to a request that was not done, since the database could not be reached, and may be sent
//! again. Our own: ApertureDB has no word for it.

use serde_json::{Value as Json, json};

const UNAVAILABLE: &str = "unavailable";

/// What a server answers when the database behind it was not reached. SDKs that don't know the code
/// take it for any other error.
#[must_use]
pub fn unavailable(info: &str) -> Json {
    json!({"status": -1, "info": info, "code": UNAVAILABLE, "applied": false})
}

/// Why the database was not reached, where an answer says that and promises that nothing was done. The
/// code alone promises nothing: another server may use it in its own sense.
#[must_use]
pub fn why_unavailable(answer: &Json) -> Option<&str> {
    let says = answer.get("status").and_then(Json::as_i64) == Some(-1)
        && answer.get("code").and_then(Json::as_str) == Some(UNAVAILABLE)
        && answer.get("applied").and_then(Json::as_bool) == Some(false);
    says.then(|| answer.get("info").and_then(Json::as_str).unwrap_or("no reason is given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        assert_eq!(why_unavailable(&unavailable("gone")), Some("gone"));
        for other in [
            json!({"status": -1, "info": "gone", "code": "unavailable"}),
            json!({"status": -1, "info": "gone", "applied": false}),
            json!({"status": 0, "info": "gone", "code": "unavailable", "applied": false}),
            json!([{"GetStatus": {"status": 0}}]),
        ] {
            assert_eq!(why_unavailable(&other), None, "{other}");
        }
    }
}
