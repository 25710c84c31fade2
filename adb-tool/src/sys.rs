//! What is asked of the operating system itself.

use std::path::Path;

/// Bytes that this user may still write to the disk that a path is on; nothing where that can't be
/// learnt.
#[cfg(unix)]
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    // The last ancestor of a relative path is empty, and stands for the working directory.
    let here = |path: &Path| path.as_os_str().is_empty();
    let there = path.ancestors().find(|path| here(path) || path.exists())?;
    let there = if here(there) { Path::new(".") } else { there };
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes that this user may still write to the disk that a path is on; nothing where that can't be
/// learnt.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// What the terminal answers to a question, up to the byte that ends it; nothing where there is no
/// terminal, it is another job's, or it says nothing in time.
#[cfg(unix)]
pub(crate) fn ask_terminal(question: &[u8], end: u8) -> Option<Vec<u8>> {
    use std::{
        fs::File,
        io::{Read as _, Write as _},
    };

    use rustix::{
        process::getpgrp,
        termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcgetpgrp, tcsetattr},
    };

    /// Tenths of a second that it has for each part of its answer.
    const WAIT: u8 = 3;
    /// Bytes of an answer: more is none.
    const MOST: usize = 256;

    let mut terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
    // The system stops jobs in the background that change a terminal.
    if tcgetpgrp(&terminal).ok()? != getpgrp() {
        return None;
    }
    let before = tcgetattr(&terminal).ok()?;
    let mut asking = before.clone();
    asking.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    asking.special_codes[SpecialCodeIndex::VMIN] = 0;
    asking.special_codes[SpecialCodeIndex::VTIME] = WAIT;
    tcsetattr(&terminal, OptionalActions::Now, &asking).ok()?;
    let mut ask = || {
        terminal.write_all(question).ok()?;
        let mut answer = Vec::new();
        let mut part = [0; 64];
        while !answer.contains(&end) && answer.len() < MOST {
            match terminal.read(&mut part) {
                Ok(0) | Err(_) => return None,
                Ok(read) => answer.extend(&part[..read]),
            }
        }
        Some(answer)
    };
    let answer = ask();
    tcsetattr(&terminal, OptionalActions::Now, &before).ok()?;
    answer
}

/// What the terminal answers to a question: nothing where it can't be asked.
#[cfg(not(unix))]
pub(crate) fn ask_terminal(_: &[u8], _: u8) -> Option<Vec<u8>> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn a_path_that_is_not_there_is_on_a_disk_too() {
        let here = super::free_bytes(std::path::Path::new("no/such/place"));
        assert!(here.is_some());
    }
}
