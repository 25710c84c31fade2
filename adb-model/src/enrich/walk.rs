//! The objects of a model or a set, in the order of their making.

use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Constraint, Database, DbError, Dialect, ModelSchema, ObjectKind, Op, Request,
    answer::unique_id,
    database::ask,
    query::plan::{Commands, find},
};

/// The transaction that made an object: every kind has it, it never changes, and it is a number.
const CREATED: &str = "_create_txn";

/// Ids that one request asks for, unless a single transaction made more.
const AT_ONCE: u64 = 10_000;

/// The unique ids of objects, some thousands at a time, in the order in which they were made.
///
/// Each page begins after a transaction, and not after a number of objects: what is added, deleted
/// or changed meanwhile moves nothing that is still to come. Objects that are added meanwhile come
/// last.
#[derive(Debug, Clone)]
pub struct Walk {
    dialect: Dialect,
    kind: ObjectKind,
    body: Map<String, Json>,
    constraint: Constraint,
    after: Option<i64>,
    at_once: u64,
    ended: bool,
}

impl Walk {
    /// All objects of a model.
    #[must_use]
    pub fn of_model(dialect: Dialect, schema: &ModelSchema) -> Self {
        let mut walk = Self::new(dialect, schema.kind);
        if schema.is_typed() {
            walk.constraint = Constraint::equal(crate::graph::USER_TYPE, schema.class);
        }
        if schema.kind == ObjectKind::Entity {
            walk.body.insert("with_class".to_owned(), schema.class.into());
        }
        walk
    }

    /// All descriptors of a set.
    #[must_use]
    pub fn of_set(dialect: Dialect, set: &str) -> Self {
        let mut walk = Self::new(dialect, ObjectKind::Descriptor);
        walk.body.insert("set".to_owned(), set.into());
        walk
    }

    fn new(dialect: Dialect, kind: ObjectKind) -> Self {
        Self {
            dialect,
            kind,
            body: Map::new(),
            constraint: Constraint::All(Vec::new()),
            after: None,
            at_once: AT_ONCE,
            ended: false,
        }
    }

    /// Asks for so many ids at a time.
    #[must_use]
    pub fn at_once(mut self, ids: u64) -> Self {
        self.at_once = ids.max(1);
        self
    }

    /// How many objects there are now.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn count(&self, db: &dyn Database) -> Result<u64, DbError> {
        let mut body = self.body(None);
        body.insert("results".to_owned(), json!({"count": true}));
        let (answers, _) = ask(db, Request::json(&json!([find(self.kind, body)]))).await?;
        Ok(Answer::at(&answers, 0)?.count())
    }

    /// The next ids; none when that was all.
    ///
    /// # Errors
    /// When the database can't be asked, or does not say which transaction made an object.
    pub async fn next(&mut self, db: &dyn Database) -> Result<Vec<String>, DbError> {
        if self.ended {
            return Ok(Vec::new());
        }
        let after = self.after.map(|t| Constraint::compare(CREATED, Op::Gt, t));
        let mut page = self.ids(db, after, Some(self.at_once)).await?;
        let Some(&(last, _)) = page.last() else {
            self.ended = true;
            return Ok(Vec::new());
        };
        if (page.len() as u64) < self.at_once {
            // Another request would find what was added meanwhile; so does this walk's next.
            self.after = Some(last);
        } else if let Some(cut) = page.iter().position(|(t, _)| *t == last).filter(|cut| *cut > 0) {
            // The last transaction may have made more than the page holds: it comes whole, next.
            self.after = Some(page[cut - 1].0);
            page.truncate(cut);
        } else {
            page = self.ids(db, Some(Constraint::equal(CREATED, last)), None).await?;
            self.after = Some(last);
        }
        Ok(page.into_iter().map(|(_, id)| id).collect())
    }

    async fn ids(
        &self,
        db: &dyn Database,
        constraint: Option<Constraint>,
        limit: Option<u64>,
    ) -> Result<Vec<(i64, String)>, DbError> {
        let mut body = self.body(constraint);
        body.insert("uniqueids".to_owned(), true.into());
        body.insert("results".to_owned(), json!({"list": [CREATED]}));
        let commands = Commands::new(self.dialect);
        commands.shaping(&mut body, "sort", json!({"key": CREATED, "order": "ascending"}));
        if let Some(limit) = limit {
            commands.shaping(&mut body, "limit", limit.into());
        }
        let (answers, _) = ask(db, Request::json(&json!([find(self.kind, body)]))).await?;
        let objects = Answer::at(&answers, 0)?.entities();
        let read = |object: &Json| {
            let made = object.get(CREATED)?;
            // Databases may write a whole number as a float.
            let made = made.as_i64().or_else(|| made.as_f64().map(|t| t as i64))?;
            Some((made, unique_id(object)?.to_owned()))
        };
        objects
            .iter()
            .map(|object| {
                read(object).ok_or_else(|| {
                    DbError::permanent(format!(
                        "the database does not say of an object which transaction made it (`{CREATED}`): {object}"
                    ))
                })
            })
            .collect()
    }

    fn body(&self, constraint: Option<Constraint>) -> Map<String, Json> {
        let mut body = self.body.clone();
        let constraint = match constraint {
            Some(more) => self.constraint.clone().and(more),
            None => self.constraint.clone(),
        };
        if !constraint.is_everything() {
            body.insert("constraints".to_owned(), constraint.to_json(self.dialect));
        }
        body
    }
}
