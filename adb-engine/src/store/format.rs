//! The tables, format by format, and what tells a database of ours from another. FORMAT.md
//! describes them.

use rusqlite::Connection;

use crate::{directory::DATABASE_FILE, error::ErrorKind};

use super::{sum::sum, system};

/// "adbE": stands in the file's header.
pub(crate) const APPLICATION_ID: i64 = 0x6164_6245;
/// The newest format that this crate writes and reads.
pub(crate) const FORMAT: i64 = 3;
/// The oldest that it upgrades.
const OLDEST: i64 = 1;

/// Pages of new databases: a commit writes each that it touches, of which a small one touches twenty,
/// and a page should hold some vectors of 512 components (three).
const PAGE_SIZE: i64 = 8192;

/// Ids of the classes that every database has.
pub(crate) mod class_id {
    pub(crate) const IMAGE: i64 = 1;
    pub(crate) const BLOB: i64 = 2;
    pub(crate) const DESCRIPTOR_SET: i64 = 3;
    pub(crate) const DESCRIPTOR: i64 = 4;
    pub(crate) const DESCRIPTOR_CONNECTION: i64 = 5;
    pub(crate) const SET_TO_DESCRIPTOR: i64 = 6;
    pub(crate) const VIDEO: i64 = 7;
    pub(crate) const CLIP: i64 = 8;
    pub(crate) const FRAME: i64 = 9;
    pub(crate) const BOUNDING_BOX: i64 = 10;
    pub(crate) const POLYGON: i64 = 11;
    pub(crate) const BOX_TO_IMAGE: i64 = 12;
    pub(crate) const POLYGON_TO_IMAGE: i64 = 13;
    pub(crate) const CLIP_TO_VIDEO: i64 = 14;
    pub(crate) const FRAME_TO_VIDEO: i64 = 15;
    /// Classes of the user's have ids from here on: room for kinds to come.
    pub(crate) const FIRST_USER: i64 = 100;
}

/// What a file says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A database of this format.
    Ready,
    /// One of an older format, which opening for writing upgrades.
    Older(i64),
}

/// Tells a database of ours from blank, foreign and newer ones.
pub(crate) fn inspect(conn: &Connection) -> Result<Found, ErrorKind> {
    let foreign = ErrorKind::Foreign { file: DATABASE_FILE };
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = match pragma("application_id") {
        Ok(id) => id,
        Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(foreign);
        }
        Err(e) => return Err(e.into()),
    };
    if application == APPLICATION_ID {
        return match pragma("user_version")? {
            found if found > FORMAT => Err(ErrorKind::Newer { found, known: FORMAT }),
            FORMAT => Ok(Found::Ready),
            found if found >= OLDEST => Ok(Found::Older(found)),
            other => Err(ErrorKind::Damaged(format!("its format number is {other}"))),
        };
    }
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && tables == 0 {
        // Ours gets its name when its tables are there.
        return Err(ErrorKind::Damaged(format!("`{DATABASE_FILE}` has no tables")));
    }
    Err(foreign)
}

/// Makes a blank file a database, all or nothing.
pub(crate) fn create(conn: &Connection) -> rusqlite::Result<()> {
    // Before the first page is written; ignored after.
    conn.pragma_update(None, "page_size", PAGE_SIZE)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let header = format!("PRAGMA application_id = {APPLICATION_ID};");
    step(conn, &[&header, &format_1(), &format_2(), FORMAT_3], false)
}

/// Makes a database of an older format one of this, all or nothing.
pub(crate) fn upgrade(conn: &Connection, from: i64) -> rusqlite::Result<()> {
    match from {
        1 => step(conn, &[&format_2(), FORMAT_3], true),
        2 => step(conn, &[FORMAT_3], true),
        // [`inspect`] knows no other.
        _ => Ok(()),
    }
}

/// One transaction, after which the database has today's format.
fn step(conn: &Connection, parts: &[&str], has_rows: bool) -> rusqlite::Result<()> {
    let whole = || {
        conn.execute_batch(&format!("BEGIN IMMEDIATE; {}", parts.concat()))?;
        if has_rows {
            add_sums(conn, "blob")?;
            add_sums(conn, "vector")?;
        }
        conn.execute_batch(&format!("PRAGMA user_version = {FORMAT}; COMMIT;"))
    };
    whole().inspect_err(|_| {
        // What failed first is what matters.
        let _ = conn.execute_batch("ROLLBACK");
    })
}

