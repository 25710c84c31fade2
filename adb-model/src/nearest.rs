//! What somebody may have meant.

/// The name that is nearest to a word that is none of them, if one is near; for error messages.
///
/// ```
/// assert_eq!(adb_model::nearest_name("cusine", ["name", "cuisine"]), Some("cuisine"));
/// assert_eq!(adb_model::nearest_name("price", ["name", "cuisine"]), None);
/// ```
#[must_use]
pub fn nearest_name<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    names
        .into_iter()
        .filter_map(|name| Some((likeness(&word, &name.to_lowercase())?, name)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Up to 1, for words that begin alike or differ in a few letters, such as `foto` and `photo`.
fn likeness(given: &str, known: &str) -> Option<f64> {
    let alike = strsim::jaro_winkler(given, known);
    let few_edits = strsim::normalized_damerau_levenshtein(given, known) >= 0.6;
    (alike > 0.8 || few_edits).then_some(alike)
}

#[cfg(test)]
mod tests {
    use super::nearest_name;

    #[test]
    fn only_what_is_near() {
        let names = ["cuisine", "name", "Young"];
        assert_eq!(nearest_name("cusine", names), Some("cuisine"));
        assert_eq!(nearest_name("young", names), Some("Young"));
        assert_eq!(nearest_name("price", names), None);
    }
}
