//! `adb config`: where servers are and how to log in, in the files of the Python SDK.

mod create;
mod files;
mod key;

use adb::protocol::{Configuration, config::Place};
use comfy_table::{Table, presets};
use serde_json::Value as Json;

use crate::exit::{Exit, Usage, usage};

pub(crate) use files::{active, named};
pub(crate) use key::{assign, key_of, new_token};

/// Servers and how to log in, in the same files as the Python SDK keeps them.
#[derive(clap::Subcommand)]
#[command(after_help = "Examples:
  adb config create dev --host localhost --username admin --password admin --no-interactive
  adb config ls
  adb config activate dev")]
pub(crate) enum Config {
    Ls(Ls),
    Create(create::Create),
    Activate(Activate),
    Remove(Remove),
    GetKey(key::GetKey),
    Get(Get),
}

/// Which of the two files.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Which {
    /// The user's file, as opposed to `./.aperturedb/adb.json` [default].
    #[arg(long, overrides_with = "no_as_global")]
    as_global: bool,
    /// The file of this directory: `./.aperturedb/adb.json`.
    #[arg(long, overrides_with = "as_global")]
    no_as_global: bool,
}

impl Which {
    fn place(self) -> Place {
        match self.no_as_global {
            true => Place::Local,
            false => Place::Global,
        }
    }
}

/// List the configurations; secrets are not shown.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb config ls")]
pub(crate) struct Ls {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
    /// Print [default].
    #[arg(long, overrides_with = "no_log_to_console")]
    log_to_console: bool,
    /// Print nothing: only see whether the files can be read.
    #[arg(long, overrides_with = "log_to_console")]
    no_log_to_console: bool,
}

/// Make a configuration the one that is used when none is named.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb config activate dev")]
pub(crate) struct Activate {
    /// The configuration.
    name: String,
    #[command(flatten)]
    which: Which,
}

/// Take a configuration out of its file.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb config remove dev --remove-if-active")]
pub(crate) struct Remove {
    /// The configuration.
    name: String,
    /// Also if it is the active one.
    #[arg(long, overrides_with = "no_remove_if_active")]
    remove_if_active: bool,
    /// Not if it is the active one [default].
    #[arg(long, overrides_with = "remove_if_active")]
    no_remove_if_active: bool,
    /// The one that is active from then on.
    #[arg(long, value_name = "NAME")]
    new_active: Option<String>,
    #[command(flatten)]
    which: Which,
}

/// Print one item of a configuration, such as `dev.host`, or `.host` of the one that is used here.
#[derive(clap::Args)]
#[command(after_help = "Secrets are not shown; `adb config get-key` gives a key.

Example:
  adb config get dev.host")]
pub(crate) struct Get {
    /// `NAME.ITEM`, or `.ITEM` of the configuration that is used here.
    tag: String,
    /// Print nothing, instead of an error, where there is no such configuration or item.
    #[arg(long, overrides_with = "no_ignore_unset")]
    ignore_unset: bool,
    /// An error where there is no such configuration or item [default].
    #[arg(long, overrides_with = "ignore_unset")]
    no_ignore_unset: bool,
}

impl Config {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Config::Ls(command) => command.run(),
            Config::Create(command) => command.run(),
            Config::Activate(command) => command.run(),
            Config::Remove(command) => command.run(),
            Config::GetKey(command) => command.run().await,
            Config::Get(command) => command.run(),
        }
    }
}

impl Ls {
    fn run(self) -> anyhow::Result<Exit> {
        let used = active()?;
        let mut all = Vec::new();
        for place in [Place::Global, Place::Local] {
            let file = files::read(place)?;
            for name in file.names() {
                all.push((place, name.to_owned(), file.get(name)));
            }
        }
        if self.no_log_to_console {
            return Ok(Exit::Well);
        }
        let is_used = |name: &str, place: Place| {
            used.as_ref().is_some_and(|used| {
                matches!(&used.origin, adb::protocol::config::Origin::File(at, _) if *at == place)
                    && used.configuration.name == name
            })
        };
        if self.json {
            let shown = all.iter().map(|(place, name, entry)| {
                serde_json::json!({
                    "name": name, "file": word(*place), "used": is_used(name, *place),
                    "configuration": match entry {
                        Ok(Some(entry)) => without_secrets(entry),
                        _ => Json::Null,
                    },
                    "fault": entry.as_ref().err().map(ToString::to_string),
                })
            });
            println!("{:#}", Json::Array(shown.collect()));
            return Ok(Exit::Well);
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["", "NAME", "FILE", "SERVER"]);
        for (place, name, entry) in &all {
            let server = match entry {
                Ok(Some(entry)) => entry.to_string(),
                Ok(None) => String::new(),
                Err(e) => format!("can't be used: {e}"),
            };
            table.add_row([
                if is_used(name, *place) { "*" } else { "" },
                name,
                word(*place),
                &server,
            ]);
        }
        if all.is_empty() {
            println!("there is no configuration; `adb config create NAME --host …` makes one");
        } else {
            println!("{table}");
        }
        match &used {
            Some(used) if !matches!(used.origin, adb::protocol::config::Origin::File(..)) => {
                println!("used here: {}, from {}", used.configuration, used.origin);
            }
            None if !all.is_empty() => println!("none is active; `adb config activate NAME`"),
            _ => {}
        }
        Ok(Exit::Well)
    }
}

