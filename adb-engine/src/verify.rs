//! Looking at everything that is stored: whether it is what was stored, and whether it fits together.

use std::{fmt, path::Path};

use rusqlite::Connection;

use crate::{
    directory::{DATABASE_FILE, Directory},
    error::{Error, ErrorKind},
    store::{
        Settings, Store,
        bytes::{BLOB_CLASSES, Stored},
        catalog::Target,
        counter,
        format::class_id::{BOUNDING_BOX, CLIP, DESCRIPTOR, DESCRIPTOR_SET, FRAME, POLYGON},
        pack, system,
    },
};

/// Problems that a report names; of more it gives the number.
const MAX_PROBLEMS: usize = 1000;

/// What [`crate::Engine::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Objects and connections.
    pub objects: u64,
    /// Blobs that were read.
    pub blobs: u64,
    /// Vectors that were read.
    pub vectors: u64,
    /// Bytes of blobs and vectors.
    pub bytes: u64,
    /// Pack files.
    pub packs: usize,
    /// Bytes of pack files that nothing names; `Engine::reclaim` gives them back.
    pub unused_bytes: u64,
    /// What is wrong, the first thousand.
    pub problems: Vec<Problem>,
    /// How much more is wrong.
    pub further_problems: u64,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// An object by its `_uniqueid`, a file, or a table.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
}

impl Report {
    /// Whether all is as it should be.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, what: impl Into<String>, why: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { what: what.into(), why: why.into() });
        } else {
            self.further_problems += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} objects, {} blobs and {} vectors ({} bytes), {} packs ({} bytes unused)",
            self.objects, self.blobs, self.vectors, self.bytes, self.packs, self.unused_bytes
        )?;
        if self.is_sound() {
            return write!(f, "all of it is what was stored");
        }
        for Problem { what, why } in &self.problems {
            writeln!(f, "{what}: {why}")?;
        }
        if self.further_problems > 0 {
            writeln!(f, "and {} more", self.further_problems)?;
        }
        write!(
            f,
            "restore a copy of the directory; or delete the objects that are named and add them again"
        )
    }
}

/// Reads one committed state of a database from end to end.
pub(crate) fn verify(path: &Path) -> Result<Report, Error> {
    let directory = Directory::open(path, false, Settings::default())?;
    if !directory.has_database() {
        return Err(directory.error(ErrorKind::Missing));
    }
    let mut store = Store::open_as_it_is(&directory)?;
    let mut report = Report::default();
    let snapshot = || -> rusqlite::Result<()> {
        store.conn.execute_batch("BEGIN")?;
        store.conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    snapshot().map_err(|e| directory.error(e.into()))?;
    // What fails in one of them says nothing of the others.
    let checks: [(&str, Check); 6] = [
        (DATABASE_FILE, pages),
        ("pack", packs),
        ("blob", blobs),
        ("vector", vectors),
        ("the tables of parts", parts),
        ("the tables of connections", connections),
    ];
    for (what, check) in checks {
        if let Err(kind) = check(&mut store, directory.root(), &mut report) {
            report.add(what, kind.to_string());
        }
    }
    Ok(report)
}

type Check = fn(&mut Store, &Path, &mut Report) -> Result<(), ErrorKind>;

fn pages(store: &mut Store, _: &Path, report: &mut Report) -> Result<(), ErrorKind> {
    let mut check = store.conn.prepare(&format!("PRAGMA integrity_check({MAX_PROBLEMS})"))?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        if text != "ok" {
            report.add(DATABASE_FILE, text);
        }
    }
    let greatest = counter(&store.conn, "object")?;
    for target in [Target::Entity, Target::Connection] {
        for class in store.catalog.classes(target).filter(|class| !system::is_view(class)) {
            let sql = format!("SELECT count(*), ifnull(max(id), 0) FROM c{}", class.id);
            let (count, last): (i64, i64) =
                store.conn.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            report.objects += count.unsigned_abs();
            if last > greatest {
                let why = "has an id that was not given out yet, so it may be given out again";
                report.add(format!("{}.0.{last}", class.id), why);
            }
        }
    }
    Ok(())
}

fn packs(store: &mut Store, root: &Path, report: &mut Report) -> Result<(), ErrorKind> {
    let io = |source| ErrorKind::Pack { doing: "listing the directory", source };
    let mut unused = 0;
    for pack in pack::present(root).map_err(io)? {
        unused += std::fs::metadata(root.join(pack::file_name(pack))).map_or(0, |m| m.len());
    }
    for (pack, length) in pack::listed(&store.conn)? {
        report.packs += 1;
        let wrong = match pack::misfit(root, pack, length) {
            None => store.probe_pack(pack)?,
            wrong => wrong,
        };
        if let Some(why) = wrong {
            report.add(pack::file_name(pack), why);
        }
    }
    let live: i64 = store.conn.query_row(
        "SELECT ifnull(sum(length), 0) FROM blob WHERE pack IS NOT NULL",
        [],
        |row| row.get(0),
    )?;
    report.unused_bytes = unused.saturating_sub(live.unsigned_abs());
    let beyond = "SELECT b.id FROM blob AS b LEFT JOIN pack AS p ON p.id = b.pack
        WHERE b.pack IS NOT NULL AND (p.id IS NULL OR b.at < 0 OR b.length < 0 OR b.at + b.length > p.length)";
    name(&store.conn, beyond, 0, "lies outside of what its pack holds", report)
}

