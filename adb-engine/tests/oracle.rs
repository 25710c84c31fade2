//! Random requests, answered by the engine and by the reference database: both must say the same,
//! and hold the same afterwards.
//!
//! `ADB_ORACLE_CASES` says how many sequences of requests, `ADB_ORACLE_SEED` which; a failure
//! prints the shortest sequence that still fails, as far as `ADB_ORACLE_SHRINK` attempts find it.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod oracle {
    pub(crate) mod compare;
    pub(crate) mod requests;
    pub(crate) mod tape;
}

use std::{cell::RefCell, collections::BTreeMap, env, fmt, fmt::Write as _};

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

    /// Asks both; the engine's answers, if it did not refuse, or what differs.
    fn ask(&mut self, drawn: &Drawn) -> Result<Option<Vec<Json>>, String> {
        let request = |id: fn(&(String, String)) -> &String| {
            let ids: Vec<&String> = self.there.iter().map(id).collect();
            let commands = Json::Array(drawn.commands.iter().map(|c| named(c, &ids)).collect());
            Request::new(commands.to_string(), drawn.blobs.clone())
        };
        let (own, other) = (request(|ids| &ids.0), request(|ids| &ids.1));
        writeln!(self.log, "{own:?}").unwrap();
        let engine = self.execute(own.clone())?;
        if !drawn.writes() {
            // On another way, perhaps: what was quick is answered on the caller's thread.
            for _ in 0..2 {
                let again = self.execute(own.clone())?;
                if !is_same(&again, &engine) {
                    return Err(format!(
                        "asked again: {again:?}\nbefore: {engine:?}\nafter:\n{}",
                        self.log
                    ));
                }
            }
        }
        let reference = self.reference.answer(&other);
        if let Response::Refused(refusal) = &engine {
            writeln!(self.log, "refused: {refusal}").unwrap();
        }
        let census = self.census()?;
        let told = |what: String| {
            format!("{what}\nengine: {engine:?}\nreference: {reference:?}\nafter:\n{}", self.log)
        };
        // What is there after it says which ids are the same.
        self.ids.compare(&engine, &reference).map_err(told)?;
        self.ids.compare(&census.0, &census.1).map_err(|what| {
            let (own, other) = &census;
            format!(
                "afterwards, {what}\nengine: {own:?}\nreference: {other:?}\nafter:\n{}",
                self.log
            )
        })?;
        Ok(match engine {
            Response::Done { answers, .. } => Some(answers),
            Response::Refused(_) => None,
        })
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

fn is_same(one: &Response, other: &Response) -> bool {
    match (one, other) {
        (
            Response::Done { answers, blobs },
            Response::Done { answers: other_answers, blobs: other_blobs },
        ) => (answers, blobs) == (other_answers, other_blobs),
        (Response::Refused(one), Response::Refused(other)) => one.to_string() == other.to_string(),
        _ => false,
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

/// What was asked, so that one sees what the test is worth.
#[derive(Default)]
struct Seen {
    asked: u64,
    refused: u64,
    /// By command: how many were answered, how many of them with something that was found, was
    /// there already or was changed.
    commands: BTreeMap<String, (u64, u64)>,
}

impl Seen {
    fn note(&mut self, answers: Option<Vec<Json>>) {
        self.asked += 1;
        let Some(answers) = answers else {
            self.refused += 1;
            return;
        };
        for answer in &answers {
            let (name, body) = answer.as_object().unwrap().iter().next().unwrap();
            let some = ["status", "returned", "count"]
                .into_iter()
                .any(|key| body[key].as_u64().is_some_and(|n| n > 0));
            let entry = self.commands.entry(name.clone()).or_default();
            entry.0 += 1;
            entry.1 += u64::from(some);
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} requests, {} of them refused; commands answered:",
            self.asked, self.refused
        )?;
        for (name, (all, some)) in &self.commands {
            writeln!(f, "  {name}: {all}, {some} with a result")?;
        }
        Ok(())
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn the_engine_answers_as_the_reference_does() {
    let cases = number("ADB_ORACLE_CASES", 25);
    let config = ProptestConfig {
        cases: u32::try_from(cases).unwrap(),
        rng_seed: RngSeed::Fixed(number("ADB_ORACLE_SEED", 1)),
        failure_persistence: None,
        max_shrink_iters: u32::try_from(number("ADB_ORACLE_SHRINK", 1000)).unwrap(),
        ..ProptestConfig::default()
    };
    let tape = prop::collection::vec(any::<u16>(), 0..300);
    let tapes = (prop::collection::vec(any::<u16>(), 0..600), prop::collection::vec(tape, 1..30));
    let seen = RefCell::new(Seen::default());
    let result = TestRunner::new(config).run(&tapes, |(world, tapes)| {
        let mut pair = Pair::new();
        let begun = pair.ask(&beginning(&world)).map_err(TestCaseError::fail)?;
        prop_assert!(begun.is_some(), "nothing about the beginning is wrong:\n{}", pair.log);
        for (i, numbers) in tapes.iter().enumerate() {
            if i == 15 {
                pair.reopen();
            }
            let answers = pair.ask(&draw(numbers)).map_err(TestCaseError::fail)?;
            seen.borrow_mut().note(answers);
        }
        Ok(())
    });
    println!("{}", seen.borrow());
    if let Err(proptest::test_runner::TestError::Fail(reason, _)) = result {
        panic!("{reason}");
    }
    result.unwrap();
}
