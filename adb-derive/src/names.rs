//! Words: the keys that we know, the nearest of them to one that we don't, and which names the
//! database takes.

/// A list of keys and where it holds.
pub(crate) struct Keys {
    /// As an error names the place: `on a field`.
    pub(crate) place: &'static str,
    /// Keys that do something.
    pub(crate) known: &'static [&'static str],
    /// Keys that will do something one day.
    pub(crate) later: &'static [&'static str],
    /// Keys of serde's that are not ours: rows are read by serde.
    pub(crate) serdes: &'static [&'static str],
    /// What people write who think of another library, and our word for it.
    pub(crate) synonyms: &'static [(&'static str, &'static str)],
}

/// `#[adb(…)]` on a data model.
pub(crate) const STRUCT: Keys = Keys {
    place: "on a data model",
    known: &[
        "entity",
        "image",
        "video",
        "blob",
        "clip",
        "frame",
        "bounding_box",
        "polygon",
        "descriptor",
        "class",
        "row_id",
        "content_id",
        "untyped",
        "rename_all",
        "convention",
        "crate",
    ],
    serdes: &["deny_unknown_fields"],
    later: &["was"],
    synonyms: &[
        ("name", "class"),
        ("table", "class"),
        ("type", "class"),
        ("user_type", "class"),
        ("picture", "image"),
        ("region", "bounding_box"),
        ("box", "bounding_box"),
        ("rectangle", "bounding_box"),
        ("file", "blob"),
        ("vector", "descriptor"),
        ("hash", "content_id"),
        ("sha256", "content_id"),
    ],
};

/// `#[adb(…)]` on a field.
pub(crate) const FIELD: Keys = Keys {
    place: "on a field",
    known: &[
        "id",
        "index",
        "rename",
        "was",
        "embed",
        "connect",
        "regions",
        "clips",
        "frames",
        "descriptors",
        "from",
        "by",
        "label",
        "flatten",
        "with",
        "default",
        "skip",
    ],
    serdes: &["alias", "skip_serializing_if"],
    later: &[],
    synonyms: &[
        ("key", "id"),
        ("renamed_from", "was"),
        ("old", "was"),
        ("primary_key", "id"),
        ("pk", "id"),
        ("name", "rename"),
        ("property", "rename"),
        ("ignore", "skip"),
        ("idx", "index"),
        ("indexed", "index"),
        ("link", "connect"),
        ("edge", "connect"),
        ("relation", "connect"),
        ("embedding", "embed"),
        ("vector", "embed"),
        ("boxes", "regions"),
        ("polygons", "regions"),
        ("maker", "by"),
        ("source", "from"),
        ("vectors", "descriptors"),
        ("chunks", "descriptors"),
        ("inline", "flatten"),
        ("embedded", "flatten"),
        ("convert", "with"),
    ],
};

/// `connect(…)`.
pub(crate) const CONNECT: Keys = Keys {
    place: "in `connect(…)`",
    known: &["class", "direction"],
    serdes: &[],
    later: &[],
    synonyms: &[("name", "class"), ("type", "class"), ("dir", "direction")],
};

/// Where a connection leads, seen from the model.
pub(crate) const DIRECTIONS: &[&str] = &["out", "in"];
/// What other libraries call them.
pub(crate) const DIRECTION_SYNONYMS: &[(&str, &str)] =
    &[("outgoing", "out"), ("incoming", "in"), ("reverse", "in"), ("reversed", "in")];

/// `#[adb(…)]` on a connection.
pub(crate) const CONNECTION: Keys = Keys {
    place: "on a connection",
    known: &["class", "rename_all", "crate"],
    serdes: &["deny_unknown_fields"],
    later: &["was"],
    synonyms: &[("name", "class"), ("type", "class")],
};

/// `#[adb(…)]` on a list of properties.
pub(crate) const PROPERTIES: Keys = Keys {
    place: "on a list of properties",
    known: &["rename_all", "crate"],
    serdes: &["deny_unknown_fields"],
    later: &[],
    synonyms: &[],
};

/// `#[adb(…)]` on a field of a list of properties.
pub(crate) const PROPERTIES_FIELD: Keys =
    Keys { place: "on a field of a list of properties", ..CONNECTION_FIELD };

/// `#[adb(…)]` on a connection's field.
pub(crate) const CONNECTION_FIELD: Keys = Keys {
    place: "on a field of a connection",
    known: &["rename", "was", "index", "with", "flatten", "default", "skip"],
    serdes: &["alias", "skip_serializing_if"],
    later: &[],
    synonyms: &[("name", "rename"), ("property", "rename"), ("ignore", "skip")],
};

/// `#[adb(…)]` on a property.
pub(crate) const PROPERTY: Keys = Keys {
    place: "on a property",
    known: &["rename_all", "crate"],
    serdes: &["transparent"],
    later: &[],
    synonyms: &[],
};

/// `#[adb(…)]` on a variant of a property.
pub(crate) const VARIANT: Keys = Keys {
    place: "on a variant",
    known: &["rename"],
    serdes: &["alias"],
    later: &[],
    synonyms: &[("name", "rename")],
};

