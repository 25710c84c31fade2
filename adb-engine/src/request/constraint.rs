//! Constraints, in both forms, as one tree.

use serde_json::{Map, Value as Json};

use super::{fault::Fault, params::brief};
use crate::store::value::Typed;

/// What an object must be like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Compare { property: String, op: Op, operand: Operand },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

impl Op {
    const ALL: [(Op, &'static str); 8] = [
        (Op::Eq, "=="),
        (Op::Ne, "!="),
        (Op::Lt, "<"),
        (Op::Le, "<="),
        (Op::Gt, ">"),
        (Op::Ge, ">="),
        (Op::In, "in"),
        (Op::NotIn, "not in"),
    ];

    fn parse(json: &Json) -> Option<Self> {
        let text = match json.as_str()? {
            // What the CSV loaders make of a column `updateif_!…`.
            "!" => "!=",
            text => text,
        };
        Self::ALL.into_iter().find(|(_, name)| *name == text).map(|(op, _)| op)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(op, _)| *op == self).map_or("", |(_, name)| name)
    }
}

/// What a property is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// Absence.
    Null,
    Value(Typed),
    List(Vec<Typed>),
    /// Another property of the same object (expression form only).
    Property(String),
}

impl Expr {
    /// Reads either form, told apart by shape; nothing if there is nothing to hold.
    pub(crate) fn parse(json: Json) -> Result<Option<Self>, Fault> {
        let expr = match json {
            Json::Null => return Ok(None),
            Json::Object(object) => Self::All(classic(object)?),
            Json::Array(array) => expression(array)?,
            other => {
                return Err(Fault::new(format!(
                    "constraints are an object or an array, not {}",
                    brief(&other)
                )));
            }
        };
        Ok((!expr.is_empty()).then_some(expr))
    }

    fn is_empty(&self) -> bool {
        match self {
            Expr::All(of) | Expr::Any(of) => of.iter().all(Expr::is_empty),
            Expr::Compare { .. } => false,
        }
    }
}

/// `{"age": [">=", 18, "<", 65], "any": {…}}`
fn classic(object: Map<String, Json>) -> Result<Vec<Expr>, Fault> {
    let mut terms = Vec::with_capacity(object.len());
    for (key, value) in object {
        match (key.as_str(), value) {
            ("all", Json::Object(inner)) => terms.push(Expr::All(classic(inner)?)),
            ("any", Json::Object(inner)) => terms.push(Expr::Any(classic(inner)?)),
            (_, Json::Array(pairs)) => terms.push(range(&key, pairs)?),
            (_, other) => {
                return Err(Fault::new(format!(
                    "the constraint on `{key}` must be an array such as [\"==\", 1], not {}",
                    brief(&other)
                )));
            }
        }
    }
    Ok(terms)
}

/// `[">=", 18, "<", 65]`
fn range(property: &str, pairs: Vec<Json>) -> Result<Expr, Fault> {
    let mut terms = Vec::with_capacity(pairs.len() / 2);
    let mut pairs = pairs.into_iter();
    while let Some(op) = pairs.next() {
        let op = operator(property, &op)?;
        let value = pairs.next().ok_or_else(|| {
            Fault::new(format!("the constraint on `{property}` lacks a value after {}", op.name()))
        })?;
        let operand = match (op, value) {
            (Op::In | Op::NotIn, Json::Array(list)) => Operand::List(
                list.into_iter().map(|v| list_member(property, v)).collect::<Result<_, _>>()?,
            ),
            (_, value) => plain(property, value)?,
        };
        terms.push(compare(property.to_owned(), op, operand)?);
    }
    Ok(match terms.len() {
        1 => terms.swap_remove(0),
        _ => Expr::All(terms),
    })
}

