//! Columns that say when an object that is there is changed: `updateif_…`, `gen_…`.

/// A comparison with the stored value.
#[derive(Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) column: usize,
    pub(super) op: &'static str,
    pub(super) property: String,
    pub(super) date: bool,
}

/// What is computed from a file, or taken from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generator {
    BlobSha1,
    BlobSize,
    InsertDate,
}

/// Longer ones first, so that `>=` is not taken for `>`.
const OPERATORS: [(&str, &str); 7] =
    [(">=", ">="), ("<=", "<="), ("!=", "!="), ("==", "=="), (">", ">"), ("<", "<"), ("!", "!=")];

/// An operator at the beginning, and what follows it.
fn operator(text: &str) -> Option<(&'static str, &str)> {
    OPERATORS.iter().find_map(|(spelled, op)| Some((*op, text.strip_prefix(spelled)?)))
}

impl Condition {
    /// Reads a header; nothing if it is none of a condition.
    ///
    /// `updateif_>v`, `updateif_v`, and with a date `updateif__date>:v`. Also as the SDK's own help
    /// has it and its code does not: `updateif>_v`, `updateif_date>:v`.
    pub(super) fn parse(column: usize, header: &str) -> Result<Option<Self>, String> {
        let Some(rest) = header.strip_prefix("updateif") else { return Ok(None) };
        let (op, property, date) = if let Some(rest) = rest.strip_prefix('_') {
            if let Some((op, property)) = of_date(rest) {
                (op, property, true)
            } else {
                let (op, property) = operator(rest).unwrap_or(("==", rest));
                (op, property, false)
            }
        } else if let Some((op, property)) = operator(rest)
            && let Some(property) = property.strip_prefix('_')
        {
            (op, property, false)
        } else {
            // `updateifs`, say: a property.
            return Ok(None);
        };
        if property.is_empty() {
            return Err(format!("the column `{header}` names no property"));
        }
        Ok(Some(Self { column, op, property: property.to_owned(), date }))
    }
}

/// `_date>:v`
fn of_date(rest: &str) -> Option<(&'static str, &str)> {
    let rest = rest.strip_prefix("_date").or_else(|| rest.strip_prefix("date"))?;
    if let Some(property) = rest.strip_prefix(':') {
        return Some(("==", property));
    }
    let (op, rest) = operator(rest)?;
    Some((op, rest.strip_prefix(':')?))
}

/// Reads `gen_blobsha1_K` (with `gen_` as prefix): what is made, and the property that it is
/// stored in.
pub(super) fn generated(header: &str, prefix: &str) -> Result<Option<(Generator, String)>, String> {
    let Some(rest) = header.strip_prefix(prefix) else { return Ok(None) };
    let (action, property) = rest.split_once('_').unwrap_or((rest, ""));
    let generator = match action {
        "blobsha1" => Generator::BlobSha1,
        "blobsize" => Generator::BlobSize,
        "insertdate" => Generator::InsertDate,
        // A condition on a property.
        _ if prefix != "gen_" => return Ok(None),
        _ => {
            return Err(format!(
                "`{header}`: what can be made is `gen_blobsha1_K`, `gen_blobsize_K` and `gen_insertdate_K`"
            ));
        }
    };
    if property.is_empty() {
        return Err(format!("the column `{header}` names no property"));
    }
    Ok(Some((generator, property.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_says_the_same() {
        for (header, op, property, date) in [
            ("updateif_>v", ">", "v", false),
            ("updateif_<v", "<", "v", false),
            ("updateif_>=v", ">=", "v", false),
            ("updateif_!v", "!=", "v", false),
            ("updateif_v", "==", "v", false),
            ("updateif>_v", ">", "v", false),
            ("updateif__date>:w", ">", "w", true),
            ("updateif__date:w", "==", "w", true),
            ("updateif_date<:w", "<", "w", true),
            ("updateif_date_of_birth", "==", "date_of_birth", false),
        ] {
            let property = property.to_owned();
            let wanted = Condition { column: 3, op, property, date };
            assert_eq!(Condition::parse(3, header), Ok(Some(wanted)), "{header}");
        }
        assert_eq!(Condition::parse(0, "updateifs"), Ok(None));
        assert!(Condition::parse(0, "updateif_>").is_err());
    }

    #[test]
    fn what_is_made_is_known() {
        let sha = Some((Generator::BlobSha1, "a_b".to_owned()));
        assert_eq!(generated("gen_blobsha1_a_b", "gen_"), Ok(sha));
        assert_eq!(generated("updateif_version_id", "updateif_"), Ok(None));
        assert!(generated("gen_x_y", "gen_").is_err());
        assert!(generated("gen_blobsize", "gen_").is_err());
    }
}
