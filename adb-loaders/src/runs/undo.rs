//! Taking a run back: what it added goes, unless others refer to it by now.

use std::collections::{HashMap, HashSet};

use adb_model::{
    Answer, Constraint, Database, DbError, Dialect, ObjectKind, Op, Request, ask, graph::RUN,
};
use serde_json::{Map, Value as Json, json};

use super::{CLASS, now, run};
use crate::Error;

/// Objects that one request is about.
const AT_ONCE: usize = 1000;

/// What was taken back, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Undone {
    /// The run.
    pub run: String,
    /// Objects that were deleted: those that it added, and vectors that others hung on them since.
    pub objects: u64,
    /// Connections that it added between objects that stay, and that were deleted.
    pub connections: u64,
    /// Objects that it added and that stay, since others refer to them.
    pub kept: u64,
    /// Rows that it changed: what they were before is not known, and they stay as they are.
    pub updated: u64,
}

impl std::fmt::Display for Undone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { run, objects, connections, kept, updated } = self;
        write!(f, "{run} undone: {objects} objects and {connections} connections deleted")?;
        if *kept > 0 {
            write!(f, "; {kept} objects stay, since others refer to them")?;
        }
        if *updated > 0 {
            write!(
                f,
                "; {updated} rows that it changed stay as they are, since nobody knows what they were"
            )?;
        }
        Ok(())
    }
}

/// Takes a run back: deletes the objects that it added and the connections that it made.
///
/// An object that other runs or programs have connected to something since stays, with all that it
/// is connected to and that hangs on it. Objects that the run changed stay changed; of how many
/// rows that is so the answer says. Ingestions that come after it compare every row with the
/// database again, so what is gone comes back if a source has it.
///
/// It may be broken off and begun again.
///
/// # Errors
/// When there is no such run, or the database can't be asked. What has been deleted by then stays
/// deleted.
pub async fn undo(db: &dyn Database, id: &str) -> Result<Undone, Error> {
    let known = run(db, id).await?;
    let all = super::runs(db).await?;
    // First of all, so that nobody believes what is noted of rows that are half gone.
    let latest = all.iter().map(|run| run.id.clone() + "~").max().unwrap_or_default();
    let stamp = now().max(latest);
    let this = Constraint::equal("id", id).to_json(Dialect::Classic);
    let mark = json!([{"UpdateEntity": {
        "with_class": CLASS, "constraints": this, "properties": {"undone": stamp},
    }}]);
    ask(db, Request::json(&mark)).await?;

    let undo = Undo::begin(db, id).await?;
    let kept = undo.kept().await?;
    let mut undone = Undone { run: id.to_owned(), updated: known.updated, ..Undone::default() };
    for group in 0..undo.groups.len() {
        undo.delete(group, &kept, &mut undone).await?;
    }
    undone.connections = undo.delete_connections(&kept).await?;
    Ok(undone)
}

/// Objects of one kind and class.
struct Group {
    kind: ObjectKind,
    /// As the database's schema names it.
    class: String,
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
struct Joint {
    class: String,
    src: String,
    dst: String,
}

struct Undo<'d> {
    db: &'d dyn Database,
    run: &'d str,
    groups: Vec<Group>,
    joints: Vec<Joint>,
}

