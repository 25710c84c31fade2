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

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn a_path_that_is_not_there_is_on_a_disk_too() {
        let here = super::free_bytes(std::path::Path::new("no/such/place"));
        assert!(here.is_some());
    }
}