/// `["all", …]`, `["any", …]` or `["$age", ">=", 18]`
fn expression(array: Vec<Json>) -> Result<Expr, Fault> {
    let group = match array.first() {
        Some(Json::String(word)) if word == "all" => Some(true),
        Some(Json::String(word)) if word == "any" => Some(false),
        _ => None,
    };
    let is_predicate = array.len() == 3 && Op::parse(&array[1]).is_some();
    if let (Some(all), false) = (group, is_predicate) {
        let terms = array
            .into_iter()
            .skip(1)
            .map(|term| match term {
                Json::Array(inner) => expression(inner),
                other => Err(Fault::new(format!(
                    "a member of \"all\" or \"any\" must be an array, not {}",
                    brief(&other)
                ))),
            })
            .collect::<Result<_, _>>()?;
        return Ok(if all { Expr::All(terms) } else { Expr::Any(terms) });
    }
    let [left, op, right]: [Json; 3] = array.try_into().map_err(|array: Vec<Json>| {
        let text = brief(&Json::Array(array));
        Fault::new(format!("a constraint must be [\"$property\", operator, value], not {text}"))
    })?;
    let property = match left.as_str().and_then(|text| text.strip_prefix('$')) {
        Some(name) if !name.starts_with('$') && !name.is_empty() => name.to_owned(),
        _ => {
            return Err(Fault::new(format!(
                "the left side of a constraint must be a property such as \"$age\", not {}",
                brief(&left)
            )));
        }
    };
    let op = operator(&property, &op)?;
    let operand = operand(&property, right)?;
    compare(property, op, operand)
}

fn operator(property: &str, json: &Json) -> Result<Op, Fault> {
    Op::parse(json).ok_or_else(|| {
        Fault::new(format!(
            "the constraint on `{property}` has {} for an operator; there are ==, !=, <, <=, >, >=, in, not in",
            brief(json)
        ))
    })
}

/// The right side, in the expression form.
fn operand(property: &str, json: Json) -> Result<Operand, Fault> {
    match json {
        Json::String(text) => Ok(match text.strip_prefix('$') {
            None => Operand::Value(Typed::text(text)),
            Some(literal) if literal.starts_with('$') => {
                Operand::Value(Typed::text(literal.to_owned()))
            }
            Some(name) => Operand::Property(name.to_owned()),
        }),
        Json::Object(object) => function(property, object),
        other => plain(property, other),
    }
}

/// `{"to_date": …}`, `{"array": […]}`, `{"json": …}`
fn function(property: &str, object: Map<String, Json>) -> Result<Operand, Fault> {
    let wrong = |text: &str| {
        Fault::new(format!(
            "the constraint on `{property}` calls {text}; there are \"to_date\", \"array\" and \"json\""
        ))
    };
    let mut entries = object.into_iter();
    let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
        return Err(wrong("something with other than one key"));
    };
    match (name.as_str(), argument) {
        // The SDK writes dates from either of these.
        ("to_date" | "_date", date) => Typed::date(&date).map(Operand::Value).map_err(Fault::new),
        ("json", json) => Ok(Operand::Value(Typed::json(&json))),
        ("array", Json::Array(list)) => list
            .into_iter()
            .map(|member| match operand(property, member)? {
                Operand::Value(value) => Ok(value),
                _ => Err(Fault::new(format!(
                    "the list in the constraint on `{property}` may hold values only"
                ))),
            })
            .collect::<Result<_, _>>()
            .map(Operand::List),
        (name, _) => Err(wrong(&format!("`{name}`"))),
    }
}

/// A literal, as JSON has it.
fn plain(property: &str, json: Json) -> Result<Operand, Fault> {
    match Typed::from_json(json) {
        Ok(None) => Ok(Operand::Null),
        Ok(Some(value)) => Ok(Operand::Value(value)),
        Err(e) => Err(Fault::new(format!("the constraint on `{property}`: {e}"))),
    }
}

fn list_member(property: &str, json: Json) -> Result<Typed, Fault> {
    match plain(property, json)? {
        Operand::Value(value) => Ok(value),
        _ => Err(Fault::new(format!("the list in the constraint on `{property}` holds null"))),
    }
}

/// Properties, operators and operands that go together. What can't be asked is told whatever is in
/// the database.
fn compare(property: String, op: Op, operand: Operand) -> Result<Expr, Fault> {
    match property.as_str() {
        "_src" | "_dst" => {
            return Err(Fault::new(format!(
                "`{property}` can't be constrained; use `src` and `dst` of FindConnection"
            )));
        }
        "_uniqueid" => check_unique_id(op, &operand)?,
        _ => {}
    }
    let fits = match (&operand, op) {
        (Operand::List(_), Op::In | Op::NotIn) => true,
        (Operand::List(_), _) | (_, Op::In | Op::NotIn) => false,
        (Operand::Null, op) => matches!(op, Op::Eq | Op::Ne),
        _ => true,
    };
    if fits {
        return Ok(Expr::Compare { property, op, operand });
    }
    let takes = match (op, operand) {
        (Op::In | Op::NotIn, _) => "takes a list",
        (_, Operand::List(_)) => "takes one value, not a list",
        _ => "can't be used with null",
    };
    Err(Fault::new(format!("the constraint on `{property}`: {} {takes}", op.name())))
}

