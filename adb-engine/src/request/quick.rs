//! Reading requests that are as they should be, in half the time.
//!
//! Most of what a large request has is properties, and a map that finds them by name is made and
//! thrown away for nothing. Whatever is out of the ordinary is read the long way, which knows what
//! to say about it; both ways mean the same.

use std::fmt;

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value as Json};

/// More properties than this are read the long way.
const MAX_PROPERTIES: usize = 256;

/// A command: its name, its parameters but for the properties, and those.
pub(super) struct Quick {
    pub(super) name: String,
    pub(super) body: Map<String, Json>,
    pub(super) properties: Option<Properties>,
}

/// Names, each once, and values.
pub(super) type Properties = Vec<(String, Json)>;

impl<'de> Deserialize<'de> for Quick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfCommand)
    }
}

struct OfCommand;

impl<'de> Visitor<'de> for OfCommand {
    type Value = Quick;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Quick, A::Error> {
        let name = map.next_key()?.ok_or_else(|| A::Error::custom("no name"))?;
        let Body(body, properties) = map.next_value()?;
        match map.next_key::<IgnoredAny>()? {
            None => Ok(Quick { name, body, properties }),
            Some(_) => Err(A::Error::custom("two names")),
        }
    }
}

struct Body(Map<String, Json>, Option<Properties>);

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfBody)
    }
}

struct OfBody;

impl<'de> Visitor<'de> for OfBody {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parameters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let mut body = Map::new();
        let mut properties = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "properties" {
                body.insert(key, map.next_value()?);
            } else if properties.is_none() {
                let Named(named) = map.next_value()?;
                properties = Some(named);
            } else {
                return Err(A::Error::custom("properties twice"));
            }
        }
        Ok(Body(body, properties))
    }
}

struct Named(Properties);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfProperties)
    }
}

struct OfProperties;

impl<'de> Visitor<'de> for OfProperties {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("properties")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
        let mut named: Properties = Vec::with_capacity(16);
        let mut seen = Seen::default();
        while let Some(name) = map.next_key::<String>()? {
            let again = seen.perhaps(&name) && named.iter().any(|(earlier, _)| *earlier == name);
            if again || named.len() == MAX_PROPERTIES {
                return Err(A::Error::custom("the last of one name counts"));
            }
            named.push((name, map.next_value()?));
        }
        Ok(Named(named))
    }
}

/// Which names there have been: perhaps, or surely not.
struct Seen([u64; 64]);

impl Default for Seen {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Seen {
    fn perhaps(&mut self, name: &str) -> bool {
        let mut hash = name.len() as u64;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let word = &mut self.0[(hash >> 40) as usize % 64];
        let bit = 1 << ((hash >> 50) % 64);
        let there = *word & bit != 0;
        *word |= bit;
        there
    }
}
