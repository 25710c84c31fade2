//! What a server says when it is ready.

use std::{
    io::{IsTerminal as _, stderr},
    net::SocketAddr,
    path::PathBuf,
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
}

impl Served {
    /// Lines for scripts on standard output; how to connect, for people, on a terminal.
    pub(super) fn tell(&self) {
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

    /// How to connect with the Python SDK and with ours.
    fn how(&self) -> String {
        // What listens on all addresses is reached on this machine by this one.
        let host = match self.address.ip() {
            ip if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
            ip => ip.to_string(),
        };
        let port = self.address.port();
        let mut python = format!(
            "adb config create served --active --host {host} --port {port} --username admin"
        );
        let mut ours = format!("adb://admin:PASSWORD@{host}:{port}");
        match (&self.certificate, self.tls) {
            (Some(certificate), _) => {
                let certificate = certificate.display();
                python.push_str(&format!(" --ca-cert {certificate}"));
                ours.push_str(&format!("?ca_cert={certificate}"));
            }
            (None, true) => {}
            (None, false) => {
                python.push_str(" --no-use-ssl");
                ours.push_str("?tls=off");
            }
        }
        let who = if self.accounts { "" } else { " (any name and password are good)" };
        format!(
            "Python SDK (its own `adb`; it asks for the password):\n  {python}\n\
             adb, and programs in Rust{who}:\n  {ours}\n"
        )
    }
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
        };
        let plain = served.how();
        assert!(plain.contains("--host localhost --port 4000") && plain.contains("--no-use-ssl"));
        assert!(plain.contains("adb://admin:PASSWORD@localhost:4000?tls=off"));
        served.tls = true;
        assert!(!served.how().contains("ssl") && !served.how().contains("tls="));
        served.certificate = Some("/s/certificate.pem".into());
        assert!(served.how().contains("--ca-cert /s/certificate.pem"));
        assert!(served.how().contains("?ca_cert=/s/certificate.pem"));
    }
}
