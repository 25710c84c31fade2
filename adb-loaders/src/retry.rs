//! Trying again what fails for a passing reason, and waiting for a database that is away.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use adb_model::{BoxFuture, Database, DbError, Fate, Request, Response};
use serde_json::json;

use crate::{Progress, Stop};

/// A database that is asked again when it fails for a passing reason, for as long as it takes or
/// is allowed to take.
///
/// For requests that may be applied twice without harm, such as all of the pipeline's, in which
/// every Add is guarded: one whose fate is unknown is sent again as well.
pub(crate) struct Patient {
    inner: Arc<dyn Database>,
    give_up_after: Duration,
    backoff: Duration,
    stop: Stop,
    progress: Arc<Progress>,
    started: Instant,
    /// When an answer came last, in microseconds since the start, and 1; 0: none has come yet.
    answered: AtomicU64,
    /// The same of the first failure since; 0: it answers. Whoever asks a database that was waited
    /// for in vain is not to wait as long once more.
    away_since: AtomicU64,
}

/// A request that got no answer, in the end.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The database is away, or does not let us in: others would fare no better.
    Away(DbError),
    /// The database answers others.
    Alone(DbError),
    /// The run was told to stop, and does not wait any longer.
    Stopped,
    /// It may have been applied, and must not be applied twice.
    InDoubt(DbError),
}

/// So many failures in a row, while the database answers others, are the request's own matter.
const ATTEMPTS_ALONE: u32 = 8;

/// So many attempts are made before the database is asked whether it is there at all.
const ASKED_ONLY: u64 = 2;

/// The longest pause.
const MOST_BACKOFF: Duration = Duration::from_secs(30);

/// How long a database is waited for that has not answered yet: it may have been named wrongly.
const AT_FIRST: Duration = Duration::from_secs(30);

/// How often it is seen whether the run was told to stop.
const LOOK_UP: Duration = Duration::from_millis(100);

impl Patient {
    pub(crate) fn new(
        inner: Arc<dyn Database>,
        (give_up_after, backoff): (Duration, Duration),
        stop: Stop,
        progress: Arc<Progress>,
    ) -> Self {
        let started = Instant::now();
        let (answered, away_since) = Default::default();
        Self { inner, give_up_after, backoff, stop, progress, started, answered, away_since }
    }

    /// Runs a request, and tells a fault of its own from one of the database.
    pub(crate) async fn ask(&self, request: Request) -> Result<Response, Unanswered> {
        self.ask_as(request, true).await
    }

    /// The same for a request that may not be `repeatable`: then it is not sent again once it may
    /// have been applied.
    pub(crate) async fn ask_as(
        &self,
        request: Request,
        repeatable: bool,
    ) -> Result<Response, Unanswered> {
        let mut pause = self.backoff;
        // When it failed last.
        let mut failed: Option<u64> = None;
        // Attempts that failed in a row while the database answered others.
        let mut alone = 0;
        for attempt in 1_u64.. {
            let e = match self.inner.execute(request.clone()).await {
                Ok(response) => {
                    self.note_answer();
                    return Ok(response);
                }
                Err(e) if !repeatable && e.fate() == Fate::Unknown => {
                    return Err(Unanswered::InDoubt(e));
                }
                Err(e) if e.is_transient() => e,
                Err(e) => {
                    return Err(match self.is_there().await {
                        true => Unanswered::Alone(e),
                        false => Unanswered::Away(e),
                    });
                }
            };
            let now = self.now();
            let last = failed.replace(now).unwrap_or(now);
            let answers_others = self.answered.load(Ordering::Relaxed) > last
                || (attempt > ASKED_ONLY && self.is_there().await);
            alone = if answers_others { alone + 1 } else { 0 };
            if alone >= ATTEMPTS_ALONE {
                return Err(Unanswered::Alone(e));
            }
            if self.stop.is_stopped() {
                return Err(Unanswered::Stopped);
            }
            let left = self.patience().saturating_sub(self.note_failure(answers_others));
            if left.is_zero() {
                return Err(Unanswered::Away(e));
            }
            let wait = e.retry_after().unwrap_or_else(|| jittered(pause)).min(left);
            tracing::warn!(error = %e, attempt, ?wait, "the database failed; trying again");
            if !answers_others {
                self.progress.database_is_away(&e);
            }
            self.sleep(wait).await;
            pause = (pause * 2).min(MOST_BACKOFF);
        }
        Err(Unanswered::Away(DbError::permanent("no attempt was left")))
    }

