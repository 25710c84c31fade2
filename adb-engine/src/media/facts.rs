//! What is known of a video, and which of its frames lie where.

use serde_json::Value as Json;

use super::video::bad;
use crate::request::{fault::Fault, part::Unit};

/// A fraction of a video's frames that is this near to the next frame is that frame.
const NEARLY: f64 = 1e-6;
/// Times are kept to the microsecond: whoever asks for the time of a frame gets that frame.
pub(super) const HALF_A_MICRO: f64 = 0.5e-6;

/// A part of a video, as clips and frames are kept: a frame starts where it stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) unit: Unit,
    pub(crate) start: f64,
    pub(crate) stop: f64,
}

/// What is known of a video.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Facts {
    /// Frames a second, on average.
    pub(crate) fps: f64,
    pub(crate) frames: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) duration_us: i64,
}

impl Facts {
    /// Reads what `ffprobe` wrote.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let json: Json = serde_json::from_slice(json).ok()?;
        let stream = json.get("streams")?.get(0)?;
        let number = |json: Option<&Json>| match json? {
            Json::String(text) => text.parse::<f64>().ok(),
            other => other.as_f64(),
        };
        let rate = |key: &str| {
            let (over, under) = stream.get(key)?.as_str()?.split_once('/')?;
            let rate = over.parse::<f64>().ok()? / under.parse::<f64>().ok()?;
            (rate.is_finite() && rate > 0.0).then_some(rate)
        };
        let fps = rate("avg_frame_rate").or_else(|| rate("r_frame_rate"))?;
        let frames = number(stream.get("nb_read_packets"));
        // Nobody counts further; it leaves room for sums.
        let frames = frames.filter(|n| (1.0..1e15).contains(n))?;
        let seconds = number(stream.get("duration"))
            .or_else(|| number(json.get("format").and_then(|f| f.get("duration"))))
            .filter(|s| s.is_finite() && *s > 0.0)
            .unwrap_or(frames / fps);
        let side = |key: &str| u32::try_from(stream.get(key)?.as_u64()?).ok().filter(|n| *n > 0);
        let (mut width, mut height) = (side("width")?, side("height")?);
        // What a phone held upright records lies on its side, and decoding turns it.
        let turned = stream
            .get("side_data_list")
            .and_then(Json::as_array)
            .and_then(|all| all.iter().find_map(|data| number(data.get("rotation"))));
        if turned.is_some_and(|degrees| (degrees.abs() % 180.0 - 90.0).abs() < 1.0) {
            (width, height) = (height, width);
        }
        Some(Self {
            fps,
            frames: frames as u64,
            width,
            height,
            duration_us: (seconds * 1e6).round() as i64,
        })
    }

    pub(super) fn last(&self) -> u64 {
        self.frames.saturating_sub(1)
    }

    /// The frame that is shown at a moment.
    pub(super) fn frame(&self, unit: Unit, at: f64) -> Result<u64, Fault> {
        let n = match unit {
            Unit::Frames => at as u64,
            Unit::Offset => ((at / 1e6 + HALF_A_MICRO) * self.fps) as u64,
            Unit::Fraction => ((at * self.frames as f64 + NEARLY) as u64).min(self.last()),
        };
        self.check(n)?;
        Ok(n)
    }

    /// The frames that begin within a stretch, first and last; if none does, the one that is shown
    /// meanwhile.
    pub(super) fn frames(&self, part: Stretch) -> Result<(u64, u64), Fault> {
        let Stretch { unit, start, stop } = part;
        let (first, last) = match unit {
            Unit::Frames => (start as u64, stop as u64),
            Unit::Offset => (
                ((start / 1e6 - HALF_A_MICRO) * self.fps).ceil() as u64,
                ((stop / 1e6 + HALF_A_MICRO) * self.fps) as u64,
            ),
            Unit::Fraction => (
                (start * self.frames as f64 - NEARLY).ceil() as u64,
                (stop * self.frames as f64 + NEARLY) as u64,
            ),
        };
        let shown = self.frame(unit, start)?;
        let last = last.min(self.last());
        Ok(if first > last { (shown, shown) } else { (first, last) })
    }

    fn check(&self, frame: u64) -> Result<(), Fault> {
        if frame <= self.last() {
            return Ok(());
        }
        Err(bad(format!("there is no frame {frame}: the video has {} frames", self.frames)))
    }
}
