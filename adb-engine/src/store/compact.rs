//! Taking away what nothing names any more: packs of deleted objects and of failed transactions.

use std::{collections::HashMap, path::Path};

use rusqlite::params;

use crate::error::ErrorKind;

use super::{
    BUSY_TIMEOUT, LOG_PATIENCE, Settings, Store,
    bytes::{Stored, class_of},
    distrusting,
    pack::{self, PackWriter},
};

/// Bytes that one transaction moves.
const STEP_BYTES: u64 = 32 << 20;

/// What [`crate::Engine::reclaim`] gave back to the file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Files that were removed.
    pub files: usize,
    /// Bytes of those files, less what was written anew of them.
    pub bytes: u64,
    /// Whether a reader still sees an older state, so that files were left for the next time.
    pub held_back: bool,
}

/// Moves what is left of packs that are a quarter empty or more into a new one, and removes packs
/// that nothing names.
pub(crate) fn reclaim(
    store: &mut Store,
    root: &Path,
    settings: Settings,
) -> Result<Reclaimed, ErrorKind> {
    let live: HashMap<i64, u64> = {
        let mut select = store
            .conn
            .prepare("SELECT pack, sum(length) FROM blob WHERE pack IS NOT NULL GROUP BY pack")?;
        let rows =
            select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
        rows.collect::<Result<_, _>>()?
    };
    let listed = pack::listed(&store.conn)?;
    let emptied: Vec<(i64, u64)> = listed
        .iter()
        .map(|(pack, length)| (*pack, live.get(pack).copied().unwrap_or(0), length / 4 * 3))
        .filter(|(_, live, enough)| live < enough)
        .map(|(pack, live, _)| (pack, live))
        .collect();
    // One that is to go, or that nothing was committed to, is added to no more.
    let tail = store.tail.as_ref().and_then(PackWriter::pack);
    if let Some(tail) = tail
        && (emptied.iter().any(|(pack, _)| *pack == tail)
            || listed.iter().all(|(pack, _)| *pack != tail))
    {
        store.turn_pack();
    }
    let mut moved = 0;
    for (pack, live) in emptied.into_iter().filter(|(_, live)| *live > 0) {
        move_blobs(store, pack)?;
        moved += live;
    }
    let mut done = Reclaimed::default();
    if !settle(store)? {
        done.held_back = true;
        return Ok(done);
    }
    // From here on nobody sees a state before the moves, and nobody else writes.
    let unnamed: Vec<i64> = {
        let mut select = store.conn.prepare(
            "SELECT id FROM pack WHERE id NOT IN (SELECT pack FROM blob WHERE pack IS NOT NULL)",
        )?;
        let rows = select.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    store.conn.execute_batch("BEGIN IMMEDIATE")?;
    let forgotten = || -> rusqlite::Result<()> {
        let mut delete = store.conn.prepare("DELETE FROM pack WHERE id = ?")?;
        unnamed.iter().try_for_each(|pack| delete.execute([pack]).map(drop))?;
        store.conn.execute_batch("COMMIT")
    };
    forgotten().inspect_err(|_| {
        // What failed first is what matters.
        let _ = store.conn.execute_batch("ROLLBACK");
    })?;
    let io = |source| ErrorKind::Pack { doing: "removing packs that are not needed", source };
    let named: Vec<i64> = pack::listed(&store.conn)?.into_iter().map(|(pack, _)| pack).collect();
    for pack in pack::present(root).map_err(io)? {
        if !named.contains(&pack) {
            let path = root.join(pack::file_name(pack));
            done.bytes += std::fs::metadata(&path).map_err(io)?.len();
            settings.pack_files.remove(&path).map_err(io)?;
            done.files += 1;
        }
    }
    if done.files > 0 {
        settings.pack_files.sync_directory(root).map_err(io)?;
    }
    done.bytes = done.bytes.saturating_sub(moved);
    Ok(done)
}

/// Writes a pack's blobs into the pack that is being written, some at a time. An interrupted move
/// has moved some.
fn move_blobs(store: &mut Store, pack: i64) -> Result<(), ErrorKind> {
    let blobs: Vec<(i64, u64)> = {
        let mut select =
            store.conn.prepare("SELECT id, length FROM blob WHERE pack = ? ORDER BY at")?;
        let rows = select
            .query_map([pack], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
        rows.collect::<Result<_, _>>()?
    };
    let mut left = &blobs[..];
    while !left.is_empty() {
        let mut bytes = 0;
        let some = left.iter().take_while(|(_, length)| {
            let fits = bytes < STEP_BYTES;
            bytes += length;
            fits
        });
        let (step, rest) = left.split_at(some.count());
        left = rest;
        store.conn.execute_batch("BEGIN IMMEDIATE")?;
        if let Err(kind) = move_some(store, step) {
            store.turn_pack();
            // What failed first is what matters.
            let _ = store.conn.execute_batch("ROLLBACK");
            return Err(kind);
        }
    }
    Ok(())
}

fn move_some(store: &mut Store, blobs: &[(i64, u64)]) -> Result<(), ErrorKind> {
    for &(id, _) in blobs {
        let class = class_of(&store.conn, id)?;
        let bytes = store.bytes(Stored::Blob, class, id)?;
        let Some(tail) = &mut store.tail else { return Err(ErrorKind::ReadOnly) };
        let to = tail.append(&bytes.into())?;
        store
            .conn
            .prepare_cached("UPDATE blob SET pack = ?, at = ? WHERE id = ?")?
            .execute(params![to.pack, to.at.cast_signed(), id])?;
    }
    if let Some(tail) = &mut store.tail {
        tail.finish(&store.conn)?;
    }
    store.conn.execute_batch("COMMIT")?;
    if let Some(tail) = &mut store.tail {
        tail.committed();
    }
    Ok(())
}

/// Moves all of the log into the database and empties it. That works only if no reader sees an
/// older state; says whether it did.
fn settle(store: &Store) -> Result<bool, ErrorKind> {
    let truncate = || -> rusqlite::Result<bool> {
        store.conn.busy_timeout(LOG_PATIENCE)?;
        let busy: i64 =
            store.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        store.conn.busy_timeout(BUSY_TIMEOUT)?;
        Ok(busy == 0)
    };
    let mut settled = false;
    distrusting(&store.conn, truncate().map(|done| settled = done))?;
    Ok(settled)
}
