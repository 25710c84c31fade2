//! Bytes in flight: how much of rows and of their media is held at once.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::lock;

/// A gate that lets rows pass while fewer bytes than its limit are held beyond it.
///
/// What a row holds is known when it has passed, so the last ones may take it over the limit, one
/// for each thread. A row passes once: those beyond never wait for the gate again, so they always
/// come to their end and make room.
#[derive(Debug)]
pub(super) struct Gate {
    limit: usize,
    held: Arc<Bytes>,
}

#[derive(Debug, Default)]
struct Bytes {
    held: AtomicUsize,
    waiting: AtomicUsize,
    lock: Mutex<()>,
    less: Condvar,
}

/// For a wake-up that was missed.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Gate {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), held: Arc::default() }
    }

    /// Waits until fewer bytes than the limit are held. Blocks.
    pub(super) fn pass(&self) {
        if self.held.held.load(Ordering::Relaxed) < self.limit {
            return;
        }
        self.held.waiting.fetch_add(1, Ordering::SeqCst);
        let mut guard = lock(&self.held.lock);
        while self.held.held.load(Ordering::SeqCst) >= self.limit {
            guard = match self.held.less.wait_timeout(guard, LOOK_AGAIN) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        drop(guard);
        self.held.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Counts bytes until what it answers is dropped.
    pub(super) fn hold(&self, bytes: usize) -> Held {
        self.held.held.fetch_add(bytes, Ordering::Relaxed);
        Held { of: self.held.clone(), bytes }
    }

    #[cfg(test)]
    fn held(&self) -> usize {
        self.held.held.load(Ordering::SeqCst)
    }
}

/// Bytes that a row holds.
#[derive(Debug)]
pub(super) struct Held {
    of: Arc<Bytes>,
    bytes: usize,
}

impl Held {
    /// So many more.
    pub(super) fn add(&mut self, bytes: usize) {
        self.of.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.held.fetch_sub(self.bytes, Ordering::SeqCst);
        if self.of.waiting.load(Ordering::SeqCst) > 0 {
            self.of.less.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn no_more_is_held_than_the_limit_and_one_for_each_thread() {
        let gate = Gate::new(100);
        let most = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        gate.pass();
                        let mut held = gate.hold(20);
                        held.add(10);
                        most.fetch_max(gate.held(), Ordering::SeqCst);
                        thread::yield_now();
                    }
                });
            }
        });
        assert_eq!(gate.held(), 0);
        assert!(most.into_inner() <= 100 + 4 * 30);
    }

    #[test]
    fn who_waits_passes_when_there_is_room() {
        let gate = Gate::new(10);
        let held = gate.hold(50);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.pass());
            drop(held);
            waiting.join().unwrap();
        });
    }
}