/// Variants of `adb::NoFace`, as `face = …` says what is embedded.
pub(crate) const FACES: &[&str] = &["LargestOrFail", "LargestOrSkip", "LargestOrWhole"];
pub(crate) const FACE_SYNONYMS: &[(&str, &str)] = &[
    ("Fail", "LargestOrFail"),
    ("Largest", "LargestOrFail"),
    ("Skip", "LargestOrSkip"),
    ("Whole", "LargestOrWhole"),
];

/// `embed(…)`.
pub(crate) const EMBED: Keys = Keys {
    place: "in `embed(…)`",
    known: &["from", "set", "embedder", "metric", "engine", "class", "label", "face"],
    later: &[],
    serdes: &[],
    synonyms: &[
        ("model", "embedder"),
        ("source", "from"),
        ("field", "from"),
        ("name", "set"),
        ("descriptor_set", "set"),
        ("distance", "metric"),
        ("index", "engine"),
    ],
};

/// `#[adb(…)]` on a descriptor set.
pub(crate) const SET: Keys = Keys {
    place: "on a descriptor set",
    known: &["name", "embedder", "metric", "engine", "crate"],
    later: &["was"],
    serdes: &[],
    synonyms: &[
        ("set", "name"),
        ("class", "name"),
        ("model", "embedder"),
        ("distance", "metric"),
        ("index", "engine"),
    ],
};

/// The property that identifies every object of the Python SDK's models.
pub(crate) const SDK_ID: &str = "id";

/// Variants of `adb::Convention`.
pub(crate) const CONVENTIONS: &[&str] = &["Adb", "PythonSdk"];
/// What people may call them.
pub(crate) const CONVENTION_SYNONYMS: &[(&str, &str)] =
    &[("Python", "PythonSdk"), ("Sdk", "PythonSdk"), ("aperturedb", "PythonSdk")];

/// Variants of `adb::Metric`.
pub(crate) const METRICS: &[&str] = &["Cosine", "InnerProduct", "L2"];
/// What the query language and other libraries call them.
pub(crate) const METRIC_SYNONYMS: &[(&str, &str)] =
    &[("CS", "Cosine"), ("IP", "InnerProduct"), ("Dot", "InnerProduct"), ("Euclidean", "L2")];

/// Variants of `adb::Engine`.
pub(crate) const ENGINES: &[&str] = &["Flat", "Ivf", "Hnsw"];
/// What the query language and other libraries call them.
pub(crate) const ENGINE_SYNONYMS: &[(&str, &str)] =
    &[("FaissFlat", "Flat"), ("exact", "Flat"), ("FaissIVFFlat", "Ivf")];

/// The word that was meant, if one is near.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
    synonyms: &[(&str, &'a str)],
) -> Option<&'a str> {
    if let Some((_, meant)) = synonyms.iter().find(|(s, _)| s.eq_ignore_ascii_case(given)) {
        return Some(meant);
    }
    let lower = given.to_ascii_lowercase();
    known
        .into_iter()
        .map(|k| (nearness(&lower, &k.to_ascii_lowercase()), k))
        .filter(|(nearness, _)| *nearness > 0.0)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

/// From 0, too far to be meant, to 1. Words that begin alike are near, and words that differ in a
/// few letters, such as `foto` and `photo`.
fn nearness(given: &str, known: &str) -> f64 {
    let alike = strsim::jaro_winkler(given, known);
    let few_edits = strsim::normalized_damerau_levenshtein(given, known) >= 0.6;
    if alike > 0.8 || few_edits { alike } else { 0.0 }
}

/// Words in backticks, with commas between.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}

/// Why the database does not take a name.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("is empty")
    } else if name.starts_with('_') {
        Some("starts with `_`, which the database keeps for its own names")
    } else if name.len() > 64 {
        Some("is longer than 64 bytes")
    } else if name.chars().any(char::is_control) {
        Some("contains a control character")
    } else {
        None
    }
}

/// Why a property can't have a name that the database would take.
pub(crate) fn reserved(name: &str) -> Option<&'static str> {
    if matches!(name, "user_type" | "edge_id") || name.starts_with("adb_") {
        Some("is one of adb's own: `user_type`, `edge_id`, and all that begin with `adb_`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_word() {
        let field = |given| nearest(given, FIELD.known.iter().copied(), FIELD.synonyms);
        assert_eq!(field("idd"), Some("id"));
        assert_eq!(field("Index"), Some("index"));
        assert_eq!(field("conect"), Some("connect"));
        assert_eq!(field("primary_key"), Some("id"));
        assert_eq!(field("xyzzy"), None);
        assert_eq!(nearest("foto", ["id", "photo", "look", "other"], &[]), Some("photo"));
        assert_eq!(nearest("cosin", METRICS.iter().copied(), METRIC_SYNONYMS), Some("Cosine"));
        assert_eq!(nearest("HNSW", ENGINES.iter().copied(), &[]), Some("Hnsw"));
    }

    #[test]
    fn names_the_database_takes() {
        assert!(name_fault("dish name").is_none());
        assert!(name_fault(&"é".repeat(32)).is_none());
        assert!(name_fault(&"é".repeat(33)).is_some());
        assert!(name_fault("_Image").is_some());
        assert!(name_fault("").is_some());
        assert!(name_fault("a\nb").is_some());
        assert!(reserved("adb_id").is_some() && reserved("edge_id").is_some());
        assert!(reserved("id").is_none() && reserved("adb").is_none());
    }
}
