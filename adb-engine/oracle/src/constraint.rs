//! Constraints in both dialects: reading, and whether an object fulfils them.

use serde_json::Value as Json;

use crate::{Wrong, value::Value};

/// What must hold of an object.
#[derive(Debug)]
pub(crate) enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Is { property: String, op: String, right: Right },
}

/// What a property is compared with.
#[derive(Debug)]
pub(crate) enum Right {
    Null,
    One(Value),
    List(Vec<Value>),
    Property(String),
}

const OPERATORS: [&str; 8] = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"];

impl Expr {
    /// An object is the older form, an array the newer one. Nothing to hold is no constraint.
    pub(crate) fn read(json: &Json) -> Result<Option<Self>, Wrong> {
        let expr = match json {
            Json::Null => return Ok(None),
            Json::Object(_) => Expr::All(classic(json)?),
            Json::Array(array) => expression(array)?,
            _ => return Err(Wrong::new("constraints are an object or an array")),
        };
        Ok((!expr.is_empty()).then_some(expr))
    }

    fn is_empty(&self) -> bool {
        match self {
            Expr::All(of) | Expr::Any(of) => of.iter().all(Expr::is_empty),
            Expr::Is { .. } => false,
        }
    }

    /// Whether it holds, given what an object has under a name.
    pub(crate) fn holds(&self, of: &impl Fn(&str) -> Option<Value>) -> bool {
        match self {
            Expr::All(terms) => terms.iter().all(|term| term.holds(of)),
            Expr::Any(terms) => terms.iter().any(|term| term.holds(of)),
            Expr::Is { property, op, right } => compare(of(property), op, right, of),
        }
    }
}

fn compare(
    left: Option<Value>,
    op: &str,
    right: &Right,
    of: &impl Fn(&str) -> Option<Value>,
) -> bool {
    if let Right::Null = right {
        return left.is_none() == (op == "==");
    }
    // Any other comparison with what is absent is false.
    let Some(left) = left else { return false };
    let equal = |one: &Value| one.fitting(left.kind()).is_some_and(|one| left.order(&one).is_eq());
    let right = match right {
        Right::Null => return false,
        Right::List(list) if op == "in" => return list.iter().any(equal),
        Right::List(list) => return !list.iter().any(equal),
        Right::One(one) => one.fitting(left.kind()),
        Right::Property(name) => of(name).filter(|one| one.kind() == left.kind()),
    };
    let Some(right) = right else { return false };
    let order = left.order(&right);
    match op {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn classic(json: &Json) -> Result<Vec<Expr>, Wrong> {
    let mut terms = Vec::new();
    for (key, value) in json.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("all", Json::Object(_)) => terms.push(Expr::All(classic(value)?)),
            ("any", Json::Object(_)) => terms.push(Expr::Any(classic(value)?)),
            (_, Json::Array(pairs)) if pairs.len() % 2 == 0 => {
                let pairs = pairs.chunks(2).map(|pair| {
                    let right = match &pair[1] {
                        Json::Array(list) if is_membership(&pair[0]) => Right::List(values(list)?),
                        one => literal(one)?,
                    };
                    made(key, &pair[0], right)
                });
                terms.push(Expr::All(pairs.collect::<Result<_, _>>()?));
            }
            _ => return Err(Wrong::new(format!("`{key}` is no constraint"))),
        }
    }
    Ok(terms)
}

fn expression(array: &[Json]) -> Result<Expr, Wrong> {
    let word = array.first().and_then(Json::as_str).unwrap_or_default();
    let is_predicate = array.len() == 3 && operator(&array[1]).is_some();
    if (word == "all" || word == "any") && !is_predicate {
        let terms = array[1..].iter().map(|term| match term {
            Json::Array(inner) => expression(inner),
            other => Err(Wrong::new(format!("{other} is no constraint"))),
        });
        let terms = terms.collect::<Result<_, _>>()?;
        return Ok(if word == "all" { Expr::All(terms) } else { Expr::Any(terms) });
    }
    let [left, op, right] = array else { return Err(Wrong::new("a constraint has three parts")) };
    match property(left) {
        Some(name) => made(&name, op, operand(right)?),
        None => Err(Wrong::new(format!("{left} is no property"))),
    }
}

