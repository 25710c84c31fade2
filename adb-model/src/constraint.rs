//! Constraints: one tree, written in either dialect.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

use crate::Value;

/// Which form of the query language is written.
///
/// The two differ in how constraints, limits, sorting and indexes are spelled; any server that
/// takes the newer one tells the two apart by their shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// `{"id": ["==", 1]}`: documented, and understood everywhere.
    #[default]
    Classic,
    /// `["$id", "==", 1]`: what the Python SDK sends from 0.5 on.
    Expression,
}

/// How a property is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Eq,
    /// `!=`: false for an object that lacks the property.
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Op {
    /// The operator as it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Op::Eq => "==",
            Op::Ne => "!=",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
        }
    }
}

/// Which objects are meant, by their properties.
///
/// ```
/// use adb_model::{Constraint, Dialect};
/// let adult = Constraint::compare("age", adb_model::Op::Ge, 18i64);
/// let here = Constraint::one_of("city", ["Oslo".into(), "Rome".into()]);
/// let both = adult.and(here);
/// assert_eq!(
///     both.to_json(Dialect::Classic).to_string(),
///     r#"{"age":[">=",18],"city":["in",["Oslo","Rome"]]}"#,
/// );
/// assert_eq!(
///     both.to_json(Dialect::Expression).to_string(),
///     r#"["all",["$age",">=",18],["$city","in",{"array":["Oslo","Rome"]}]]"#,
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Constraint {
    /// A property compared with a value.
    Compare {
        /// The property.
        property: Cow<'static, str>,
        /// How.
        op: Op,
        /// With what.
        value: Value,
    },
    /// A property that has one of some values, or (negated) another one.
    OneOf {
        /// The property.
        property: Cow<'static, str>,
        /// The values.
        values: Vec<Value>,
        /// Whether it must have none of them.
        negated: bool,
    },
    /// Whether an object has a property at all.
    Present {
        /// The property.
        property: Cow<'static, str>,
        /// Whether it must.
        present: bool,
    },
    /// All must hold. Of none: every object.
    All(Vec<Constraint>),
    /// One must hold. Of none: no object.
    Any(Vec<Constraint>),
}

impl Constraint {
    /// `property op value`.
    #[must_use]
    pub fn compare(
        property: impl Into<Cow<'static, str>>,
        op: Op,
        value: impl Into<Value>,
    ) -> Self {
        Constraint::Compare { property: property.into(), op, value: value.into() }
    }

    /// `property == value`.
    #[must_use]
    pub fn equal(property: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self::compare(property, Op::Eq, value)
    }

    /// `property in values`.
    #[must_use]
    pub fn one_of(
        property: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = Value>,
    ) -> Self {
        Constraint::OneOf {
            property: property.into(),
            values: values.into_iter().collect(),
            negated: false,
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Constraint) -> Self {
        let mut all = match self {
            Constraint::All(all) => all,
            one => vec![one],
        };
        match other {
            Constraint::All(more) => all.extend(more),
            one => all.push(one),
        }
        Constraint::All(all)
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Constraint) -> Self {
        let mut any = match self {
            Constraint::Any(any) => any,
            one => vec![one],
        };
        match other {
            Constraint::Any(more) => any.extend(more),
            one => any.push(one),
        }
        Constraint::Any(any)
    }

    /// Whether it lets every object pass.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self, Constraint::All(all) if all.iter().all(Constraint::is_everything))
    }

    /// The value of `constraints`.
    #[must_use]
    pub fn to_json(&self, dialect: Dialect) -> Json {
        match dialect {
            Dialect::Classic => {
                let mut object = Map::new();
                classic(&mut object, Join::All, self);
                Json::Object(object)
            }
            Dialect::Expression => expression(self),
        }
    }
}

/// What joins the entries of a classic object.
#[derive(Clone, Copy, PartialEq)]
enum Join {
    All,
    Any,
}

impl Join {
    const fn key(self) -> &'static str {
        match self {
            Join::All => "all",
            Join::Any => "any",
        }
    }

    const fn other(self) -> Self {
        match self {
            Join::All => Join::Any,
            Join::Any => Join::All,
        }
    }
}

