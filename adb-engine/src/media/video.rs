//! Videos, through the system's `ffmpeg` and `ffprobe`.
//!
//! Both are given a file, never an address: of all protocols `file` and `pipe` alone are allowed, and
//! of all formats those that hold their streams themselves, so that no playlist can name another file
//! or host. What they may take of time, output and pixels is bounded.

use std::{
    fs,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use image::DynamicImage;
use tempfile::TempDir;

use super::{
    Media,
    facts::{Facts, HALF_A_MICRO, Stretch},
    picture::{MAX_PIXELS, check_size, is_within, new_size},
    ppm,
    process::{self, Bounds, Trouble},
};
use crate::request::{
    fault::{Fail, Fault},
    video::{Codec, Container, Film, Operation},
};

/// Formats that hold their streams themselves.
const FORMATS: &str = "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,ivf,h264,hevc,m4v,mpegvideo";
/// Bytes that `ffmpeg` may ask for at a time.
const MAX_ALLOC: &str = "536870912";
/// What `ffprobe` tells of a video is short.
const MAX_FACTS: u64 = 1 << 20;
/// How long `ffmpeg` may take to say its version.
const VERSION_PATIENCE: Duration = Duration::from_secs(10);
/// Frames that one run picks out: each is a term of an expression.
const FRAMES_A_RUN: usize = 256;

pub(super) fn bad(message: impl Into<String>) -> Fault {
    Fault::new(message).code("bad_video")
}

/// A video in a file that goes with it.
pub(crate) struct Open<'a> {
    media: &'a Media,
    dir: TempDir,
    pub(crate) facts: Facts,
    container: Container,
    until: Instant,
}

impl Media {
    /// What `ffprobe` can tell of a video; nothing if there is none, or if it can't make anything
    /// of the bytes.
    pub(crate) fn look(&self, bytes: &[u8], until: Instant) -> Option<Facts> {
        let dir = put(bytes).ok()?;
        self.facts(dir.path(), until).ok()
    }

    /// Makes a video ready for being worked on.
    pub(crate) fn open(&self, bytes: &[u8], until: Instant) -> Result<Open<'_>, Fault> {
        let dir = put(bytes).map_err(|e| {
            Fault::new(format!(
                "the video can't be put into a temporary file for the decoder ({e}); make room there, or set TMPDIR to a place that has some"
            ))
            .code("no_decoder")
        })?;
        let facts = self.facts(dir.path(), until)?;
        check_size(facts.width.into(), facts.height.into())?;
        Ok(Open { media: self, dir, facts, container: container(bytes), until })
    }

    fn facts(&self, dir: &Path, until: Instant) -> Result<Facts, Fault> {
        let mut command = Command::new(&self.ffprobe);
        command.args(["-v", "error", "-hide_banner"]);
        bounded(&mut command);
        command.args(["-select_streams", "v:0", "-count_packets", "-show_entries"]);
        command.arg("stream=width,height,avg_frame_rate,r_frame_rate,duration,nb_read_packets:format=duration:stream_side_data=rotation");
        command.args(["-of", "json"]).arg(input(dir));
        let mut json = Vec::new();
        let read = |out: &mut dyn Read| -> io::Result<()> {
            out.take(MAX_FACTS).read_to_end(&mut json)?;
            let too_long = json.len() as u64 == MAX_FACTS;
            if too_long { Err(io::Error::other("it is too long")) } else { Ok(()) }
        };
        process::run(command, Bounds { until, file: None }, read)
            .map_err(|trouble| self.explain(&self.ffprobe, trouble, dir, io_fault))?;
        Facts::read(&json).ok_or_else(|| bad("the blob is not a video that can be decoded"))
    }

    /// How `ffmpeg` is told to write each frame that comes, once: the option has changed its name.
    fn as_they_come(&self) -> [&'static str; 2] {
        let older = self.is_older.get_or_init(|| {
            let mut command = Command::new(&self.ffmpeg);
            command.arg("-version");
            let bounds = Bounds { until: Instant::now() + VERSION_PATIENCE, file: None };
            let mut text = String::new();
            let read = |out: &mut dyn Read| out.take(4096).read_to_string(&mut text).map(drop);
            process::run(command, bounds, read).is_ok() && is_before_5_1(&text)
        });
        if *older { ["-vsync", "0"] } else { ["-fps_mode", "passthrough"] }
    }

    /// Words for what a program did not do.
    fn explain<E>(
        &self,
        program: &Path,
        trouble: Trouble<E>,
        place: &Path,
        reader: impl FnOnce(E) -> Fault,
    ) -> Fault {
        let name = program.display();
        match trouble {
            Trouble::Missing => Fault::new(format!(
                "the pictures of a video need the program `{name}`, which is not there; install ffmpeg so that it is found in PATH, or name it when the database is opened; the video's own bytes can be had without it"
            ))
            .code("no_decoder"),
            Trouble::Start(e) => {
                Fault::new(format!("the program `{name}` can't be run: {e}")).code("no_decoder")
            }
            Trouble::Late => Fault::new(format!(
                "`{name}` was stopped, since what one request may take of it is {} seconds; ask for less at a time",
                self.time_limit.as_secs_f64()
            ))
            .code("too_slow"),
            Trouble::TooLarge => Fault::too_large(format!(
                "`{name}` was stopped, since the video that it made has more than {} bytes; ask for less",
                self.size_limit
            )),
            Trouble::Failed(words) => {
                // Where the file lay is nobody's business.
                let words = words.replace(&*place.to_string_lossy(), "");
                let words = if words.is_empty() { "it does not say why" } else { &words };
                bad(format!("`{name}` can't do this with the video: {words}"))
            }
            Trouble::Reader(e) => reader(e),
        }
    }
}

