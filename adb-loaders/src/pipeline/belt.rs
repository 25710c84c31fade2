//! Ways from one stage to the next, on which rows lie side by side.
//!
//! A row is put down by itself, and those who take rows are woken once for many: waking a thread
//! costs more than most rows do. Who takes batches is woken by the first row, for the time that it
//! may wait, and by the one that makes the batch full; so a row of a slow source goes on when its
//! time is up, whatever comes after it. Who has to wait for room is woken when half of it is free.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use event_listener::{Event, EventListener, Listener as _};

use tokio::time::timeout_at;

use super::lock;

/// A belt for rows that are taken one by one.
pub(super) fn belt<I>(room: usize) -> (Sender<I>, Receiver<I>) {
    with_batches(room, Batch { rows: 1, bytes: usize::MAX, weigh: |_| 0 })
}

/// A belt for rows that are taken in batches. There is room for two: one waits while the next one
/// is put down.
pub(super) fn belt_of<I>(batch: Batch<I>) -> (Sender<I>, Receiver<I>) {
    with_batches(batch.rows.saturating_mul(2), batch)
}

/// One with so much room, and for one batch at least.
pub(super) fn with_batches<I>(room: usize, batch: Batch<I>) -> (Sender<I>, Receiver<I>) {
    let line = Line {
        items: VecDeque::new(),
        bytes: 0,
        since: Instant::now(),
        senders: 1,
        receivers: 1,
        blocked: 0,
    };
    let belt = Arc::new(Belt {
        line: Mutex::new(line),
        room: room.max(batch.rows).max(1),
        batch,
        rows_there: Event::new(),
        room_there: Event::new(),
    });
    (Sender(belt.clone()), Receiver(belt))
}

/// How much is taken at once.
pub(super) struct Batch<I> {
    rows: usize,
    bytes: usize,
    weigh: fn(&I) -> usize,
}

impl<I> Batch<I> {
    /// So many rows.
    pub(super) fn of_rows(rows: usize) -> Self {
        Self { rows: rows.max(1), bytes: usize::MAX, weigh: |_| 0 }
    }

    /// Or as many as make so many bytes together, if those are fewer.
    pub(super) fn or_bytes(self, bytes: usize, weigh: fn(&I) -> usize) -> Self {
        Self { bytes, weigh, ..self }
    }
}

struct Belt<I> {
    line: Mutex<Line<I>>,
    room: usize,
    batch: Batch<I>,
    rows_there: Event,
    room_there: Event,
}

struct Line<I> {
    /// Each with its weight.
    items: VecDeque<(I, usize)>,
    bytes: usize,
    /// When the first of them was put down, at the latest.
    since: Instant,
    senders: usize,
    receivers: usize,
    /// How many wait for room.
    blocked: usize,
}

/// What could not be put down, since nobody takes it.
pub(super) struct Unsent<I>(pub(super) I);

impl<I> fmt::Debug for Unsent<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsent")
    }
}

impl<I> Belt<I> {
    fn line(&self) -> MutexGuard<'_, Line<I>> {
        lock(&self.line)
    }

    fn is_full(&self, line: &Line<I>) -> bool {
        line.items.len() >= self.batch.rows
            || line.bytes >= self.batch.bytes
            // Nothing more comes, or nothing more before something has been taken.
            || line.senders == 0
            || (line.blocked > 0 && line.items.len() > self.room / 2)
    }

    /// Puts a row down, or answers it with what is to be waited for.
    fn put(&self, item: I) -> Result<Put<'_, I>, Unsent<I>> {
        let weight = (self.batch.weigh)(&item);
        let mut line = self.line();
        if line.receivers == 0 {
            return Err(Unsent(item));
        }
        if line.items.len() >= self.room {
            line.blocked += 1;
            // Listening begins while nobody can take anything: no word of room is missed.
            return Ok(Put::Wait(item, self.room_there.listen(), Blocked(self)));
        }
        let was_full = self.is_full(&line);
        if line.items.is_empty() {
            line.since = Instant::now();
        }
        line.items.push_back((item, weight));
        line.bytes = line.bytes.saturating_add(weight);
        let wakes = line.items.len() == 1 || (!was_full && self.is_full(&line));
        drop(line);
        if wakes {
            self.rows_there.notify(1);
        }
        Ok(Put::Done)
    }

    /// As many rows as make a batch, if it is full or has waited long enough.
    fn next_batch(&self, linger: Duration) -> Next<Vec<I>> {
        let mut line = self.line();
        if line.items.is_empty() {
            return match line.senders {
                0 => Next::End,
                _ => Next::Wait(self.rows_there.listen(), None),
            };
        }
        let due = line.since.checked_add(linger);
        if !self.is_full(&line) && due.is_none_or(|due| Instant::now() < due) {
            return Next::Wait(self.rows_there.listen(), due);
        }
        let mut batch = Vec::with_capacity(line.items.len().min(self.batch.rows));
        let mut bytes = 0;
        while batch.len() < self.batch.rows && bytes < self.batch.bytes {
            let Some((item, weight)) = line.items.pop_front() else { break };
            batch.push(item);
            bytes += weight;
            line.bytes -= weight;
        }
        if !line.items.is_empty() {
            line.since = Instant::now();
        }
        self.taken(line);
        Next::Item(batch)
    }

    /// Tells those whom it concerns that something was taken.
    fn taken(&self, line: MutexGuard<'_, Line<I>>) {
        let (left, blocked) = (line.items.len(), line.blocked);
        drop(line);
        if blocked > 0 && left <= self.room / 2 {
            self.room_there.notify(blocked);
        }
        if left > 0 {
            // Somebody else may take it, or see to it that it does not wait too long.
            self.rows_there.notify(1);
        }
    }

    /// The next row.
    fn next(&self) -> Next<I> {
        let mut line = self.line();
        let Some((item, weight)) = line.items.pop_front() else {
            return match line.senders {
                0 => Next::End,
                _ => Next::Wait(self.rows_there.listen(), None),
            };
        };
        line.bytes -= weight;
        self.taken(line);
        Next::Item(item)
    }
}

