//! `adb completions` and `adb man`: what shells and `man` want to know of the command line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap_complete::Shell;

use crate::{exit::Exit, out};

/// Print what a shell needs to complete commands and options.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb completions bash > adb.bash
  adb completions zsh > _adb")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Write a manual page for each command.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb man man1")]
pub(crate) struct Man {
    /// The directory to write to.
    directory: PathBuf,
}

impl Completions {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut crate::command(), "adb", &mut text);
        out::bytes(&text);
        Ok(Exit::Well)
    }
}

impl Man {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let directory = &self.directory;
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let mut command = crate::command();
        command.build();
        let pages = pages(directory, &command, "adb")?;
        println!("{pages} pages are in {}", directory.display());
        Ok(Exit::Well)
    }
}

/// The page of a command and those of its subcommands: how many there are.
fn pages(directory: &Path, command: &clap::Command, name: &str) -> anyhow::Result<usize> {
    let path = directory.join(format!("{name}.1"));
    let mut page = Vec::new();
    // The description holds names for as long as the program runs.
    let name_there: &'static str = name.to_owned().leak();
    clap_mangen::Man::new(command.clone().name(name_there)).render(&mut page)?;
    fs::write(&path, page).with_context(|| path.display().to_string())?;
    let mut written = 1;
    let shown = |child: &&clap::Command| child.get_name() != "help" && !child.is_hide_set();
    for child in command.get_subcommands().filter(shown) {
        written += pages(directory, child, &format!("{name}-{}", child.get_name()))?;
    }
    Ok(written)
}
