//! Which objects a Find is about, but for nearness, as conditions in SQL.

use std::sync::Arc;

use crate::{
    request::{
        fault::Fail,
        find::Select,
        kind::Kind,
        part::{Span, Unit},
    },
    store::{
        catalog::Class,
        system::{FRAME_FRACTION, FRAME_MICROS, FRAME_NUMBER},
    },
};

use super::{
    Run,
    connected::Reached,
    filter::{Condition, Param},
    select::Selection,
};

/// Whether descriptors of other sets than the one that a Find names are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sets {
    Named,
    /// Whoever asks does so himself.
    Any,
}

impl Run<'_> {
    /// The objects that fulfil everything but nearness; of those `among`, if there are any given.
    pub(super) fn selection(
        &self,
        kind: Kind,
        select: &Select,
        sets: Sets,
        reached: Option<&Reached>,
        among: Option<&[i64]>,
    ) -> Result<Selection, Fail> {
        let mut selection = Selection::default();
        let mut shared = self.conditions(kind, select, sets)?;
        if let Some(reached) = reached {
            shared.push(Condition::among("id", reached.targets()));
        }
        if let Some(ids) = among {
            shared.push(Condition::among("id", ids.iter().copied()));
        }
        for class in self.classes(kind, select) {
            selection.push(
                &self.store.conn,
                &class,
                select.constraints.as_ref(),
                shared.clone(),
            )?;
        }
        Ok(selection)
    }

    /// Those of a few rows for which everything holds but nearness and connections; both in ascending
    /// order.
    pub(super) fn rows_of(
        &self,
        kind: Kind,
        select: &Select,
        sets: Sets,
        ids: &[i64],
    ) -> Result<Vec<i64>, Fail> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut selection = Selection::default();
        let conditions = self.conditions(kind, select, sets)?;
        for class in self.classes(kind, select) {
            let constraints = select.constraints.as_ref();
            selection.push_unweighed(&class, constraints, conditions.clone());
        }
        selection.of(&self.store.conn, ids)
    }

    /// The classes that a Find looks into.
    fn classes(&self, kind: Kind, select: &Select) -> Vec<Arc<Class>> {
        let catalog = &self.store.catalog;
        let target = kind.target();
        match kind.traits().class.or(select.with_class.as_deref()) {
            Some(name) => catalog.class(target, name).into_iter().cloned().collect(),
            None => catalog.classes(target).cloned().collect(),
        }
    }

    /// What a Find asks for beside constraints, connections and nearness.
    fn conditions(&self, kind: Kind, select: &Select, sets: Sets) -> Result<Vec<Condition>, Fail> {
        let mut conditions = Vec::new();
        let text = |text: &str| Param::Value(text.to_owned().into());
        if let Some(name) = &select.with_name {
            conditions.push(Condition::new("name = ?", [text(name)]));
        }
        if let Some(label) = &select.with_label {
            conditions.push(Condition::new("label = ?", [text(label)]));
        }
        if let (Some(set), Sets::Named) = (&select.set, sets) {
            let set = self.set(set)?;
            conditions.push(Condition::is("set_id", set.id));
        }
        if let Some(reference) = select.within {
            let containers = self.refs.ends(reference)?;
            conditions.push(Condition::among("container", containers.objects.iter().map(|o| o.id)));
        }
        if let Some(rectangle) = &select.in_rectangle {
            let [x, y, width, height] = rectangle.extent();
            let bounds = [x, y, x + width, y + height].map(|n| Param::Value(n.into()));
            conditions.push(Condition::new(
                "(x >= ? AND y >= ? AND x + width <= ? AND y + height <= ?)",
                bounds,
            ));
        }
        if let Some(span) = &select.in_span {
            conditions.push(in_span(kind, span));
        }
        if let Some(url) = &select.with_url {
            conditions.push(Condition::new("url = ?", [text(url)]));
        }
        for (end, reference) in [("src", select.src), ("dst", select.dst)] {
            if let Some(reference) = reference {
                let ends = self.refs.ends(reference)?;
                conditions.push(Condition::among(end, ends.objects.iter().map(|o| o.id)));
            }
        }
        Ok(conditions)
    }
}

/// Clips and frames that lie wholly in a stretch.
fn in_span(kind: Kind, span: &Span) -> Condition {
    let ends = [Param::Value(span.start.clone()), Param::Value(span.stop.clone())];
    if kind == Kind::Frame {
        let position = match span.unit {
            Unit::Frames => FRAME_NUMBER,
            Unit::Offset => FRAME_MICROS,
            Unit::Fraction => FRAME_FRACTION,
        };
        return Condition::new(format!("({position} BETWEEN ? AND ?)"), ends);
    }
    let unit = span.unit.number();
    Condition::new(format!("(range_type = {unit} AND range_start >= ? AND range_stop <= ?)"), ends)
}
