//! What only a program in Python can do: the Python SDK's verbs that end by naming a way round.

use crate::exit::{Exit, usage};

/// Options and arguments of the SDK's, none of which is looked at.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<String>,
}

pub(super) fn from_generator() -> anyhow::Result<Exit> {
    usage!(
        "modules of Python are not run; let the generator print its rows as JSON Lines, and bring \
         those in: adb ingest from-json rows.jsonl --model FILE"
    )
}

pub(super) fn from_croissant() -> anyhow::Result<Exit> {
    usage!(
        "Croissant's descriptions of data sets are not read; fetch the data set's files, draft a \
         model of its table (adb model new FILE), and bring that in: adb ingest from-csv or \
         from-json FILE --model MODEL"
    )
}
