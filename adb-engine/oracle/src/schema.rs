//! Indexes and the schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::{
    Wrong,
    command::Index,
    run::{Answer, Run, done},
    state::{Item, target},
};

const BUILT_IN: [(&str, &str, &str); 3] = [
    ("entity", "_DescriptorSet", "_name"),
    ("entity", "_Descriptor", "_set_name"),
    ("entity", "_Descriptor", "_create_txn"),
];

fn is_built_in((target, class, property): &Index) -> bool {
    BUILT_IN.contains(&(*target, class.as_str(), property.as_str()))
}

impl Run<'_> {
    /// An index that is there is no failure in the newer form, and status 2 in the older one.
    pub(crate) fn create_index(&mut self, index: &Index, newer: bool) -> Result<Answer, Wrong> {
        let known = is_built_in(index) || !self.state.indexes.insert(index.clone());
        Ok(match (known, newer) {
            (false, _) => done(json!({})),
            (true, true) => done(json!({"info": "Index exists!"})),
            (true, false) => done(json!({"status": 2, "info": "Index exists!"})),
        })
    }

    pub(crate) fn remove_index(&mut self, index: &Index) -> Result<Answer, Wrong> {
        if is_built_in(index) || !self.state.indexes.remove(index) {
            return Err(Wrong::new("there is no index that could be removed"));
        }
        Ok(done(json!({})))
    }

    /// (target, class, property, kind): what is given must fit.
    pub(crate) fn indexes(&self, wanted: [&Option<String>; 4]) -> Answer {
        let own = self.state.indexes.iter().map(|(t, c, p)| (*t, c.as_str(), p.as_str()));
        let mut indexes = json!({});
        for (target, class, property) in own.chain(BUILT_IN) {
            let found = [target, class, property, "ordered"];
            let fits = |(wanted, found): (&Option<String>, &str)| {
                wanted.as_ref().is_none_or(|wanted| wanted == found)
            };
            if wanted.into_iter().zip(found).all(fits) {
                indexes[target][class][property] = json!([{"kind": "ordered", "params": {}}]);
            }
        }
        done(json!({"indexes": indexes}))
    }

    pub(crate) fn schema(&self, entities: bool, connections: bool) -> Answer {
        let mut answer = done(json!({}));
        if entities {
            answer.insert("entities".to_owned(), self.entities());
        }
        if connections {
            answer.insert("connections".to_owned(), self.connections());
        }
        answer
    }

    /// `{"property": [how many have it, whether it is indexed, its type]}`
    fn properties(&self, items: &[Item]) -> Map<String, Json> {
        let mut properties = Map::new();
        for item in items.iter().filter(|item| !item.own_connection) {
            let object = &self.state.objects[&item.object];
            for (key, value) in &object.properties {
                let column = (target(object.kind), object.class.clone(), key.clone());
                let indexed = self.state.indexes.contains(&column);
                let entry = properties
                    .entry(key.clone())
                    .or_insert_with(|| json!([0, indexed, value.kind().name()]));
                entry[0] = json!(entry[0].as_u64().unwrap_or(0) + 1);
            }
        }
        properties
    }

    fn entities(&self) -> Json {
        let mut classes: BTreeMap<&String, Vec<Item>> = BTreeMap::new();
        for (number, object) in self.state.objects.iter().filter(|(_, o)| o.ends.is_none()) {
            classes.entry(&object.class).or_default().push(Item::of(*number));
        }
        let shown = classes.into_iter().map(|(class, items)| {
            let properties = self.properties(&items);
            (class.clone(), json!({"matched": items.len(), "properties": properties}))
        });
        listed(&shown.collect())
    }

    /// One entry for each pair of classes that a class of connections joins.
    fn connections(&self) -> Json {
        let mut classes: BTreeMap<String, BTreeMap<(String, String), Vec<Item>>> = BTreeMap::new();
        for edge in self.state.edges() {
            let class = |number: u64| self.state.class(Item::of(number));
            let pairs = classes.entry(edge.class).or_default();
            pairs.entry((class(edge.src), class(edge.dst))).or_default().push(edge.item);
        }
        let shown = classes.into_iter().map(|(class, pairs)| {
            let pairs = pairs.into_iter().map(|((src, dst), items)| {
                let properties = match self.properties(&items) {
                    none if none.is_empty() => Json::Null,
                    some => Json::Object(some),
                };
                json!({"matched": items.len(), "src": src, "dst": dst, "properties": properties})
            });
            (class, Json::Array(pairs.collect()))
        });
        listed(&shown.collect())
    }
}

fn listed(classes: &Map<String, Json>) -> Json {
    if classes.is_empty() {
        return Json::Null;
    }
    json!({"returned": classes.len(), "classes": classes})
}