    /// Whether it answers at all.
    async fn is_there(&self) -> bool {
        let ping = Request::json(&json!([{"GetStatus": {}}]));
        self.inner.execute(ping).await.is_ok()
    }

    fn patience(&self) -> Duration {
        match self.answered.load(Ordering::Relaxed) {
            0 => self.give_up_after.min(AT_FIRST),
            _ => self.give_up_after,
        }
    }

    /// Notes that it failed to answer, and says for how long it has: no time at all if it answers
    /// others.
    fn note_failure(&self, answers_others: bool) -> Duration {
        let now = self.now();
        if answers_others {
            self.away_since.store(0, Ordering::Relaxed);
            return Duration::ZERO;
        }
        let (order, known) = (Ordering::Relaxed, &self.away_since);
        let since = known.compare_exchange(0, now, order, order).map_or_else(|at| at, |_| now);
        Duration::from_micros(now.saturating_sub(since))
    }

    fn note_answer(&self) {
        self.answered.store(self.now(), Ordering::Relaxed);
        self.away_since.store(0, Ordering::Relaxed);
        self.progress.database_is_back();
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Ends early when the run is told to stop.
    async fn sleep(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while !self.stop.is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(LOOK_UP)).await;
        }
    }
}

impl Database for Patient {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            self.ask(request).await.map_err(|e| match e {
                Unanswered::Away(e) | Unanswered::Alone(e) | Unanswered::InDoubt(e) => e,
                Unanswered::Stopped => DbError::transient(STOPPED),
            })
        })
    }
}

/// Why a request was not tried again.
const STOPPED: &str = "the run was told to stop while the database did not answer";

/// Between a half and the whole, so that writers that failed together don't return together. The
/// standard library's hasher keys are random enough for that, and for ids of runs.
pub(crate) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + (random() % 1024) as f64 / 2048.0)
}

/// A number that another process is unlikely to have as well.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers until it is told to go away.
    #[derive(Default)]
    struct Leaving {
        gone: std::sync::atomic::AtomicBool,
        asked: AtomicU64,
    }

    impl Database for Leaving {
        fn execute(&self, _: Request) -> BoxFuture<'_, Result<Response, DbError>> {
            Box::pin(async move {
                self.asked.fetch_add(1, Ordering::Relaxed);
                match self.gone.load(Ordering::Relaxed) {
                    true => Err(DbError::transient("gone")),
                    false => Ok(Response::Done { answers: Vec::new(), blobs: Vec::new() }),
                }
            })
        }
    }

    #[tokio::test]
    async fn who_asks_after_it_was_waited_for_in_vain_does_not_wait_as_long_again() {
        let db = Arc::new(Leaving::default());
        let waits = (Duration::from_millis(50), Duration::from_millis(1));
        let patient = Patient::new(db.clone(), waits, Stop::default(), Arc::default());
        let ask = || patient.ask(Request::json(&json!([])));
        ask().await.unwrap();
        db.gone.store(true, Ordering::Relaxed);
        assert!(matches!(ask().await, Err(Unanswered::Away(_))));
        let before = db.asked.load(Ordering::Relaxed);
        assert!(before > 3, "it was tried again: {before}");
        assert!(matches!(ask().await, Err(Unanswered::Away(_))));
        assert_eq!(db.asked.load(Ordering::Relaxed), before + 1, "once, since it may be back");
        // It is back, and is waited for when it goes again.
        db.gone.store(false, Ordering::Relaxed);
        ask().await.unwrap();
        db.gone.store(true, Ordering::Relaxed);
        assert!(matches!(ask().await, Err(Unanswered::Away(_))));
        assert!(db.asked.load(Ordering::Relaxed) > before + 5);
    }
}
