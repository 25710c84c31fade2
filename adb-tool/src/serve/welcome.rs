//! What a server says when it is ready.

use std::{
    io::{IsTerminal as _, stderr},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use super::say;

/// What somebody who wants to connect must know.
pub(super) struct Served {
    pub address: SocketAddr,
    pub rest: Option<SocketAddr>,
    pub tls: bool,
    /// The certificate that the server made itself.
    pub certificate: Option<PathBuf>,
    pub accounts: bool,
    /// The database, if it is a directory.
    pub directory: Option<PathBuf>,
}

impl Served {
    /// Lines for scripts on standard output; how to connect, for people, on a terminal.
    pub(super) fn tell(&self) {
        self.log();
        if let Some(certificate) = &self.certificate {
            say(&format!("certificate: {}", certificate.display()));
        }
        if let Some(rest) = self.rest {
            let scheme = if self.tls { "https" } else { "http" };
            say(&format!("REST: {scheme}://{rest}/api"));
        }
        say(&format!("listening on {}", self.address));
        if stderr().is_terminal() {
            eprintln!("\n{}", self.how());
        }
    }

    /// The start, where its end will be logged as well.
    fn log(&self) {
        let (tls, accounts) = (self.tls, self.accounts);
        let rest = self.rest.map(tracing::field::display);
        let directory =
            self.directory.as_deref().map(|path| tracing::field::display(path.display()));
        tracing::info!(address = %self.address, tls, accounts, rest, directory, "serving");
    }

    /// How to connect with the Python SDK and with ours.
    fn how(&self) -> String {
        let host = host(self.address.ip());
        let port = self.address.port();
        let mut python = format!(
            "adb config create served --active --host {host} --port {port} --username admin"
        );
        let ours = way_in("admin:PASSWORD", self.address, self.tls, self.certificate.as_deref());
        match (&self.certificate, self.tls) {
            (Some(certificate), _) => {
                let certificate = certificate.display();
                python.push_str(&format!(" --ca-cert {certificate}"));
            }
            (None, true) => {}
            (None, false) => python.push_str(" --no-use-ssl"),
        }
        let who = if self.accounts { "" } else { " (any name and password are good)" };
        format!(
            "Python SDK (its own `adb`; it asks for the password):\n  {python}\n\
             adb, and programs in Rust{who}:\n  {ours}\n"
        )
    }
}

/// What listens on all addresses is reached on this machine by this one.
fn host(ip: IpAddr) -> String {
    match ip {
        ip if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
        ip => ip.to_string(),
    }
}

/// The address of a server for ours, on this machine.
pub(super) fn way_in(
    who: &str,
    listening: SocketAddr,
    tls: bool,
    certificate: Option<&Path>,
) -> String {
    let host = match host(listening.ip()) {
        bare_ipv6 if bare_ipv6.contains(':') => format!("[{bare_ipv6}]"),
        host => host,
    };
    let more = match (certificate, tls) {
        (Some(certificate), _) => format!("?ca_cert={}", certificate.display()),
        (None, true) => String::new(),
        (None, false) => "?tls=off".to_owned(),
    };
    format!("adb://{who}@{host}:{}{more}", listening.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_connect_names_what_is_needed() {
        let mut served = Served {
            address: "0.0.0.0:4000".parse().unwrap(),
            rest: None,
            tls: false,
            certificate: None,
            accounts: true,
            directory: None,
        };
        let plain = served.how();
        assert!(plain.contains("--host localhost --port 4000") && plain.contains("--no-use-ssl"));
        assert!(plain.contains("adb://admin:PASSWORD@localhost:4000?tls=off"));
        assert_eq!(
            way_in("u:p", "[2001:db8::1]:7".parse().unwrap(), true, None),
            "adb://u:p@[2001:db8::1]:7"
        );
        served.tls = true;
        assert!(!served.how().contains("ssl") && !served.how().contains("tls="));
        served.certificate = Some("/s/certificate.pem".into());
        assert!(served.how().contains("--ca-cert /s/certificate.pem"));
        assert!(served.how().contains("?ca_cert=/s/certificate.pem"));
    }
}
