//! `--where`: a constraint that fits what is in the database.

use adb::{Constraint, StoredSchema, Value, ValueType, nearest_name, query::Described};
use anyhow::bail;

use crate::exit::Usage;

/// Reads a filter and leaves only the classes that have a property of it.
pub(super) fn read(
    text: &str,
    schema: &StoredSchema,
    among: &mut Vec<Described>,
) -> anyhow::Result<Constraint> {
    let constraint: Constraint = text.parse().map_err(|e| Usage(format!("--where: {e}")))?;
    let mut asked = Vec::new();
    collect(&constraint, &mut asked);
    let properties = |class: &str| {
        let class = schema.class(class);
        class.map(|class| class.properties.as_slice()).unwrap_or_default()
    };
    for Asked { property, value } in &asked {
        if property.starts_with('_') {
            continue;
        }
        let mut stored = among
            .iter()
            .flat_map(|one| properties(&one.class))
            .filter(|stored| stored.name == *property)
            .peekable();
        if stored.peek().is_none() {
            let names = among.iter().flat_map(|one| properties(&one.class)).map(|p| &*p.name);
            match nearest_name(property, names) {
                Some(near) => {
                    bail!(
                        "--where: nothing in this set has the property `{property}`; is it `{near}`?"
                    )
                }
                None => bail!(
                    "--where: nothing in this set has the property `{property}`; `adb schema` lists \
                     what there is"
                ),
            }
        }
        let fits = |type_name: &str| value.is_none_or(|value| fits(value, type_name));
        if let Some(other) = stored.find(|stored| !fits(&stored.type_name))
            && stored.all(|stored| !fits(&stored.type_name))
        {
            bail!(
                "--where: `{property}` is a {} and is compared with {}: such a comparison is never \
                 true",
                other.type_name,
                value.map(described).unwrap_or_default(),
            );
        }
    }
    if !asked.is_empty() {
        among.retain(|one| {
            let has = |property: &str| properties(&one.class).iter().any(|p| p.name == property);
            asked.iter().any(|asked| asked.property.starts_with('_') || has(asked.property))
        });
    }
    Ok(constraint)
}

/// A property that is asked for, and what it is compared with.
struct Asked<'c> {
    property: &'c str,
    value: Option<&'c Value>,
}

fn collect<'c>(constraint: &'c Constraint, asked: &mut Vec<Asked<'c>>) {
    match constraint {
        Constraint::Compare { property, value, .. } => {
            asked.push(Asked { property, value: Some(value) });
        }
        Constraint::OneOf { property, values, .. } => {
            asked.push(Asked { property, value: values.first() });
        }
        Constraint::Present { property, .. } => asked.push(Asked { property, value: None }),
        Constraint::All(members) | Constraint::Any(members) => {
            members.iter().for_each(|member| collect(member, asked));
        }
        _ => {}
    }
}

/// Whether a comparison with a property of this type can be true. Servers differ in the case of
/// types' names, and in what they call dates; text that is a date compares with those.
fn fits(value: &Value, type_name: &str) -> bool {
    let own = value.value_type();
    match type_name.to_ascii_lowercase().as_str() {
        "boolean" | "bool" => own == ValueType::Bool,
        "number" | "integer" | "float" => matches!(own, ValueType::Int | ValueType::Float),
        "string" => own == ValueType::String,
        "datetime" | "date" | "time" => matches!(own, ValueType::Date | ValueType::String),
        _ => true,
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text \"{text}\""),
        Value::Date(date) => format!("the date {date}"),
        Value::Bool(flag) => format!("{flag}"),
        other => format!("the number {other}"),
    }
}
