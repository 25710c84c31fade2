//! Vectors of the images that a file names, as files: an array, the table of its descriptors, the
//! table of what connects them to their images, and the table of their set.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek as _, SeekFrom, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    thread,
};

use adb_model::{
    EmbedError, Embedder, NoFace, PreparedFace, PreparedImage,
    ensure::{SET_EMBEDDER, SET_EMBEDDER_HASH},
};
use bytes::Bytes;

use super::{SdkCsv, transform::sha256};
use crate::{
    CommandRow, Error, MediaOptions, MediaReader, RowPlace, SourceRow,
    commands::CommandSource as _,
    embedders::MAX_DECODED_BYTES,
    pipeline::{RowFailure, Stage},
    source::csv::broken,
    vectors::npy_header,
};

/// What is made, and where.
#[derive(Debug, Clone)]
pub struct EmbeddingFiles {
    /// The folder that the files go into.
    pub folder: PathBuf,
    /// What their names begin with.
    pub stem: String,
    /// The set that the descriptors are to go into.
    pub set: String,
    /// Whether the largest face of an image is embedded, rather than all of it.
    pub faces: bool,
}

/// What came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Embedded {
    /// Vectors made.
    pub vectors: u64,
    /// Images of which there is none, and why.
    pub failures: Vec<RowFailure>,
    /// The files, in the order in which they can be ingested; the last holds the vectors.
    pub files: Vec<PathBuf>,
}

/// What its files' names end with, in the order in which they can be ingested.
const ENDINGS: [&str; 4] = ["_set.adb.csv", "_metadata.adb.csv", "_connection.adb.csv", ".npy"];
/// The same of the file of images that failed, if there are any.
const ERRORED: &str = "_errored.csv";

/// An image that was made ready, or why it was not.
type Ready = (RowPlace, Result<(String, PreparedImage), String>);