impl<'d> Undo<'d> {
    async fn begin(db: &'d dyn Database, run: &'d str) -> Result<Self, DbError> {
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

    fn of_run(&self) -> Constraint {
        Constraint::equal(RUN, self.run)
    }

    /// A Find of a group's objects.
    fn find(&self, group: usize, constraint: &Constraint, mut body: Json) -> Json {
        let Group { kind, class } = &self.groups[group];
        if *kind == ObjectKind::Entity {
            body["with_class"] = class.as_str().into();
        }
        body["constraints"] = constraint.to_json(Dialect::Classic);
        json!({ format!("Find{}", kind.command_suffix()): body })
    }

    async fn ask(&self, commands: Vec<Json>) -> Result<Vec<Json>, DbError> {
        Ok(ask(self.db, Request::json(&Json::Array(commands))).await?.0)
    }

    /// A page of the run's objects of a group, by unique id.
    async fn page(&self, group: usize, offset: usize) -> Result<Vec<String>, DbError> {
        let results = json!({"limit": AT_ONCE});
        let body = json!({ "uniqueids": true, "results": results, "offset": offset });
        let answers = self.ask(vec![self.find(group, &self.of_run(), body)]).await?;
        Ok(ids(&Answer::at(&answers, 0)?))
    }

    /// Objects of the run that stay, since others refer to them: by group and unique id.
    async fn kept(&self) -> Result<HashSet<String>, DbError> {
        let mut frontier: HashMap<usize, Vec<String>> = HashMap::new();
        let mut kept = HashSet::new();
        for group in 0..self.groups.len() {
            let mut offset = 0;
            loop {
                let page = self.page(group, offset).await?;
                if page.is_empty() {
                    break;
                }
                offset += page.len();
                for id in self.referred_to(group, &page).await? {
                    if kept.insert(id.clone()) {
                        frontier.entry(group).or_default().push(id);
                    }
                }
            }
        }
        // And what these are connected to, and what hangs on them.
        while let Some(group) = frontier.keys().next().copied() {
            for ids in frontier.remove(&group).unwrap_or_default().chunks(AT_ONCE) {
                for (next, ids) in self.belonging(group, ids).await? {
                    let new = ids.into_iter().filter(|id| kept.insert(id.clone()));
                    let new: Vec<String> = new.collect();
                    if !new.is_empty() {
                        frontier.entry(next).or_default().extend(new);
                    }
                }
            }
        }
        Ok(kept)
    }

    /// Those of some objects that a connection begins or ends at which is not of the run.
    async fn referred_to(&self, group: usize, ids: &[String]) -> Result<Vec<String>, DbError> {
        let class = &self.groups[group].class;
        let mut commands = vec![self.find(group, &by_id(ids), json!({"_ref": 1}))];
        let mut ends = Vec::new();
        let others = [
            Constraint::compare(RUN, Op::Ne, self.run),
            Constraint::Present { property: RUN.into(), present: false },
        ];
        for joint in &self.joints {
            for (end, at) in [("src", &joint.src), ("dst", &joint.dst)] {
                for of_others in others.iter().filter(|_| at == class) {
                    let key = format!("_{end}");
                    commands.push(json!({"FindConnection": {
                        "with_class": joint.class, end: 1,
                        "constraints": of_others.to_json(Dialect::Classic),
                        "results": {"list": [key]},
                    }}));
                    ends.push(key);
                }
            }
        }
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.ask(commands).await?;
        let mut found = HashSet::new();
        for (i, end) in ends.iter().enumerate() {
            found.extend(texts(&Answer::at(&answers, i + 1)?, end));
        }
        Ok(found.into_iter().collect())
    }

    /// The run's objects that hang on objects which stay, or that these are connected to by it.
    async fn belonging(
        &self,
        group: usize,
        of: &[String],
    ) -> Result<Vec<(usize, Vec<String>)>, DbError> {
        let class = &self.groups[group].class;
        let mut commands = vec![self.find(group, &by_id(of), json!({"_ref": 1}))];
        let parts = self.groups.iter().enumerate().filter(|(_, g)| is_part(g.kind));
        let parts: Vec<usize> = parts.map(|(part, _)| part).collect();
        for part in &parts {
            let near = json!({ "uniqueids": true, "is_connected_to": {"ref": 1} });
            commands.push(self.find(*part, &self.of_run(), near));
        }
        let leaving: Vec<&Joint> = self.joints.iter().filter(|j| j.src == *class).collect();
        for joint in &leaving {
            commands.push(json!({"FindConnection": {
                "with_class": joint.class, "src": 1,
                "constraints": self.of_run().to_json(Dialect::Classic),
                "results": {"list": ["_dst"]},
            }}));
        }
        let answers = self.ask(commands).await?;
        let mut belonging = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            belonging.push((*part, ids(&Answer::at(&answers, i + 1)?)));
        }
        for (i, joint) in leaving.iter().enumerate() {
            let ends = texts(&Answer::at(&answers, 1 + parts.len() + i)?, "_dst");
            let ends: Vec<String> = ends.collect::<HashSet<_>>().into_iter().collect();
            let Some(far) = self.groups.iter().position(|g| g.class == joint.dst) else { continue };
            for ends in ends.chunks(AT_ONCE) {
                let ours = by_id(ends).and(self.of_run());
                let body = json!({"uniqueids": true});
                let answers = self.ask(vec![self.find(far, &ours, body)]).await?;
                belonging.push((far, ids(&Answer::at(&answers, 0)?)));
            }
        }
        Ok(belonging)
    }

    /// Deletes a group's objects, and vectors that hang on them.
    async fn delete(
        &self,
        group: usize,
        kept: &HashSet<String>,
        undone: &mut Undone,
    ) -> Result<(), DbError> {
        let mut offset = 0;
        loop {
            let page = self.page(group, offset).await?;
            if page.is_empty() {
                return Ok(());
            }
            let (stay, go): (Vec<_>, Vec<_>) = page.into_iter().partition(|id| kept.contains(id));
            offset += stay.len();
            undone.kept += stay.len() as u64;
            if go.is_empty() {
                continue;
            }
            let kind = self.groups[group].kind;
            let mut commands = Vec::new();
            if kind != ObjectKind::Descriptor {
                let hanging = self.hanging(group, &go).await?;
                if !hanging.is_empty() {
                    commands.push(delete(ObjectKind::Descriptor, &hanging));
                }
            }
            commands.push(delete(kind, &go));
            let answers = self.ask(commands).await?;
            for i in 0..answers.len() {
                undone.objects += count(&Answer::at(&answers, i)?);
            }
        }
    }