/// Puts a constraint into a classic object whose entries are joined by `join`.
///
/// An object has each key once, so what finds its key taken goes into a nested object under
/// `join`'s own key, which changes nothing about what it means.
fn classic(object: &mut Map<String, Json>, join: Join, constraint: &Constraint) {
    let (key, pairs) = match constraint {
        Constraint::All(members) | Constraint::Any(members) => {
            let own = if matches!(constraint, Constraint::All(_)) { Join::All } else { Join::Any };
            if members.is_empty() && own == Join::Any {
                return classic(object, join, &nothing());
            }
            if own == join || members.len() == 1 {
                return members.iter().for_each(|m| classic(object, join, m));
            }
            if members.is_empty() {
                // Everything, as one of several alternatives.
                return classic(object, join, &everything());
            }
            let mut inner = Map::new();
            for member in members {
                classic(&mut inner, own, member);
            }
            return place(object, join, own.key(), Json::Object(inner));
        }
        Constraint::Compare { property, op, value } => {
            (property, json!([op.symbol(), value.to_json()]))
        }
        Constraint::OneOf { property, values, negated } => {
            let values: Vec<Json> = values.iter().map(Value::to_json).collect();
            (property, Json::Array(vec![membership(*negated).into(), Json::Array(values)]))
        }
        Constraint::Present { property, present } => {
            (property, json!([presence(*present), Json::Null]))
        }
    };
    // Under `all`, pairs of one property may share its entry; under `any` they would be joined by
    // "and", so there each takes an entry of its own.
    if join == Join::All
        && let (Some(Json::Array(there)), Json::Array(more)) =
            (object.get_mut(key.as_ref()), &pairs)
    {
        there.extend(more.iter().cloned());
        return;
    }
    place(object, join, key, pairs);
}

/// Puts an entry where its key is free.
fn place(object: &mut Map<String, Json>, join: Join, key: &str, value: Json) {
    let mut object = object;
    while object.contains_key(key) {
        // A property by the name of `all` or `any` may sit where the nested object belongs.
        let taken = object.get(join.key()).is_some_and(|there| !there.is_object());
        if taken && key == join.key() {
            let alone = json!({ key: value });
            return place(object, join, join.other().key(), alone);
        }
        let nested = object.entry(join.key()).or_insert_with(|| Json::Object(Map::new()));
        if taken {
            *nested = json!({ join.key(): nested.take() });
        }
        match nested {
            Json::Object(nested) => object = nested,
            // It was made one just now.
            _ => return,
        }
    }
    object.insert(key.to_owned(), value);
}

fn expression(constraint: &Constraint) -> Json {
    match constraint {
        Constraint::Compare { property, op, value } => {
            json!([format!("${property}"), op.symbol(), operand(value)])
        }
        Constraint::OneOf { property, values, negated } => {
            let values: Vec<Json> = values.iter().map(operand).collect();
            json!([format!("${property}"), membership(*negated), {"array": values}])
        }
        Constraint::Present { property, present } => {
            json!([format!("${property}"), presence(*present), null])
        }
        Constraint::All(members) if members.is_empty() => expression(&everything()),
        Constraint::Any(members) if members.is_empty() => expression(&nothing()),
        Constraint::All(members) => group("all", members),
        Constraint::Any(members) => group("any", members),
    }
}

fn group(name: &str, members: &[Constraint]) -> Json {
    match members {
        [one] => expression(one),
        many => {
            let mut group = vec![Json::from(name)];
            group.extend(many.iter().map(expression));
            Json::Array(group)
        }
    }
}

/// A value in an expression, where text that begins with `$` would name a property.
fn operand(value: &Value) -> Json {
    match value {
        Value::String(s) if s.starts_with('$') => format!("${s}").into(),
        Value::Date(d) => json!({"to_date": d.to_string()}),
        Value::Json(j) => json!({ "json": j }),
        plain => plain.to_json(),
    }
}

const fn membership(negated: bool) -> &'static str {
    if negated { "not in" } else { "in" }
}

const fn presence(present: bool) -> &'static str {
    if present { "!=" } else { "==" }
}

/// Holds for no object: every one has a unique id, and none has one of none.
fn nothing() -> Constraint {
    Constraint::one_of("_uniqueid", [])
}