enum Put<'a, I> {
    Done,
    Wait(I, EventListener, Blocked<'a, I>),
}

/// Waits for room as long as this.
struct Blocked<'a, I>(&'a Belt<I>);

impl<I> Drop for Blocked<'_, I> {
    fn drop(&mut self) {
        self.0.line().blocked -= 1;
    }
}

/// What is taken, or what is to be waited for.
enum Next<T> {
    Item(T),
    /// Until then at most.
    Wait(EventListener, Option<Instant>),
    End,
}

/// Where rows are put down.
pub(super) struct Sender<I>(Arc<Belt<I>>);

impl<I> Sender<I> {
    /// Puts a row down; waits while there is no room.
    pub(super) async fn send(&self, mut item: I) -> Result<(), Unsent<I>> {
        loop {
            match self.0.put(item)? {
                Put::Done => return Ok(()),
                Put::Wait(back, room, _blocked) => {
                    item = back;
                    room.await;
                }
            }
        }
    }

    /// The same on a thread that may be blocked.
    pub(super) fn send_blocking(&self, mut item: I) -> Result<(), Unsent<I>> {
        loop {
            match self.0.put(item)? {
                Put::Done => return Ok(()),
                Put::Wait(back, room, _blocked) => {
                    item = back;
                    room.wait();
                }
            }
        }
    }
}

/// Where threads hand on what they are done with.
pub(super) trait Way<I> {
    /// Waits while there is no room.
    fn hand_on(&self, item: I) -> Result<(), Unsent<I>>;
}

impl<I> Way<I> for Sender<I> {
    fn hand_on(&self, item: I) -> Result<(), Unsent<I>> {
        self.send_blocking(item)
    }
}

impl<I> Clone for Sender<I> {
    fn clone(&self) -> Self {
        self.0.line().senders += 1;
        Self(self.0.clone())
    }
}

impl<I> Drop for Sender<I> {
    fn drop(&mut self) {
        let mut line = self.0.line();
        line.senders -= 1;
        let was_last = line.senders == 0;
        drop(line);
        if was_last {
            self.0.rows_there.notify(usize::MAX);
        }
    }
}

/// Where rows are taken. Each goes to one of those who take.
pub(super) struct Receiver<I>(Arc<Belt<I>>);

impl<I> Receiver<I> {
    /// The next row; none when no more will come. Downloads alone take rows so.
    #[cfg(any(feature = "http", test))]
    pub(super) async fn recv(&self) -> Option<I> {
        loop {
            match self.0.next() {
                Next::Item(item) => return Some(item),
                Next::Wait(more, _) => more.await,
                Next::End => return None,
            }
        }
    }

    /// The next row, on a thread that may be blocked; none when no more will come.
    pub(super) fn recv_blocking(&self) -> Option<I> {
        loop {
            match self.0.next() {
                Next::Item(item) => return Some(item),
                Next::Wait(more, _) => more.wait(),
                Next::End => return None,
            }
        }
    }

    /// A batch, at least one row of it: what is there when it is full, or when its first row has
    /// waited for `linger`. None when no more will come.
    pub(super) async fn batch(&self, linger: Duration) -> Option<Vec<I>> {
        loop {
            match self.0.next_batch(linger) {
                Next::Item(batch) => return Some(batch),
                Next::Wait(more, None) => more.await,
                // Either way, one looks again.
                Next::Wait(more, Some(due)) => drop(timeout_at(due.into(), more).await),
                Next::End => return None,
            }
        }
    }

    /// Whether no more rows will be put down.
    pub(super) fn is_closed(&self) -> bool {
        self.0.line().senders == 0
    }

    /// How many lie there.
    pub(super) fn len(&self) -> usize {
        self.0.line().items.len()
    }
}

