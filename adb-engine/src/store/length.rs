//! Whether the database's file is as long as the database.
//!
//! SQLite looks itself where there is no log. Where there is one it takes the length from the log,
//! and the pages that a file was cut by for zeros, unless they happen to be in the log.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufReader, Read as _},
    path::Path,
};

use rusqlite::Connection;

use crate::{
    directory::{DATABASE_FILE, Directory},
    error::ErrorKind,
};

const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// SQLite locks bytes here, and keeps nothing in the page around them.
const LOCK_BYTE: u64 = 1 << 30;

/// Makes sure that every page which the connection sees is in the file or in the log.
pub(super) fn check(conn: &Connection, directory: &Directory) -> Result<(), ErrorKind> {
    // A snapshot: meanwhile nobody begins the log anew.
    conn.execute_batch("BEGIN")?;
    let checked = check_snapshot(conn, directory);
    conn.execute_batch("COMMIT")?;
    checked
}

fn check_snapshot(conn: &Connection, directory: &Directory) -> Result<(), ErrorKind> {
    let pragma = |name: &str| -> rusqlite::Result<u64> {
        conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
    };
    // Takes the snapshot.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let (size, pages) = (pragma("page_size")?.max(1), pragma("page_count")?);
    let io = |source| ErrorKind::Io { doing: "looking at the database's length", source };
    let there = fs::metadata(directory.database()).map_err(io)?.len() / size;
    if there >= pages {
        return Ok(());
    }
    let logged = logged(&directory.log(), size).map_err(io)?;
    let lock_page = LOCK_BYTE / size + 1;
    match (there + 1..=pages).find(|page| *page != lock_page && !logged.contains(page)) {
        None => Ok(()),
        Some(page) => Err(ErrorKind::Damaged(format!(
            "`{DATABASE_FILE}` was cut: page {page} of {pages} is neither in it nor in its log"
        ))),
    }
}

/// The numbers of the pages that a log has.
fn logged(log: &Path, page_size: u64) -> io::Result<HashSet<u64>> {
    let mut pages = HashSet::new();
    let file = match File::open(log) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(pages),
        opened => opened?,
    };
    let mut file = BufReader::with_capacity(FRAME_HEADER, file);
    let mut header = [0; LOG_HEADER];
    if file.read_exact(&mut header).is_err() {
        return Ok(pages);
    }
    let mut frame = [0; FRAME_HEADER];
    // Frames that an older log left have other salts.
    while file.read_exact(&mut frame).is_ok() && frame[8..16] == header[16..24] {
        pages.insert(u64::from(u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]])));
        file.seek_relative(page_size.cast_signed())?;
    }
    Ok(pages)
}