/// Holds for every object, as the Python SDK says it.
fn everything() -> Constraint {
    Constraint::compare("_uniqueid", Op::Ne, "0.0.0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eq(property: &'static str, value: i64) -> Constraint {
        Constraint::equal(property, value)
    }

    fn both(constraint: &Constraint) -> (String, String) {
        (
            constraint.to_json(Dialect::Classic).to_string(),
            constraint.to_json(Dialect::Expression).to_string(),
        )
    }

    #[test]
    fn ranges_share_their_property() {
        let range =
            Constraint::compare("a", Op::Ge, 1i64).and(Constraint::compare("a", Op::Le, 9i64));
        let (classic, expression) = both(&range);
        assert_eq!(classic, r#"{"a":[">=",1,"<=",9]}"#);
        assert_eq!(expression, r#"["all",["$a",">=",1],["$a","<=",9]]"#);
    }

    #[test]
    fn alternatives_of_one_property_stay_alternatives() {
        let (classic, expression) = both(&eq("a", 1).or(eq("a", 2)).or(eq("a", 3)));
        assert_eq!(classic, r#"{"any":{"a":["==",1],"any":{"a":["==",2],"any":{"a":["==",3]}}}}"#);
        assert_eq!(expression, r#"["any",["$a","==",1],["$a","==",2],["$a","==",3]]"#);
    }

    #[test]
    fn several_groups_in_one() {
        let two = eq("a", 1).or(eq("b", 2)).and(eq("c", 3).or(eq("d", 4))).and(eq("e", 5));
        let (classic, expression) = both(&two);
        assert_eq!(
            classic,
            r#"{"any":{"a":["==",1],"b":["==",2]},"all":{"any":{"c":["==",3],"d":["==",4]}},"e":["==",5]}"#
        );
        assert_eq!(
            expression,
            r#"["all",["any",["$a","==",1],["$b","==",2]],["any",["$c","==",3],["$d","==",4]],["$e","==",5]]"#
        );
        let (classic, _) = both(&eq("a", 1).and(eq("b", 2)).or(eq("a", 3).and(eq("b", 4))));
        assert_eq!(
            classic,
            r#"{"any":{"all":{"a":["==",1],"b":["==",2]},"any":{"all":{"a":["==",3],"b":["==",4]}}}}"#
        );
    }

    #[test]
    fn nothing_and_everything() {
        assert_eq!(both(&Constraint::All(vec![])).0, "{}");
        assert_eq!(
            both(&Constraint::Any(vec![])),
            (r#"{"_uniqueid":["in",[]]}"#.into(), r#"["$_uniqueid","in",{"array":[]}]"#.into())
        );
        let (classic, _) = both(&eq("a", 1).or(Constraint::All(vec![])));
        assert_eq!(classic, r#"{"any":{"a":["==",1],"_uniqueid":["!=","0.0.0"]}}"#);
        assert!(Constraint::All(vec![Constraint::All(vec![])]).is_everything());
    }

    #[test]
    fn properties_called_all_and_any_are_not_lost() {
        let (classic, _) = both(&eq("any", 1).or(eq("any", 2)).or(eq("a", 3)).or(eq("a", 4)));
        assert_eq!(
            classic,
            r#"{"any":{"any":{"any":["==",1],"a":["==",4]},"all":{"any":["==",2]},"a":["==",3]}}"#
        );
    }

    #[test]
    fn dollars_dates_and_absence() {
        let date = Value::Date("2021-07-01".parse().unwrap());
        let (classic, expression) = both(
            &Constraint::equal("price", "$5")
                .and(Constraint::compare("day", Op::Lt, date))
                .and(Constraint::Present { property: "gone".into(), present: false }),
        );
        assert_eq!(
            classic,
            r#"{"price":["==","$5"],"day":["<",{"_date":"2021-07-01T00:00:00+00:00"}],"gone":["==",null]}"#
        );
        assert_eq!(
            expression,
            r#"["all",["$price","==","$$5"],["$day","<",{"to_date":"2021-07-01T00:00:00+00:00"}],["$gone","==",null]]"#
        );
    }
}