/// Gives rows of older formats the checksums that they lack.
fn add_sums(conn: &Connection, table: &str) -> rusqlite::Result<()> {
    let ids: Vec<i64> = {
        let mut select = conn.prepare(&format!("SELECT id FROM {table}"))?;
        let rows = select.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    let mut select = conn.prepare(&format!("SELECT bytes FROM {table} WHERE id = ?"))?;
    let mut update = conn.prepare(&format!("UPDATE {table} SET sum = ? WHERE id = ?"))?;
    for id in ids {
        let of_row = select.query_row([id], |row| Ok(sum(id, row.get_ref(0)?.as_blob()?)))?;
        update.execute([i64::from(of_row), id])?;
    }
    Ok(())
}

/// What format 1 had: entities, connections, images, blobs, descriptors and their sets.
fn format_1() -> String {
    use class_id::{
        BLOB, DESCRIPTOR, DESCRIPTOR_CONNECTION, DESCRIPTOR_SET, IMAGE, SET_TO_DESCRIPTOR,
    };
    format!(
        "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO counter VALUES ('object', 0), ('transaction', 0), ('catalog', 0);
        CREATE TABLE class (
            id INTEGER PRIMARY KEY,
            target TEXT NOT NULL CHECK (target IN ('entity', 'connection')),
            name TEXT NOT NULL,
            UNIQUE (target, name));
        CREATE TABLE property (
            id INTEGER PRIMARY KEY,
            class INTEGER NOT NULL REFERENCES class,
            name TEXT NOT NULL,
            type TEXT NOT NULL,
            UNIQUE (class, name));
        CREATE TABLE property_index (
            target TEXT NOT NULL, class TEXT NOT NULL, property TEXT NOT NULL,
            PRIMARY KEY (target, class, property)) WITHOUT ROWID;
        CREATE TABLE blob (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
        CREATE TABLE vector (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
        {classes}
        CREATE TABLE c{IMAGE} (id INTEGER PRIMARY KEY, txn INTEGER NOT NULL);
        CREATE TABLE c{BLOB} (id INTEGER PRIMARY KEY, txn INTEGER NOT NULL);
        CREATE TABLE c{DESCRIPTOR_SET} (
            id INTEGER PRIMARY KEY, txn INTEGER NOT NULL,
            name TEXT NOT NULL UNIQUE, dimensions INTEGER NOT NULL,
            engines TEXT NOT NULL, metrics TEXT NOT NULL);
        CREATE TABLE c{DESCRIPTOR} (
            id INTEGER PRIMARY KEY, txn INTEGER NOT NULL,
            set_id INTEGER NOT NULL, label TEXT);
        CREATE INDEX c{DESCRIPTOR}_set ON c{DESCRIPTOR} (set_id);
        CREATE INDEX c{DESCRIPTOR}_txn ON c{DESCRIPTOR} (txn);
        {connection}
        -- Which set a descriptor is in stands in its row; the edge that says so is a view of it.
        CREATE VIEW c{SET_TO_DESCRIPTOR} (id, txn, src, src_class, dst, dst_class) AS
            SELECT id, txn, set_id, {DESCRIPTOR_SET}, id, {DESCRIPTOR} FROM c{DESCRIPTOR};",
        classes = insert_classes(IMAGE..=SET_TO_DESCRIPTOR),
        connection = connection_table(DESCRIPTOR_CONNECTION),
    )
}

/// What format 2 has beside: deleting (tombstones), videos, clips, frames, boxes, polygons, addresses
/// of blobs.
fn format_2() -> String {
    use class_id::{
        BLOB, BOUNDING_BOX, BOX_TO_IMAGE, CLIP, CLIP_TO_VIDEO, DESCRIPTOR_SET, FRAME,
        FRAME_TO_VIDEO, IMAGE, POLYGON, POLYGON_TO_IMAGE, VIDEO,
    };
    // A part's container stands in its row, as a descriptor's set does.
    let part = |class: i64, columns: &str| {
        format!(
            "CREATE TABLE c{class} (
                id INTEGER PRIMARY KEY, txn INTEGER NOT NULL,
                container INTEGER NOT NULL, container_class INTEGER NOT NULL,
                label TEXT, {columns});
            CREATE INDEX c{class}_container ON c{class} (container);"
        )
    };
    let edges = |view: i64, of: i64| {
        format!(
            "CREATE VIEW c{view} (id, txn, src, src_class, dst, dst_class) AS
                SELECT id, txn, id, {of}, container, container_class FROM c{of};"
        )
    };
    // Numbers have no type, as those of properties: they stay as they were sent.
    let rectangle = "x NOT NULL, y NOT NULL, width NOT NULL, height NOT NULL, area NOT NULL";
    [
        "CREATE TABLE tombstone (
            set_id INTEGER NOT NULL, number INTEGER NOT NULL, id INTEGER NOT NULL,
            PRIMARY KEY (set_id, number)) WITHOUT ROWID;"
            .to_owned(),
        format!("ALTER TABLE c{DESCRIPTOR_SET} ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;"),
        format!("ALTER TABLE c{IMAGE} ADD COLUMN url TEXT;"),
        format!("ALTER TABLE c{BLOB} ADD COLUMN url TEXT;"),
        format!(
            "CREATE TABLE c{VIDEO} (
                id INTEGER PRIMARY KEY, txn INTEGER NOT NULL, url TEXT,
                fps, frame_count INTEGER, frame_width INTEGER, frame_height INTEGER,
                duration_us INTEGER);"
        ),
        part(CLIP, "range_type INTEGER NOT NULL, range_start NOT NULL, range_stop NOT NULL"),
        part(FRAME, "frame_number INTEGER, time_offset INTEGER, time_fraction"),
        part(BOUNDING_BOX, rectangle),
        part(POLYGON, &format!("{rectangle}, vertices TEXT NOT NULL")),
        edges(BOX_TO_IMAGE, BOUNDING_BOX),
        edges(POLYGON_TO_IMAGE, POLYGON),
        edges(CLIP_TO_VIDEO, CLIP),
        edges(FRAME_TO_VIDEO, FRAME),
        insert_classes(VIDEO..=FRAME_TO_VIDEO),
        "UPDATE counter SET value = value + 1 WHERE name = 'catalog';".to_owned(),
    ]
    .concat()
}

