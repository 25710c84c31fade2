//! What waits for the writer.

use std::collections::VecDeque;

use async_channel::Receiver;

use super::{Job, Task};

/// Tasks in the order in which they came: those that were looked at already, then the channel's.
pub(crate) struct Queue {
    seen: VecDeque<Task>,
    tasks: Receiver<Task>,
}

impl Queue {
    pub(crate) fn new(tasks: Receiver<Task>) -> Self {
        Self { seen: VecDeque::new(), tasks }
    }

    /// The next task, once there is one; nothing when the channel is closed and empty.
    pub(crate) fn wait(&mut self) -> Option<Task> {
        self.seen.pop_front().or_else(|| self.tasks.recv_blocking().ok())
    }

    /// The next task if it is there and a request.
    pub(crate) fn request(&mut self) -> Option<Job> {
        match self.seen.pop_front().or_else(|| self.tasks.try_recv().ok())? {
            Task::Request(job) => Some(job),
            other => {
                self.seen.push_front(other);
                None
            }
        }
    }

    /// Requests that are to be run again, before all others.
    pub(crate) fn put_back(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.seen.push_front(Task::Request(job));
        }
    }

    /// Bytes of the blobs of the requests that come next, as far as they are there and within
    /// these bounds.
    pub(crate) fn blob_bytes(&mut self, max_requests: usize, max_bytes: usize) -> usize {
        let mut bytes = 0;
        for i in 0..max_requests {
            if i == self.seen.len() {
                let Ok(task) = self.tasks.try_recv() else { break };
                self.seen.push_back(task);
            }
            match &self.seen[i] {
                Task::Request(job) if bytes < max_bytes => bytes += job.blob_bytes(),
                _ => break,
            }
        }
        bytes
    }
}
