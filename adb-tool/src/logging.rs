//! What the program says of its work, on standard error.

use std::{io::IsTerminal as _, str::FromStr as _};

use adb::loaders::pipeline;
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{exit::Usage, out};

/// How much is said, and in which form.
#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Logging {
    /// Say more: -v what is done, -vv with details, -vvv everything.
    #[arg(short, long, action = clap::ArgAction::Count, global = true, conflicts_with = "quiet")]
    verbose: u8,
    /// Say less: -q errors alone, -qq nothing.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    quiet: u8,
    /// The form of log lines. ADB_LOG says how much, part by part: `warn,adb_server=debug`.
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        default_value = "text",
        env = "ADB_LOG_FORMAT",
        hide_env_values = true,
        global = true,
        hide_short_help = true
    )]
    log_format: Form,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Logging {
    /// Begins to log; `usual` is how much is said without options.
    pub(crate) fn start(self, usual: LevelFilter) -> anyhow::Result<()> {
        if self.quiet > 0 {
            out::be_quiet();
        }
        let targets = match std::env::var("ADB_LOG") {
            Ok(told) if !told.is_empty() => Targets::from_str(&told).map_err(|e| {
                Usage(format!("ADB_LOG={told}: {e}; it is as in `adb_server=debug,warn`"))
            })?,
            _ => self.targets(usual),
        };
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match self.log_format {
            Form::Text => {
                lines.with_ansi(out::is_coloured(std::io::stderr().is_terminal())).boxed()
            }
            Form::Json => lines.json().flatten_event(true).boxed(),
        };
        tracing_subscriber::registry().with(lines.with_filter(targets)).try_init()?;
        Ok(())
    }

    /// Ours as much as was asked for; of what we stand on, warnings.
    fn targets(self, usual: LevelFilter) -> Targets {
        const LEVELS: [LevelFilter; 6] = [
            LevelFilter::OFF,
            LevelFilter::ERROR,
            LevelFilter::WARN,
            LevelFilter::INFO,
            LevelFilter::DEBUG,
            LevelFilter::TRACE,
        ];
        let usual = LEVELS.iter().position(|level| *level == usual).unwrap_or_default();
        let ours = match self.quiet {
            0 => LEVELS[(usual + usize::from(self.verbose)).min(LEVELS.len() - 1)],
            1 => LevelFilter::ERROR,
            _ => LevelFilter::OFF,
        };
        // Reports are printed, so their lines are logged only to those who ask for more.
        let told = if self.verbose == 0 { LevelFilter::ERROR.min(ours) } else { ours };
        Targets::new()
            .with_default(ours.min(LevelFilter::WARN))
            .with_target("adb", ours)
            .with_target(pipeline::REPORTED, told)
    }
}
