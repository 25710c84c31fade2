//! What a request is made of, as far as sending it again is concerned.

use std::collections::BTreeMap;

use adb_model::only_reads;
use serde::{Deserialize, de::IgnoredAny};

/// The commands of a request.
#[derive(Debug)]
pub(crate) struct Shape(Vec<BTreeMap<String, Body>>);

#[derive(Debug, Deserialize)]
struct Body {
    if_not_found: Option<IgnoredAny>,
}

impl Shape {
    /// None when the commands are no JSON of the usual form; the server will say what is wrong.
    pub(crate) fn of(commands: &[u8]) -> Option<Self> {
        serde_json::from_slice(commands).ok().map(Self)
    }

    /// How many commands there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a request that was perhaps done may be sent again: whether every Add in it is guarded
    /// by `if_not_found`. Updates and deletions come to the same when they are done twice.
    pub(crate) fn is_repeatable(&self) -> bool {
        let repeatable = |name: &str, body: &Body| {
            let idempotent = name.starts_with("Update") || name.starts_with("Delete");
            let guarded = name.starts_with("Add") && body.if_not_found.is_some();
            // Indexes can be made and removed twice.
            let index = matches!(name, "CreateIndex" | "RemoveIndex");
            only_reads(name) || idempotent || guarded || index
        };
        self.0.iter().flatten().all(|(name, body)| repeatable(name, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_guarded_adds_may_be_sent_again() {
        let repeatable = |text: &str| Shape::of(text.as_bytes()).unwrap().is_repeatable();
        assert!(repeatable(r#"[{"FindEntity":{"with_class":"A"}},{"GetSchema":{}}]"#));
        assert!(repeatable(r#"[{"AddEntity":{"class":"A","if_not_found":["$id","==",1]}}]"#));
        assert!(repeatable(r#"[{"UpdateEntity":{}},{"DeleteImage":{}},{"CreateIndex":{}}]"#));
        assert!(!repeatable(r#"[{"AddEntity":{"class":"A"}}]"#));
        assert!(!repeatable(r#"[{"AddEntity":{"class":"A","if_not_found":null}}]"#));
        assert!(!repeatable(r#"[{"FindEntity":{}},{"AddConnection":{"class":"A"}}]"#));
        assert!(!repeatable(r#"[{"SomethingNew":{}}]"#));
        for odd in ["", "{}", "[1]", r#"[{"AddEntity":3}]"#, r#"[{"AddEntity":{"x":NaN}}]"#] {
            assert!(Shape::of(odd.as_bytes()).is_none(), "{odd}");
        }
    }
}
