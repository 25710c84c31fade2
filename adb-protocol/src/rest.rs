//! The answers of the other transport, `POST /api`: JSON with the blobs in base64.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::Error;

/// Writes an answer; `json` is its text. `blobs` is there even when there are none, since the
/// Python SDK insists.
///
/// ```
/// let answer = adb_protocol::rest::encode(br#"[{"FindBlob":{"status":0}}]"#, &["a".into()]);
/// assert_eq!(&answer[..], br#"{"json":[{"FindBlob":{"status":0}}],"blobs":["YQ=="]}"#);
/// ```
#[must_use]
pub fn encode(json: &[u8], blobs: &[Bytes]) -> Bytes {
    let coded: usize = blobs.iter().map(|blob| blob.len().div_ceil(3) * 4 + 3).sum();
    let mut out = String::with_capacity(json.len() + coded + 24);
    out.push_str(r#"{"json":"#);
    out.push_str(&String::from_utf8_lossy(json));
    out.push_str(r#","blobs":["#);
    for (i, blob) in blobs.iter().enumerate() {
        out.push_str(if i == 0 { "\"" } else { ",\"" });
        STANDARD.encode_string(blob, &mut out);
        out.push('"');
    }
    out.push_str("]}");
    out.into()
}

/// Reads an answer: its JSON and its blobs.
///
/// # Errors
/// When it is no such answer.
pub fn decode(answer: &[u8]) -> Result<(Json, Vec<Bytes>), Error> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        json: Json,
        #[serde(default, borrow)]
        blobs: Vec<std::borrow::Cow<'a, str>>,
    }
    let answer: Answer<'_> =
        serde_json::from_slice(answer).map_err(|e| Error::Answer(e.to_string()))?;
    let decoded = answer.blobs.iter().enumerate().map(|(i, blob)| {
        let decoded = STANDARD.decode(blob.as_bytes()).map(Bytes::from);
        decoded.map_err(|e| Error::Answer(format!("blob {i} is not base64: {e}")))
    });
    Ok((answer.json, decoded.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let blobs: Vec<Bytes> = (0..5_u8).map(|n| vec![n * 50; usize::from(n)].into()).collect();
        let (json, read) = decode(&encode(b"[1, {\"a\": \"\\u00e9\"}]", &blobs)).unwrap();
        assert_eq!(json, serde_json::json!([1, {"a": "é"}]));
        assert_eq!(read, blobs);
    }

    #[test]
    fn bad_answers_say_what_is_wrong() {
        let of = |text: &[u8]| decode(text).unwrap_err().to_string();
        assert!(of(b"<html>").contains("can't be read"));
        assert!(of(b"{\"blobs\":[]}").contains("json"));
        assert!(of(b"{\"json\":[],\"blobs\":[\"YQ==\",\"*\"]}").contains("blob 1"));
        assert_eq!(decode(b"{\"json\":{}}").unwrap().1, Vec::<Bytes>::new());
    }
}
