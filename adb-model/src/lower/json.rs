//! The bytes of commands, written as they come.

use super::Lowering;
use crate::{
    Dialect, Node, Value,
    graph::USER_TYPE,
    value::{write_display, write_json_str},
};

impl Lowering {
    /// Identity as constraints, within a set if one is named.
    pub(super) fn identity(&mut self, node: &Node, set: Option<&str>) {
        let parts = node.identity.parts().iter().map(|(p, v)| (*p, Text::Value(v)));
        let user_type = node.is_typed().then_some((USER_TYPE, Text::Str(&node.class)));
        let set = set.map(|name| ("_set_name", Text::Str(name)));
        let all: Vec<_> = parts.chain(user_type).chain(set).collect();
        self.equal(&all);
    }

    /// Constraints: each property has its value.
    pub(super) fn equal(&mut self, pairs: &[(&str, Text<'_>)]) {
        match self.dialect {
            Dialect::Classic => {
                self.json.push(b'{');
                for (property, value) in pairs {
                    self.key(property);
                    self.json.extend_from_slice(b"[\"==\",");
                    value.write(&mut self.json);
                    self.json.push(b']');
                }
                self.json.push(b'}');
            }
            Dialect::Expression => {
                if pairs.len() > 1 {
                    self.json.extend_from_slice(b"[\"all\"");
                }
                for (property, value) in pairs {
                    if pairs.len() > 1 {
                        self.json.push(b',');
                    }
                    self.json.push(b'[');
                    write_json_str(&mut self.json, &format!("${property}"));
                    self.json.extend_from_slice(b",\"==\",");
                    value.write_operand(&mut self.json);
                    self.json.push(b']');
                }
                if pairs.len() > 1 {
                    self.json.push(b']');
                }
            }
        }
    }

    pub(super) fn open(&mut self, verb: &str, suffix: &str) {
        if self.commands > 0 {
            self.json.push(b',');
        }
        self.commands += 1;
        self.json.extend_from_slice(b"{\"");
        self.json.extend_from_slice(verb.as_bytes());
        self.json.extend_from_slice(suffix.as_bytes());
        self.json.extend_from_slice(b"\":{");
    }

    pub(super) fn close(&mut self) {
        self.json.extend_from_slice(b"}}");
    }

    /// A key, with the comma before it unless it is its object's first.
    pub(super) fn key(&mut self, key: &str) {
        if self.json.last() != Some(&b'{') {
            self.json.push(b',');
        }
        write_json_str(&mut self.json, key);
        self.json.push(b':');
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_json_str(&mut self.json, value);
    }

    pub(super) fn int(&mut self, key: &str, value: u32) {
        self.key(key);
        write_display(&mut self.json, &value);
    }
}

/// What a property is compared with.
pub(super) enum Text<'a> {
    Str(&'a str),
    Value(&'a Value),
}

impl Text<'_> {
    fn write(&self, json: &mut Vec<u8>) {
        match self {
            Text::Str(s) => write_json_str(json, s),
            Text::Value(v) => v.write_json(json),
        }
    }

    /// In an expression, text that begins with `$` would name a property.
    fn write_operand(&self, json: &mut Vec<u8>) {
        let text = match self {
            Text::Str(s) => s,
            Text::Value(Value::String(s)) => s.as_str(),
            Text::Value(Value::Date(d)) => {
                json.extend_from_slice(b"{\"to_date\":\"");
                write_display(json, d);
                return json.extend_from_slice(b"\"}");
            }
            Text::Value(plain) => return plain.write_json(json),
        };
        if text.starts_with('$') {
            write_json_str(json, &format!("${text}"));
        } else {
            write_json_str(json, text);
        }
    }
}
