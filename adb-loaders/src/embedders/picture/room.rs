//! Memory for decoded pictures, shared by all threads that decode.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// All decoders of this process: they share its memory.
static DECODERS: Decoders = Decoders { waiting: Mutex::new(Waiting::new()), moved: Condvar::new() };

struct Decoders {
    waiting: Mutex<Waiting>,
    moved: Condvar,
}

struct Waiting {
    taken: u64,
    next: u64,
    /// Whose turn it is, in the order in which they came: else a large picture would wait for as
    /// long as small ones keep coming.
    queue: VecDeque<u64>,
}

impl Waiting {
    const fn new() -> Self {
        Self { taken: 0, next: 0, queue: VecDeque::new() }
    }
}

impl Decoders {
    /// Sums are changed in one step each, so they are right whoever panicked.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many bytes for one picture, given back when it is dropped.
///
/// A thread that holds one must not ask for another: it could wait for itself.
#[must_use]
pub(in crate::embedders) struct Room {
    bytes: u64,
    of: &'static Decoders,
}

impl Room {
    /// Waits until all that is being decoded takes no more than `limit`, this picture included.
    pub(super) fn take(bytes: u64, limit: u64) -> Self {
        Self::of(&DECODERS, bytes, limit)
    }

    fn of(decoders: &'static Decoders, bytes: u64, limit: u64) -> Self {
        let mut waiting = decoders.lock();
        let own = waiting.next;
        waiting.next += 1;
        waiting.queue.push_back(own);
        // Others may have been given more under a higher limit: alone, each goes.
        while waiting.queue.front() != Some(&own)
            || (waiting.taken > 0 && waiting.taken.saturating_add(bytes) > limit)
        {
            waiting = decoders.moved.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.queue.pop_front();
        waiting.taken = waiting.taken.saturating_add(bytes);
        drop(waiting);
        decoders.moved.notify_all();
        Self { bytes, of: decoders }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut waiting = self.of.lock();
        waiting.taken = waiting.taken.saturating_sub(self.bytes);
        drop(waiting);
        self.of.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
        time::Duration,
    };

    use super::*;

    #[test]
    fn all_together_stay_below_the_limit_and_everyone_gets_a_turn() {
        static OWN: Decoders =
            Decoders { waiting: Mutex::new(Waiting::new()), moved: Condvar::new() };
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (now, most) = (&now, &most);
                scope.spawn(move || {
                    for turn in 0..50 {
                        // Small ones, and some that need all of it.
                        let bytes = if (thread + turn) % 9 == 0 { 100 } else { 30 };
                        let room = Room::of(&OWN, bytes, 100);
                        most.fetch_max(
                            now.fetch_add(bytes, Ordering::SeqCst) + bytes,
                            Ordering::SeqCst,
                        );
                        thread::sleep(Duration::from_micros(50));
                        now.fetch_sub(bytes, Ordering::SeqCst);
                        drop(room);
                    }
                });
            }
        });
        let most = most.into_inner();
        assert!((60..=100).contains(&most), "{most}");
        assert_eq!(OWN.lock().taken, 0);
    }

    #[test]
    fn what_is_larger_than_the_limit_of_another_goes_alone() {
        static OWN: Decoders =
            Decoders { waiting: Mutex::new(Waiting::new()), moved: Condvar::new() };
        let large = Room::of(&OWN, 500, 500);
        let small = thread::spawn(|| drop(Room::of(&OWN, 10, 100)));
        thread::sleep(Duration::from_millis(20));
        assert!(!small.is_finished());
        drop(large);
        small.join().unwrap();
    }
}
