//! The session: one for all connections.

use std::time::{Duration, Instant};

use adb_protocol::{
    Credentials, Message,
    login::{self, AUTHENTICATE, REFRESH, Session},
    secrecy::{ExposeSecret, SecretString},
};
use tokio::sync::Mutex;

use crate::{Error, dial::late, pool::Pool};

/// How long before its end a session is renewed, as the SDK has it.
const AHEAD: Duration = Duration::from_secs(10);

/// Logs in when there is need, and renews what ends.
pub(crate) struct Sessions {
    credentials: Credentials,
    held: Mutex<Option<Held>>,
}

struct Held {
    session: Session,
    since: Instant,
}

impl Held {
    fn is_fresh(&self) -> bool {
        // One that lives no longer than that is used for half its time.
        let lifetime = self.session.expires_in;
        let ahead = AHEAD.min(lifetime / 2);
        self.since.elapsed() < lifetime.saturating_sub(ahead)
    }

    fn can_renew(&self) -> bool {
        self.since.elapsed() < self.session.refresh_expires_in
    }
}

impl Sessions {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, held: Mutex::default() }
    }

    /// A token that is good as far as one can know. Whoever comes while it is being had waits for it.
    pub(crate) async fn token(&self, pool: &Pool) -> Result<SecretString, Error> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.is_fresh()) {
            return Ok(held.session.token.clone());
        }
        let renewable = held.take().filter(Held::can_renew);
        let session = match renewable {
            Some(old) => match renew(pool, &old.session).await {
                Ok(session) => session,
                Err(Error::LogIn { source, .. }) => {
                    tracing::debug!(reason = %source, "the session can't be renewed: logging in");
                    self.log_in(pool).await?
                }
                Err(e) => return Err(e),
            },
            None => self.log_in(pool).await?,
        };
        let token = session.token.clone();
        *held = Some(Held { session, since: Instant::now() });
        Ok(token)
    }

    /// Forgets a token that the server does not take, unless another has taken its place already.
    pub(crate) async fn reject(&self, token: &SecretString) {
        let mut held = self.held.lock().await;
        let same = |held: &Held| held.session.token.expose_secret() == token.expose_secret();
        if held.as_ref().is_some_and(same) {
            *held = None;
        }
    }

    async fn log_in(&self, pool: &Pool) -> Result<Session, Error> {
        begin(pool, AUTHENTICATE, &login::authenticate(&self.credentials), None).await
    }
}

async fn renew(pool: &Pool, old: &Session) -> Result<Session, Error> {
    begin(pool, REFRESH, &login::refresh(&old.refresh_token), Some(old.token.clone())).await
}

async fn begin(
    pool: &Pool,
    command: &str,
    request: &SecretString,
    token: Option<SecretString>,
) -> Result<Session, Error> {
    let json = request.expose_secret().to_owned().into();
    let message = Message { json, blobs: Vec::new(), token };
    let mut lent = pool.lend().await?;
    let target = pool.target();
    let address = target.address();
    let asked = tokio::time::timeout(
        target.connect.max(Duration::from_secs(30)),
        lent.connection.ask(&message, target.message),
    );
    let (json, _) = match asked.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(broken)) => return Err(broken.of_login(address)),
        Err(_) => return Err(Error::Lost { address, source: late() }),
    };
    lent.give_back();
    Session::from_answer(command, &json).map_err(|source| Error::LogIn { address, source })
}
