//! Lists in a cell: `['HNSW', 'Flat']`, as Python writes them.

use serde_json::Value as Json;

/// A word, or a list of words in brackets.
pub(super) fn parse(cell: &str) -> Result<Json, String> {
    let text = cell.trim();
    let Some(inner) = text.strip_prefix('[') else { return Ok(text.into()) };
    let wrong = || format!("`{cell}` is no list of words, such as ['HNSW', 'Flat']");
    let inner = inner.strip_suffix(']').ok_or_else(wrong)?.trim();
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    let word = |item: &str| {
        let item = item.trim();
        ['\'', '"'].into_iter().find_map(|quote| {
            let word = item.strip_prefix(quote)?.strip_suffix(quote)?;
            (!word.contains([quote, '\\'])).then(|| Json::from(word))
        })
    };
    inner.split(',').map(word).collect::<Option<Vec<_>>>().map(Json::Array).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_and_lists() {
        assert_eq!(parse("HNSW"), Ok(json!("HNSW")));
        assert_eq!(parse(" ['a', \"b\",] "), Ok(json!(["a", "b"])));
        for wrong in ["['a'", "[a]", "['a' 'b']", "[]"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
