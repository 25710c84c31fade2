//! How the program ends.

use std::{fmt, process::ExitCode};

use adb::loaders::Report;

/// What the exit code tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All is well.
    Well = 0,
    /// It did not work.
    Failed = 1,
    /// It was not asked for in a way that can be answered; clap's own errors end so too.
    Usage = 2,
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

impl Exit {
    /// How an error ends.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if error.is::<Usage>() { Exit::Usage } else { Exit::Failed }
    }

    /// How an ingestion ends.
    pub(crate) fn of_report(report: &Report) -> Self {
        match report.exit_code() {
            0 => Exit::Well,
            3 => Exit::RowsFailed,
            130 => Exit::Stopped,
            _ => Exit::Failed,
        }
    }
}

/// A fault in what was asked for, or in a configuration: ends with code 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Ends a command with [`Usage`].
macro_rules! usage {
    ($($text:tt)*) => { return Err($crate::exit::Usage(format!($($text)*)).into()) };
}
pub(crate) use usage;
