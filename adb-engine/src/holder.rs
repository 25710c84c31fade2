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
}

impl Holder {
    /// This process.
    pub(crate) fn this(name: Option<&str>) -> Self {
        // It is a line of a file.
        let name = name.map(|name| name.replace(char::is_control, " "));
        Self { pid: Some(std::process::id()), name }
    }

    /// From a lock file's text. A process that was just begun may not have written any.
    pub(crate) fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        Self { pid, name: lines.next().map(str::to_owned) }
    }

    /// The lock file's text.
    pub(crate) fn written(&self) -> String {
        let pid = self.pid.map(|pid| pid.to_string());
        [pid.as_ref(), self.name.as_ref()]
            .into_iter()
            .flatten()
            .map(|line| format!("{line}\n"))
            .collect()
    }

    /// Why others can't write, and what they can do.
    #[must_use]
    pub fn refuses(&self) -> String {
        match self.name {
            Some(_) => format!(
                "{self} holds this database, and one process writes at a time; write through it, by \
                 an address such as `adb://user@localhost`, or stop it (reading works meanwhile)"
            ),
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
        for holder in [Holder::this(None), Holder::this(Some("adb serve --listen [::1]:1"))] {
            assert_eq!(Holder::read(&holder.written()), holder);
        }
        let odd = Holder::this(Some("two\nlines"));
        assert_eq!(Holder::read(&odd.written()).name.as_deref(), Some("two lines"));
        assert_eq!(Holder::read(""), Holder::default());
        assert_eq!(Holder::read("").to_string(), "another process");
    }
}
