//! How a graph is computed: sessions, threads, batches.

use adb_model::Batches;
use serde::{Deserialize, Serialize};

use super::{Device, tuning::Tuning};

/// How one side of an embedder is computed.
///
/// Until [`tune`](super::tune) has found a better one, the side that reads images has two sessions
/// that share the cores: threads of one session wait for each other after every operation, those of
/// two don't. The other side has one session on all cores, since a search waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Batches that are computed at the same time. Each session has a copy of the weights.
    pub sessions: usize,
    /// Threads of each session.
    pub threads: usize,
    /// Inputs in a batch.
    pub batch: usize,
}

impl Setting {
    pub(super) fn batches(self) -> Batches {
        Batches { size: self.batch, at_once: self.sessions }
    }

    /// Sessions that share the cores.
    fn guess(device: Device, sessions: usize) -> Self {
        match device {
            Device::Cpu => {
                let sessions = sessions.min(cores());
                let batch = Batches::default().size;
                Self { sessions, threads: cores() / sessions, batch }
            }
            // A card has room for more than a processor's caches. What one session copies and
            // starts, it does while the other's batch is computed.
            Device::Cuda(_) => Self { sessions, threads: 1, batch: 64 },
        }
    }
}

/// What was set by hand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ByHand {
    pub(super) sessions: Option<usize>,
    pub(super) threads: Option<usize>,
    pub(super) batch: Option<usize>,
}

/// One for each side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) image: Setting,
    pub(super) text: Setting,
}

impl ByHand {
    /// Whether nothing else has a say.
    pub(super) fn is_complete(&self) -> bool {
        (self.sessions.is_some() || self.threads.is_some()) && self.batch.is_some()
    }

    /// The hand's settings; where there are none, what was measured, else a guess.
    pub(super) fn over(&self, tuning: Option<&Tuning>, device: Device) -> Settings {
        let measured = |side: fn(&Tuning) -> Option<Setting>| tuning.and_then(side);
        let image = measured(|t| t.image.map(|tuned| tuned.setting));
        let text = measured(|t| t.text.map(|tuned| tuned.setting));
        Settings {
            image: self.complete(image.unwrap_or_else(|| Setting::guess(device, 2))),
            text: self.complete(text.unwrap_or_else(|| Setting::guess(device, 1))),
        }
    }

    fn complete(&self, setting: Setting) -> Setting {
        let (sessions, threads) = match (self.sessions, self.threads) {
            (Some(sessions), Some(threads)) => (sessions, threads),
            // Sessions times threads are the cores.
            (Some(sessions), None) => (sessions, (cores() / sessions).max(1)),
            (None, Some(threads)) => ((cores() / threads).max(1), threads),
            (None, None) => (setting.sessions, setting.threads),
        };
        Setting { sessions, threads, batch: self.batch.unwrap_or(setting.batch) }
    }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::{super::tuning::Tuned, *};

    #[test]
    fn the_hand_goes_before_the_measure_and_the_measure_before_the_guess() {
        let measured = Setting { sessions: 3, threads: 5, batch: 7 };
        let tuning =
            Tuning { image: Some(Tuned { setting: measured, per_second: 1.0 }), text: None };
        let free = ByHand::default().over(Some(&tuning), Device::Cpu);
        assert_eq!(free.image, measured);
        assert_eq!(free.text, Setting { sessions: 1, threads: cores(), batch: 8 });
        let hand = ByHand { batch: Some(32), ..ByHand::default() };
        assert_eq!(hand.over(Some(&tuning), Device::Cpu).image, Setting { batch: 32, ..measured });
        let hand = ByHand { sessions: Some(2), threads: Some(9), batch: None };
        let both = hand.over(Some(&tuning), Device::Cpu);
        assert_eq!(both.image, Setting { sessions: 2, threads: 9, batch: 7 });
        assert_eq!(both.text, Setting { sessions: 2, threads: 9, batch: 8 });
    }

    #[test]
    fn sessions_share_the_cores() {
        let at = |sessions, threads| {
            let hand = ByHand { sessions, threads, batch: None };
            hand.over(None, Device::Cpu).image
        };
        assert_eq!((at(None, Some(cores())).sessions, at(Some(1), None).threads), (1, cores()));
        assert_eq!(at(None, Some(1)).sessions, cores());
        assert_eq!(at(Some(4 * cores()), None).threads, 1);
        assert_eq!(at(None, Some(4 * cores())).sessions, 1);
        let guess = at(None, None);
        assert!(guess.sessions * guess.threads <= cores() && guess.sessions <= 2);
    }
}
