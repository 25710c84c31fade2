//! Trying again what fails for a passing reason.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::Arc,
    time::Duration,
};

use adb_model::{BoxFuture, Database, DbError, Request, Response};

/// A database that is asked again when it fails for a passing reason.
///
/// For requests that may be applied twice without harm, such as all of the pipeline's, in which
/// every Add is guarded: one whose fate is unknown is sent again as well.
pub(crate) struct Retrying {
    pub(crate) inner: Arc<dyn Database>,
    /// Attempts in all.
    pub(crate) attempts: u32,
    /// Pause after the first failure; it doubles each time, up to 30 s.
    pub(crate) backoff: Duration,
}

impl Database for Retrying {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            let mut pause = self.backoff;
            for attempt in 1.. {
                match self.inner.execute(request.clone()).await {
                    Err(e) if e.is_transient() && attempt < self.attempts => {
                        let wait = e.retry_after().unwrap_or_else(|| jittered(pause));
                        tracing::warn!(error = %e, attempt, ?wait, "the database failed; trying again");
                        tokio::time::sleep(wait).await;
                        pause = (pause * 2).min(Duration::from_secs(30));
                    }
                    ended => return ended,
                }
            }
            Err(DbError::permanent("no attempt was allowed"))
        })
    }
}

/// Between a half and the whole, so that writers that failed together don't return together. The
/// standard library's hasher keys are random enough for that.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    pause.mul_f64(0.5 + (random % 1024) as f64 / 2048.0)
}
