//! What the disk gives.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

/// How often a second 4 KB can be appended to a file and be on the disk.
pub(crate) fn appends(directory: &Path, time: Duration) -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile_in(directory)?;
    let block = [0x5a_u8; 4096];
    append(&mut file, &block)?;
    let start = Instant::now();
    let mut count = 0;
    // One at least, however long that takes.
    while count == 0 || start.elapsed() < time {
        append(&mut file, &block)?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// Bytes a second that can be appended to a file and be on the disk, 16 MB at a time.
pub(crate) fn stream(directory: &Path) -> anyhow::Result<f64> {
    const BLOCK: usize = 1 << 20;
    let mut file = tempfile::tempfile_in(directory)?;
    let block = vec![0x5a_u8; BLOCK];
    let start = Instant::now();
    for _ in 0..16 {
        for _ in 0..16 {
            file.write_all(&block)?;
        }
        file.sync_data()?;
    }
    Ok((256 * BLOCK) as f64 / start.elapsed().as_secs_f64())
}

fn append(file: &mut File, block: &[u8]) -> anyhow::Result<()> {
    file.write_all(block)?;
    Ok(file.sync_data()?)
}
