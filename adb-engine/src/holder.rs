//! Who holds the write lock, as the lock file says.

use std::fmt;

/// The process that writes to a database, or holds it for others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Holder {
    /// The process, where it could be learnt.
    pub pid: Option<u32>,
    /// What it calls itself, if it holds the database for as long as it runs: see
    /// [`Engine::hold`](crate::Engine::hold).
    pub name: Option<String>,
    /// Where it takes requests, if it does: an address with words in the place of user and password.
    pub address: Option<String>,
}

impl Holder {
    /// This process.
    pub(crate) fn this(name: Option<&str>, address: Option<&str>) -> Self {
        // Each is a line of a file.
        let line = |text: &str| text.replace(char::is_control, " ");
        Self { pid: Some(std::process::id()), name: name.map(line), address: address.map(line) }
    }

    /// From a lock file's text. A process that was just begun may not have written any.
    pub(crate) fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        let mut text = || lines.next().map(str::to_owned);
        Self { pid, name: text(), address: text() }
    }

    /// The lock file's text.
    pub(crate) fn written(&self) -> String {
        let pid = self.pid.map(|pid| pid.to_string());
        // An address comes with a name alone: see `Engine::hold_at`.
        [pid.as_ref(), self.name.as_ref(), self.address.as_ref()]
            .into_iter()
            .flatten()
            .map(|line| format!("{line}\n"))
            .collect()
    }

    /// Why others can't write, and what they can do.
    #[must_use]
    pub fn refuses(&self) -> String {
        match self.name {
            Some(_) => {
                let address = self.address.as_deref().unwrap_or("adb://user:password@localhost");
                format!(
                    "{self} holds this database, and one process writes at a time; write through it, \
                     by an address such as `{address}`, or stop it (reading works meanwhile)"
                )
            }
            None => format!(
                "{self} is writing to this database, and one process writes at a time; wait until it \
                 ends, or stop it (reading works meanwhile)"
            ),
        }
    }
}

/// `process 4711 (adb serve)`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => f.write_str("another process")?,
        }
        match &self.name {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for holder in [
            Holder::this(None, None),
            Holder::this(Some("adb serve"), None),
            Holder::this(Some("adb serve --listen [::1]:1"), Some("adb://u:p@[::1]:1")),
        ] {
            assert_eq!(Holder::read(&holder.written()), holder);
        }
        let odd = Holder::this(Some("two\nlines"), None);
        assert_eq!(Holder::read(&odd.written()).name.as_deref(), Some("two lines"));
        assert_eq!(Holder::read(""), Holder::default());
        assert_eq!(Holder::read("").to_string(), "another process");
    }

    #[test]
    fn whoever_is_refused_learns_the_way_in() {
        let told = Holder::this(Some("s"), Some("adb://user:password@h:7?tls=off")).refuses();
        assert!(told.contains("`adb://user:password@h:7?tls=off`"), "{told}");
        // An address needs both.
        let told = Holder::this(Some("s"), None).refuses();
        assert!(told.contains("`adb://user:password@localhost`"), "{told}");
        assert!(!Holder::this(None, None).refuses().contains("adb://"));
    }
}
