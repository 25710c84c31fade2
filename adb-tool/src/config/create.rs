//! `adb config create`

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use adb::protocol::{Configuration, Credentials, Key, config::valid_name};

use super::{Which, files, told};
use crate::{
    exit::{Exit, usage},
    out,
};

/// Keep where a server is and how to log in.
///
/// On a terminal, what is not said is asked for, unless --no-interactive.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb config create dev --host localhost --username admin --password admin --no-interactive
  echo '{\"host\": \"db.example.com\", \"username\": \"anna\", \"password\": \"secret\"}' | \\
      adb config create prod --from-json --active")]
pub(crate) struct Create {
    /// Its name: letters, digits, `-` and `_`.
    name: Option<String>,
    /// Make it the one that is used when none is named, as the first one is anyway.
    #[arg(long, overrides_with = "no_active")]
    active: bool,
    /// Leave the active one as it is [default].
    #[arg(long, overrides_with = "active")]
    no_active: bool,
    #[command(flatten)]
    which: Which,
    /// The server's name or address.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Its port [default: 55555; with --use-rest 443, or 80 without TLS].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Who logs in.
    #[arg(long, default_value = "admin")]
    username: String,
    /// The password; other programs of this machine can see it here: on a terminal it is asked for.
    #[arg(long, default_value = "admin", hide_default_value = true)]
    password: String,
    /// HTTP instead of the framed protocol.
    #[arg(long, overrides_with = "no_use_rest")]
    use_rest: bool,
    /// The framed protocol [default].
    #[arg(long, overrides_with = "use_rest")]
    no_use_rest: bool,
    /// Encrypt [default].
    #[arg(long, overrides_with = "no_use_ssl")]
    use_ssl: bool,
    /// Do not encrypt.
    #[arg(long, overrides_with = "use_ssl")]
    no_use_ssl: bool,
    /// A file with the certificates to trust, instead of the system's; kept as an absolute path.
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<String>,
    /// Check the certificate and the host's name in it [default].
    #[arg(long, overrides_with = "no_verify_hostname")]
    verify_hostname: bool,
    /// Check neither: whoever sits between can read everything.
    #[arg(long, overrides_with = "verify_hostname")]
    no_verify_hostname: bool,
    /// Ask on a terminal for what is not said [default].
    #[arg(long, overrides_with = "no_interactive")]
    interactive: bool,
    /// Ask for nothing.
    #[arg(long, overrides_with = "interactive")]
    no_interactive: bool,
    /// Replace a configuration of that name.
    #[arg(long, overrides_with = "no_overwrite")]
    overwrite: bool,
    /// Leave a configuration of that name as it is [default].
    #[arg(long, overrides_with = "overwrite")]
    no_overwrite: bool,
    /// Read it as a JSON object from standard input.
    #[arg(long, overrides_with = "no_from_json", conflicts_with = "from_key")]
    from_json: bool,
    /// Not from JSON [default].
    #[arg(long, overrides_with = "from_json")]
    no_from_json: bool,
    /// Read it as a key (`APERTUREDB_KEY`) from standard input.
    #[arg(long, overrides_with = "no_from_key")]
    from_key: bool,
    /// Not from a key [default].
    #[arg(long, overrides_with = "from_key")]
    no_from_key: bool,
}