    /// Vectors that hang on objects, whoever made them; those that users have connected do not.
    async fn hanging(&self, group: usize, of: &[String]) -> Result<Vec<String>, DbError> {
        let class = &self.groups[group].class;
        let mut commands = vec![
            self.find(group, &by_id(of), json!({"_ref": 1})),
            json!({"FindDescriptor": {"is_connected_to": {"ref": 1}, "uniqueids": true}}),
        ];
        let connected = |joint: &&Joint| joint.src == *class && joint.dst == "_Descriptor";
        for joint in self.joints.iter().filter(connected) {
            commands.push(json!({"FindConnection": {
                "with_class": joint.class, "src": 1, "results": {"list": ["_dst"]},
            }}));
        }
        let answers = self.ask(commands).await?;
        let mut connected = HashSet::new();
        for i in 2..answers.len() {
            connected.extend(texts(&Answer::at(&answers, i)?, "_dst"));
        }
        let found = ids(&Answer::at(&answers, 1)?);
        Ok(found.into_iter().filter(|id| !connected.contains(id)).collect())
    }

    /// Deletes the connections that the run made at objects that it did not add.
    async fn delete_connections(&self, kept: &HashSet<String>) -> Result<u64, DbError> {
        let mut deleted = 0;
        let classes: HashSet<&str> = self.joints.iter().map(|j| j.class.as_str()).collect();
        for class in classes {
            let mut offset = 0;
            loop {
                let answers = self
                    .ask(vec![json!({"FindConnection": {
                        "with_class": class, "uniqueids": true,
                        "constraints": self.of_run().to_json(Dialect::Classic),
                        "results": {"list": ["_src"], "limit": AT_ONCE}, "offset": offset,
                    }})])
                    .await?;
                let found = connections(&Answer::at(&answers, 0)?);
                if found.is_empty() {
                    break;
                }
                let text = |edge: &Map<String, Json>, key: &str| {
                    edge.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
                };
                let begins_at_kept =
                    |edge: &&&Map<String, Json>| kept.contains(&text(edge, "_src"));
                let (stay, go): (Vec<_>, Vec<_>) = found.iter().partition(begins_at_kept);
                offset += stay.len();
                if go.is_empty() {
                    continue;
                }
                let go: Vec<String> = go.into_iter().map(|e| text(e, "_uniqueid")).collect();
                let constraints = by_id(&go).to_json(Dialect::Classic);
                let answers = self
                    .ask(vec![json!({"DeleteConnection": {
                        "with_class": class, "constraints": constraints,
                    }})])
                    .await?;
                deleted += count(&Answer::at(&answers, 0)?);
            }
        }
        Ok(deleted)
    }
}

/// Whether objects of a kind hang on others.
fn is_part(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Descriptor
            | ObjectKind::BoundingBox
            | ObjectKind::Polygon
            | ObjectKind::Clip
            | ObjectKind::Frame
    )
}

fn by_id(ids: &[String]) -> Constraint {
    Constraint::one_of("_uniqueid", ids.iter().map(|id| id.as_str().into()))
}

fn delete(kind: ObjectKind, ids: &[String]) -> Json {
    let constraints = by_id(ids).to_json(Dialect::Classic);
    json!({ format!("Delete{}", kind.command_suffix()): {"constraints": constraints} })
}

fn ids(answer: &Answer<'_>) -> Vec<String> {
    let ids = answer.entities().iter().filter_map(|e| e.get("_uniqueid")?.as_str());
    ids.map(str::to_owned).collect()
}

fn connections<'a>(answer: &Answer<'a>) -> Vec<&'a Map<String, Json>> {
    let all = answer.get("connections").and_then(Json::as_array);
    all.into_iter().flatten().filter_map(Json::as_object).collect()
}

fn texts<'a>(answer: &Answer<'a>, key: &'a str) -> impl Iterator<Item = String> + 'a {
    let all = connections(answer).into_iter();
    all.filter_map(move |edge| Some(edge.get(key)?.as_str()?.to_owned()))
}

fn count(answer: &Answer<'_>) -> u64 {
    answer.get("count").and_then(Json::as_u64).unwrap_or(0)
}
