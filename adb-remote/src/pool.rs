//! Connections that are kept, and how many there may be.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Error, connection::Connection, dial::Target};

/// Connections to one server.
pub(crate) struct Pool {
    target: Target,
    idle: Mutex<Vec<(Connection, Instant)>>,
    permits: Semaphore,
    keep: Duration,
}

/// A connection for one request. Dropped, it is closed; given back, it is kept.
pub(crate) struct Lent<'a> {
    pub connection: Connection,
    pool: &'a Pool,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Pool {
    pub(crate) fn new(target: Target, most: usize, keep: Duration) -> Self {
        let permits = Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS));
        Self { target, idle: Mutex::default(), permits, keep }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// A kept connection that still lives, or a new one; waits while there are too many.
    pub(crate) async fn lend(&self) -> Result<Lent<'_>, Error> {
        // Never closed.
        let permit = self.permits.acquire().await.ok();
        let connection = match self.kept() {
            Some(connection) => connection,
            None => Connection::open(&self.target).await?,
        };
        Ok(Lent { connection, pool: self, _permit: permit })
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The last one given back is the likeliest to live.
        while let Some((connection, since)) = idle.pop() {
            if since.elapsed() < self.keep && connection.is_alive() {
                return Some(connection);
            }
        }
        None
    }
}

impl Lent<'_> {
    /// Keeps the connection for the next request.
    pub(crate) fn give_back(self) {
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((self.connection, Instant::now()));
    }
}
