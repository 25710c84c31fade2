//! From a message to its answer, whichever way it came.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use adb_model::{Database, Fate, Refusal, Request, Response};
use adb_protocol::{
    Error as WireError, Message,
    login::{self, Session},
    secrecy::SecretString,
    unavailable,
};
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
};

use crate::{
    Access, Accounts, Limits, Role,
    accounts::{Caller, begins_session, is_accounts},
    metrics::{Metrics, Outcome},
    names::{Names, Shown},
};

/// Logins that are checked at once: each takes 19 MiB and a core for a while.
const LOGINS: usize = 2;

/// Bytes of a request about users and sessions, which may come from somebody who is not known: as
/// values it takes many times that.
const MOST_ACCOUNT_BYTES: usize = 64 << 10;

/// What connections share.
#[derive(Clone)]
pub(crate) struct Service(Arc<Inner>);

struct Inner {
    db: Arc<dyn Database>,
    access: Access,
    limits: Limits,
    metrics: Metrics,
    requests: Semaphore,
    logins: Semaphore,
    /// Kibibytes of messages.
    memory: Arc<Semaphore>,
}

/// Room for a message, given back when the answer is out.
pub(crate) struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Service {
    pub(crate) fn new(db: Arc<dyn Database>, access: Access, limits: Limits) -> Self {
        let memory = limits.in_memory.max(limits.message) / 1024;
        Self(Arc::new(Inner {
            db,
            access,
            metrics: Metrics::default(),
            requests: Semaphore::new(limits.requests.clamp(1, Semaphore::MAX_PERMITS)),
            logins: Semaphore::new(LOGINS),
            memory: Arc::new(Semaphore::new(memory.clamp(1, Semaphore::MAX_PERMITS))),
            limits,
        }))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Waits until there is room for a message. Small ones have it always.
    pub(crate) async fn room(&self, bytes: usize) -> Room {
        let kibibytes = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        if kibibytes < 64 {
            return Room { _permit: None };
        }
        // Never closed; and a message is never larger than all the room.
        let permit = Arc::clone(&self.0.memory).acquire_many_owned(kibibytes).await.ok();
        Room { _permit: permit }
    }

    /// The answer to a message that is longer than is allowed. Clients take it for the end of that
    /// request, and send less at once.
    pub(crate) fn too_long(&self, fault: &WireError) -> Bytes {
        tracing::warn!(reason = %fault, "a message was refused (--message-mb)");
        self.0.metrics.answered(Outcome::Refused);
        let info = format!("{fault} here (`--message-mb` of the server): send smaller requests");
        text(&json!({"status": -1, "info": info, "code": "too_large"}))
    }

    /// The answer to a message: how it ended, and JSON and blobs.
    pub(crate) async fn answer(&self, message: Message) -> (Outcome, (Bytes, Vec<Bytes>)) {
        let (outcome, answer) = self.0.metrics.timed(self.0.answer(message)).await;
        self.0.metrics.answered(outcome);
        (outcome, answer)
    }
}

impl Inner {
    async fn answer(&self, message: Message) -> (Outcome, (Bytes, Vec<Bytes>)) {
        let names = Names::of(&message.json);
        let (start, blobs) = (Instant::now(), message.blobs.len());
        let (outcome, answer) = self.judge(message, names.as_ref()).await;
        // Names alone: what stands in the commands is the users'.
        tracing::debug!(
            commands = %Shown(names.as_ref()),
            blobs,
            ?outcome,
            milliseconds = start.elapsed().as_secs_f64() * 1e3,
            "answered"
        );
        (outcome, answer)
    }

    async fn judge(
        &self,
        message: Message,
        names: Option<&Names>,
    ) -> (Outcome, (Bytes, Vec<Bytes>)) {
        if names.is_some_and(|names| names.accounts) {
            let (outcome, answer) = self.account(&message).await;
            return (outcome, (text(&answer), Vec::new()));
        }
        let Some(caller) = self.caller(message.token.as_ref()) else {
            let answer = text(&login::not_authenticated());
            return (Outcome::Unauthenticated, (answer, Vec::new()));
        };
        if caller.role == Role::Reader {
            let changing = match names {
                Some(names) => names.changing.as_deref(),
                None => Some("a request that can't be read"),
            };
            if let Some(command) = changing {
                let info = format!("{command}: a reader may not change anything");
                let answer = text(&json!({"status": -1, "info": info, "code": "forbidden"}));
                return (Outcome::Refused, (answer, Vec::new()));
            }
        }
        let _turn = self.requests.acquire().await;
        self.ask(Request::new(message.json, message.blobs)).await
    }

    async fn ask(&self, request: Request) -> (Outcome, (Bytes, Vec<Bytes>)) {
        let refused = |outcome, refusal: &Refusal| {
            let mut answer = json!({"status": refusal.status, "info": refusal.info});
            if let Some(code) = &refusal.code {
                answer["code"] = json!(code);
            }
            (outcome, (text(&answer), Vec::new()))
        };
        match self.db.execute(request).await {
            Ok(Response::Done { answers, blobs }) => {
                let json = text(&Json::Array(answers));
                // What frames it takes a few bytes a blob.
                let length = json.len() + blobs.iter().map(|blob| blob.len() + 12).sum::<usize>();
                if length + 64 > self.limits.message {
                    let limit = self.limits.message;
                    let info = format!("the answer has {length} bytes, and {limit} are allowed");
                    let refusal = Refusal { status: 4, info, code: None, command: None };
                    return refused(Outcome::Refused, &refusal);
                }
                (Outcome::Done, (json, blobs))
            }
            Ok(Response::Refused(refusal)) => refused(Outcome::Refused, &refusal),
            // Another server that is away, say: the client is to try again, and not to take it for what
            // was said of its request. Of what may have been done nothing of the kind is promised.
            Err(e) if e.is_transient() && e.fate() == Fate::NotApplied => {
                tracing::warn!(error = %e, "the database was not reached");
                (Outcome::Unavailable, (text(&unavailable(&e.to_string())), Vec::new()))
            }
            Err(e) => {
                tracing::error!(error = %e, fate = ?e.fate(), "a request got no answer");
                refused(Outcome::Failed, &Refusal::error(None, e.to_string()))
            }
        }
    }

    /// Who sent a request with this token.
    fn caller(&self, token: Option<&SecretString>) -> Option<Caller> {
        match &self.access {
            Access::Everybody => Some(Caller { name: "everybody".to_owned(), role: Role::User }),
            Access::Accounts(accounts) => accounts.caller(token?),
        }
    }

    /// Answers a request with commands about accounts, which is not mixed with data.
    async fn account(&self, message: &Message) -> (Outcome, Json) {
        let refused = |info: &str| (Outcome::Refused, json!({"status": -1, "info": info}));
        if message.json.len() > MOST_ACCOUNT_BYTES {
            return refused(&format!(
                "a request about users and sessions has {MOST_ACCOUNT_BYTES} bytes at the most"
            ));
        }
        let Ok(commands) = serde_json::from_slice::<Vec<Map<String, Json>>>(&message.json) else {
            return refused("not an array of commands");
        };
        let names: Vec<&String> = commands.iter().flat_map(Map::keys).collect();
        if names.len() != commands.len() || names.iter().any(|name| !is_accounts(name)) {
            return refused("commands about users and sessions stand in a request of their own");
        }
        if names.iter().any(|name| begins_session(name)) {
            let [command] = &commands[..] else {
                return refused("Authenticate and RefreshToken stand in a request of their own");
            };
            let Some((name, body)) = command.iter().next() else {
                return refused("not an array of commands");
            };
            return self.begin_session(name.clone(), body.clone()).await;
        }
        let Access::Accounts(accounts) = &self.access else {
            return refused("this server has no accounts");
        };
        let Some(caller) = self.caller(message.token.as_ref()) else {
            return (Outcome::Unauthenticated, login::not_authenticated());
        };
        let answer =
            self.apart(accounts, move |accounts| accounts.administrate(&caller, &commands));
        judged(answer.await)
    }

    async fn begin_session(&self, name: String, body: Json) -> (Outcome, Json) {
        let Access::Accounts(accounts) = &self.access else {
            return (Outcome::Done, everybodys_session().to_answer(&name));
        };
        let (outcome, answer) = judged(
            self.apart(accounts, move |accounts| accounts.begin_session(&name, &body)).await,
        );
        if outcome == Outcome::Done {
            return (outcome, answer);
        }
        self.metrics.login_failed();
        tracing::warn!("a login failed");
        (outcome, answer)
    }

    /// Runs what may block, and not too much of it at once.
    async fn apart(
        &self,
        accounts: &Arc<Accounts>,
        run: impl FnOnce(&Accounts) -> Json + Send + 'static,
    ) -> Json {
        let _turn = self.logins.acquire().await;
        let accounts = Arc::clone(accounts);
        task::spawn_blocking(move || run(&accounts))
            .await
            .unwrap_or_else(|_| json!({"status": -1, "info": "the server is stopping"}))
    }
}

/// Whether an answer of the accounts is a good one.
fn judged(answer: Json) -> (Outcome, Json) {
    let status = match answer.get(0).and_then(Json::as_object) {
        Some(first) => first.values().next().and_then(|body| body["status"].as_i64()),
        None => answer["status"].as_i64().or(Some(0)),
    };
    let outcome = if status == Some(0) { Outcome::Done } else { Outcome::Refused };
    (outcome, answer)
}

/// What a server without accounts answers to any login.
fn everybodys_session() -> Session {
    let day = Duration::from_secs(86_400);
    Session {
        token: "adbs_everybody".into(),
        expires_in: day,
        refresh_token: "adbr_everybody".into(),
        refresh_expires_in: day,
    }
}

fn text(json: &Json) -> Bytes {
    json.to_string().into()
}