impl EmbeddingFiles {
    /// Embeds the images of a file of the type `IMAGE`. Images are found by their hash, so they have
    /// to go in with the transformer `image_properties`. Blocks.
    ///
    /// # Errors
    /// When the file can't be read, or one can't be written.
    pub fn make(&self, source: SdkCsv, embedder: &dyn Embedder) -> Result<Embedded, Error> {
        let mut out = Out::create(self, embedder)?;
        let media = MediaReader::new(source.media_root(), MediaOptions::default());
        let threads = thread::available_parallelism().map_or(2, usize::from);
        let batch = embedder.image_batches().size.max(1);
        let most = batch * threads;
        let mut waiting: Vec<(RowPlace, Result<CommandRow, String>)> = Vec::with_capacity(most);
        let mut fault = None;
        let flush = |rows: &mut Vec<(RowPlace, Result<CommandRow, String>)>, out: &mut Out| {
            let ready = in_parallel(std::mem::take(rows), threads, |mut row: CommandRow| {
                row.read_blobs(&media, true)?;
                let bytes = row.blobs().into_iter().next().ok_or("the row names no image")?;
                Ok((sha256(&bytes), self.prepare(embedder, &bytes)?))
            });
            out.write(ready, embedder, batch)
        };
        source.read(&mut |row: SourceRow<CommandRow>, _| {
            let left_out = || "it was left out".to_owned();
            waiting.push((row.at, row.value.and_then(|row| row.ok_or_else(left_out))));
            if waiting.len() >= most
                && let Err(e) = flush(&mut waiting, &mut out)
            {
                fault = Some(e);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(e) = fault {
            return Err(e);
        }
        flush(&mut waiting, &mut out)?;
        out.finish()
    }

    fn prepare(&self, embedder: &dyn Embedder, bytes: &Bytes) -> Result<PreparedImage, String> {
        if self.faces {
            match embedder.prepare_face(bytes, NoFace::Fail, Some(MAX_DECODED_BYTES)) {
                Ok(PreparedFace::Found(image) | PreparedFace::Whole(image)) => return Ok(image),
                Ok(_) => return Err(EmbedError::NoFace.to_string()),
                Err(EmbedError::Modality { what: "faces", .. }) => {}
                Err(e) => return Err(e.to_string()),
            }
        }
        let prepared = embedder.prepare_image_within(bytes, None, MAX_DECODED_BYTES);
        prepared.map_err(|e| e.to_string())
    }

    /// Those of its files that are there, which [`make`](Self::make) writes over.
    #[must_use]
    pub fn there(&self) -> Vec<PathBuf> {
        let files = ENDINGS.into_iter().chain([ERRORED]).map(|ending| self.path(ending));
        files.filter(|file| file.exists()).collect()
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.stem))
    }
}

/// Does the work of each row on one of several threads; answers in order.
fn in_parallel(
    rows: Vec<(RowPlace, Result<CommandRow, String>)>,
    threads: usize,
    work: impl Fn(CommandRow) -> Result<(String, PreparedImage), String> + Sync,
) -> Vec<Ready> {
    let share = rows.len().div_ceil(threads.max(1)).max(1);
    let mut rows = rows.into_iter();
    let mut shares = Vec::new();
    loop {
        let share: Vec<_> = rows.by_ref().take(share).collect();
        if share.is_empty() {
            break;
        }
        shares.push(share);
    }
    let work = &work;
    thread::scope(|scope| {
        let of_share = |share: Vec<(RowPlace, Result<CommandRow, String>)>| {
            let places: Vec<RowPlace> = share.iter().map(|(at, _)| at.clone()).collect();
            let done = scope.spawn(move || {
                share.into_iter().map(|(at, row)| (at, row.and_then(work))).collect::<Vec<_>>()
            });
            (places, done)
        };
        let running: Vec<_> = shares.into_iter().map(of_share).collect();
        let ended = running.into_iter().flat_map(|(places, done)| {
            done.join().unwrap_or_else(|_| {
                let broke = || Err("its decoder broke off".to_owned());
                places.into_iter().map(|at| (at, broke())).collect()
            })
        });
        ended.collect()
    })
}

/// The files while they grow.
struct Out<'a> {
    of: &'a EmbeddingFiles,
    vectors: BufWriter<File>,
    vectors_path: PathBuf,
    components: usize,
    rows: u64,
    descriptors: csv::Writer<File>,
    connections: csv::Writer<File>,
    failures: Vec<RowFailure>,
}

impl<'a> Out<'a> {
    fn create(of: &'a EmbeddingFiles, embedder: &dyn Embedder) -> Result<Self, Error> {
        let identity = embedder.identity();
        let vectors_path = of.path(".npy");
        let fail = |e| Error::source(&vectors_path, e);
        let mut vectors = BufWriter::new(File::create(&vectors_path).map_err(fail)?);
        vectors.write_all(&npy_header(0, identity.dimensions)).map_err(fail)?;
        let set = [
            [
                "name",
                "dimensions",
                "engine",
                "metric",
                "constraint_name",
                SET_EMBEDDER,
                SET_EMBEDDER_HASH,
            ],
            [
                &of.set,
                &identity.dimensions.to_string(),
                "HNSW",
                "CS",
                &of.set,
                &identity.name,
                &identity.hash,
            ],
        ];
        let mut sets = table(&of.path("_set.adb.csv"), &set[0])?;
        put(&mut sets, &of.path("_set.adb.csv"), &set[1])?;
        let metadata = ["filename", "index", "set", "id", "constraint_id"];
        let connected =
            ["ConnectionClass", "_Image@adb_image_sha256", "_Descriptor@id", "id", "constraint_id"];
        Ok(Self {
            vectors,
            vectors_path: vectors_path.clone(),
            components: identity.dimensions,
            rows: 0,
            descriptors: table(&of.path("_metadata.adb.csv"), &metadata)?,
            connections: table(&of.path("_connection.adb.csv"), &connected)?,
            failures: Vec::new(),
            of,
        })
    }

