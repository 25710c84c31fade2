//! What is to be done with a video before it is stored or given back.

use serde_json::Value as Json;

use super::{
    fault::Fault,
    params::{Params, brief},
    part::offset_micros,
    picture::{Operation as Picture, Size},
};

/// How videos are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// MPEG-4 part 2.
    Xvid,
    H263,
    H264,
}

/// What the streams of a video are put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Mp4,
    Avi,
    Mov,
}

/// One operation; they are applied in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    /// Channels below this become 0.
    Threshold(u8),
    Resize(Size),
    Crop {
        x: u32,
        y: u32,
        width: u32,
        height: u32,
    },
    /// Every `step`th frame from `start` to `stop`, both in it.
    Interval {
        start: u64,
        stop: Option<u64>,
        step: u64,
    },
    Preview(Preview),
}

/// The beginning of a video, as far as all of these allow.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Preview {
    pub(crate) max_frames: Option<u64>,
    /// From 0 to 1, of the whole video.
    pub(crate) max_fraction: Option<f64>,
    /// Microseconds.
    pub(crate) max_offset: Option<i64>,
    pub(crate) max_bytes: Option<u64>,
}

/// What is asked for of a video or a clip.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Film {
    pub(crate) operations: Vec<Operation>,
    pub(crate) codec: Option<Codec>,
    pub(crate) container: Option<Container>,
    /// Clips: cut where a picture stands by itself, and copy what is encoded.
    pub(crate) fast_cut: bool,
}

impl Film {
    /// Whether its bytes stay what they are.
    pub(crate) fn is_untouched(&self) -> bool {
        self.operations.is_empty() && self.codec.is_none() && self.container.is_none()
    }

    /// Reads `operations`, and the rest under these keys.
    pub(super) fn take(
        codec: &'static str,
        container: &'static str,
        params: &mut Params,
    ) -> Result<Self, Fault> {
        let operations = match params.take("operations") {
            None => Vec::new(),
            Some(Json::Array(all)) => {
                all.into_iter().map(Operation::parse).collect::<Result<_, _>>()?
            }
            Some(other) => {
                return Err(Fault::new(format!(
                    "`operations` must be an array, not {}",
                    brief(&other)
                )));
            }
        };
        Ok(Self {
            operations,
            codec: match params.text(codec)?.as_deref() {
                None => None,
                Some("xvid") => Some(Codec::Xvid),
                Some("h263") => Some(Codec::H263),
                Some("h264") => Some(Codec::H264),
                Some(other) => {
                    return Err(Fault::new(format!(
                        "`{codec}` must be \"xvid\", \"h263\" or \"h264\", not \"{other}\""
                    )));
                }
            },
            container: match params.text(container)?.as_deref() {
                None => None,
                Some("mp4") => Some(Container::Mp4),
                Some("avi") => Some(Container::Avi),
                Some("mov") => Some(Container::Mov),
                Some(other) => {
                    return Err(Fault::new(format!(
                        "`{container}` must be \"mp4\", \"avi\" or \"mov\", not \"{other}\""
                    )));
                }
            },
            fast_cut: false,
        })
    }

    /// Reads `fast_cut`, which goes with nothing that needs new pictures.
    pub(super) fn take_fast_cut(&mut self, params: &mut Params) -> Result<(), Fault> {
        self.fast_cut = params.flag("fast_cut")?;
        if self.fast_cut && (self.codec.is_some() || !self.operations.is_empty()) {
            return Err(Fault::new(
                "`fast_cut` copies what is encoded, and goes with neither `operations` nor `as_codec`",
            ));
        }
        Ok(())
    }
}

impl Operation {
    fn parse(json: Json) -> Result<Self, Fault> {
        let kind = json.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
        match kind.as_str() {
            "interval" => Self::interval(json),
            "preview" => Ok(Operation::Preview(Preview::parse(json)?)),
            _ => match Picture::parse(json)? {
                Picture::Threshold(value) => Ok(Operation::Threshold(value)),
                Picture::Resize(size) => Ok(Operation::Resize(size)),
                Picture::Crop { x, y, width, height } => {
                    Ok(Operation::Crop { x, y, width, height })
                }
                Picture::Rotate { .. } | Picture::Flip { .. } => {
                    Err(Fault::new(format!("the operation \"{kind}\" is for images")))
                }
            },
        }
    }

    fn interval(json: Json) -> Result<Self, Fault> {
        let mut params = Params::nested("operations", json)?;
        params.text("type")?;
        let start = params.unsigned("start")?.unwrap_or(0);
        let stop = params.unsigned("stop")?;
        let step = params.unsigned("step")?.unwrap_or(1);
        params.finish()?;
        if step == 0 || stop.is_some_and(|stop| stop < start) {
            return Err(Fault::new(
                "`operations`: interval takes a `start`, a `stop` not before it, and a `step` above 0",
            ));
        }
        Ok(Operation::Interval { start, stop, step })
    }
}

impl Preview {
    fn parse(json: Json) -> Result<Self, Fault> {
        let mut params = Params::nested("operations", json)?;
        params.text("type")?;
        let max_fraction = params.number("max_time_fraction")?.and_then(|n| n.as_f64());
        if max_fraction.is_some_and(|f| !(0.0..=1.0).contains(&f)) {
            return Err(Fault::new("`operations.max_time_fraction` must be from 0 to 1"));
        }
        let max_offset = match params.take("max_time_offset") {
            None => None,
            Some(json) => Some(
                json.as_str()
                    .and_then(offset_micros)
                    .or_else(|| {
                        let seconds = json.as_f64().filter(|s| (0.0..1e9).contains(s))?;
                        Some((seconds * 1e6) as i64)
                    })
                    .ok_or_else(|| {
                        Fault::new(format!(
                            "`operations.max_time_offset` must be a time such as \"00:00:05\", or seconds, not {}",
                            brief(&json)
                        ))
                    })?,
            ),
        };
        let megabytes = params.number("max_size_mb")?.and_then(|n| n.as_f64());
        if megabytes.is_some_and(|mb| mb <= 0.0) {
            return Err(Fault::new("`operations.max_size_mb` must be above 0"));
        }
        let preview = Self {
            max_frames: params.unsigned("max_frame_count")?,
            max_fraction,
            max_offset,
            // Conversions saturate.
            max_bytes: megabytes.map(|mb| (mb * 1e6) as u64),
        };
        params.finish()?;
        if preview.max_frames == Some(0) {
            return Err(Fault::new("`operations.max_frame_count` must be above 0"));
        }
        Ok(preview)
    }
}
