//! How the media that rows name are read.

use std::{num::NonZeroUsize, path::PathBuf};

use adb::loaders::MediaOptions;

/// What all commands share that read pictures, videos and files by what rows say.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Media")]
pub(crate) struct Media {
    /// Where relative paths in rows begin; without it, where the rows' file lies.
    #[arg(long, value_name = "DIR")]
    media_root: Option<PathBuf>,
    /// Let paths in rows leave that directory. Only for rows that you trust.
    #[arg(long)]
    allow_outside: bool,
    /// Let addresses in rows lead to this machine and to private networks. Only for rows that you
    /// trust.
    #[arg(long)]
    allow_private: bool,
    /// The largest picture, video or other file.
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    max_media_bytes: u64,
    /// Downloads at once.
    #[arg(long, value_name = "N", default_value = "64")]
    downloads: NonZeroUsize,
    /// Downloads at once from one host, or from one bucket.
    #[arg(long, value_name = "N", default_value = "16")]
    per_host: NonZeroUsize,
    /// Keep downloads in this directory, and ask for them again only if they changed.
    #[arg(long, value_name = "DIR")]
    media_cache: Option<PathBuf>,
}

impl Media {
    /// The same for the loaders.
    pub(crate) fn options(&self) -> MediaOptions {
        let mut options = MediaOptions::default();
        options.root.clone_from(&self.media_root);
        options.allow_outside = self.allow_outside;
        options.allow_private = self.allow_private;
        options.max_bytes = self.max_media_bytes;
        options.downloads = self.downloads.get();
        options.per_host = self.per_host.get();
        options.cache.clone_from(&self.media_cache);
        options
    }
}
