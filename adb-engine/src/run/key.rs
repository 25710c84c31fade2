//! What tells one filter from others: all that decides which rows it lets through, as bytes.
//!
//! Two filters of one database state have the same bytes only if they let the same rows through.
//! Every part has a tag or a length, so that no part reads as the beginning of another.

use rusqlite::types::Value as Sql;

use crate::{
    request::{
        constraint::{Expr, Operand},
        fault::Fail,
        find::{Select, Step},
        kind::Kind,
    },
    store::value::Typed,
};

use super::Run;

#[derive(Debug, Default)]
pub(super) struct Key(Vec<u8>);

impl Key {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn number(&mut self, n: i64) {
        self.0.extend(n.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        self.0.extend((length as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend(text.as_bytes());
    }

    fn option<T>(&mut self, option: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.tag(option.is_some().into());
        if let Some(some) = option {
            write(self, some);
        }
    }

    pub(super) fn ids(&mut self, ids: &[i64]) {
        self.length(ids.len());
        for id in ids {
            self.number(*id);
        }
    }

    fn sql(&mut self, value: &Sql) {
        match value {
            Sql::Null => self.tag(0),
            Sql::Integer(n) => {
                self.tag(1);
                self.number(*n);
            }
            Sql::Real(x) => {
                self.tag(2);
                self.number(x.to_bits().cast_signed());
            }
            Sql::Text(text) => {
                self.tag(3);
                self.text(text);
            }
            Sql::Blob(bytes) => {
                self.tag(4);
                self.length(bytes.len());
                self.0.extend(bytes);
            }
        }
    }

    fn typed(&mut self, Typed { kind, value }: &Typed) {
        self.tag(*kind as u8);
        self.sql(value);
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::All(terms) | Expr::Any(terms) => {
                self.tag(matches!(expr, Expr::Any(_)).into());
                self.length(terms.len());
                terms.iter().for_each(|term| self.expr(term));
            }
            Expr::Compare { property, op, operand } => {
                self.tag(2);
                self.text(property);
                self.tag(*op as u8);
                match operand {
                    Operand::Null => self.tag(0),
                    Operand::Value(value) => {
                        self.tag(1);
                        self.typed(value);
                    }
                    Operand::List(list) => {
                        self.tag(2);
                        self.length(list.len());
                        list.iter().for_each(|value| self.typed(value));
                    }
                    Operand::Property(name) => {
                        self.tag(3);
                        self.text(name);
                    }
                }
            }
        }
    }

    /// Which edges a step goes along.
    pub(super) fn step(&mut self, step: &Step) {
        let Step { reference: _, class, direction, constraints } = step;
        self.option(class.as_deref(), Self::text);
        self.option(*direction, |key, direction| key.tag(direction as u8));
        self.option(constraints.as_ref(), Self::expr);
    }
}

impl Run<'_> {
    /// Which objects a Find is about, but for nearness and connections.
    pub(super) fn write_key(&self, key: &mut Key, kind: Kind, select: &Select) -> Result<(), Fail> {
        // No `..`: whatever comes to select objects must come to stand here.
        let Select {
            with_class,
            constraints,
            connected: _,
            with_name,
            with_label,
            set,
            within,
            in_rectangle,
            in_span,
            with_url,
            src,
            dst,
            unique: _,
        } = select;
        key.tag(kind as u8);
        for text in [with_class, with_name, with_label, set, with_url] {
            key.option(text.as_deref(), Key::text);
        }
        key.option(constraints.as_ref(), Key::expr);
        for reference in [within, src, dst] {
            let ends = reference.map(|reference| self.refs.ends(reference)).transpose()?;
            key.option(ends, |key, ends| {
                key.length(ends.objects.len());
                for object in &ends.objects {
                    key.number(object.class);
                    key.number(object.id);
                }
            });
        }
        key.option(in_rectangle.as_ref(), |key, rectangle| {
            rectangle.extent().iter().for_each(|side| key.number(side.to_bits().cast_signed()));
        });
        key.option(in_span.as_ref(), |key, span| {
            key.number(span.unit.number());
            key.sql(&span.start);
            key.sql(&span.stop);
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn key(constraints: Json) -> Vec<u8> {
        let mut key = Key::default();
        key.expr(&Expr::parse(constraints).unwrap().unwrap());
        key.0
    }

    #[test]
    fn filters_that_differ_have_keys_that_differ() {
        let filters = [
            json!({"a": ["==", 1]}),
            json!({"a": ["==", 1.0]}),
            json!({"a": ["==", "1"]}),
            json!({"a": ["==", true]}),
            json!({"a": ["==", null]}),
            json!({"a": ["==", {"_date": "1970-01-01T00:00:00.000001"}]}),
            json!({"a": ["!=", 1]}),
            json!({"b": ["==", 1]}),
            json!({"a": ["in", [1]]}),
            json!({"a": ["in", [1, 2]]}),
            json!({"a": ["in", ["1", "2"]]}),
            json!({"a": ["in", ["12"]]}),
            json!({"a": ["in", []]}),
            json!({"a": ["not in", [1]]}),
            json!({"a": ["==", 1], "b": ["==", 1]}),
            json!({"any": {"a": ["==", 1], "b": ["==", 1]}}),
            json!({"any": {"a": ["==", 1]}, "b": ["==", 1]}),
            json!(["$a", "==", "$b"]),
            json!(["$a", "==", "$$b"]),
        ];
        for (i, one) in filters.iter().enumerate() {
            for (j, other) in filters.iter().enumerate() {
                assert_eq!(key(one.clone()) == key(other.clone()), i == j, "{one} {other}");
            }
        }
    }
}