/// `"$name"`; two dollars are one of a text.
fn property(json: &Json) -> Option<String> {
    let name = json.as_str()?.strip_prefix('$')?;
    (!name.is_empty() && !name.starts_with('$')).then(|| name.to_owned())
}

fn operand(json: &Json) -> Result<Right, Wrong> {
    match json {
        Json::String(text) if text.starts_with("$$") => {
            Ok(Right::One(Value::Text(text[1..].to_owned())))
        }
        Json::String(text) if text.starts_with('$') => Ok(Right::Property(text[1..].to_owned())),
        Json::Object(object) => match object.iter().next() {
            Some((name, argument)) if object.len() == 1 => match (name.as_str(), argument) {
                ("to_date" | "_date", date) => {
                    Value::read_date(date).map(Right::One).map_err(Wrong::new)
                }
                ("json", json) => Ok(Right::One(Value::Json(json.clone()))),
                ("array", Json::Array(list)) => {
                    let list = list.iter().map(|member| match operand(member)? {
                        Right::One(value) => Ok(value),
                        _ => Err(Wrong::new("a list holds values only")),
                    });
                    list.collect::<Result<_, _>>().map(Right::List)
                }
                _ => Err(Wrong::new(format!("there is no function `{name}`"))),
            },
            _ => Err(Wrong::new("a function has one key")),
        },
        other => literal(other),
    }
}

fn literal(json: &Json) -> Result<Right, Wrong> {
    Ok(Value::read(json).map_err(Wrong::new)?.map_or(Right::Null, Right::One))
}

fn values(list: &[Json]) -> Result<Vec<Value>, Wrong> {
    list.iter()
        .map(|json| match literal(json)? {
            Right::One(value) => Ok(value),
            _ => Err(Wrong::new("a list holds no null")),
        })
        .collect()
}

fn operator(json: &Json) -> Option<&'static str> {
    let text = match json.as_str()? {
        "!" => "!=",
        text => text,
    };
    OPERATORS.into_iter().find(|op| *op == text)
}

fn is_membership(op: &Json) -> bool {
    matches!(op.as_str(), Some("in" | "not in"))
}

fn made(property: &str, op: &Json, right: Right) -> Result<Expr, Wrong> {
    let op = operator(op).ok_or_else(|| Wrong::new(format!("{op} is no operator")))?;
    let fits = match &right {
        Right::List(_) => op.ends_with("in"),
        Right::Null => op == "==" || op == "!=",
        _ => !op.ends_with("in"),
    };
    // Unique ids are equal or not; ends can't be constrained.
    let allowed = match property {
        "_uniqueid" => {
            matches!(op, "==" | "!=" | "in" | "not in") && !matches!(right, Right::Property(_))
        }
        "_src" | "_dst" => false,
        _ => true,
    };
    if !fits || !allowed {
        return Err(Wrong::new(format!("`{property}` {op} that can't be asked")));
    }
    Ok(Expr::Is { property: property.to_owned(), op: op.to_owned(), right })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_dialects_and_what_is_absent() {
        let of = |name: &str| match name {
            "a" => Some(Value::Int(2)),
            "t" => Some(Value::Text("$x".into())),
            _ => None,
        };
        let holds = |json: Json| Expr::read(&json).unwrap().unwrap().holds(&of);
        for (yes, no) in [
            (json!({"a": [">=", 2, "<", 3]}), json!({"a": [">=", 2, "<", 2]})),
            (json!({"any": {"a": ["==", 9], "t": ["==", "$x"]}}), json!({"gone": ["!=", 1]})),
            (json!(["$t", "==", "$$x"]), json!(["$t", "==", "$a"])),
            (json!(["$a", "not in", {"array": ["x"]}]), json!(["$a", "!=", "x"])),
            (json!(["$gone", "==", null]), json!(["$gone", "not in", {"array": []}])),
        ] {
            assert!(holds(yes.clone()), "{yes}");
            assert!(!holds(no.clone()), "{no}");
        }
    }
}
