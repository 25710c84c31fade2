//! How to open an engine.

use std::{
    ffi::CStr,
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    media::{Media, fetch::Fetcher},
    store::{Settings, pack::files::PackFiles},
    vectors::scan::ExactScan,
    worker::indexer::Policy,
};

/// Bytes of an answer, blobs included, as on a server.
const RESPONSE_LIMIT: usize = 256 << 20;

/// How to open an [`Engine`](crate::Engine).
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) read_only: bool,
    pub(crate) readers: Option<NonZero<usize>>,
    pub(crate) response_limit: usize,
    pub(crate) exact_scan: ExactScan,
    pub(crate) map_vectors: bool,
    pub(crate) policy: Policy,
    pub(crate) settings: Settings,
    pub(crate) media: Media,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_only: false,
            readers: None,
            response_limit: RESPONSE_LIMIT,
            exact_scan: ExactScan::default(),
            map_vectors: true,
            policy: Policy::default(),
            settings: Settings::default(),
            media: Media::new(RESPONSE_LIMIT),
        }
    }
}

impl Options {
    /// Refuses requests that write, and makes nothing.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// How many threads read; as many as the machine has cores (2 to 8) unless told. As many make
    /// ready what is to be stored (fetching, pictures, videos).
    ///
    /// A request that was answered within half a millisecond before, and meets the same state of the
    /// database, is answered on the thread that polls the future.
    #[must_use]
    pub fn readers(mut self, readers: NonZero<usize>) -> Self {
        self.readers = Some(readers);
        self
    }

    /// How many bytes an answer may have, blobs included; 256 MB unless told.
    #[must_use]
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Where the programs `ffmpeg` and `ffprobe` are, which the pictures of videos need; they are
    /// looked for in PATH unless told. They are run when a request asks for what only they can do,
    /// on a temporary file, without a shell and without the network.
    #[must_use]
    pub fn ffmpeg(mut self, ffmpeg: impl Into<PathBuf>, ffprobe: impl Into<PathBuf>) -> Self {
        self.media.ffmpeg = ffmpeg.into();
        self.media.ffprobe = ffprobe.into();
        self
    }

    /// How long those programs may work for one request; two minutes unless told.
    #[must_use]
    pub fn video_time_limit(mut self, limit: Duration) -> Self {
        self.media.time_limit = limit;
        self
    }

    /// How many bytes one image, blob or video may have that is fetched or made anew; 256 MB unless
    /// told.
    #[must_use]
    pub fn media_limit(mut self, bytes: usize) -> Self {
        self.media.size_limit = bytes;
        self
    }

    /// Who fetches what `url` of AddImage, AddBlob and AddVideo names; such commands are refused
    /// unless told.
    #[must_use]
    pub fn fetcher(mut self, fetcher: Arc<dyn Fetcher>) -> Self {
        self.media.fetcher = Some(fetcher);
        self
    }

    /// How exact searches read vectors; by [`ExactScan::Halved`] unless told. The answers are the
    /// same.
    #[must_use]
    pub fn exact_scan(mut self, scan: ExactScan) -> Self {
        self.exact_scan = scan;
        self
    }

    /// Whether vectors of large sets are kept in a file beside the database, too, and searched there
    /// (mapped into memory); true unless told.
    ///
    /// Without it each process reads the vectors from the tables before its first search, and holds
    /// them in memory of its own: 6 bytes a component (4 by [`ExactScan::Full`]), which the file
    /// takes on the disk. With it the system keeps in memory what is used.
    #[must_use]
    pub fn map_vectors(mut self, map: bool) -> Self {
        self.map_vectors = map;
        self
    }

    /// From how many vectors on a set with an approximate engine gets a graph; 8192 unless told.
    /// Smaller ones are scanned.
    #[must_use]
    pub fn index_from(mut self, vectors: usize) -> Self {
        self.policy.index_from = vectors;
        self
    }

    /// For tests of the files of graphs: saves them after so many vectors.
    #[doc(hidden)]
    #[must_use]
    pub fn save_indexes_after(mut self, vectors: usize) -> Self {
        self.policy.unsaved_least = vectors;
        self.policy.unsaved_share = usize::MAX;
        self
    }

    /// For the tests of durability: goes through another file layer of SQLite's (by its name), moves
    /// the log into the database after so many pages, and writes a file anew in this way.
    #[doc(hidden)]
    #[must_use]
    pub fn file_layer(
        mut self,
        vfs: &'static CStr,
        checkpoint_pages: i64,
        write_anew: fn(&Path) -> std::io::Result<()>,
    ) -> Self {
        self.settings.vfs = Some(vfs);
        self.settings.write_anew = write_anew;
        self.settings.checkpoint_pages = checkpoint_pages;
        self
    }

    /// For the tests of durability: reaches packs in this way.
    #[doc(hidden)]
    #[must_use]
    pub fn pack_files(mut self, files: &'static dyn PackFiles) -> Self {
        self.settings.pack_files = files;
        self
    }

    /// For tests and measurements: the blobs of a commit that has so many bytes of them go into
    /// packs, and those have about this length.
    #[doc(hidden)]
    #[must_use]
    pub fn pack_sizes(mut self, from_bytes: usize, pack_bytes: u64) -> Self {
        self.settings.pack_from = from_bytes;
        self.settings.pack_bytes = pack_bytes;
        self
    }

    /// For the test that must see losses: answers before the disk has what was written.
    #[doc(hidden)]
    #[must_use]
    pub fn without_sync(mut self) -> Self {
        self.settings.sync = false;
        self
    }
}
