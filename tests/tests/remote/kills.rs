//! Many clients at once, of a server that is killed (SIGKILL) and comes back: what was acknowledged
//! is there, what was not done is not, and nothing is there twice.
//!
//! `ADB_SERVER_KILLS_SECONDS` says for how long; `.ci/server-kills` runs the long form.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use adb::{DbError, Fate, Request, Response, prelude::*};
use serde_json::{Value as Json, json};

use super::process::{Served, asked, chance};

const CLIENTS: u64 = 12;

/// What a client knows when all is over.
#[derive(Default)]
struct Known {
    /// Groups that were acknowledged, and the last version that was, of each.
    groups: Vec<(u64, u64)>,
    /// Objects without a guard that were acknowledged; those of which it is not known; those of which
    /// it is known that they are not.
    loose: [Vec<u64>; 3],
    /// Deletions that were acknowledged.
    deleted: Vec<u64>,
    /// Requests that got no answer.
    errors: u64,
}

struct Client {
    db: Arc<dyn Database>,
    /// Numbers of its own: no two clients share one.
    number: u64,
    known: Known,
}

impl Client {
    async fn once(&mut self, commands: Json, blobs: Vec<bytes::Bytes>) -> Result<Json, DbError> {
        match self.db.execute(Request::new(commands.to_string(), blobs)).await {
            Ok(Response::Done { answers, .. }) => Ok(answers.into()),
            Ok(Response::Refused(refusal)) => panic!("{commands}: {refusal}"),
            Err(e) => {
                assert!(e.is_transient(), "{e}");
                self.known.errors += 1;
                Err(e)
            }
        }
    }