    fn write(
        &mut self,
        ready: Vec<Ready>,
        embedder: &dyn Embedder,
        batch: usize,
    ) -> Result<(), Error> {
        let (mut places, mut images) = (Vec::new(), Vec::new());
        for (at, prepared) in ready {
            match prepared {
                Ok((sha, image)) => {
                    places.push((at, sha));
                    images.push(image);
                }
                Err(reason) => self.failures.push(RowFailure::new(at, Stage::Decode, reason)),
            }
        }
        let mut places = places.into_iter();
        for images in images.chunks(batch) {
            let vectors = embedder.embed_images(images).and_then(|vectors| {
                match vectors.len() == images.len() {
                    true => Ok(vectors),
                    false => Err(EmbedError::Inference {
                        embedder: embedder.identity().name.clone(),
                        message: format!(
                            "it gave {} vectors for {} images",
                            vectors.len(),
                            images.len()
                        ),
                    }),
                }
            });
            let of_these = places.by_ref().take(images.len());
            match vectors {
                Ok(vectors) => {
                    for ((at, sha), vector) in of_these.zip(vectors) {
                        self.vector(&at, &sha, &vector)?;
                    }
                }
                Err(e) => {
                    let reason = e.to_string();
                    let failed = |(at, _)| RowFailure::new(at, Stage::Embed, reason.clone());
                    self.failures.extend(of_these.map(failed));
                }
            }
        }
        Ok(())
    }

    fn vector(&mut self, at: &RowPlace, sha: &str, vector: &[f32]) -> Result<(), Error> {
        for component in vector {
            let written = self.vectors.write_all(&component.to_le_bytes());
            written.map_err(|e| Error::source(&self.vectors_path, e))?;
        }
        let of = self.of;
        // Rows count from 0 here, as the SDK counts them.
        let id = format!("{}_{}_{}", of.set, name_of(&at.file), at.row.saturating_sub(1));
        let npy = name_of(&self.vectors_path.to_string_lossy()).to_owned();
        let index = self.rows.to_string();
        put(
            &mut self.descriptors,
            &of.path("_metadata.adb.csv"),
            &[&npy, &index, &of.set, &id, &id],
        )?;
        put(
            &mut self.connections,
            &of.path("_connection.adb.csv"),
            &["image_descriptor", sha, &id, &id, &id],
        )?;
        self.rows += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<Embedded, Error> {
        let of = self.of;
        let fail = |e| Error::source(&self.vectors_path, e);
        self.vectors.seek(SeekFrom::Start(0)).map_err(fail)?;
        self.vectors.write_all(&npy_header(self.rows, self.components)).map_err(fail)?;
        self.vectors.flush().map_err(fail)?;
        for (table, ending) in [
            (&mut self.descriptors, "_metadata.adb.csv"),
            (&mut self.connections, "_connection.adb.csv"),
        ] {
            table.flush().map_err(|e| Error::source(&of.path(ending), e))?;
        }
        let errored = of.path(ERRORED);
        if self.failures.is_empty() {
            // That of an earlier run speaks of other vectors.
            match fs::remove_file(&errored) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::source(&errored, e));
                }
                _ => {}
            }
        } else {
            let mut failed = table(&errored, &["row", "file", "reason"])?;
            for RowFailure { at, reason, .. } in &self.failures {
                put(&mut failed, &errored, &[&at.row.to_string(), &at.file, reason])?;
            }
            failed.flush().map_err(|e| Error::source(&errored, e))?;
        }
        Ok(Embedded {
            vectors: self.rows,
            failures: self.failures,
            files: ENDINGS.map(|ending| of.path(ending)).to_vec(),
        })
    }
}

fn name_of(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

fn table(path: &Path, header: &[&str]) -> Result<csv::Writer<File>, Error> {
    let file = File::create(path).map_err(|e| Error::source(path, e))?;
    let mut table = csv::Writer::from_writer(file);
    put(&mut table, path, header)?;
    Ok(table)
}

fn put(table: &mut csv::Writer<File>, path: &Path, cells: &[&str]) -> Result<(), Error> {
    table.write_record(cells).map_err(|e| broken(path, e))
}
