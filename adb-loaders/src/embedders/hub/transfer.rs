//! Putting a bundle together in the cache, and mending one.
//!
//! All is prepared in `.NAME.download` beside it, and what came down stays there when an attempt is
//! cut off. A bundle appears with one rename, a mended file with another.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::{
    Download, Hub, OnDownload,
    contents::{self, FILES},
    hash::Hash,
    http::{Http, Remote},
    shared::{self, SharedCache},
};
use crate::embedders::{
    Bundle, Cache, Error, ErrorKind, FileEntry, Manifest, bundle::MANIFEST, preset::Preset,
};

/// The making or mending of one bundle.
pub(super) struct Transfer<'a> {
    hub: &'a Hub,
    preset: &'static Preset,
    repository: &'static str,
    on_download: &'a OnDownload,
    http: Http<'a>,
    shared: Option<SharedCache>,
    target: PathBuf,
    stage: PathBuf,
    lock: PathBuf,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        hub: &'a Hub,
        preset: &'static Preset,
        repository: &'static str,
        cache: &Cache,
        on_download: &'a OnDownload,
    ) -> Self {
        let target = cache.bundle_dir(preset.name);
        let beside = |ending| target.with_file_name(format!(".{}.{ending}", preset.name));
        Self {
            hub,
            preset,
            repository,
            on_download,
            http: Http::new(hub, repository),
            shared: hub.shared_cache.as_deref().map(|dir| SharedCache::of(dir, repository)),
            stage: beside("download"),
            lock: beside("lock"),
            target,
        }
    }

    /// One process at a time; a second one waits here and then finds the work done.
    fn locked(&self) -> Result<File, Error> {
        fs::create_dir_all(&self.stage).map_err(|e| Error::io(&self.stage, e))?;
        let lock = File::create(&self.lock).map_err(|e| Error::io(&self.lock, e))?;
        lock.lock().map_err(|e| Error::io(&self.lock, e))?;
        // The one before may have renamed it.
        fs::create_dir_all(&self.stage).map_err(|e| Error::io(&self.stage, e))?;
        Ok(lock)
    }

    /// A bundle that is not there yet. Offline it can come from the Python client's cache alone.
    pub(super) fn bundle(&self) -> Result<Bundle, Error> {
        if let Some(why) = self.hub.offline {
            let fault = || self.hub.fault(format!("it is not asked, because {why}"), false);
            return self.snapshot()?.ok_or_else(fault);
        }
        let (remotes, revision) = match self.announced() {
            Ok(announced) => announced,
            Err(e) if e.is_transient() => return self.snapshot()?.ok_or(e),
            Err(e) => return Err(e),
        };
        let _lock = self.locked()?;
        if self.target.join(MANIFEST).is_file() {
            return Bundle::open(&self.target);
        }
        let total = remotes.iter().map(|remote| remote.bytes).sum();
        let mut before = 0;
        let mut manifest = self.manifest(&revision);
        for (remote, (_, local)) in remotes.iter().zip(FILES) {
            let tell = |done: u64| self.tell(local, before + done, total);
            let entry = self.file(remote, local, &tell)?;
            before += remote.bytes;
            manifest.files.insert(local.into(), entry);
        }
        self.finish(&manifest)
    }

    fn manifest(&self, revision: &str) -> Manifest {
        contents::manifest(self.preset, contents::source(self.repository, revision))
    }

    fn tell(&self, file: &'static str, done: u64, total: u64) {
        self.on_download.tell(&Download {
            bundle: self.preset.name,
            hub: self.hub.endpoint.clone(),
            file,
            done,
            total,
        });
    }

    /// What the hub says of the files, and which revision they are of.
    fn announced(&self) -> Result<(Vec<Remote>, String), Error> {
        let mut revision = "main".to_owned();
        let mut remotes = Vec::new();
        for (path, _) in FILES {
            let (remote, commit) = self.http.announced(&revision, path)?;
            // The first answer names the revision: all files are to be of that one, even if the
            // repository changes meanwhile.
            revision = commit.unwrap_or(revision);
            remotes.push(remote);
        }
        Ok((remotes, revision))
    }

    /// Brings one file into the staging directory.
    fn file(&self, remote: &Remote, local: &str, tell: &dyn Fn(u64)) -> Result<FileEntry, Error> {
        let target = self.stage.join(local);
        let partial = self.stage.join(format!("{local}.partial"));
        let here = target.is_file() || self.bring(remote.hash.as_ref(), &target);
        if !here {
            self.http.download(remote, &partial, tell)?;
            fs::rename(&partial, &target).map_err(|e| Error::io(&target, e))?;
        }
        let entry = FileEntry::of(&target)?;
        let is_it = match &remote.hash {
            Some(Hash::Sha256(wanted)) => *wanted == entry.sha256,
            Some(hash) => hash.is_of(&target).map_err(|e| Error::io(&target, e))?,
            None => true,
        };
        if entry.bytes != remote.bytes || !is_it {
            // Kept, it would be found again by the next attempt.
            fs::remove_file(&target).map_err(|e| Error::io(&target, e))?;
            return Err(self.hub.fault(
                format!(
                    "{local} is not what it announced ({} bytes, sha256 {}; wanted {} bytes, {}); it was removed, so run this again",
                    entry.bytes,
                    entry.sha256,
                    remote.bytes,
                    remote.hash.as_ref().map_or("of unknown hash", Hash::as_str),
                ),
                true,
            ));
        }
        tell(entry.bytes);
        Ok(entry)
    }

    /// Takes a file from the Python client's cache, if it has it.
    fn bring(&self, hash: Option<&Hash>, target: &Path) -> bool {
        let blob = self.shared.as_ref().zip(hash).and_then(|(shared, hash)| shared.blob(hash));
        blob.is_some_and(|blob| shared::bring(&blob, target).is_ok())
    }

    /// The bundle from what the Python client has of the repository, if that is all of it.
    fn snapshot(&self) -> Result<Option<Bundle>, Error> {
        let Some((revision, dir)) = self.shared.as_ref().and_then(SharedCache::snapshot) else {
            return Ok(None);
        };
        let files: Option<Vec<PathBuf>> =
            FILES.iter().map(|(path, _)| shared::resolved(&dir.join(path))).collect();
        let Some(files) = files else { return Ok(None) };
        let _lock = self.locked()?;
        if self.target.join(MANIFEST).is_file() {
            return Bundle::open(&self.target).map(Some);
        }
        let mut manifest = self.manifest(&revision);
        for (file, (_, local)) in files.iter().zip(FILES) {
            let target = self.stage.join(local);
            if !target.is_file() {
                shared::bring(file, &target).map_err(|e| Error::io(&target, e))?;
            }
            manifest.files.insert(local.into(), FileEntry::of(&target)?);
        }
        self.finish(&manifest).map(Some)
    }

    fn finish(&self, manifest: &Manifest) -> Result<Bundle, Error> {
        let path = self.stage.join(MANIFEST);
        let text = serde_json::to_string_pretty(manifest)
            .map_err(|e| Error::bundle(&path, e.to_string()))?;
        fs::write(&path, text + "\n").map_err(|e| Error::io(&path, e))?;
        fs::rename(&self.stage, &self.target).map_err(|e| Error::io(&self.target, e))?;
        Bundle::open(&self.target)
    }

    /// Fetches the files of a bundle again that are not those that it was made with. Its
    /// description stays, and with it its identity: sets that it has filled keep it.
    pub(super) fn mend(&self, bundle: &Bundle) -> Result<(), Error> {
        let fault = |name: &str, why: String| -> Error {
            let path = bundle.dir().join(name);
            ErrorKind::Bundle {
                message: format!(
                    "it is damaged or missing, and can't be fetched again: {why}; see to that, or remove the bundle's directory"
                ),
                path,
            }
            .into()
        };
        let _lock = self.locked()?;
        let damaged = bundle.damaged()?;
        for name in &damaged {
            let known = FILES.iter().find(|(_, local)| local == name);
            let revision = contents::revision(&bundle.manifest().source, self.repository);
            let (Some((path, local)), Some(revision)) = (known, revision) else {
                return Err(fault(
                    name,
                    "its bundle.json does not say that it came from here".into(),
                ));
            };
            if let Some(why) = self.hub.offline {
                return Err(fault(
                    name,
                    format!("{} is not asked, because {why}", self.hub.endpoint),
                ));
            }
            let entry = &bundle.manifest().files[name];
            let wanted = Hash::Sha256(entry.sha256.to_ascii_lowercase());
            let (announced, _) =
                self.http.announced(revision, path).map_err(|e| fault(name, e.to_string()))?;
            let remote = Remote { bytes: entry.bytes, hash: Some(wanted), ..announced };
            let tell = |done| self.tell(local, done, entry.bytes);
            self.file(&remote, local, &tell).map_err(|e| fault(name, e.to_string()))?;
            let (staged, place) = (self.stage.join(local), bundle.dir().join(name));
            fs::rename(&staged, &place).map_err(|e| Error::io(&place, e))?;
        }
        // Partial files of another attempt may still lie there; then it stays.
        let _ = fs::remove_dir(&self.stage);
        Ok(())
    }
}
