//! A reference database: the query language over plain maps, for tests only.
//!
//! It is written from the language's documentation and `docs/compatibility.md`, as simply as it can
//! be, and shares nothing with the engine but the types of requests and answers: no SQL, no
//! indexes, no caches; each search looks at everything. Where the two answer differently, one of
//! them is wrong. It does not decode pictures or films: no `operations`, no formats, no crops.

mod body;
mod command;
mod constraint;
mod find;
mod place;
mod read;
mod run;
mod schema;
mod show;
mod state;
mod value;

use std::sync::{Mutex, PoisonError};

use adb_model::{BoxFuture, Database, DbError, Refusal, Request, Response};

use crate::{run::Run, state::State};

/// What is wrong with a command, and the status that says so.
#[derive(Debug)]
pub(crate) struct Wrong {
    status: i64,
    info: String,
}

impl Wrong {
    pub(crate) fn new(info: impl Into<String>) -> Self {
        Self { status: -1, info: info.into() }
    }

    pub(crate) fn not_unique() -> Self {
        Self { status: 3, info: "more than one object".to_owned() }
    }

    fn at(self, index: usize) -> Refusal {
        Refusal { status: self.status, info: self.info, code: None, command: Some(index) }
    }
}

/// The reference database.
#[derive(Debug, Default)]
pub struct Reference {
    state: Mutex<State>,
}

impl Reference {
    /// An empty database.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Response {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let commands = match read::commands(request) {
            Ok(commands) => commands,
            Err(refusal) => return Response::Refused(refusal),
        };
        // A request works on a copy, which takes the old one's place if all went well.
        let mut next = state.clone();
        next.begin();
        let mut run = Run::new(&mut next, request.blobs.clone());
        let mut answers = Vec::with_capacity(commands.len());
        for (i, (name, command)) in commands.iter().enumerate() {
            match run.command(command) {
                Ok(body) => answers.push(serde_json::json!({ name.as_str(): body })),
                Err(wrong) => return Response::Refused(wrong.at(i)),
            }
        }
        let blobs = run.into_blobs();
        *state = next;
        Response::Done { answers, blobs }
    }
}

impl Database for Reference {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move { Ok(self.answer(&request)) })
    }
}
