//! How often one host is asked at once, and when it wants to be left alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

/// Hosts that are remembered although nobody asks them.
const REMEMBERED: usize = 1024;

/// All hosts that are being asked.
#[derive(Debug)]
pub(super) struct Hosts {
    at_once: usize,
    by_name: Mutex<HashMap<String, Arc<Host>>>,
}

/// One host, or one bucket.
#[derive(Debug)]
pub(super) struct Host {
    slots: Semaphore,
    free_from: Mutex<Option<Instant>>,
}

impl Hosts {
    pub(super) fn new(at_once: usize) -> Self {
        Self { at_once: at_once.max(1), by_name: Mutex::default() }
    }

    pub(super) fn get(&self, name: &str) -> Arc<Host> {
        let mut hosts = lock(&self.by_name);
        if let Some(host) = hosts.get(name) {
            return host.clone();
        }
        if hosts.len() >= REMEMBERED {
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || host.busy_until().is_some());
        }
        let host =
            Arc::new(Host { slots: Semaphore::new(self.at_once), free_from: Mutex::default() });
        hosts.insert(name.to_owned(), host.clone());
        host
    }
}

impl Host {
    /// A slot, once there is one and the host may be asked again.
    pub(super) async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        let slot = self.slots.acquire().await.ok();
        self.until_free().await;
        slot
    }

    /// Waits until it may be asked again.
    pub(super) async fn until_free(&self) {
        // Another download may have been told to wait longer, meanwhile.
        while let Some(until) = self.busy_until() {
            sleep_until(until).await;
        }
    }

    /// Leaves it alone, in all downloads.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut free_from = lock(&self.free_from);
        *free_from = (*free_from).max(Some(until));
    }

    fn busy_until(&self) -> Option<Instant> {
        lock(&self.free_from).filter(|until| *until > Instant::now())
    }
}

/// What is guarded are plain values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
