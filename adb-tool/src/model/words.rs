//! Names: of classes, fields and connections.

use std::path::Path;

use adb::graph::{EDGE_ID, USER_TYPE};

/// `dish_photos.json` holds objects of the class `DishPhoto`.
pub(super) fn class_of_file(path: &Path) -> String {
    let stem = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    // `dishes.adb.csv` is of `dishes`.
    class(stem.split('.').find(|part| !part.is_empty()).unwrap_or("Row"))
}

/// The class of what a plural names: `ingredients` are of `Ingredient`.
pub(super) fn class(name: &str) -> String {
    let parts = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let mut words: Vec<String> = parts.map(str::to_owned).collect();
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    let mut class: String = words.iter().map(|word| capital(word)).collect();
    if !class.starts_with(char::is_alphabetic) {
        class.insert_str(0, "Row");
    }
    class
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn singular(word: &str) -> String {
    let lower = word.to_lowercase();
    let cut = |end: &str, with: &str| {
        let stem = word.get(..word.len() - end.len()).unwrap_or(word);
        format!("{stem}{with}")
    };
    if lower.len() < 4 || lower.ends_with("ss") || lower.ends_with("us") || lower.ends_with("is") {
        word.to_owned()
    } else if lower.ends_with("ies") {
        cut("ies", "y")
    } else if ["shes", "ches", "xes", "sses", "zes"].iter().any(|end| lower.ends_with(end)) {
        cut("es", "")
    } else if lower.ends_with('s') {
        cut("s", "")
    } else {
        word.to_owned()
    }
}

/// A field's name in Rust; the key itself where that is one.
pub(super) fn field(key: &str) -> String {
    let mut name = String::new();
    let mut before_is_lower = false;
    for c in key.chars() {
        if c.is_ascii_uppercase() && before_is_lower {
            name.push('_');
        }
        before_is_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        name.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.insert(0, 'f');
    }
    if KEYWORDS.contains(&name.as_str()) {
        name.push('_');
    }
    name
}

/// The property's name in the database: the key itself where that can be one.
///
/// The database keeps names that begin with `_` for itself and takes none beyond 64 bytes; some
/// others are adb's own.
pub(super) fn property(key: &str) -> String {
    let mut name: String =
        key.trim_start_matches('_').chars().filter(|c| !c.is_control()).collect();
    if name.is_empty() {
        name = field(key);
    }
    // A place for what makes it another name.
    name.truncate(name.floor_char_boundary(60));
    if [USER_TYPE, EDGE_ID].contains(&name.as_str()) || name.starts_with("adb_") {
        name.insert_str(0, "row_");
    }
    name
}

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_singular() {
        for (file, wanted) in [
            ("data/dishes.json", "Dish"),
            ("ingredients.adb.csv", "Ingredient"),
            ("list_attr_celeba.csv", "ListAttrCeleba"),
            ("categories.jsonl", "Category"),
            ("glass.csv", "Glass"),
            ("2024.csv", "Row2024"),
            ("Straße.csv", "Straße"),
        ] {
            assert_eq!(class_of_file(Path::new(file)), wanted);
        }
    }

    #[test]
    fn properties_are_names_that_the_database_takes() {
        for (key, wanted) in [
            ("Dish name", "Dish name"),
            ("_id", "id"),
            ("__v", "v"),
            ("_", "f_"),
            ("", "f"),
            ("a\tb", "ab"),
            ("user_type", "row_user_type"),
            ("_adb_id", "row_adb_id"),
        ] {
            assert_eq!(property(key), wanted);
        }
        assert_eq!(property(&"é".repeat(40)), "é".repeat(30));
    }

    #[test]
    fn fields_are_words_of_rust() {
        for (key, wanted) in [
            ("dish_id", "dish_id"),
            ("dishId", "dish_id"),
            ("5_o_Clock_Shadow", "f5_o_clock_shadow"),
            ("type", "type_"),
            ("größe in cm", "gr__e_in_cm"),
        ] {
            assert_eq!(field(key), wanted);
        }
    }
}
