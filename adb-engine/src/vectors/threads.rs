//! Work that is shared out to several threads.

use std::{
    num::NonZero,
    ops::Range,
    sync::{LazyLock, Mutex, PoisonError},
    thread,
};

/// Bytes that are worth a thread of their own.
const BYTES_A_THREAD: usize = 3 << 20;

/// Stretches of equal length, as many as are worth threads.
pub(super) fn parts(all: Range<usize>, bytes_each: usize) -> Vec<Range<usize>> {
    let worth = (all.len() * bytes_each / BYTES_A_THREAD).max(1);
    let count = cores().min(worth).min(all.len().max(1));
    let cut = |i: usize| all.start + all.len() * i / count;
    (0..count).map(|i| cut(i)..cut(i + 1)).collect()
}

/// Runs each part on a thread, the last one on this.
pub(super) fn in_threads<T: Send>(
    mut parts: Vec<Range<usize>>,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    let Some(last) = parts.pop() else { return Vec::new() };
    thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> =
            parts.into_iter().map(|part| scope.spawn(move || work(part))).collect();
        let mut done = vec![work(last)];
        for thread in running {
            match thread.join() {
                Ok(part) => done.push(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

/// Cores that this process had when it was asked first. The system's answer is made of several
/// files, which take as long to read as a small search.
pub(crate) fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    *CORES
}

/// Does something for each, on so many threads at most.
pub(super) fn for_each<T: Send>(each: Vec<T>, threads: usize, work: impl Fn(T) + Sync) {
    let threads = threads.min(each.len());
    if threads < 2 {
        return each.into_iter().for_each(work);
    }
    let each = Mutex::new(each.into_iter());
    in_threads((0..threads).map(|_| 0..0).collect(), |_| {
        while let Some(next) = each.lock().unwrap_or_else(PoisonError::into_inner).next() {
            work(next);
        }
    });
}
