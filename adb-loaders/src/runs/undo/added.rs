//! What a run added, and how a database is asked for it.

use adb_model::{
    Answer, Constraint, Database, DbError, Dialect, ObjectKind, Request, ask, graph::RUN,
};
use serde_json::{Value as Json, json};

/// Objects that one request is about.
pub(super) const AT_ONCE: usize = 1000;

/// Objects of one kind and class.
pub(super) struct Group {
    pub(super) kind: ObjectKind,
    /// As the database's schema names it.
    pub(super) class: String,
}

/// Kinds of objects that have no class, in the order in which they go: what hangs on another first.
const KINDS: [ObjectKind; 8] = [
    ObjectKind::Descriptor,
    ObjectKind::BoundingBox,
    ObjectKind::Polygon,
    ObjectKind::Clip,
    ObjectKind::Frame,
    ObjectKind::Blob,
    ObjectKind::Image,
    ObjectKind::Video,
];

/// A class of connections, and what it joins.
pub(super) struct Joint {
    pub(super) class: String,
    pub(super) src: String,
    pub(super) dst: String,
}

/// The objects and connections that a run added, and where they are looked for.
pub(super) struct Added<'d> {
    db: &'d dyn Database,
    pub(super) run: &'d str,
    pub(super) groups: Vec<Group>,
    pub(super) joints: Vec<Joint>,
}

impl<'d> Added<'d> {
    pub(super) async fn by_run(db: &'d dyn Database, run: &'d str) -> Result<Self, DbError> {
        let (answers, _) = ask(db, Request::json(&json!([{"GetSchema": {}}]))).await?;
        let schema = Answer::at(&answers, 0)?;
        let classes = |what: &str| {
            let classes = schema.get(what).and_then(|all| all.get("classes")?.as_object());
            classes.into_iter().flatten()
        };
        let mut groups: Vec<Group> = KINDS
            .iter()
            .map(|kind| Group {
                kind: *kind,
                class: kind.system_class().unwrap_or_default().to_owned(),
            })
            .collect();
        for (class, entry) in classes("entities") {
            let has_run = entry.get("properties").is_some_and(|p| p.get(RUN).is_some());
            if !class.starts_with('_') && has_run {
                groups.push(Group { kind: ObjectKind::Entity, class: class.clone() });
            }
        }
        let mut joints = Vec::new();
        for (class, entry) in classes("connections").filter(|(c, _)| !c.starts_with('_')) {
            let entries: Vec<&Json> = match entry {
                Json::Array(all) => all.iter().collect(),
                Json::Object(one) if one.contains_key("src") => vec![entry],
                Json::Object(named) => named.values().collect(),
                _ => Vec::new(),
            };
            for entry in entries {
                let text =
                    |key| entry.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
                joints.push(Joint { class: class.clone(), src: text("src"), dst: text("dst") });
            }
        }
        Ok(Self { db, run, groups, joints })
    }

    pub(super) fn of_run(&self) -> Constraint {
        Constraint::equal(RUN, self.run)
    }

    /// A Find of a group's objects.
    pub(super) fn find(&self, group: usize, constraint: &Constraint, mut body: Json) -> Json {
        let Group { kind, class } = &self.groups[group];
        if *kind == ObjectKind::Entity {
            body["with_class"] = class.as_str().into();
        }
        body["constraints"] = constraint.to_json(Dialect::Classic);
        json!({ format!("Find{}", kind.command_suffix()): body })
    }

    pub(super) async fn ask(&self, commands: Vec<Json>) -> Result<Vec<Json>, DbError> {
        Ok(ask(self.db, Request::json(&Json::Array(commands))).await?.0)
    }

    /// Whether there is no object and no connection of the run.
    pub(super) async fn is_nothing(&self) -> Result<bool, DbError> {
        let counted = json!({"results": {"count": true}});
        let objects =
            (0..self.groups.len()).map(|group| self.find(group, &self.of_run(), counted.clone()));
        let constraints = self.of_run().to_json(Dialect::Classic);
        let connections = self.joints.iter().map(|joint| {
            let mut body = counted.clone();
            body["with_class"] = joint.class.as_str().into();
            body["constraints"] = constraints.clone();
            json!({ "FindConnection": body })
        });
        let answers = self.ask(objects.chain(connections).collect()).await?;
        for i in 0..answers.len() {
            if Answer::at(&answers, i)?.count() > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A page of the run's objects of a group, by unique id.
    pub(super) async fn page(&self, group: usize, offset: usize) -> Result<Vec<String>, DbError> {
        let results = json!({"limit": AT_ONCE});
        let body = json!({ "uniqueids": true, "results": results, "offset": offset });
        let answers = self.ask(vec![self.find(group, &self.of_run(), body)]).await?;
        Ok(ids(&Answer::at(&answers, 0)?))
    }
}

pub(super) fn by_id(ids: &[String]) -> Constraint {
    Constraint::one_of("_uniqueid", ids.iter().map(|id| id.as_str().into()))
}

pub(super) fn ids(answer: &Answer<'_>) -> Vec<String> {
    answer.unique_ids().map(str::to_owned).collect()
}

pub(super) fn texts<'a>(answer: &Answer<'a>, key: &'a str) -> impl Iterator<Item = String> + 'a {
    let all = answer.connections().iter();
    all.filter_map(move |edge| Some(edge.get(key)?.as_str()?.to_owned()))
}
