//! How much of everything a server takes, and for how long.

use std::time::Duration;

use adb::server::{Lifetimes, Limits as ServerLimits};

/// The limits.
#[derive(Clone, Copy, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Megabytes of one message, in either direction.
    #[arg(long, value_name = "MB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=2047))]
    message_mb: u32,
    /// Megabytes of messages that are being received or answered, all together.
    #[arg(long, value_name = "MB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    memory_mb: u32,
    /// Connections at once; the next one waits.
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Requests that the database works at; others wait their turn.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// Seconds that a connection may be silent. The Python SDK keeps connections silent for minutes.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    idle: u32,
    /// Seconds that the hello and TLS may take, and each megabyte of a message.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    arrival: u32,
    /// Seconds that requests have to end when the server is told to stop.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u32,
}

impl Limits {
    pub(super) fn requests(&self) -> usize {
        self.requests as usize
    }

    pub(super) fn message_bytes(&self) -> usize {
        megabytes(self.message_mb)
    }
}

impl From<Limits> for ServerLimits {
    fn from(limits: Limits) -> Self {
        let seconds = |n: u32| Duration::from_secs(n.into());
        Self {
            message: limits.message_bytes(),
            in_memory: megabytes(limits.memory_mb),
            connections: limits.connections as usize,
            requests: limits.requests as usize,
            idle: seconds(limits.idle),
            arrival: seconds(limits.arrival),
            drain: seconds(limits.drain),
        }
    }
}

fn megabytes(n: u32) -> usize {
    (n as usize).saturating_mul(1 << 20)
}

/// For how long sessions are good.
#[derive(Clone, Copy, clap::Args)]
#[command(next_help_heading = "Sessions")]
pub(crate) struct Sessions {
    /// Seconds that a session is good for; clients renew it by themselves.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    session: u32,
    /// Seconds that it can be renewed.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(1..))]
    refresh: u32,
}

impl From<Sessions> for Lifetimes {
    fn from(sessions: Sessions) -> Self {
        let seconds = |n: u32| Duration::from_secs(n.into());
        Self { session: seconds(sessions.session), refresh: seconds(sessions.refresh) }
    }
}
