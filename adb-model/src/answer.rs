//! Reading answers.

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::{DbError, Refusal};

/// One command's answer, opened.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The command that it answers.
    pub command: &'a str,
    body: &'a Map<String, Json>,
}

impl<'a> Answer<'a> {
    /// Opens `{"<command>": {…}}`.
    ///
    /// # Errors
    /// When the database sent something else.
    pub fn open(answer: &'a Json) -> Result<Self, DbError> {
        let inner = answer.as_object().filter(|o| o.len() == 1).and_then(|o| o.iter().next());
        match inner {
            Some((command, Json::Object(body))) => Ok(Self { command, body }),
            _ => Err(DbError::permanent(format!(
                "the database sent an answer of another form than {{\"<command>\": {{…}}}}: {}",
                shortened(answer)
            ))),
        }
    }

    /// Opens the answer at `index` of a transaction.
    ///
    /// # Errors
    /// When there is none, or it has another form.
    pub fn at(answers: &'a [Json], index: usize) -> Result<Self, DbError> {
        let answer = answers.get(index).ok_or_else(|| {
            DbError::permanent(format!(
                "the database sent {} answers, one more was expected",
                answers.len()
            ))
        })?;
        Self::open(answer)
    }

    /// 0: done; 1: empty; 2: it was there already.
    #[must_use]
    pub fn status(&self) -> i64 {
        self.body.get("status").and_then(Json::as_i64).unwrap_or(-1)
    }

    /// What the database said beside the status.
    #[must_use]
    pub fn info(&self) -> &'a str {
        self.body.get("info").and_then(Json::as_str).unwrap_or_default()
    }

    /// A field of the answer.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a Json> {
        self.body.get(key)
    }

    /// The found objects; none when the database left the list out.
    #[must_use]
    pub fn entities(&self) -> &'a [Json] {
        list(self.body.get("entities"))
    }

    /// The found connections; none when the database left the list out.
    #[must_use]
    pub fn connections(&self) -> &'a [Json] {
        list(self.body.get("connections"))
    }

    /// The unique ids of the found objects, of those that have one here (`uniqueids`).
    pub fn unique_ids(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.entities().iter().filter_map(unique_id)
    }

    /// Of objects that are grouped by what they are joined to (`group_by_source`), those that are
    /// joined to the object with this unique id.
    pub(crate) fn group(&self, source: &str) -> &'a [Json] {
        list(self.body.get("entities").and_then(|groups| groups.get(source)))
    }

    /// How many objects or connections the command counted, changed or deleted; 0 when the database
    /// did not say.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.body.get("count").and_then(Json::as_u64).unwrap_or(0)
    }
}

fn list(json: Option<&Json>) -> &[Json] {
    json.and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// The unique id of a found object or connection, if that was asked for.
pub(crate) fn unique_id(found: &Json) -> Option<&str> {
    found.get("_uniqueid")?.as_str()
}

/// The blob of a found object, among those of the response, if that was asked for.
pub(crate) fn blob_of<'b>(found: &Json, blobs: &'b [Bytes]) -> Option<&'b Bytes> {
    let index = found.get("_blob_index")?.as_u64()?;
    blobs.get(usize::try_from(index).ok()?)
}

/// A refusal where none was to be expected, as an error.
impl From<Refusal> for DbError {
    fn from(refusal: Refusal) -> Self {
        DbError::permanent(format!("the database refused the request: {refusal}"))
            .with_source(refusal)
    }
}

fn shortened(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
