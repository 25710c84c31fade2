//! A trace against another database.

mod blobs;
mod compare;
mod ids;
mod lists;
mod picture;
mod report;

use adb_model::{Database, Request, Response};
use serde_json::Value as Json;

use crate::{
    Error, Trace,
    format::{Entry, Outcome},
};
use blobs::Contents;
use compare::Comparison;
use ids::Ids;
pub use picture::picture;
pub use report::{Conformity, Difference};

/// Commands about accounts: a database knows none, and a trace holds no secrets to log in with.
const ACCOUNTS: [&str; 10] = [
    "Authenticate",
    "RefreshToken",
    "CreateUser",
    "UpdateUser",
    "RemoveUser",
    "GetUserDetails",
    "GenerateToken",
    "CreateRole",
    "UpdateRole",
    "RemoveRole",
];

/// Sends the requests of a trace to a database, one after the other in the order in which they were
/// answered, and holds the answers against those that were recorded.
///
/// No difference is: which unique ids objects have (they are matched, and put into later requests),
/// the order of objects where none was asked for, which objects a `limit` leaves out, the words of
/// refusals, what `GetStatus` tells, and the last digits of numbers with a fraction. Where a trace
/// holds no blobs, some are made up, and what depends on their content is not compared; the same for
/// pictures that a server makes itself.
///
/// # Errors
/// When the trace can't be read. A database that gives no answer is a difference.
pub async fn replay(mut trace: Trace, db: &dyn Database) -> Result<Conformity, Error> {
    let mut state = State::default();
    for entry in trace.by_ref() {
        state.replay(entry?, db).await;
    }
    state.conformity.cut = trace.was_cut();
    Ok(state.conformity)
}

#[derive(Default)]
struct State {
    ids: Ids,
    contents: Contents,
    conformity: Conformity,
}

impl State {
    async fn replay(&mut self, entry: Entry, db: &dyn Database) {
        let Json::Array(commands) = &entry.request else {
            self.conformity.skip("is no JSON");
            return;
        };
        if commands.iter().any(|command| ACCOUNTS.contains(&name_of(command))) {
            self.conformity.skip("is about accounts");
            return;
        }
        if let Outcome::Failed { failed } = &entry.outcome {
            let why = match failed.not_applied {
                true => "was not done when it was recorded",
                false => "may or may not have been done when it was recorded",
            };
            self.conformity.skip(why);
            return;
        }
        if matches!(entry.outcome, Outcome::Refused { .. }) && commands.iter().any(names_an_address)
        {
            // Perhaps for what it names; then it would be done here, and all that follows differ.
            self.conformity.skip("was refused and names an address: what that gave is in no trace");
            return;
        }
        let mut sent = commands.clone();
        for command in &mut sent {
            self.ids.put_into(command);
        }
        let mut request = Request::json(&Json::Array(sent));
        let (blobs, made_up) = self.contents.materialise(commands, &entry.request_blobs);
        request.blobs = blobs;
        self.conformity.requests += 1;
        self.conformity.commands += commands.len() as u64;
        let comparison = Comparison {
            n: entry.n,
            commands,
            made_up,
            ids: &mut self.ids,
            contents: &self.contents,
            conformity: &mut self.conformity,
        };
        comparison.outcome(&entry.outcome, db.execute(request).await);
    }
}

fn names_an_address(command: &Json) -> bool {
    body_of(command).get("url").is_some_and(|url| !url.is_null())
}

fn name_of(command: &Json) -> &str {
    command.as_object().and_then(|command| command.keys().next()).map_or("", String::as_str)
}

/// The parameters of a command, or the fields of an answer.
fn body_of(command: &Json) -> &Json {
    command.as_object().and_then(|command| command.values().next()).unwrap_or(&Json::Null)
}

/// An answer in a few words.
fn told(answer: &Result<Response, adb_model::DbError>) -> String {
    match answer {
        Ok(Response::Done { .. }) => "done".to_owned(),
        Ok(Response::Refused(refusal)) => format!("refused ({}): {}", refusal.status, refusal.info),
        Err(e) => format!("no answer: {e}"),
    }
}