    /// Until it is answered: for what may be done twice.
    async fn surely(&mut self, commands: Json, blobs: Vec<bytes::Bytes>) -> Json {
        loop {
            match self.once(commands.clone(), blobs.clone()).await {
                Ok(answers) => return answers,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn next(&mut self) -> u64 {
        self.number += CLIENTS;
        self.number
    }

    /// A whole group, guarded; changed; and looked at.
    async fn group(&mut self) {
        let n = self.next();
        let guard = json!(["$n", "==", n]);
        let add = json!([
            {"AddEntity": {"_ref": 1, "class": "Group", "properties": {"n": n, "version": 0}, "if_not_found": guard}},
            {"AddBlob": {"_ref": 2, "properties": {"n": n}, "if_not_found": guard}},
            {"AddConnection": {"class": "has", "src": 1, "dst": 2, "properties": {"n": n}, "if_not_found": guard}},
        ]);
        let size = 100 + (n as usize * 7919) % 40_000;
        self.surely(add, vec![vec![n as u8; size].into()]).await;
        let mut version = 0;
        for next in 1..=n % 3 {
            let change = json!([{"UpdateEntity": {"with_class": "Group", "constraints": ["$n", "==", n],
                                                  "properties": {"version": next}}}]);
            self.surely(change, vec![]).await;
            version = next;
        }
        let find = json!([{"FindEntity": {"with_class": "Group", "constraints": ["$n", "==", n],
                                          "results": {"list": ["version"]}}}]);
        let found = self.surely(find, vec![]).await;
        assert_eq!(found[0]["FindEntity"]["entities"], json!([{"version": version}]), "group {n}");
        self.known.groups.push((n, version));
    }

    /// Without a guard: sent once, whatever comes of it.
    async fn loose(&mut self) {
        let n = self.next();
        let add = json!([{"AddEntity": {"class": "Loose", "properties": {"n": n}}}]);
        let kind = match self.once(add, vec![]).await {
            Ok(_) => 0,
            Err(e) if e.fate() == Fate::Unknown => 1,
            Err(_) => 2,
        };
        self.known.loose[kind].push(n);
    }

    async fn deleted(&mut self) {
        let n = self.next();
        let guard = json!(["$n", "==", n]);
        let add = json!([{"AddEntity": {"class": "Gone", "properties": {"n": n}, "if_not_found": guard}}]);
        self.surely(add, vec![]).await;
        let delete = json!([{"DeleteEntity": {"with_class": "Gone", "constraints": guard}}]);
        self.surely(delete, vec![]).await;
        self.known.deleted.push(n);
    }

    async fn run(mut self, stop: Arc<AtomicBool>) -> Known {
        for turn in 0_u64.. {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            match turn % 4 {
                0 | 2 => self.group().await,
                1 => self.loose().await,
                _ => self.deleted().await,
            }
        }
        self.known
    }
}

/// The numbers of all objects of a class, sorted, with a field.
async fn there(
    db: &dyn Database,
    command: &str,
    class: Option<&str>,
    field: &str,
) -> Vec<(u64, u64)> {
    let mut body = json!({"results": {"list": ["n", field]}});
    if let Some(class) = class {
        body["with_class"] = json!(class);
    }
    let (answers, _) = adb::ask(db, Request::json(&json!([{ command: body }]))).await.unwrap();
    let body = &answers[0][command];
    let list = body.get("entities").or(body.get("connections")).and_then(Json::as_array);
    let number = |object: &Json, key: &str| object[key].as_u64().unwrap();
    let mut all: Vec<(u64, u64)> =
        list.into_iter().flatten().map(|o| (number(o, "n"), number(o, field))).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_has_lost_nothing_that_it_acknowledged() {
    let seconds = asked("ADB_SERVER_KILLS_SECONDS", 12);
    let dir = tempfile::tempdir().unwrap();
    let mut server = Served::start(dir.path());
    let url = server.url();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client =
                Client { db: adb::connect(&url).unwrap(), number, known: Known::default() };
            tokio::spawn(client.run(Arc::clone(&stop)))
        })
        .collect();

    let end = Instant::now() + Duration::from_secs(seconds);
    let mut kills = 0;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100) + chance(Duration::from_millis(1500))).await;
        tokio::task::block_in_place(|| server.kill_and_restart());
        kills += 1;
    }
    stop.store(true, Ordering::SeqCst);
    let mut known = Known::default();
    for client in clients {
        let one = client.await.unwrap();
        known.groups.extend(one.groups);
        for (all, one) in known.loose.iter_mut().zip(one.loose) {
            all.extend(one);
        }
        known.deleted.extend(one.deleted);
        known.errors += one.errors;
    }

    let db = adb::connect(&url).unwrap();
    known.groups.sort_unstable();
    let numbers: Vec<(u64, u64)> = known.groups.iter().map(|&(n, _)| (n, n)).collect();
    assert_eq!(there(&*db, "FindEntity", Some("Group"), "version").await, known.groups);
    assert_eq!(there(&*db, "FindBlob", None, "n").await, numbers);
    assert_eq!(there(&*db, "FindConnection", Some("has"), "n").await, numbers);

    let loose = there(&*db, "FindEntity", Some("Loose"), "n").await;
    let [sure, perhaps, surely_not] = &known.loose;
    assert!(loose.windows(2).all(|pair| pair[0] != pair[1]), "there twice");
    let has = |n: &u64| loose.binary_search(&(*n, *n)).is_ok();
    assert!(sure.iter().all(has), "acknowledged and lost");
    assert!(!surely_not.iter().any(has), "said not to be done, and done");
    assert!(loose.iter().all(|(n, _)| sure.contains(n) || perhaps.contains(n)));
    assert_eq!(there(&*db, "FindEntity", Some("Gone"), "n").await, []);

    eprintln!(
        "{kills} kills in {seconds} s, {CLIENTS} clients: {} groups, {} objects without a guard, {} \
         deletions acknowledged, {} requests without an answer, of {} of them it was not known \
         whether they were done ({} were): none lost, none twice",
        known.groups.len(),
        sure.len(),
        known.deleted.len(),
        known.errors,
        perhaps.len(),
        perhaps.iter().filter(|n| has(n)).count()
    );
    assert!(kills > 2 && known.groups.len() > 20);
}
