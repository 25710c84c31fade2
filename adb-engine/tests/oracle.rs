//! Random requests, answered by the engine and by the reference database: both must say the same,
//! and hold the same afterwards.
//!
//! `ADB_ORACLE_CASES` says how many sequences of requests, `ADB_ORACLE_SEED` which; a failure
//! prints the shortest sequence that still fails.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail by panicking")]

mod oracle {
    pub(crate) mod compare;
    pub(crate) mod requests;
    pub(crate) mod tape;
}

use std::{cell::Cell, env, fmt::Write as _};

use adb_engine::Engine;
use adb_model::{Database, Request, Response};
use adb_oracle::Reference;
use oracle::{
    compare::Ids,
    requests::{Drawn, beginning, draw},
};
use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};
use serde_json::{Value as Json, json};

/// Both databases, and which objects are the same.
struct Pair {
    runtime: tokio::runtime::Runtime,
    engine: Option<Engine>,
    dir: tempfile::TempDir,
    reference: Reference,
    ids: Ids,
    /// Ids of all that is there: the engine's, the reference's.
    there: Vec<(String, String)>,
    /// What was asked so far.
    log: String,
}

impl Pair {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            engine: Some(open(dir.path())),
            dir,
            reference: Reference::new(),
            ids: Ids::default(),
            there: Vec::new(),
            log: String::new(),
        }
    }

    fn reopen(&mut self) {
        self.engine = None;
        self.engine = Some(open(self.dir.path()));
        self.log.push_str("closed and opened\n");
    }

    /// Asks both; says whether they did it, or what differs.
    fn ask(&mut self, drawn: &Drawn) -> Result<bool, String> {
        let request = |id: fn(&(String, String)) -> &String| {
            let ids: Vec<&String> = self.there.iter().map(id).collect();
            let commands = Json::Array(drawn.commands.iter().map(|c| named(c, &ids)).collect());
            Request::new(commands.to_string(), drawn.blobs.clone())
        };
        let (own, other) = (request(|ids| &ids.0), request(|ids| &ids.1));
        writeln!(self.log, "{own:?}").unwrap();
        let engine = self.execute(own)?;
        let reference = self.reference.answer(&other);
        let census = self.census()?;
        let told = |what: String| {
            format!("{what}\nengine: {engine:?}\nreference: {reference:?}\nafter:\n{}", self.log)
        };
        // What is there after it says which ids are the same.
        self.ids.compare(&engine, &reference).map_err(told)?;
        let (engine, reference) = census;
        self.ids.compare(&engine, &reference).map_err(|what| {
            format!("afterwards, {what}\nengine: {engine:?}\nreference: {reference:?}\nafter:\n{}", self.log)
        })?;
        Ok(matches!(engine, Response::Done { .. }))
    }

    fn execute(&self, request: Request) -> Result<Response, String> {
        let engine = self.engine.as_ref().unwrap();
        let answer = self.runtime.block_on(engine.execute(request));
        answer.map_err(|e| format!("the engine failed: {e}\nafter:\n{}", self.log))
    }

    /// Everything that is there, in both.
    fn census(&mut self) -> Result<(Response, Response), String> {
        let all = json!({"all_properties": true});
        let request = Request::json(&json!([
            {"FindEntity": {"results": all}},
            {"FindConnection": {"results": {"all_properties": true, "list": ["_src", "_dst"]}}},
            {"FindImage": {"blobs": true}},
            {"FindBlob": {"blobs": true}},
            {"FindVideo": {"blobs": true}},
            {"FindDescriptor": {"blobs": true, "labels": true}},
            {"FindBoundingBox": {"coordinates": true}},
            {"FindPolygon": {"vertices": true, "bounds": true}},
            {"GetSchema": {}},
            {"GetIndexes": {}},
        ]));
        let engine = self.execute(request.clone())?;
        let reference = self.reference.answer(&request);
        self.there.clear();
        for (command, key) in [(0, "entities"), (1, "connections")] {
            let (of_engine, of_reference) =
                (listed(&engine, command, key), listed(&reference, command, key));
            for (own, other) in of_engine.into_iter().zip(of_reference) {
                if !self.ids.pair(&own, &other) {
                    return Err(format!("{own} is {other} no more\nafter:\n{}", self.log));
                }
                self.there.push((own, other));
            }
        }
        Ok((engine, reference))
    }
}

/// Without syncs: this is not about power failures.
fn open(path: &std::path::Path) -> Engine {
    Engine::options().without_sync().readers(std::num::NonZero::<usize>::MIN).open(path).unwrap()
}

fn listed(response: &Response, command: usize, key: &str) -> Vec<String> {
    let Response::Done { answers, .. } = response else { return Vec::new() };
    let body = answers[command].as_object().unwrap().values().next().unwrap();
    let all = body.get(key).and_then(Json::as_array).map_or(&[][..], |all| all);
    all.iter().map(|object| object["_uniqueid"].as_str().unwrap().to_owned()).collect()
}

/// The same with `@3` replaced by the fourth id.
fn named(json: &Json, ids: &[&String]) -> Json {
    match json {
        Json::String(text) => match text.strip_prefix('@').and_then(|n| n.parse::<usize>().ok()) {
            Some(_) if ids.is_empty() => json!("0.0.0"),
            Some(n) => json!(ids[n % ids.len()]),
            None => json.clone(),
        },
        Json::Array(all) => Json::Array(all.iter().map(|json| named(json, ids)).collect()),
        Json::Object(object) => {
            Json::Object(object.iter().map(|(k, v)| (k.clone(), named(v, ids))).collect())
        }
        plain => plain.clone(),
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn the_engine_answers_as_the_reference_does() {
    let cases = number("ADB_ORACLE_CASES", 150);
    let config = ProptestConfig {
        cases: u32::try_from(cases).unwrap(),
        rng_seed: RngSeed::Fixed(number("ADB_ORACLE_SEED", 1)),
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    };
    let tape = prop::collection::vec(any::<u16>(), 0..120);
    let tapes = prop::collection::vec(tape, 1..16);
    let (asked, done) = (Cell::new(0_u64), Cell::new(0_u64));
    let result = TestRunner::new(config).run(&tapes, |tapes| {
        let mut pair = Pair::new();
        pair.ask(&beginning()).map_err(TestCaseError::fail)?;
        for (i, numbers) in tapes.iter().enumerate() {
            if i == 7 {
                pair.reopen();
            }
            asked.set(asked.get() + 1);
            let did = pair.ask(&draw(numbers)).map_err(TestCaseError::fail)?;
            done.set(done.get() + u64::from(did));
        }
        Ok(())
    });
    println!("{} requests asked, {} of them done", asked.get(), done.get());
    if let Err(proptest::test_runner::TestError::Fail(reason, _)) = result {
        panic!("{reason}");
    }
    result.unwrap();
}
