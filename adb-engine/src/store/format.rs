//! Format 1: the tables, and what tells a database of ours from another. FORMAT.md describes it.

use rusqlite::Connection;

use crate::{directory::DATABASE_FILE, error::ErrorKind};

/// "adbE": stands in the file's header.
pub(crate) const APPLICATION_ID: i64 = 0x6164_6245;
/// The newest format that this crate writes and reads.
pub(crate) const FORMAT: i64 = 1;

/// Ids of the classes that every database has.
pub(crate) mod class_id {
    pub(crate) const IMAGE: i64 = 1;
    pub(crate) const BLOB: i64 = 2;
    pub(crate) const DESCRIPTOR_SET: i64 = 3;
    pub(crate) const DESCRIPTOR: i64 = 4;
    pub(crate) const DESCRIPTOR_CONNECTION: i64 = 5;
    pub(crate) const SET_TO_DESCRIPTOR: i64 = 6;
    /// Classes of the user's have ids from here on: room for kinds to come.
    pub(crate) const FIRST_USER: i64 = 100;
}

/// Tells a database of ours from blank, foreign and newer ones.
pub(crate) fn inspect(conn: &Connection) -> Result<(), ErrorKind> {
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
            FORMAT => Ok(()),
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
    use class_id::{
        BLOB, DESCRIPTOR, DESCRIPTOR_CONNECTION, DESCRIPTOR_SET, IMAGE, SET_TO_DESCRIPTOR,
    };
    // Before the first page is written; ignored after.
    conn.pragma_update(None, "page_size", 16384)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.execute_batch(&format!(
        "BEGIN IMMEDIATE;
        PRAGMA application_id = {APPLICATION_ID};
        PRAGMA user_version = {FORMAT};
        CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
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
        INSERT INTO class (id, target, name) VALUES
            ({IMAGE}, 'entity', '_Image'),
            ({BLOB}, 'entity', '_Blob'),
            ({DESCRIPTOR_SET}, 'entity', '_DescriptorSet'),
            ({DESCRIPTOR}, 'entity', '_Descriptor'),
            ({DESCRIPTOR_CONNECTION}, 'connection', '_DescriptorConnection'),
            ({SET_TO_DESCRIPTOR}, 'connection', '_DescriptorSetToDescriptor');
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
            SELECT id, txn, set_id, {DESCRIPTOR_SET}, id, {DESCRIPTOR} FROM c{DESCRIPTOR};
        COMMIT;",
        connection = connection_table(DESCRIPTOR_CONNECTION),
    ))
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
