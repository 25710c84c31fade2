//! A database that is yet to be made: it is with the first request that writes, so that a command that
//! fails before that leaves no directory behind.

use std::sync::Arc;

use adb::{BoxFuture, Database, DbError, Request, Response, engine::Engine, only_reads};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// A directory that does not exist.
pub(crate) struct Unmade {
    address: String,
    made: OnceCell<Arc<dyn Database>>,
    /// Answers until then, and tries what is to be written first. It goes before its directory does.
    empty: Engine,
    _directory: TempDir,
}

impl Unmade {
    pub(crate) fn at(address: &str) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let empty = Engine::open(directory.path())?;
        Ok(Self {
            address: address.to_owned(),
            made: OnceCell::new(),
            empty,
            _directory: directory,
        })
    }

    async fn make(&self) -> Result<&Arc<dyn Database>, DbError> {
        let make = || async {
            adb::connect(&self.address).map_err(|e| match e {
                adb::ConnectError::Engine(e) => e.into(),
                other => DbError::permanent(other.to_string()),
            })
        };
        self.made.get_or_try_init(make).await
    }
}

impl Database for Unmade {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            if self.made.get().is_none() {
                let tried = self.empty.execute(request.clone()).await;
                // What an empty database refuses a new one does, too.
                if !may_write(&request) || matches!(tried, Ok(Response::Refused(_))) {
                    return tried;
                }
            }
            self.make().await?.execute(request).await
        })
    }
}

/// Whether a request may change something. One that can't be read is refused whoever gets it.
fn may_write(request: &Request) -> bool {
    match serde_json::from_slice(&request.commands) {
        Ok(Json::Array(commands)) => commands.iter().any(writes),
        _ => false,
    }
}

/// Whether a command may change something.
pub(crate) fn writes(command: &Json) -> bool {
    let name = command.as_object().and_then(|object| object.keys().next());
    !name.is_some_and(|name| only_reads(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_write_is_sent_to_a_database_that_can() {
        for (command, wanted) in [
            (json!({"FindImage": {}}), false),
            (json!({"GetSchema": {}}), false),
            (json!({"AddEntity": {}}), true),
            (json!({"Unknown": {}}), true),
            (json!({}), true),
            (json!(3), true),
        ] {
            assert_eq!(writes(&command), wanted, "{command}");
        }
    }

    #[tokio::test]
    async fn it_is_made_with_the_first_request_that_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let db = Unmade::at(path.to_str().unwrap()).unwrap();
        let ask = async |commands: &str| {
            db.execute(Request::new(commands.to_owned(), Vec::new())).await.unwrap()
        };
        assert!(matches!(ask(r#"[{"FindImage": {}}]"#).await, Response::Done { .. }));
        assert!(matches!(ask("nonsense").await, Response::Refused(_)));
        let refused = r#"[{"AddEntity": {"class": "A"}}, {"AddNothing": {}}]"#;
        assert!(matches!(ask(refused).await, Response::Refused(_)));
        assert!(!path.exists());
        ask(r#"[{"AddEntity": {"class": "A"}}]"#).await;
        assert!(path.exists());
        let Response::Done { answers, .. } =
            ask(r#"[{"FindEntity": {"with_class": "A", "results": {"count": true}}}]"#).await
        else {
            panic!("it is there");
        };
        assert_eq!(answers[0]["FindEntity"]["count"], 1);
    }
}
