//! An ingestion that its user watches.

use std::sync::Arc;

use adb::loaders::{Ingest, Progress, terminal::Bar};

use crate::out;

/// Runs an ingestion under a bar, if there is to be one: with `-q` there is none.
pub(crate) async fn watched<T>(
    ingest: Ingest,
    with_bar: bool,
    run: impl AsyncFnOnce(Ingest) -> T,
) -> T {
    let progress = Arc::new(Progress::default());
    let bar = (with_bar && !out::is_quiet()).then(|| Bar::start(progress.clone()));
    let done = run(ingest.progress(progress)).await;
    drop(bar);
    done
}