impl Activate {
    fn run(self) -> anyhow::Result<Exit> {
        let mut file = files::read(self.which.place())?;
        files::must_exist(&self.name)?;
        file.activate(self.name);
        files::write(self.which.place(), &file)?;
        Ok(Exit::Well)
    }
}

impl Remove {
    fn run(self) -> anyhow::Result<Exit> {
        let place = self.which.place();
        let mut file = files::read(place)?;
        if !file.names().any(|name| name == self.name) {
            usage!(
                "there is no configuration `{}` in {}; there are: {}",
                self.name,
                files::shown(place),
                files::known(&file)
            );
        }
        let is_active = file.active() == Some(&self.name);
        if is_active && !self.remove_if_active && self.new_active.is_none() {
            usage!(
                "`{}` is the active configuration; --new-active NAME makes another one active, \
                 --remove-if-active removes it all the same",
                self.name
            );
        }
        file.remove(&self.name);
        if let Some(next) = self.new_active {
            if next == self.name || !file.names().any(|name| name == next) {
                usage!(
                    "--new-active: there is no configuration `{next}` left; there are: {}",
                    files::known(&file)
                );
            }
            file.activate(next);
        }
        files::write(place, &file)?;
        Ok(Exit::Well)
    }
}

impl Get {
    fn run(self) -> anyhow::Result<Exit> {
        let Some((name, item)) = self.tag.split_once('.') else {
            usage!(
                "`{}` is no item; `NAME.ITEM` is wanted, or `.ITEM` of the active configuration",
                self.tag
            );
        };
        if matches!(item, "password" | "token" | "user_keys") {
            usage!("`{item}` is a secret and is not shown; `adb config get-key` gives a key");
        }
        let found = match name {
            "" => active()?.map(|found| found.configuration),
            name => named(name)?,
        };
        let Some(configuration) = found else {
            if self.ignore_unset {
                return Ok(Exit::Well);
            }
            match name {
                "" => usage!(
                    "no configuration is active; `adb config create`, or `adb config activate NAME`"
                ),
                name => usage!(
                    "there is no configuration `{name}`; `adb config ls` lists what there is"
                ),
            }
        };
        let shown = without_secrets(&configuration);
        match shown.get(item) {
            Some(Json::Null) | None if self.ignore_unset => {}
            None => {
                let items: Vec<&str> = shown
                    .as_object()
                    .into_iter()
                    .flat_map(|all| all.keys())
                    .map(String::as_str)
                    .collect();
                usage!("a configuration has no item `{item}`; it has {}", items.join(", "));
            }
            Some(Json::Null) => usage!("`{item}` is not set in `{}`", configuration.name),
            Some(Json::String(text)) => println!("{text}"),
            Some(other) => println!("{other}"),
        }
        Ok(Exit::Well)
    }
}

/// What a configuration says, but for its secrets.
fn without_secrets(configuration: &Configuration) -> Json {
    let mut shown = serde_json::to_value(configuration).unwrap_or_default();
    if let Some(entries) = shown.as_object_mut() {
        for secret in ["password", "token", "user_keys"] {
            entries.shift_remove(secret);
        }
        // What another release keeps may be a secret too.
        for other in configuration.other.keys() {
            entries.shift_remove(other);
        }
    }
    shown
}

fn word(place: Place) -> &'static str {
    match place {
        Place::Global => "global",
        Place::Local => "local",
    }
}

/// Faults in configurations end with 2, as the SDK's do.
fn told(error: impl std::fmt::Display) -> Usage {
    Usage(error.to_string())
}