/// What may be read, and how much of it.
fn bounded(command: &mut Command) {
    command.args(["-max_alloc", MAX_ALLOC]);
    command.args(["-protocol_whitelist", "file,pipe", "-format_whitelist", FORMATS]);
}

/// `ffmpeg version 4.4.2-0ubuntu…`; those that are named by a commit are taken for new.
fn is_before_5_1(text: &str) -> bool {
    let version = text.strip_prefix("ffmpeg version ").unwrap_or_default();
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (5, 1),
        _ => false,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn io_fault(e: io::Error) -> Fault {
    Fault::new(format!("the decoder's output can't be read: {e}")).code("no_decoder")
}

fn put(bytes: &[u8]) -> io::Result<TempDir> {
    let dir = tempfile::Builder::new().prefix("adb-video").tempdir()?;
    fs::write(input(dir.path()), bytes)?;
    Ok(dir)
}

fn input(dir: &Path) -> PathBuf {
    dir.join("video")
}

/// What a video lies in; MP4 where it is something that we don't write.
fn container(bytes: &[u8]) -> Container {
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"AVI ") {
        Container::Avi
    } else if bytes.get(4..12) == Some(b"ftypqt  ") {
        Container::Mov
    } else {
        Container::Mp4
    }
}

impl Container {
    fn name(self) -> &'static str {
        match self {
            Container::Mp4 => "mp4",
            Container::Avi => "avi",
            Container::Mov => "mov",
        }
    }
}

