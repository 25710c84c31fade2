//! The database that is somewhere else.

use std::{fmt, time::Duration};

use adb_model::{BoxFuture, Database, DbError, Fate, Refusal, Request, Response};
use adb_protocol::{Configuration, Message, config, frame, login, why_unavailable};
use serde_json::Value as Json;
use tokio::time::{sleep, timeout};

use crate::{Error, Machine, dial::Target, pool::Pool, session::Sessions, shape::Shape, tls};

/// How a client behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Connections at once; more requests than that wait.
    pub connections: usize,
    /// How long a connection is kept without a request. Servers close silent ones after ten minutes
    /// or more.
    pub keep: Duration,
    /// How long connecting, the hello and TLS may take, each.
    pub connect: Duration,
    /// How long an answer may take; none waits for ever. What is not answered in time may have been
    /// done.
    pub answer: Option<Duration>,
    /// Bytes of a message, in either direction.
    pub message: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 16,
            keep: Duration::from_secs(300),
            connect: Duration::from_secs(10),
            answer: Some(Duration::from_secs(600)),
            message: frame::DEFAULT_LIMIT,
        }
    }
}

/// The longest wait that a server may ask for; whoever asks for more is not asked again here, and the
/// error says when.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A server, reached over the wire protocol or over REST.
pub struct Remote {
    pool: Pool,
    sessions: Sessions,
    answer: Option<Duration>,
    attempts: u32,
    pause: Duration,
    shown: String,
}

/// Where it leads, without a secret.
impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.shown).finish()
    }
}

impl Remote {
    /// A client for a configuration. Nobody is asked yet.
    ///
    /// # Errors
    /// When the configuration has no credentials, or its certificates can't be read.
    pub fn new(configuration: &Configuration, options: Options) -> Result<Self, Error> {
        let target = Target {
            host: configuration.host.clone(),
            port: configuration.port,
            rest: configuration.use_rest,
            keep_alive: configuration.use_keepalive,
            tls: tls::connector(&configuration.tls(), &configuration.to_string())?,
            connect: options.connect,
            message: options.message,
        };
        let attempts = match configuration.retry_max_attempts {
            0 => u32::MAX,
            attempts => attempts,
        };
        Ok(Self {
            pool: Pool::new(target, options.connections, options.keep),
            sessions: Sessions::new(configuration.credentials()?),
            answer: options.answer,
            attempts,
            // `Configuration` lets through no number that this can't be.
            pause: Duration::try_from_secs_f64(configuration.retry_interval_seconds)
                .unwrap_or(Duration::from_secs(1)),
            shown: configuration.to_string(),
        })
    }

    /// A client for the configuration of that name, or for the one that the Python SDK would take
    /// here: from `APERTUREDB_KEY`, `APERTUREDB_JSON`, `.env`, `APERTUREDB_CONFIG`, or the active one
    /// of its files. None if there is none.
    ///
    /// # Errors
    /// As [`config::find`] and [`Remote::new`].
    pub fn find(name: Option<&str>, options: Options) -> Result<Option<Self>, Error> {
        let Some(found) = config::find(name, &Machine)? else { return Ok(None) };
        tracing::debug!(origin = %found.origin, server = %found.configuration, "configuration");
        Self::new(&found.configuration, options).map(Some)
    }

    /// Sends a request until there is an answer, as often as the configuration allows, where that can
    /// do nothing twice.
    async fn ask(&self, request: Request) -> Result<Response, DbError> {
        let shape = Shape::of(&request.commands);
        let mut message = Message { json: request.commands, blobs: request.blobs, token: None };
        let mut attempt = 1;
        let mut renewed = false;
        // Once it may have been done, no later failure makes it undone.
        let mut fate = Fate::NotApplied;
        loop {
            let error = match self.once(&mut message).await {
                // The server promises that nothing was done.
                Ok(answer) if login::is_not_authenticated(&answer.0) => {
                    if let Some(token) = &message.token {
                        self.sessions.reject(token).await;
                    }
                    if !renewed {
                        renewed = true;
                        continue;
                    }
                    Error::NoSession { address: self.pool.target().address() }
                }
                Ok((json, blobs)) => match why_unavailable(&json) {
                    None => return self.understood(json, blobs, shape.as_ref()),
                    Some(told) => {
                        let (address, told) = (self.pool.target().address(), told.to_owned());
                        Error::Unavailable { address, told }
                    }
                },
                Err(error) => error,
            };
            if error.fate() == Fate::Unknown {
                fate = Fate::Unknown;
            }
            let repeatable =
                fate == Fate::NotApplied || shape.as_ref().is_some_and(Shape::is_repeatable);
            let pause = error.retry_after().map_or(self.pause, |after| after.max(self.pause));
            let patient = pause <= LONGEST_PAUSE.max(self.pause);
            if !error.is_transient() || !repeatable || !patient || attempt >= self.attempts {
                return Err(DbError::from(error).with_fate(fate));
            }
            tracing::warn!(error = %error, attempt, "trying again");
            attempt += 1;
            sleep(pause).await;
        }
    }

    async fn once(&self, message: &mut Message) -> Result<(Json, Vec<bytes::Bytes>), Error> {
        message.token = Some(self.sessions.token(&self.pool).await?);
        let mut lent = self.pool.lend().await?;
        let target = self.pool.target();
        let address = || target.address();
        let asked = lent.connection.ask(message, target.message);
        let answered = match self.answer {
            None => asked.await,
            Some(limit) => match timeout(limit, asked).await {
                Ok(answered) => answered,
                Err(_) => return Err(Error::Late { address: address(), limit }),
            },
        };
        let answer = answered.map_err(|broken| broken.of_request(address()))?;
        lent.give_back();
        Ok(answer)
    }

    fn understood(
        &self,
        json: Json,
        blobs: Vec<bytes::Bytes>,
        shape: Option<&Shape>,
    ) -> Result<Response, DbError> {
        let misfit = |fault: String| {
            DbError::from(Error::Misfit { address: self.pool.target().address(), fault })
        };
        match json {
            Json::Array(answers) => match shape {
                Some(shape) if shape.len() != answers.len() => {
                    let (asked, got) = (shape.len(), answers.len());
                    Err(misfit(format!("{got} answers to {asked} commands")))
                }
                _ => Ok(Response::Done { answers, blobs }),
            },
            Json::Object(object) => {
                let text = |key: &str| object.get(key).and_then(Json::as_str).map(str::to_owned);
                let Some(status) = object.get("status").and_then(Json::as_i64) else {
                    return Err(misfit("an object without a status".to_owned()));
                };
                let info = text("info").unwrap_or_else(|| "the server gives no reason".to_owned());
                Ok(Response::Refused(Refusal { status, info, code: text("code"), command: None }))
            }
            _ => Err(misfit("neither an array nor an object".to_owned())),
        }
    }
}

impl Database for Remote {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(self.ask(request))
    }
}
