//! What makes an object, or a connection, the same one on the next run.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{CONTENT_ID, Node, OBJECT_ID, SDK_ID};
use crate::{Convention, Value};

/// What makes a node the same node on the next run: one property, or several together.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity(Vec<(&'static str, Value)>);

impl Identity {
    /// Properties that identify an object together; at least one.
    #[must_use]
    pub fn new(parts: Vec<(&'static str, Value)>) -> Self {
        debug_assert!(!parts.is_empty(), "the macro refuses models without an id");
        Self(parts)
    }

    /// The identifying properties.
    #[must_use]
    pub fn parts(&self) -> &[(&'static str, Value)] {
        &self.0
    }

    /// Identity as text: the value, if it is one; else each with its length before it, so that no
    /// two different identities spell the same.
    #[must_use]
    pub fn text(&self) -> String {
        match self.0.as_slice() {
            [(_, value)] => value.to_string(),
            several => {
                let texts: Vec<String> = several.iter().map(|(_, v)| v.to_string()).collect();
                spell(texts.iter().map(String::as_str))
            }
        }
    }
}

/// Identity of an object that belongs to a field of another, in the convention of that one's model:
/// `Dish/1/look`.
pub(super) fn part_identity(owner: &Node, field: &str) -> Identity {
    let value = Value::String(format!("{}/{}/{field}", owner.class, owner.identity.text()));
    let property = match owner.convention {
        Convention::Adb => OBJECT_ID,
        Convention::PythonSdk => SDK_ID,
    };
    Identity::new(vec![(property, value)])
}

pub(super) fn content_identity(id: String) -> Identity {
    Identity::new(vec![(CONTENT_ID, Value::String(id))])
}

/// What identifies an object by its blob: the SHA-256 of its bytes in hexadecimal digits, as
/// `sha256sum` prints it.
///
/// ```
/// assert_eq!(
///     adb_model::graph::content_id(b"abc"),
///     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
/// );
/// ```
#[must_use]
pub fn content_id(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits =
        |byte: u8| [byte >> 4, byte & 15].map(|half| char::from(DIGITS[usize::from(half)]));
    let mut text = String::with_capacity(64);
    text.extend(Sha256::digest(bytes).into_iter().flat_map(digits));
    text
}

/// The class of objects that belong to a field of another's: `Dish.look`.
pub(crate) fn part_class(owner: &str, field: &str) -> String {
    format!("{owner}.{field}")
}

/// Identity of a row that has none of its own: UUIDv5 over the source's name, the row's number and
/// what it says. The same on every run, and another one for an equal row elsewhere.
#[must_use]
pub fn row_identity(source: &str, row: u64, text: &[u8]) -> Uuid {
    let mut name = spell([source, &row.to_string()]).into_bytes();
    name.extend_from_slice(text);
    Uuid::new_v5(&ROW_NAMESPACE, &name)
}

/// UUIDv5 over both ends, the class, and the field where that tells two edges apart.
pub(super) fn edge_id(src: &Node, class: &str, dst: &Node, field: Option<&str>) -> Uuid {
    let (from, to) = (src.identity.text(), dst.identity.text());
    let ends = [
        src.kind.command_suffix(),
        &src.class,
        &from,
        class,
        dst.kind.command_suffix(),
        &dst.class,
        &to,
    ];
    let name = spell(ends.into_iter().chain(field));
    Uuid::new_v5(&EDGE_NAMESPACE, name.as_bytes())
}

/// Texts, each with its length before it, so that no two different lists spell the same.
pub(super) fn spell<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut spelled = String::with_capacity(128);
    for text in texts {
        // Writing to a String can't fail.
        let _ = write!(spelled, "{}:{text}", text.len());
    }
    spelled
}

/// Ours alone; changing it would double every edge of every database.
const EDGE_NAMESPACE: Uuid = Uuid::from_u128(0x8c0f_55b1_2b0d_4d9e_9a4c_6d1e_0a7b_3f21);

/// Ours alone; changing it would double every child that a maker made and that has no id.
pub(super) const MADE_NAMESPACE: Uuid = Uuid::from_u128(0xb1d6_4f0e_7c35_4a8b_9e62_05d7_4e1f_c3a8);

/// Ours alone; changing it would double every object whose id comes from its row.
const ROW_NAMESPACE: Uuid = Uuid::from_u128(0x5e7b_0c52_90aa_4d0f_8d2b_3f41_77c1_a9d6);