impl<I> Clone for Receiver<I> {
    fn clone(&self) -> Self {
        self.0.line().receivers += 1;
        Self(self.0.clone())
    }
}

impl<I> Drop for Receiver<I> {
    fn drop(&mut self) {
        let mut line = self.0.line();
        line.receivers -= 1;
        let was_last = line.receivers == 0;
        drop(line);
        if was_last {
            self.0.room_there.notify(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread};

    use super::*;

    /// Nobody waits for it unless the test fails.
    const NEVER: Duration = Duration::from_secs(60);

    fn batches_of(rows: usize) -> (Sender<usize>, Receiver<usize>) {
        belt_of(Batch::of_rows(rows))
    }

    #[tokio::test]
    async fn a_full_batch_does_not_wait() {
        let (to, from) = batches_of(3);
        for row in 0..4 {
            to.send(row).await.unwrap();
        }
        assert_eq!(from.batch(NEVER).await, Some(vec![0, 1, 2]));
        assert_eq!(from.len(), 1);
        assert!(!from.is_closed());
        drop(to);
        assert_eq!(from.batch(NEVER).await, Some(vec![3]));
        assert_eq!(from.batch(NEVER).await, None);
    }

    #[tokio::test]
    async fn one_row_goes_on_when_its_time_is_up() {
        let (to, from) = batches_of(3);
        let taken = tokio::spawn(async move { from.batch(Duration::from_millis(2)).await });
        tokio::task::yield_now().await;
        to.send(7).await.unwrap();
        // `to` is still there: more could come.
        assert_eq!(taken.await.unwrap(), Some(vec![7]));
        assert!(to.send(8).await.is_err(), "nobody takes it");
    }

    #[tokio::test]
    async fn who_waits_for_a_batch_sees_it_become_full() {
        let (to, from) = batches_of(2);
        let taken = tokio::spawn(async move { from.batch(NEVER).await });
        for row in 0..2 {
            tokio::task::yield_now().await;
            to.send(row).await.unwrap();
        }
        assert_eq!(taken.await.unwrap(), Some(vec![0, 1]));
    }

    #[tokio::test]
    async fn a_batch_is_full_by_its_bytes_too() {
        let (to, from) = belt_of(Batch::of_rows(10).or_bytes(100, |bytes: &usize| *bytes));
        for bytes in [60, 60, 500, 1] {
            to.send(bytes).await.unwrap();
        }
        assert_eq!(from.batch(NEVER).await, Some(vec![60, 60]));
        assert_eq!(from.batch(NEVER).await, Some(vec![500]));
        drop(to);
        assert_eq!(from.batch(NEVER).await, Some(vec![1]));
    }

    #[test]
    fn rows_are_taken_in_their_order_and_no_more_are_held_than_there_is_room_for() {
        let (to, from) = belt(4);
        thread::scope(|scope| {
            scope.spawn(move || (0..1000).for_each(|row| to.send_blocking(row).unwrap()));
            for row in 0..1000 {
                assert!(from.len() <= 4);
                assert_eq!(from.recv_blocking(), Some(row));
            }
            assert_eq!(from.recv_blocking(), None);
        });
    }

    #[test]
    fn each_row_goes_to_one_of_many() {
        let (to, from) = belt(3);
        let taken = Mutex::new(BTreeSet::new());
        thread::scope(|scope| {
            for sender in 0..4 {
                let to = to.clone();
                scope.spawn(move || {
                    (0..500).for_each(|row| to.send_blocking(sender * 500 + row).unwrap());
                });
            }
            drop(to);
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(row) = from.recv_blocking() {
                        assert!(lock(&taken).insert(row), "{row} was taken twice");
                    }
                });
            }
        });
        assert_eq!(taken.into_inner().unwrap().len(), 2000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn tasks_and_threads_share_a_belt() {
        let (to, from) = batches_of(5);
        for sender in 0..3 {
            let to = to.clone();
            thread::spawn(move || {
                (0..500).for_each(|row| to.send_blocking(sender * 500 + row).unwrap());
            });
        }
        drop(to);
        let takers = [from.clone(), from].map(|from| {
            tokio::spawn(async move {
                let mut taken = Vec::new();
                while let Some(batch) = from.batch(NEVER).await {
                    assert!(batch.len() <= 5);
                    taken.extend(batch);
                }
                taken
            })
        });
        let mut taken = BTreeSet::new();
        for taker in takers {
            taken.extend(taker.await.unwrap());
        }
        assert_eq!(taken.len(), 1500);
    }

    #[test]
    fn who_waits_for_room_hears_that_nobody_takes_any_more() {
        let (to, from) = belt(1);
        to.send_blocking(1).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| to.send_blocking(2));
            while to.0.line().blocked == 0 {
                thread::yield_now();
            }
            drop(from);
            assert_eq!(waiting.join().unwrap().unwrap_err().0, 2);
        });
    }
}
