//! What the names of a request's commands tell. A request is looked at before it is known who sent
//! it, so what is kept does not grow with it.

use std::fmt;

use adb_model::only_reads;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::accounts::is_accounts;

/// Names that are shown in a log.
const MOST_SHOWN: usize = 8;
/// Characters of a name that are kept.
const MOST_CHARACTERS: usize = 64;

/// The names of the commands of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    count: usize,
    /// The first of them.
    first: Vec<String>,
    /// Whether one is about users or sessions.
    pub(crate) accounts: bool,
    /// The first that may change something.
    pub(crate) changing: Option<String>,
}

impl Names {
    /// Those of a request; none if it is no array of objects.
    pub(crate) fn of(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    fn note(&mut self, name: &str) {
        let kept = || name.chars().take(MOST_CHARACTERS).collect();
        if self.count < MOST_SHOWN {
            self.first.push(kept());
        }
        if self.changing.is_none() && !only_reads(name) {
            self.changing = Some(kept());
        }
        self.accounts |= is_accounts(name);
        self.count += 1;
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Commands;

        impl<'de> Visitor<'de> for Commands {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of commands")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut commands: A) -> Result<Names, A::Error> {
                let mut names = Names::default();
                while commands.next_element_seed(Command(&mut names))?.is_some() {}
                Ok(names)
            }
        }

        deserializer.deserialize_seq(Commands)
    }
}

/// One command: an object, of whose keys there should be one.
struct Command<'n>(&'n mut Names);

impl<'de> DeserializeSeed<'de> for Command<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Command<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut command: A) -> Result<(), A::Error> {
        while let Some((name, IgnoredAny)) = command.next_entry::<String, IgnoredAny>()? {
            self.0.note(&name);
        }
        Ok(())
    }
}

/// Names of commands, for a log: not more than fit a line, and nothing that breaks it.
pub(crate) struct Shown<'a>(pub(crate) Option<&'a Names>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(names) = self.0 else { return f.write_str("not an array of commands") };
        for (at, name) in names.first.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
            write!(f, "{gap}{name}")?;
        }
        match names.count - names.first.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Option<Names> {
        Names::of(json.as_bytes())
    }

    #[test]
    fn what_is_asked_for_is_told() {
        let names = of(r#"[{"FindImage": {"blobs": [1, {}]}}, {"AddBlob": {}}, {"Add\n": 1}]"#);
        let names = names.unwrap();
        assert_eq!((names.accounts, names.changing.as_deref()), (false, Some("AddBlob")));
        assert_eq!(Shown(Some(&names)).to_string(), "FindImage AddBlob Add");
        let reads = r#"[{"FindImage": {}}, {"GetSchema": {}}, {"BoundingBoxIoU": {}}]"#;
        assert_eq!(of(reads).unwrap().changing, None);
        assert!(of(r#"[{"FindImage": {}, "CreateUser": {}}]"#).unwrap().accounts);
        for none in ["", "[", "{}", "[1]", "[[]]", "null", "[{}] []", "[{\"a\": }]"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn many_names_and_long_ones_take_no_room() {
        let many = format!("[{}{{\"AddBlob\": {{}}}}]", "{\"FindBlob\": {}},".repeat(9_999));
        let names = of(&many).unwrap();
        assert_eq!(names.first.len(), MOST_SHOWN);
        assert_eq!(names.changing.as_deref(), Some("AddBlob"));
        assert!(Shown(Some(&names)).to_string().ends_with(" and 9992 more"));
        let long = of(&format!("[{{\"{}\": 1}}]", "A".repeat(100_000))).unwrap();
        assert_eq!(long.changing.unwrap().len(), MOST_CHARACTERS);
    }
}
