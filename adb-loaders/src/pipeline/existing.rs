//! What becomes of rows that the database has already.

/// What becomes of a row whose object is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnExisting {
    /// It stays as it is; children and connections that are missing are added. Where the source
    /// says otherwise, the report counts it.
    #[default]
    Keep,
    /// It becomes what the source says, as [`adb_model::DataModel::upsert`] does with one value.
    ///
    /// A row that is noted on its object as it is, with files that are as they were, is let alone:
    /// nothing else of it is read or compared ([`recheck`](super::Ingest::recheck) has that done).
    /// Of others, pictures are read, to see whether they have changed; only vectors whose source
    /// has changed are made anew, and nothing is written where nothing differs. Of several rows
    /// with one id the last holds.
    ///
    /// Children that a row does not bring and a maker makes are made for each changed row and
    /// compared as others are: parts that are made no longer are deleted.
    Update,
    /// The row fails, and nothing of it is written.
    Fail,
}

impl OnExisting {
    pub(super) fn name(self) -> &'static str {
        match self {
            OnExisting::Keep => "keep",
            OnExisting::Update => "update",
            OnExisting::Fail => "fail",
        }
    }
}

/// Why a row failed that was not to exist.
pub(super) const EXISTS: &str = "its object is in the database already, and such rows are to fail; keep what is there (`--on-existing keep`), or let it become what the source says (`update`)";
