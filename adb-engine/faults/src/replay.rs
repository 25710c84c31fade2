//! What a power failure leaves.

use std::{collections::BTreeMap, fs, io, path::Path, sync::Arc};

use crate::{Dice, Event};

/// A tape being played: what the disk surely holds, and what it may.
#[derive(Debug, Default)]
pub struct Replay {
    files: BTreeMap<String, File>,
    /// Deleted, while the directory has not been synced since: they may come back.
    ghosts: BTreeMap<String, File>,
}

#[derive(Debug, Default, Clone)]
struct File {
    synced: Vec<u8>,
    pending: Vec<Change>,
    /// Whether the directory was synced since the file was made.
    named: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Arc<[u8]>),
    Truncate(u64),
}

/// What becomes of a file's changes that were not synced.
#[derive(Debug, Clone, Copy)]
enum Loss {
    All,
    None,
    /// Each write is there or not.
    Writes,
    /// Each sector of each write is there or not.
    Sectors(u64),
    /// The first writes are there, of the next one some sectors.
    Rest(u64),
}

impl Loss {
    fn roll(dice: &mut Dice) -> Self {
        let sector = if dice.coin() { 512 } else { 4096 };
        match dice.below(6) {
            0 => Loss::All,
            1 => Loss::None,
            2 => Loss::Writes,
            3 | 4 => Loss::Sectors(sector),
            _ => Loss::Rest(sector),
        }
    }
}

impl Replay {
    /// Goes on by one event.
    pub fn play(&mut self, event: &Event, dice: &mut Dice) {
        match event {
            Event::Made(name) => {
                self.files.insert(name.clone(), File::default());
            }
            Event::Renamed(from, to) => {
                if let Some(file) = self.files.remove(from) {
                    self.files.insert(to.clone(), file);
                }
                self.directory_synced();
            }
            Event::Deleted(name, synced) => {
                if let Some(file) = self.files.remove(name).filter(|f| f.named) {
                    self.ghosts.insert(name.clone(), file);
                }
                if *synced {
                    self.directory_synced();
                }
            }
            Event::Written(name, offset, bytes) => {
                self.change(name, Change::Write(*offset, bytes.clone()));
            }
            Event::Truncated(name, length) => self.change(name, Change::Truncate(*length)),
            Event::Synced(name) => {
                if let Some(file) = self.files.get_mut(name) {
                    file.settle(Loss::None, dice);
                }
                // SQLite syncs the directory with the first sync of a log or journal. A database's
                // own sync says nothing of its name.
                if name.ends_with("-wal") || name.ends_with("-journal") {
                    self.directory_synced();
                }
            }
            Event::SyncFailed(name) => {
                if let Some(file) = self.files.get_mut(name) {
                    file.settle(Loss::roll(dice), dice);
                }
            }
            Event::NamesSynced => self.directory_synced(),
            Event::Mark(_) => {}
        }
    }

    fn change(&mut self, name: &str, change: Change) {
        self.files.entry(name.to_owned()).or_default().pending.push(change);
    }

    fn directory_synced(&mut self) {
        self.ghosts.clear();
        self.files.values_mut().for_each(|file| file.named = true);
    }

    /// Changes that a power failure now could lose.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.files.values().map(|f| f.pending.len()).sum()
    }

    /// Writes the files that a power failure now may leave into an empty directory.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn cut_power(&self, into: &Path, dice: &mut Dice) -> io::Result<()> {
        let mut left: BTreeMap<&String, &File> =
            self.files.iter().filter(|(_, f)| f.named || dice.coin()).collect();
        for (name, ghost) in &self.ghosts {
            if dice.coin() && self.files.get(name).is_none_or(|f| !f.named) {
                left.insert(name, ghost);
            }
        }
        for (name, file) in left {
            let mut file = file.clone();
            file.settle(Loss::roll(dice), dice);
            fs::write(into.join(name), file.synced)?;
        }
        Ok(())
    }
}