/// What format 3 has beside: checksums, packs, and a number by which a pack is known as this
/// database's.
const FORMAT_3: &str = "
    ALTER TABLE blob ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE blob ADD COLUMN pack INTEGER;
    ALTER TABLE blob ADD COLUMN at INTEGER;
    ALTER TABLE blob ADD COLUMN length INTEGER;
    ALTER TABLE vector ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE pack (id INTEGER PRIMARY KEY, length INTEGER NOT NULL);
    INSERT INTO counter VALUES ('identity', random()), ('pack', 0);";

fn insert_classes(ids: std::ops::RangeInclusive<i64>) -> String {
    let rows: Vec<String> = system::classes()
        .filter(|class| ids.contains(&class.id))
        .map(|class| format!("({}, '{}', '{}')", class.id, class.target.name(), class.name))
        .collect();
    format!("INSERT INTO class (id, target, name) VALUES {};", rows.join(", "))
}

/// The table of a class of entities.
pub(crate) fn entity_table(class: i64) -> String {
    format!("CREATE TABLE c{class} (id INTEGER PRIMARY KEY, txn INTEGER NOT NULL);")
}

/// The table of a class of connections, to be walked from either end.
pub(crate) fn connection_table(class: i64) -> String {
    format!(
        "CREATE TABLE c{class} (
            id INTEGER PRIMARY KEY, txn INTEGER NOT NULL,
            src INTEGER NOT NULL, src_class INTEGER NOT NULL,
            dst INTEGER NOT NULL, dst_class INTEGER NOT NULL);
        CREATE INDEX c{class}_src ON c{class} (src, dst);
        CREATE INDEX c{class}_dst ON c{class} (dst, src);"
    )
}
