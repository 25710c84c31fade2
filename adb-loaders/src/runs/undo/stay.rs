//! Which of the objects that a run added stay, since they are not its alone.

use std::collections::{HashMap, HashSet};

use adb_model::{Answer, Constraint, DbError, Dialect, ObjectKind, Op, graph::RUN};
use serde_json::{Value as Json, json};

use super::added::{AT_ONCE, Added, Group, Joint, by_id, ids, texts};

impl Added<'_> {
    /// Objects of the run that stay, since others refer to them: by group and unique id.
    pub(super) async fn kept(&self) -> Result<HashSet<String>, DbError> {
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

    /// Those of some objects that are not the run's alone: a connection begins or ends at them, or a
    /// region, a clip or a frame lies in them, that is not of the run.
    async fn referred_to(&self, group: usize, ids: &[String]) -> Result<Vec<String>, DbError> {
        let Group { kind, class } = &self.groups[group];
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
        let parts = self
            .groups
            .iter()
            .enumerate()
            .filter(|(_, part)| part.kind != ObjectKind::Descriptor && holds(*kind, part.kind));
        for (part, _) in parts {
            let body = json!({
                "is_connected_to": {"ref": 1}, "group_by_source": true, "uniqueids": true,
            });
            commands.extend(others.iter().map(|others| self.find(part, others, body.clone())));
        }
        if commands.len() == 1 {
            return Ok(Vec::new());
        }
        let answers = self.ask(commands).await?;
        let mut found = HashSet::new();
        for i in 1..answers.len() {
            let answer = Answer::at(&answers, i)?;
            match ends.get(i - 1) {
                Some(end) => found.extend(texts(&answer, end)),
                None => {
                    let by_holder = answer.get("entities").and_then(Json::as_object);
                    let has_any =
                        |parts: &Json| parts.as_array().is_some_and(|all| !all.is_empty());
                    let holders = by_holder.into_iter().flatten();
                    let holders = holders.filter(|(_, parts)| has_any(parts));
                    found.extend(holders.map(|(holder, _)| holder.clone()));
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The run's objects that hang on objects which stay, that these hang on, or that these are
    /// connected to by it.
    async fn belonging(
        &self,
        group: usize,
        of: &[String],
    ) -> Result<Vec<(usize, Vec<String>)>, DbError> {
        let Group { kind, class } = &self.groups[group];
        let mut commands = vec![self.find(group, &by_id(of), json!({"_ref": 1}))];
        let hangs = |other: &Group| is_part(other.kind) || holds(other.kind, *kind);
        let near = self.groups.iter().enumerate().filter(|(_, other)| hangs(other));
        let near: Vec<usize> = near.map(|(near, _)| near).collect();
        for group in &near {
            let body = json!({ "uniqueids": true, "is_connected_to": {"ref": 1} });
            commands.push(self.find(*group, &self.of_run(), body));
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
        for (i, group) in near.iter().enumerate() {
            belonging.push((*group, ids(&Answer::at(&answers, i + 1)?)));
        }
        for (i, joint) in leaving.iter().enumerate() {
            let ends = texts(&Answer::at(&answers, 1 + near.len() + i)?, "_dst");
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

/// Whether objects of a kind can be what parts of another kind hang on: regions go with their image
/// or frame, clips and frames with their video, and a vector is of anything.
fn holds(kind: ObjectKind, part: ObjectKind) -> bool {
    match part {
        ObjectKind::BoundingBox | ObjectKind::Polygon => {
            matches!(kind, ObjectKind::Image | ObjectKind::Frame)
        }
        ObjectKind::Clip | ObjectKind::Frame => kind == ObjectKind::Video,
        ObjectKind::Descriptor => kind != ObjectKind::Descriptor,
        _ => false,
    }
}
