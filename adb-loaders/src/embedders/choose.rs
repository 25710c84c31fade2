//! Which embedder fills and searches a set.
//!
//! A set that is there keeps the bundle that it was made with, whatever a hub may offer today. A
//! new one takes what was asked for, else what its model declares, else the starter, and says so.

use std::{fmt, path::Path, sync::Arc};

use adb_model::{
    Database, EmbedderSpec, SetSpec, Starter512,
    ensure::{FilledBy, FoundSet, inspect_set},
};

use super::{
    Bundle, Cache, Device, Error, ErrorKind, Hub, OnDownload, OnnxEmbedder, preset::Preset,
};

/// An embedder for a set, and why it is this one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Chosen {
    /// The embedder.
    pub embedder: Arc<OnnxEmbedder>,
    /// Why it was chosen.
    pub why: Why,
    /// What the user should be told, each a sentence or two. The first says which embedder it is.
    pub notices: Vec<String>,
}

/// Why an embedder was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The set was made with it.
    SetHasIt,
    /// The user asked for it.
    Asked,
    /// The model declares it.
    Declared,
    /// It stands in for one that can't be had.
    StandIn {
        /// What the model declares.
        declared: String,
        /// Why that can't be had.
        reason: String,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::SetHasIt => f.write_str("the set was made with it"),
            Why::Asked => f.write_str("it was asked for"),
            Why::Declared => f.write_str("the model declares it"),
            Why::StandIn { declared, reason } => {
                write!(f, "`{declared}`, which the model declares, can't be had: {reason}")
            }
        }
    }
}

/// Chooses with the cache and the hub that the environment names. See [`Chooser::choose`].
///
/// # Errors
/// See [`Chooser::choose`].
pub async fn choose(
    db: &dyn Database,
    set: &SetSpec,
    asked: Option<&str>,
) -> Result<Chosen, Error> {
    Chooser::from_env()?.choose(db, set, asked).await
}

/// Where embedders are looked for, and what they compute on.
#[derive(Debug, Clone)]
pub struct Chooser {
    cache: Cache,
    hub: Hub,
    device: Device,
    on_download: OnDownload,
}