/// Adds a problem for each row that a SELECT finds.
fn name(
    conn: &Connection,
    sql: &str,
    class: i64,
    why: &str,
    report: &mut Report,
) -> Result<(), ErrorKind> {
    for id in ids(conn, sql)? {
        report.add(format!("{class}.0.{id}"), why);
    }
    Ok(())
}

fn ids(conn: &Connection, sql: &str) -> rusqlite::Result<Vec<i64>> {
    let mut select = conn.prepare(sql)?;
    let rows = select.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// Reads the bytes of a class's objects.
fn read(
    store: &mut Store,
    what: Stored,
    class: i64,
    report: &mut Report,
) -> Result<u64, ErrorKind> {
    let mut count = 0;
    for id in ids(&store.conn, &format!("SELECT id FROM c{class}"))? {
        count += 1;
        match store.bytes(what, class, id) {
            Ok(bytes) => report.bytes += bytes.len() as u64,
            Err(ErrorKind::DamagedObject { object, why }) => report.add(object, why),
            Err(kind) => report.add(format!("{class}.0.{id}"), kind.to_string()),
        }
    }
    Ok(count)
}

fn blobs(store: &mut Store, _: &Path, report: &mut Report) -> Result<(), ErrorKind> {
    for class in BLOB_CLASSES {
        report.blobs += read(store, Stored::Blob, class, report)?;
    }
    let owners: Vec<String> =
        BLOB_CLASSES.iter().map(|class| format!("id NOT IN (SELECT id FROM c{class})")).collect();
    let ownerless = format!("SELECT id FROM blob WHERE {}", owners.join(" AND "));
    for id in ids(&store.conn, &ownerless)? {
        report.add(format!("blob {id}"), "belongs to no object");
    }
    Ok(())
}

fn vectors(store: &mut Store, _: &Path, report: &mut Report) -> Result<(), ErrorKind> {
    report.vectors = read(store, Stored::Vector, DESCRIPTOR, report)?;
    let conn = &store.conn;
    let ownerless = format!("SELECT id FROM vector WHERE id NOT IN (SELECT id FROM c{DESCRIPTOR})");
    for id in ids(conn, &ownerless)? {
        report.add(format!("vector {id}"), "belongs to no descriptor");
    }
    let lost = format!(
        "SELECT id FROM c{DESCRIPTOR} WHERE set_id NOT IN (SELECT id FROM c{DESCRIPTOR_SET})"
    );
    name(conn, &lost, DESCRIPTOR, "is in a set that is not there", report)?;
    let misfits = format!(
        "SELECT d.id FROM c{DESCRIPTOR} AS d JOIN c{DESCRIPTOR_SET} AS s ON s.id = d.set_id
         JOIN vector AS v ON v.id = d.id WHERE length(v.bytes) <> 4 * s.dimensions"
    );
    name(conn, &misfits, DESCRIPTOR, "has not as many components as its set asks for", report)?;
    let undead = format!("SELECT id FROM tombstone WHERE id IN (SELECT id FROM c{DESCRIPTOR})");
    name(conn, &undead, DESCRIPTOR, "is there, and marked as deleted", report)
}

fn parts(store: &mut Store, _: &Path, report: &mut Report) -> Result<(), ErrorKind> {
    for part in [CLIP, FRAME, BOUNDING_BOX, POLYGON] {
        ends(store, part, "container", "is part of an object that is not there", report)?;
    }
    Ok(())
}

fn connections(store: &mut Store, _: &Path, report: &mut Report) -> Result<(), ErrorKind> {
    let catalog = store.catalog.clone();
    for class in catalog.classes(Target::Connection).filter(|class| !system::is_view(class)) {
        for end in ["src", "dst"] {
            ends(store, class.id, end, "begins or ends at an object that is not there", report)?;
        }
    }
    Ok(())
}

/// Looks whether what a column names is there; `<column>_class` says of which class it is.
fn ends(
    store: &Store,
    class: i64,
    column: &str,
    why: &str,
    report: &mut Report,
) -> Result<(), ErrorKind> {
    let classes = ids(&store.conn, &format!("SELECT DISTINCT {column}_class FROM c{class}"))?;
    for other in classes {
        let all = format!("SELECT id FROM c{class} WHERE {column}_class = {other}");
        let lost = match store.catalog.class_by_id(other) {
            Some(_) => format!("{all} AND {column} NOT IN (SELECT id FROM c{other})"),
            None => all,
        };
        name(&store.conn, &lost, class, why, report)?;
    }
    Ok(())
}