/// Unique ids are equal or not: they have no order.
fn check_unique_id(op: Op, operand: &Operand) -> Result<(), Fault> {
    if !matches!(op, Op::Eq | Op::Ne | Op::In | Op::NotIn) {
        return Err(Fault::new(format!(
            "`_uniqueid` can be constrained with ==, !=, in and not in, not with {}",
            op.name()
        )));
    }
    match operand {
        Operand::Property(other) => {
            Err(Fault::new(format!("`_uniqueid` can't be compared with the property `{other}`")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn both(classic: Json, expression: Json) {
        let parse = |json: Json| flatten(Expr::parse(json).unwrap().unwrap());
        assert_eq!(parse(classic), parse(expression));
    }

    /// Groups of one are that one.
    fn flatten(expr: Expr) -> Expr {
        match expr {
            Expr::All(mut of) | Expr::Any(mut of) if of.len() == 1 => flatten(of.swap_remove(0)),
            Expr::All(of) => Expr::All(of.into_iter().map(flatten).collect()),
            Expr::Any(of) => Expr::Any(of.into_iter().map(flatten).collect()),
            compare @ Expr::Compare { .. } => compare,
        }
    }

    #[test]
    fn both_forms_say_the_same() {
        both(json!({"a": ["==", 1]}), json!(["$a", "==", 1]));
        both(json!({"a": [">=", 1, "<=", 2]}), json!(["all", ["$a", ">=", 1], ["$a", "<=", 2]]));
        both(
            json!({"any": {"a": [">", 1, "<", 2], "b": ["==", 1]}, "c": ["==", 3]}),
            json!([
                "all",
                ["any", ["all", ["$a", ">", 1], ["$a", "<", 2]], ["$b", "==", 1]],
                ["$c", "==", 3]
            ]),
        );
        both(
            json!({"t": ["in", ["$x", "y"]], "d": [">", {"_date": "2020-01-01"}]}),
            json!(["all", ["$t", "in", {"array": ["$$x", "y"]}], ["$d", ">", {"to_date": "2020-01-01"}]]),
        );
        both(json!({"gone": ["==", null]}), json!(["$gone", "==", null]));
        both(json!({"all": ["==", 3]}), json!(["$all", "==", 3]));
    }

    #[test]
    fn nothing_to_hold_is_no_constraint() {
        for blank in
            [json!(null), json!({}), json!({"all": {}}), json!({"any": {}}), json!(["all"])]
        {
            assert_eq!(Expr::parse(blank).unwrap(), None);
        }
    }

    #[test]
    fn properties_can_be_compared() {
        let expr = Expr::parse(json!(["$used", "<", "$limit"])).unwrap().unwrap();
        assert_eq!(
            expr,
            Expr::Compare {
                property: "used".into(),
                op: Op::Lt,
                operand: Operand::Property("limit".into()),
            }
        );
    }

    #[test]
    fn faults_say_what_is_wrong() {
        let wrong = [
            (json!({"a": ["=", 1]}), "an operator"),
            (json!({"a": ["=="]}), "lacks a value"),
            (json!({"a": 1}), "must be an array"),
            (json!({"a": ["in", 1]}), "takes a list"),
            (json!({"a": ["<", null]}), "null"),
            (json!(["$a", "=="]), "[\"$property\", operator, value]"),
            (json!([1, "==", 1]), "left side"),
            (json!(["$a", "==", {"lower": "x"}]), "`lower`"),
            (json!(["$a", "==", {"array": [1]}]), "not a list"),
            (json!("a"), "an object or an array"),
            (json!({"_src": ["==", "1.0.1"]}), "`_src` can't be constrained"),
            (json!({"_uniqueid": ["<", "1.0.1"]}), "not with <"),
            (json!(["$_uniqueid", "==", "$a"]), "the property `a`"),
        ];
        for (json, says) in wrong {
            let fault = Expr::parse(json.clone()).unwrap_err().refuse(0, "Find");
            assert!(fault.info.contains(says), "{json}: {}", fault.info);
        }
    }
}
