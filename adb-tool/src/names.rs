//! What somebody may have meant.

/// The name that is nearest to a word, if one is near.
pub(crate) fn nearest_name<'n>(
    word: &str,
    names: impl Iterator<Item = &'n str>,
) -> Option<&'n str> {
    let lower = word.to_lowercase();
    names
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance * 3 <= name.chars().count().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest_name;

    #[test]
    fn only_what_is_near() {
        let names = ["cuisine", "name", "Young"];
        assert_eq!(nearest_name("cusine", names.into_iter()), Some("cuisine"));
        assert_eq!(nearest_name("young", names.into_iter()), Some("Young"));
        assert_eq!(nearest_name("price", names.into_iter()), None);
    }
}
