//! A program that uses the engine.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use adb_engine::{Engine, ExactScan};
use adb_model::{Request, ask};
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::ValueEnum;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

/// One thread that asks and waits. A clone is another one of the same database.
pub(crate) struct Client {
    engine: Arc<Engine>,
    runtime: Runtime,
}

/// How a descriptor set is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Index {
    /// All vectors are compared.
    Flat,
    /// Through a graph, which is built in the background.
    Hnsw,
}

impl Index {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flat => "Flat",
            Self::Hnsw => "HNSW",
        }
    }
}

impl Client {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::of(Arc::new(Engine::open(path)?))
    }

    /// Opens it to compare vectors as they are, not in bfloat16 first.
    pub(crate) fn open_full(path: &Path) -> anyhow::Result<Self> {
        Self::of(Arc::new(Engine::options().exact_scan(ExactScan::Full).open(path)?))
    }

    fn of(engine: Arc<Engine>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { engine, runtime })
    }

    pub(crate) fn another(&self) -> anyhow::Result<Self> {
        Self::of(self.engine.clone())
    }

    /// Asks, and takes nothing but status 0.
    pub(crate) fn ask(&self, request: Request) -> anyhow::Result<(Vec<Json>, Vec<Bytes>)> {
        let (answers, blobs) = self.runtime.block_on(ask(&*self.engine, request))?;
        for answer in &answers {
            let mut results = answer.as_object().into_iter().flatten();
            ensure!(results.all(|(_, result)| result["status"] == 0), "unexpected: {answer}");
        }
        Ok((answers, blobs))
    }

    /// The same, and how long it took.
    pub(crate) fn time(
        &self,
        request: Request,
    ) -> anyhow::Result<(Duration, Vec<Json>, Vec<Bytes>)> {
        let start = Instant::now();
        let (answers, blobs) = self.runtime.block_on(ask(&*self.engine, request))?;
        Ok((start.elapsed(), answers, blobs))
    }

    /// Adds a descriptor set. With a graph, the set can be searched exactly too.
    pub(crate) fn add_set(
        &self,
        name: &str,
        dimensions: usize,
        index: Index,
    ) -> anyhow::Result<()> {
        let engines = match index {
            Index::Flat => json!(["Flat"]),
            Index::Hnsw => json!(["HNSW", "Flat"]),
        };
        self.ask(Request::json(&json!([{"AddDescriptorSet": {
            "name": name, "dimensions": dimensions, "metric": "CS", "engine": engines,
        }}])))?;
        Ok(())
    }

    pub(crate) fn add_index(&self, kind: &str, class: &str, property: &str) -> anyhow::Result<()> {
        self.ask(Request::json(&json!([{"CreateIndex": {
            "index_type": kind, "class": class, "property_key": property,
        }}])))?;
        Ok(())
    }

    /// Waits until what has been committed is in the indexes of its sets.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(self.engine.settle_indexes())?)
    }
}

/// The numbers of the rows that a search answered, in its order. Rows bear them as `row`.
pub(crate) fn rows(found: &Json) -> anyhow::Result<Vec<u32>> {
    let entities = found["entities"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |entity: &Json| {
        let row = entity["row"].as_u64().and_then(|row| u32::try_from(row).ok());
        row.with_context(|| format!("an answer without its row: {entity}"))
    };
    entities.iter().map(row).collect()
}