impl File {
    /// Puts what is not lost into what is synced; forgets the rest.
    fn settle(&mut self, loss: Loss, dice: &mut Dice) {
        let pending = std::mem::take(&mut self.pending);
        let whole = dice.below(pending.len() + 1);
        for (i, change) in pending.iter().enumerate() {
            let sector = match loss {
                Loss::All => return,
                Loss::None => None,
                Loss::Writes if dice.coin() => continue,
                Loss::Writes => None,
                Loss::Sectors(sector) => Some(sector),
                Loss::Rest(_) if i < whole => None,
                Loss::Rest(sector) if i == whole => Some(sector),
                Loss::Rest(_) => return,
            };
            match (change, sector) {
                (Change::Write(offset, bytes), None) => self.put(*offset, bytes),
                (Change::Write(offset, bytes), Some(sector)) => {
                    let (mut offset, mut bytes) = (*offset, &bytes[..]);
                    while !bytes.is_empty() {
                        let room = (sector - offset % sector) as usize;
                        let (piece, rest) = bytes.split_at(room.min(bytes.len()));
                        if dice.coin() {
                            self.put(offset, piece);
                        }
                        (offset, bytes) = (offset + piece.len() as u64, rest);
                    }
                }
                (Change::Truncate(length), None) => self.synced.resize(*length as usize, 0),
                (Change::Truncate(length), Some(_)) => {
                    if dice.coin() {
                        self.synced.resize(*length as usize, 0);
                    }
                }
            }
        }
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        if self.synced.len() < end {
            self.synced.resize(end, 0);
        }
        self.synced[start..end].copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, offset: u64, bytes: &[u8]) -> Event {
        Event::Written(name.to_owned(), offset, bytes.into())
    }

    /// What is left of a file after the events, over many power failures.
    fn outcomes(events: &[Event], name: &str) -> Vec<Option<Vec<u8>>> {
        (0..200)
            .map(|seed| {
                let mut dice = Dice::new(seed);
                let mut replay = Replay::default();
                events.iter().for_each(|e| replay.play(e, &mut dice));
                let dir =
                    std::env::temp_dir().join(format!("adb-faults-{}-{name}", std::process::id()));
                let _ = fs::remove_dir_all(&dir);
                fs::create_dir(&dir).unwrap();
                replay.cut_power(&dir, &mut dice).unwrap();
                let left = fs::read(dir.join(name)).ok();
                fs::remove_dir_all(&dir).unwrap();
                left
            })
            .collect()
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_may_go() {
        let name = "a-wal".to_owned();
        let mut events = vec![Event::Made(name.clone()), written(&name, 0, &[1; 1024])];
        let left = outcomes(&events, &name);
        assert!(left.contains(&None), "a name that was not synced");
        assert!(left.contains(&Some(vec![1; 1024])));
        assert!(left.contains(&Some(vec![])));
        events.push(Event::Synced(name.clone()));
        assert!(outcomes(&events, &name).iter().all(|l| *l == Some(vec![1; 1024])));
        events.push(written(&name, 512, &[2; 1024]));
        let left = outcomes(&events, &name);
        let torn = [vec![1; 1024], vec![2; 512]].concat();
        assert!(left.contains(&Some(torn)), "the second sector without the first");
        assert!(left.iter().all(|l| l.as_ref().is_some_and(|l| l[..512] == [1; 512])));
    }

    #[test]
    fn a_failed_sync_forgets() {
        let name = "b-wal".to_owned();
        let events = [
            Event::Made(name.clone()),
            Event::Synced(name.clone()),
            written(&name, 0, &[1; 512]),
            Event::SyncFailed(name.clone()),
            Event::Synced(name.clone()),
        ];
        let left = outcomes(&events, &name);
        assert!(left.contains(&Some(vec![])), "a later sync does not bring it back");
        assert!(left.contains(&Some(vec![1; 512])));
    }

    #[test]
    fn a_deleted_file_may_come_back() {
        let name = "c-wal".to_owned();
        let mut events = vec![
            Event::Made(name.clone()),
            written(&name, 0, &[1; 4]),
            Event::Synced(name.clone()),
            Event::Deleted(name.clone(), false),
        ];
        let left = outcomes(&events, &name);
        assert!(left.contains(&None) && left.contains(&Some(vec![1; 4])));
        events.push(Event::Deleted("other".to_owned(), true));
        assert!(outcomes(&events, &name).iter().all(Option::is_none));
    }
}
