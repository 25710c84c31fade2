//! How the program ends.

use std::process::ExitCode;

/// What the exit code tells; a wrong command line ends with 2, which is clap's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All is well.
    Well = 0,
    /// It did not work.
    Failed = 1,
    /// Some rows failed; the others are in.
    RowsFailed = 3,
    /// Ctrl-C.
    Stopped = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