impl Create {
    pub(super) fn run(mut self) -> anyhow::Result<Exit> {
        let place = self.which.place();
        let mut file = files::read(place)?;
        let asks = !self.no_interactive && io::stdin().is_terminal();
        let read = match (self.from_json, self.from_key) {
            (true, _) => {
                let text = secret(asks, "JSON")?;
                Some(Configuration::from_json(&text, "--from-json").map_err(told)?)
            }
            (_, true) => Some(Key::from(secret(asks, "key")?.as_str()).read().map_err(told)?),
            _ => None,
        };
        let name = match (self.name.take(), &read) {
            (Some(name), _) => name,
            (None, Some(read)) if self.from_json && read.name != "from_json" => read.name.clone(),
            (None, _) if asks => asked("name", "")?,
            (None, _) => usage!("a name is missing: `adb config create NAME …`"),
        };
        if !valid_name(&name) {
            usage!(
                "`{name}` is not a name: letters, digits, `-` and `_`, 64 at most, the first a \
                 letter or digit, and not `active`"
            );
        }
        let is_there = file.names().any(|known| known == name);
        if is_there && !self.overwrite {
            usage!(
                "there is a configuration `{name}` in {}; --overwrite replaces it",
                files::shown(place)
            );
        }
        let make_active = self.active;
        let mut configuration = match read {
            Some(read) => read,
            None => self.said(asks)?,
        };
        if let Some(path) = configuration.ca_cert.as_mut().filter(|path| !path.is_empty()) {
            // It is read from wherever a command runs.
            match std::path::absolute(&*path)?.into_os_string().into_string() {
                Ok(absolute) => *path = absolute,
                Err(_) => usage!("the path of `{path}` is not UTF-8, and a configuration's is"),
            }
        }
        check_host(&configuration.host)?;
        configuration.name.clone_from(&name);
        file.set(&configuration).map_err(told)?;
        if make_active || file.active().is_none() {
            file.activate(name);
        }
        files::write(place, &file)?;
        out::notice(format_args!("{} is in {}", configuration.name, files::shown(place)));
        Ok(Exit::Well)
    }

    /// From the options, and from who sits at the terminal.
    fn said(self, asks: bool) -> anyhow::Result<Configuration> {
        let (use_ssl, use_rest) = (!self.no_use_ssl, self.use_rest);
        let default_port = Configuration::default_port(use_rest, use_ssl);
        let (mut host, mut port) = (self.host, self.port.unwrap_or(default_port));
        let (mut username, mut password) = (self.username, self.password);
        if asks {
            host = asked("host", &host)?;
            port = match asked("port", &port.to_string())?.parse() {
                Ok(port) => port,
                Err(_) => usage!("a port is a number up to 65535"),
            };
            username = asked("username", &username)?;
            let typed = rpassword::prompt_password("password: ")?;
            if !typed.is_empty() {
                password = typed;
            }
        }
        let credentials = Credentials::Password { username, password: password.into() };
        let mut configuration = Configuration::new("", host, credentials);
        configuration.port = port;
        configuration.use_ssl = use_ssl;
        configuration.use_rest = use_rest;
        configuration.ca_cert = self.ca_cert;
        configuration.verify_hostname = !self.no_verify_hostname;
        // What the file's readers refuse is refused here.
        let text = serde_json::to_string(&configuration)?;
        Ok(Configuration::from_json(&text, "these options").map_err(told)?)
    }
}

/// Refuses a whole address in the place of a host: it would be looked up as a name. It may hold a
/// password, so it is not quoted.
fn check_host(host: &str) -> anyhow::Result<()> {
    if host.contains(['/', '@', '?']) {
        usage!(
            "`host` is an address: give the name or the IP address of the machine alone, such as \
             `--host db.example.com`; the port is `--port`, the user `--username`, REST `--use-rest`"
        );
    }
    Ok(())
}

/// A line of standard input, or what is typed without being seen.
fn secret(asks: bool, what: &str) -> anyhow::Result<String> {
    if asks {
        return Ok(rpassword::prompt_password(format!("{what}: "))?);
    }
    let mut text = String::new();
    for line in io::stdin().lock().lines() {
        text.push_str(&line?);
        text.push('\n');
    }
    if text.trim().is_empty() {
        usage!("nothing came on standard input, where the {what} is expected");
    }
    Ok(text.trim().to_owned())
}

fn asked(what: &str, default: &str) -> anyhow::Result<String> {
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    let mut terminal = io::stderr();
    write!(terminal, "{what}{shown}: ")?;
    terminal.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let typed = line.trim();
    Ok(if typed.is_empty() { default.to_owned() } else { typed.to_owned() })
}
