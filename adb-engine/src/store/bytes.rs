//! The bytes of objects: blobs in their table or in a pack, vectors in theirs, each with a checksum.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::ErrorKind;

use super::{
    Store,
    format::class_id::{BLOB, IMAGE, VIDEO},
    pack::Extent,
    sum::sum,
};

/// Classes whose objects have a blob.
pub(crate) const BLOB_CLASSES: [i64; 3] = [IMAGE, BLOB, VIDEO];

/// What bytes belong to, for those who are told of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Images, blobs, videos.
    Blob,
    /// Descriptors.
    Vector,
}

impl Stored {
    pub(crate) fn table(self) -> &'static str {
        match self {
            Stored::Blob => "blob",
            Stored::Vector => "vector",
        }
    }
}

impl Store {
    /// Stores the bytes of a new object.
    pub(crate) fn insert_bytes(
        &mut self,
        what: Stored,
        id: i64,
        bytes: &Bytes,
    ) -> Result<(), ErrorKind> {
        let sum = sum(id, bytes);
        if let (Stored::Blob, true, Some(tail)) = (what, self.to_pack, &mut self.tail) {
            let Extent { pack, at, length } = tail.append(bytes)?;
            let (at, length) = (at.cast_signed(), length.cast_signed());
            self.conn
                .prepare_cached(
                    "INSERT INTO blob (id, bytes, sum, pack, at, length) VALUES (?, X'', ?, ?, ?, ?)",
                )?
                .execute(params![id, sum, pack, at, length])?;
            return Ok(());
        }
        let sql = format!("INSERT INTO {} (id, bytes, sum) VALUES (?, ?, ?)", what.table());
        self.conn.prepare_cached(&sql)?.execute(params![id, &bytes[..], sum])?;
        Ok(())
    }

    /// The bytes of an object. Those that are not what was stored are never given.
    pub(crate) fn bytes(
        &mut self,
        what: Stored,
        class: i64,
        id: i64,
    ) -> Result<Vec<u8>, ErrorKind> {
        let damaged = |why: String| damaged(class, id, why);
        let columns = match what {
            Stored::Blob => "bytes, sum, pack, at, length",
            Stored::Vector => "bytes, sum, NULL, NULL, NULL",
        };
        let sql = format!("SELECT {columns} FROM {} WHERE id = ?", what.table());
        let row = self.conn.prepare_cached(&sql)?.query_row([id], |row| {
            let pack: Option<i64> = row.get(2)?;
            let extent = match pack {
                None => None,
                Some(pack) => Some(Extent { pack, at: offset(row, 3)?, length: offset(row, 4)? }),
            };
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?, extent))
        });
        let (mut bytes, stored, extent) =
            row.optional()?.ok_or_else(|| damaged("has no bytes".to_owned()))?;
        if let Some(extent) = extent {
            let kept = match &mut self.tail {
                Some(tail) => tail.kept(extent)?,
                None => None,
            };
            bytes = match kept {
                Some(bytes) => bytes,
                None => self
                    .packs
                    .read(extent)?
                    .map_err(|why| damaged(format!("lacks its bytes: {why}")))?,
            };
        }
        if i64::from(sum(id, &bytes)) != stored {
            return Err(damaged("has other bytes than were stored".to_owned()));
        }
        Ok(bytes)
    }

    /// What is wrong with a pack, as far as its header tells.
    pub(crate) fn probe_pack(&mut self, pack: i64) -> Result<Option<String>, ErrorKind> {
        let nothing = Extent { pack, at: 0, length: 0 };
        Ok(self.packs.read(nothing)?.err())
    }

    /// Begins another pack with the next blob.
    pub(super) fn turn_pack(&mut self) {
        if let Some(tail) = &mut self.tail {
            tail.turn();
        }
    }
}

fn offset(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// An object whose bytes are lost.
pub(crate) fn damaged(class: i64, id: i64, why: String) -> ErrorKind {
    ErrorKind::DamagedObject { object: format!("{class}.0.{id}"), why }
}

/// The class of the object that a blob belongs to; 0 if there is none.
pub(crate) fn class_of(conn: &Connection, id: i64) -> rusqlite::Result<i64> {
    for class in BLOB_CLASSES {
        let mut select = conn.prepare_cached(&format!("SELECT 1 FROM c{class} WHERE id = ?"))?;
        if select.exists([id])? {
            return Ok(class);
        }
    }
    Ok(0)
}