impl Open<'_> {
    /// Hands out the pictures of these frames, each once, in ascending order.
    pub(crate) fn pictures(
        &self,
        frames: &[u64],
        mut each: impl FnMut(u64, DynamicImage) -> Result<(), Fail>,
    ) -> Result<(), Fail> {
        for run in frames.chunks(FRAMES_A_RUN) {
            let mut command = self.ffmpeg();
            let terms: Vec<String> = run.iter().map(|n| format!("eq(n,{n})")).collect();
            command.args(["-map", "0:v:0", "-an", "-sn", "-dn", "-vf"]);
            command.arg(format!("select='{}'", terms.join("+")));
            command.args(self.media.as_they_come());
            command.arg("-frames:v").arg(run.len().to_string());
            command.args(["-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "pipe:1"]);
            let bounds = Bounds { until: self.until, file: None };
            let read = |out: &mut dyn Read| -> Result<(), Fail> {
                let mut out = BufReader::new(out);
                for n in run {
                    let picture = ppm::read(&mut out).map_err(|e| {
                        bad(format!("frame {n} can't be had from the decoder: {e}"))
                    })?;
                    each(*n, picture)?;
                }
                Ok(())
            };
            process::run(command, bounds, read).map_err(|trouble| match trouble {
                Trouble::Reader(fail) => fail,
                other => self.explain(other, |_| bad("its output can't be read")).into(),
            })?;
        }
        Ok(())
    }

    /// The whole video, made into what is asked for; `limit` bytes of it at most.
    pub(crate) fn make(&self, film: &Film, limit: usize) -> Result<Vec<u8>, Fault> {
        self.encode((0, self.facts.last()), film, limit)
    }

    /// The part of a clip.
    pub(crate) fn cut(&self, part: Stretch, film: &Film, limit: usize) -> Result<Vec<u8>, Fault> {
        let part = self.facts.frames(part)?;
        if film.fast_cut { self.copy(part, film, limit) } else { self.encode(part, film, limit) }
    }

    /// The number of the frame at the beginning of a stretch.
    pub(crate) fn frame(&self, at: Stretch) -> Result<u64, Fault> {
        self.facts.frame(at.unit, at.start)
    }

    fn ffmpeg(&self) -> Command {
        let mut command = Command::new(&self.media.ffmpeg);
        command.args(["-hide_banner", "-nostdin", "-loglevel", "error"]);
        bounded(&mut command);
        command.arg("-max_pixels").arg(MAX_PIXELS.to_string());
        command.arg("-i").arg(input(self.dir.path()));
        command
    }

    fn explain<E>(&self, trouble: Trouble<E>, reader: impl FnOnce(E) -> Fault) -> Fault {
        self.media.explain(&self.media.ffmpeg, trouble, self.dir.path(), reader)
    }

    /// Decodes a part, works on it and encodes it. Parts and intervals are counted in frames, so that
    /// what comes out is what was asked for, whatever the times of the frames are.
    fn encode(
        &self,
        (first, last): (u64, u64),
        film: &Film,
        limit: usize,
    ) -> Result<Vec<u8>, Fault> {
        let mut size = (self.facts.width, self.facts.height);
        let mut frames = last - first + 1;
        let mut most = None;
        let (mut filters, mut sound) = (Vec::new(), true);
        filters.push(format!("trim=start_frame={first}:end_frame={}", last + 1));
        for operation in &film.operations {
            match operation {
                Operation::Threshold(value) => filters.push(format!(
                    "format=rgb24,lutrgb=r='if(lt(val,{value}),0,val)':g='if(lt(val,{value}),0,val)':b='if(lt(val,{value}),0,val)'"
                )),
                Operation::Resize(to) => {
                    size = new_size(size.0, size.1, *to)?;
                    filters.push(format!("scale={}:{}", size.0, size.1));
                }
                Operation::Crop { x, y, width, height } => {
                    if !is_within([*x, *y, *width, *height], size) {
                        return Err(bad(format!(
                            "the crop of {width} × {height} pixels at ({x}, {y}) is not within the video of {} × {}",
                            size.0, size.1
                        )));
                    }
                    size = (*width, *height);
                    // Unless told so, crops begin where two rows share their colours.
                    filters.push(format!("crop={width}:{height}:{x}:{y}:exact=1"));
                }
                Operation::Interval { start, stop, step } => {
                    let stop = stop.unwrap_or(u64::MAX).min(frames - 1);
                    if *start > stop {
                        return Err(bad(format!(
                            "the interval begins with frame {start} of {frames}"
                        )));
                    }
                    filters.push(format!(
                        "select='between(n,{start},{stop})*not(mod(n-{start},{step}))'"
                    ));
                    frames = (stop - start) / step + 1;
                    sound = false;
                }
                Operation::Preview(preview) => {
                    let seconds = preview.max_offset.map(|us| us as f64 / 1e6);
                    let by_time = seconds.map(|s| ((s + HALF_A_MICRO) * self.facts.fps) as u64);
                    let by_share = preview.max_fraction.map(|f| (f * frames as f64) as u64);
                    for bound in [preview.max_frames, by_time, by_share].into_iter().flatten() {
                        // A video of no frames is none.
                        frames = frames.min(bound.max(1));
                    }
                    filters.push(format!("trim=end_frame={frames}"));
                    most = preview.max_bytes.into_iter().chain(most).min();
                }
            }
        }
        if !sound {
            // Without what lay between them, frames follow one another.
            filters.push(format!("setpts=N/({}*TB)", self.facts.fps));
        }
        filters.push("setpts=PTS-STARTPTS".to_owned());
        let mut command = self.ffmpeg();
        command.args(["-map", "0:v:0", "-sn", "-dn", "-vf"]).arg(filters.join(","));
        let container = film.container.unwrap_or(self.container);
        if sound {
            let (from, to) = (first as f64, (first + frames) as f64);
            let (from, to) = (from / self.facts.fps, to / self.facts.fps);
            command.args(["-map", "0:a:0?", "-af"]);
            command.arg(format!("atrim=start={from:.6}:end={to:.6},asetpts=PTS-STARTPTS"));
            // Coders that every ffmpeg has.
            command.arg("-c:a").arg(if container == Container::Avi { "mp2" } else { "aac" });
        } else {
            command.arg("-an");
        }
        let codec = film.codec.unwrap_or(Codec::H264);
        match codec {
            Codec::H264 => command.args(["-c:v", "h264"]),
            Codec::H263 => command.args(["-c:v", "h263"]),
            Codec::Xvid => command.args(["-c:v", "mpeg4", "-vtag", "xvid", "-q:v", "3"]),
        };
        let halves = codec == Codec::H264 && (size.0 % 2 == 1 || size.1 % 2 == 1);
        command.args(["-pix_fmt", if halves { "yuv444p" } else { "yuv420p" }]);
        command.args(self.media.as_they_come());
        if let Some(most) = most {
            // It stops there by itself, and closes the file properly.
            command.arg("-fs").arg(most.to_string());
        }
        self.write(command, container, limit)
    }

    /// Copies a part from the picture that stands by itself before it.
    fn copy(&self, (first, last): (u64, u64), film: &Film, limit: usize) -> Result<Vec<u8>, Fault> {
        let mut command = Command::new(&self.media.ffmpeg);
        command.args(["-hide_banner", "-nostdin", "-loglevel", "error"]);
        bounded(&mut command);
        // A little after the first frame and after the last one, so that rounding loses neither.
        let from = (first as f64 + 0.25) / self.facts.fps;
        let length = (last - first) as f64 / self.facts.fps + 0.5 / self.facts.fps;
        command.arg("-ss").arg(format!("{from:.6}")).arg("-i").arg(input(self.dir.path()));
        command.arg("-t").arg(format!("{length:.6}"));
        command.args(["-map", "0:v:0", "-map", "0:a:0?", "-c", "copy"]);
        command.args(["-avoid_negative_ts", "make_zero"]);
        self.write(command, film.container.unwrap_or(self.container), limit)
    }

    /// Runs what writes a video, and reads that.
    fn write(
        &self,
        mut command: Command,
        container: Container,
        limit: usize,
    ) -> Result<Vec<u8>, Fault> {
        let limit = limit.min(self.media.size_limit);
        let file = self.dir.path().join(format!("made.{}", container.name()));
        // A copy has its index at the end, and comes at once anyhow.
        command.args(["-y", "-f", container.name()]).arg(&file);
        let bounds = Bounds { until: self.until, file: Some((file.clone(), limit as u64)) };
        // Nothing is expected here; a program that talks all the same may not be stopped by that.
        let read = |out: &mut dyn Read| io::copy(out, &mut io::sink()).map(drop);
        process::run(command, bounds, read).map_err(|trouble| self.explain(trouble, io_fault))?;
        let made = fs::read(&file).map_err(|e| {
            bad(format!("`{}` made no video of it: {e}", self.media.ffmpeg.display()))
        })?;
        let _ = fs::remove_file(&file);
        if made.is_empty() {
            return Err(bad(format!(
                "`{}` made an empty video of it",
                self.media.ffmpeg.display()
            )));
        }
        if made.len() > limit {
            return Err(self.explain(Trouble::TooLarge, io_fault));
        }
        Ok(made)
    }
}
