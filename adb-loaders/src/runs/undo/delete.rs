//! Deleting what a run added.

use std::collections::HashSet;

use adb_model::{Answer, DbError, Dialect, ObjectKind};
use serde_json::{Value as Json, json};

use super::{
    Undone,
    added::{AT_ONCE, Added, Joint, by_id, ids, texts},
};

impl Added<'_> {
    /// Deletes a group's objects, and vectors that hang on them.
    pub(super) async fn delete(
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
                let mut hanging = self.hanging(group, &go).await?;
                hanging.retain(|id| !kept.contains(id));
                if !hanging.is_empty() {
                    commands.push(delete(ObjectKind::Descriptor, &hanging));
                }
            }
            commands.push(delete(kind, &go));
            let answers = self.ask(commands).await?;
            for i in 0..answers.len() {
                undone.objects += Answer::at(&answers, i)?.count();
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
    pub(super) async fn delete_connections(&self, kept: &HashSet<String>) -> Result<u64, DbError> {
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
                let found = Answer::at(&answers, 0)?.connections();
                if found.is_empty() {
                    break;
                }
                let text = |edge: &Json, key: &str| {
                    edge.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
                };
                let begins_at_kept = |edge: &&Json| kept.contains(&text(edge, "_src"));
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
                deleted += Answer::at(&answers, 0)?.count();
            }
        }
        Ok(deleted)
    }
}

fn delete(kind: ObjectKind, ids: &[String]) -> Json {
    let constraints = by_id(ids).to_json(Dialect::Classic);
    json!({ format!("Delete{}", kind.command_suffix()): {"constraints": constraints} })
}