impl Chooser {
    /// The cache, the hub and the device that the environment names.
    ///
    /// # Errors
    /// See [`Cache::from_env`] and [`Device::from_env`].
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self::new(Cache::from_env()?, Hub::from_env()).device(Device::from_env()?))
    }

    /// A cache and a hub of your own.
    #[must_use]
    pub fn new(cache: Cache, hub: Hub) -> Self {
        Self { cache, hub, device: Device::default(), on_download: OnDownload::default() }
    }

    /// Sets what computes; the processor unless it is set.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Sets who is told about a download.
    #[must_use]
    pub fn on_download(mut self, on_download: OnDownload) -> Self {
        self.on_download = on_download;
        self
    }

    /// Chooses the embedder of a set; `asked` is a bundle's name, or the directory of one.
    ///
    /// If the database has the set, that is the bundle that the set was made with, from the cache
    /// or the asked directory; no hub is asked. Otherwise the asked one; else the one that the set
    /// declares, from the cache or the hub; else the starter from the cache.
    ///
    /// Must be called within a tokio runtime: files are read, and fetched, on a thread that may
    /// block.
    ///
    /// # Errors
    /// When the set belongs to another embedder than was asked for, or to the caller's own vectors;
    /// when its bundle is gone; when no embedder can be had for a new set; when its vectors have
    /// another length than the set takes.
    pub async fn choose(
        &self,
        db: &dyn Database,
        set: &SetSpec,
        asked: Option<&str>,
    ) -> Result<Chosen, Error> {
        let found = inspect_set(db, set.name).await.map_err(ErrorKind::Database)?;
        self.choose_for(found, set, asked).await
    }

    /// Chooses the embedder to search a set with: as [`choose`](Self::choose) does, for a set that
    /// must be there.
    ///
    /// # Errors
    /// When there is no such set: then nothing has been ingested that could be found, and no
    /// embedder is looked for. Otherwise as [`choose`](Self::choose).
    pub async fn choose_to_search(
        &self,
        db: &dyn Database,
        set: &SetSpec,
        asked: Option<&str>,
    ) -> Result<Chosen, Error> {
        match inspect_set(db, set.name).await.map_err(ErrorKind::Database)? {
            None => Err(ErrorKind::NoSet { set: set.name.into() }.into()),
            found => self.choose_for(found, set, asked).await,
        }
    }

    async fn choose_for(
        &self,
        found: Option<FoundSet>,
        set: &SetSpec,
        asked: Option<&str>,
    ) -> Result<Chosen, Error> {
        let (chooser, set, asked) = (self.clone(), *set, asked.map(str::to_owned));
        let work = move || match found.filter(|found| !found.is_vacant) {
            Some(FoundSet { filled_by: Some(FilledBy::Caller), .. }) => {
                Err(ErrorKind::FilledByCaller { set: set.name.into() }.into())
            }
            Some(FoundSet { filled_by: Some(by), .. }) => {
                chooser.for_filled_set(&set, &by, asked.as_deref())
            }
            Some(FoundSet { filled_by: None, .. }) => {
                chooser.for_set_of_others(&set, asked.as_deref())
            }
            None => chooser.for_new_set(&set, asked.as_deref()),
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(chosen) => chosen,
            Err(broken) => Err(ErrorKind::NoneFound(format!(
                "the search for an embedder broke off: {broken}; this is a bug in adb"
            ))
            .into()),
        }
    }

    /// The bundle that the set was made with, and no other.
    fn for_filled_set(
        &self,
        set: &SetSpec,
        by: &FilledBy,
        asked: Option<&str>,
    ) -> Result<Chosen, Error> {
        let FilledBy::Embedder { name, hash } = by else {
            return Err(ErrorKind::FilledByCaller { set: set.name.into() }.into());
        };
        let is_it = |bundle: &Bundle| FilledBy::of(Some(bundle.identity())) == *by;
        let other = |asked: String| {
            Error::from(ErrorKind::OtherEmbedder { set: set.name.into(), found: by.clone(), asked })
        };
        let bundle = match asked {
            Some(asked) if is_directory(asked) => {
                let bundle = Bundle::open(asked)?;
                if !is_it(&bundle) {
                    return Err(other(FilledBy::of(Some(bundle.identity())).to_string()));
                }
                Some(bundle)
            }
            Some(asked) if asked != name => return Err(other(format!("`{asked}`"))),
            _ => self.here(name)?,
        };
        let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_owned();
        let place = self.cache.bundle_dir(name);
        let bundle = match bundle {
            Some(bundle) if is_it(&bundle) => bundle,
            Some(bundle) => {
                return Err(ErrorKind::NoneFound(format!(
                    "the set `{}` is filled by {by}, and {} holds another bundle of that name ({}): vectors of the two can't be compared; name the directory of the right one, or use another database",
                    set.name,
                    place.display(),
                    short(&bundle.identity().hash),
                ))
                .into());
            }
            None => {
                return Err(ErrorKind::NoneFound(format!(
                    "the set `{}` is filled by {by}, and that bundle is not in {}; put it back there, or name its directory; {}",
                    set.name,
                    place.display(),
                    how_to_get(name),
                ))
                .into());
            }
        };
        let first = format!(
            "embedder: `{name}` ({}), because the set `{}` was made with it.",
            short(hash),
            set.name
        );
        self.chosen(set, bundle, Why::SetHasIt, vec![first])
    }

    /// From the cache alone; a hub is asked only to mend what is damaged there.
    fn here(&self, name: &str) -> Result<Option<Bundle>, Error> {
        match Preset::named(name).filter(|preset| preset.is_on_a_hub()) {
            Some(preset) => self.hub.mended(preset, &self.cache, &self.on_download),
            None => self.cache.bundle(name),
        }
    }

    /// A set that adb did not make says nothing about its vectors. What is asked for or declared
    /// is believed; a stand-in would certainly be wrong.
    fn for_set_of_others(&self, set: &SetSpec, asked: Option<&str>) -> Result<Chosen, Error> {
        let (bundle, why) = match asked {
            Some(asked) => (self.bundle(asked)?, Why::Asked),
            None => (self.named(set.embedder)?, Why::Declared),
        };
        let notice = format!(
            "the set `{}` was not made by adb and does not say which embedder filled it: make sure that it was `{}`.",
            set.name,
            bundle.identity().name
        );
        let first = introduction(&bundle, &why);
        self.chosen(set, bundle, why, vec![first, notice])
    }

    fn for_new_set(&self, set: &SetSpec, asked: Option<&str>) -> Result<Chosen, Error> {
        if let Some(asked) = asked {
            let bundle = self.bundle(asked)?;
            let first = introduction(&bundle, &Why::Asked);
            return self.loaded(set, bundle, Why::Asked, vec![first]);
        }
        let declared = self.named(set.embedder).and_then(|bundle| {
            let first = introduction(&bundle, &Why::Declared);
            self.loaded(set, bundle, Why::Declared, vec![first])
        });
        match declared {
            Ok(chosen) => Ok(chosen),
            // Without a run time no other embedder fares better.
            Err(e) if matches!(e.kind(), ErrorKind::Runtime(_)) => Err(e),
            Err(e) => self.stand_in(set, &e),
        }
    }

    fn stand_in(&self, set: &SetSpec, fault: &Error) -> Result<Chosen, Error> {
        let starter = match set.embedder {
            Starter512::NAME => None,
            _ => self.cache.bundle(Starter512::NAME)?,
        };
        let Some(bundle) = starter.filter(|b| b.identity().dimensions == set.dimensions) else {
            let stand_in = if set.embedder == Starter512::NAME {
                String::new()
            } else if set.dimensions == Starter512::DIMENSIONS {
                format!("; for a modest stand-in, {}", how_to_get(Starter512::NAME))
            } else {
                format!("; there is no stand-in of {} components", set.dimensions)
            };
            return Err(ErrorKind::NoneFound(format!(
                "there is no embedder for the set `{}`: `{}` can't be had ({fault}); {}{stand_in}{}; or name another, by its name or its directory",
                set.name,
                set.embedder,
                how_to_get(set.embedder),
                self.what_is_here(Some(set.dimensions)),
            ))
            .into());
        };
        let why = Why::StandIn { declared: set.embedder.to_owned(), reason: fault.to_string() };
        let first = introduction(&bundle, &why);
        let meaning = format!(
            "the new set `{}` belongs to `{}` from now on, also when `{}` can be had later: for that, fill another database.",
            set.name,
            bundle.identity().name,
            set.embedder
        );
        self.loaded(set, bundle, why, vec![first, meaning])
    }

    /// The bundle of that name, from the cache or else from the hub; or the bundle in a directory,
    /// if it is the path of one. Blocks.
    ///
    /// # Errors
    /// When there is none of that name, the hub does not give it, or it can't be used.
    pub fn bundle(&self, asked: &str) -> Result<Bundle, Error> {
        if is_directory(asked) {
            return Bundle::open(asked);
        }
        self.named(asked).map_err(|e| match e.kind() {
            ErrorKind::Hub { .. } => ErrorKind::NoneFound(format!(
                "the embedder `{asked}` can't be had ({e}); {}{}; or name a bundle's directory",
                how_to_get(asked),
                self.what_is_here(None),
            ))
            .into(),
            _ => e,
        })
    }

    /// Which others there are, of a dimension that is wanted.
    fn what_is_here(&self, dimensions: Option<usize>) -> String {
        let fits = |bundle: &Bundle| dimensions.is_none_or(|n| bundle.identity().dimensions == n);
        let here = self.cache.bundles().into_iter().filter(fits);
        let here: Vec<String> =
            here.map(|bundle| format!("`{}`", bundle.identity().name)).collect();
        match (&here[..], dimensions) {
            ([], _) => String::new(),
            (_, None) => format!("; here are {}", here.join(", ")),
            (_, Some(n)) => format!("; of {n} components there are here {}", here.join(", ")),
        }
    }

    /// The embedder of such a [`bundle`](Self::bundle). Blocks.
    ///
    /// # Errors
    /// See [`bundle`](Self::bundle).
    pub fn open(&self, asked: &str) -> Result<OnnxEmbedder, Error> {
        Ok(self.embedder(self.bundle(asked)?))
    }

    /// The embedder of a bundle that was found.
    #[must_use]
    pub fn embedder(&self, bundle: Bundle) -> OnnxEmbedder {
        OnnxEmbedder::new(bundle, self.cache.clone()).device(self.device)
    }

    /// From the cache, else from the hub, which also mends what is damaged in the cache.
    fn named(&self, name: &str) -> Result<Bundle, Error> {
        if let Some(preset) = Preset::named(name).filter(|preset| preset.is_on_a_hub()) {
            return self.hub.fetch(preset, &self.cache, &self.on_download);
        }
        self.cache.bundle(name)?.ok_or_else(|| {
            ErrorKind::NoneFound(format!(
                "the embedder `{name}` is not in {}; {}",
                self.cache.bundle_dir(name).display(),
                how_to_get(name)
            ))
            .into()
        })
    }

    /// Like [`chosen`](Self::chosen), for a set that is still to be made: that the bundle works is
    /// seen before its name is written on the set.
    fn loaded(
        &self,
        set: &SetSpec,
        bundle: Bundle,
        why: Why,
        notices: Vec<String>,
    ) -> Result<Chosen, Error> {
        let chosen = self.chosen(set, bundle, why, notices)?;
        chosen.embedder.load(true, true)?;
        Ok(chosen)
    }

    fn chosen(
        &self,
        set: &SetSpec,
        bundle: Bundle,
        why: Why,
        notices: Vec<String>,
    ) -> Result<Chosen, Error> {
        let identity = bundle.identity();
        if identity.dimensions != set.dimensions {
            return Err(ErrorKind::Dimensions {
                embedder: identity.name.clone(),
                got: identity.dimensions,
                set: set.name.into(),
                wanted: set.dimensions,
            }
            .into());
        }
        let embedder = Arc::new(self.embedder(bundle));
        Ok(Chosen { embedder, why, notices })
    }
}

fn introduction(bundle: &Bundle, why: &Why) -> String {
    let mut text = format!("embedder: `{}`, because {why}.", bundle.identity().name);
    let description = bundle.manifest().description.trim();
    // Who asks for one by name has chosen it; others are told what they get.
    if !description.is_empty() && *why != Why::Asked {
        text.push(' ');
        text.push_str(description);
    }
    text
}

/// A plain word is a bundle's name, anything else a directory.
fn is_directory(asked: &str) -> bool {
    asked.contains(['/', '\\']) || asked == "." || Path::new(asked).join("bundle.json").is_file()
}

fn how_to_get(name: &str) -> String {
    match Preset::named(name) {
        Some(preset) if name == Starter512::NAME => {
            format!("{}, or `./demo`, which does", preset.how_to_get())
        }
        Some(preset) => preset.how_to_get(),
        None => {
            let names: Vec<_> = Preset::all().iter().map(|p| p.name).collect();
            format!("the names that adb knows are {}", names.join(", "))
        }
    }
}
