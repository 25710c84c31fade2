//! The other transport, `POST /api`: requests as forms, answers as JSON with the blobs in base64.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::Error;

/// A request as a form (`multipart/form-data`), in pieces: the blobs are those of the request, not
/// copies.
#[derive(Debug)]
pub struct Form {
    pieces: Vec<Bytes>,
    length: usize,
    content_type: String,
}

impl Form {
    /// The pieces, to be sent one after the other.
    #[must_use]
    pub fn into_pieces(self) -> Vec<Bytes> {
        self.pieces
    }

    /// How many bytes they have together.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// What stands in the header `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }
}

/// Writes a request as the Python SDK does: the part `query`, then a part `blobs` for each blob. No
/// part may hold `boundary`, which is up to 70 letters, digits and `-`: take something random.
#[must_use]
pub fn form(json: &Bytes, blobs: &[Bytes], boundary: &str) -> Form {
    let head = |before: &str, of: &str| {
        let text = format!("{before}--{boundary}\r\nContent-Disposition: form-data; {of}\r\n\r\n");
        Bytes::from(text)
    };
    let mut pieces = Vec::with_capacity(3 + 2 * blobs.len());
    pieces.push(head("", "name=\"query\""));
    pieces.push(json.clone());
    for blob in blobs {
        pieces.push(head("\r\n", "name=\"blobs\"; filename=\"blobs\""));
        pieces.push(blob.clone());
    }
    pieces.push(format!("\r\n--{boundary}--\r\n").into());
    pieces.retain(|piece| !piece.is_empty());
    let length = pieces.iter().map(Bytes::len).sum();
    Form { pieces, length, content_type: format!("multipart/form-data; boundary={boundary}") }
}

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

    /// Made with `requests`, which the SDK uses; but for the boundary.
    #[test]
    fn forms_as_the_sdk_sends_them() {
        let blob = Bytes::from(vec![b'x'; 10_000]);
        let form = form(&"[{\"AddBlob\": {}}]".into(), &[blob.clone(), Bytes::new()], "edge");
        assert_eq!(form.content_type(), "multipart/form-data; boundary=edge");
        let length = form.length();
        let pieces = form.into_pieces();
        assert!(pieces.iter().any(|piece| piece.as_ptr() == blob.as_ptr()), "copied");
        let all = pieces.concat();
        assert_eq!(all.len(), length);
        let part = "--edge\r\nContent-Disposition: form-data; name=\"blobs\"; filename=\"blobs\"";
        let wanted = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n[{{\"AddBlob\": {{}}}}]\r\n\
             {part}\r\n\r\n{}\r\n{part}\r\n\r\n\r\n--edge--\r\n",
            "x".repeat(10_000)
        );
        assert_eq!(String::from_utf8(all).unwrap(), wanted);
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
