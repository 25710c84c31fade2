//! A declaration of a descriptor set, on a type of its own or inside `embed(…)`.

use syn::{LitStr, Type};

use crate::{
    attr::Item,
    ctxt::Ctxt,
    given::{self, Given, keep},
    names::{self, ENGINE_SYNONYMS, ENGINES, METRIC_SYNONYMS, METRICS},
};

/// The keys of a declaration, as written.
#[derive(Default)]
pub(crate) struct WrittenSet {
    pub(crate) name: Option<Given<LitStr>>,
    pub(crate) embedder: Option<Given<Type>>,
    pub(crate) metric: Option<Given<&'static str>>,
    pub(crate) engine: Option<Given<&'static str>>,
}

/// A declaration that holds.
pub(crate) struct SetDeclaration {
    pub(crate) name: String,
    pub(crate) embedder: Type,
    /// A variant of `adb::Metric`.
    pub(crate) metric: &'static str,
    /// A variant of `adb::Engine`.
    pub(crate) engine: &'static str,
}

/// Embedders of pictures and text are trained for cosine similarity.
const DEFAULT_METRIC: &str = "Cosine";
/// Stays fast when a set grows; a small one is scanned exactly all the same.
const DEFAULT_ENGINE: &str = "Hnsw";

impl WrittenSet {
    pub(crate) fn read_metric(&mut self, cx: &Ctxt, item: Item) {
        keep(cx, &mut self.metric, given::choice(cx, item, METRICS, METRIC_SYNONYMS));
    }

    pub(crate) fn read_engine(&mut self, cx: &Ctxt, item: Item) {
        keep(cx, &mut self.engine, given::choice(cx, item, ENGINES, ENGINE_SYNONYMS));
    }

    /// The declaration; nothing when a part is missing or its name is none, which `missing` and
    /// the name's rule have reported.
    pub(crate) fn declaration(&self, cx: &Ctxt) -> Option<SetDeclaration> {
        let name = self.name.as_ref()?;
        if let Some(fault) = names::name_fault(&name.value.value()) {
            cx.error(&name.value, format_args!("the set's name {fault}"));
            return None;
        }
        Some(SetDeclaration {
            name: name.value.value(),
            embedder: self.embedder.as_ref()?.value.clone(),
            metric: self.metric.as_ref().map_or(DEFAULT_METRIC, |m| m.value),
            engine: self.engine.as_ref().map_or(DEFAULT_ENGINE, |e| e.value),
        })
    }
}
