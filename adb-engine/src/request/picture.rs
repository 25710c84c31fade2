//! What is to be done with an image before it is stored or given back.

use serde_json::Value as Json;

use super::{
    fault::Fault,
    kind::{Bytes, Kind},
    params::{Params, brief},
};

/// How images are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
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
    /// Degrees, counterclockwise; whether the canvas grows so that no corner is lost.
    Rotate {
        angle: f64,
        grow: bool,
    },
    Flip {
        vertical: bool,
        horizontal: bool,
    },
}

/// A new size; with one side alone, the proportions stay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Size {
    Sides { width: Option<u32>, height: Option<u32> },
    Scale(f64),
}

/// What is asked for of a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Picture {
    pub(crate) operations: Vec<Operation>,
    /// As it was, if not told.
    pub(crate) format: Option<Format>,
}

impl Picture {
    /// Whether its bytes stay what they are.
    pub(crate) fn is_untouched(&self) -> bool {
        self.operations.is_empty() && self.format.is_none()
    }

    /// Reads `operations` and the format under `format_key`, where the kind has them.
    pub(super) fn take(
        kind: Kind,
        format_key: &'static str,
        params: &mut Params,
    ) -> Result<Self, Fault> {
        let worked_on = matches!(kind, Kind::Image | Kind::Frame);
        let encoded = worked_on || kind.traits().bytes == Bytes::Cropped;
        Ok(Self {
            operations: if worked_on { operations(params)? } else { Vec::new() },
            format: if encoded { Format::take(format_key, params)? } else { None },
        })
    }
}

impl Format {
    fn take(key: &'static str, params: &mut Params) -> Result<Option<Self>, Fault> {
        match params.text(key)?.as_deref() {
            None => Ok(None),
            Some("jpg" | "jpeg") => Ok(Some(Format::Jpeg)),
            Some("png") => Ok(Some(Format::Png)),
            Some(other) => {
                Err(Fault::new(format!("`{key}` must be \"jpg\" or \"png\", not \"{other}\"")))
            }
        }
    }
}

fn operations(params: &mut Params) -> Result<Vec<Operation>, Fault> {
    match params.take("operations") {
        None => Ok(Vec::new()),
        Some(Json::Array(all)) => all.into_iter().map(Operation::parse).collect(),
        Some(other) => {
            Err(Fault::new(format!("`operations` must be an array, not {}", brief(&other))))
        }
    }
}

impl Operation {
    pub(super) fn parse(json: Json) -> Result<Self, Fault> {
        let mut params = Params::nested("operations", json)?;
        let kind = params.required_text("type")?;
        let mut side = |key| -> Result<Option<u32>, Fault> {
            let Some(n) = params.unsigned(key)? else { return Ok(None) };
            u32::try_from(n)
                .map(Some)
                .map_err(|_| Fault::new(format!("`operations.{key}` is too large: {n}")))
        };
        let operation = match kind.as_str() {
            "threshold" => {
                let value = side("value")?;
                let value = params.required("value", value)?;
                Operation::Threshold(u8::try_from(value).map_err(|_| {
                    Fault::new(format!("`operations.value` must be from 0 to 255, not {value}"))
                })?)
            }
            "resize" => {
                let (width, height) = (side("width")?, side("height")?);
                let scale = params.number("scale")?.and_then(|n| n.as_f64());
                Operation::Resize(match (width, height, scale) {
                    (None, None, Some(scale)) if scale > 0.0 => Size::Scale(scale),
                    (width, height, None)
                        if width.or(height).is_some() && width != Some(0) && height != Some(0) =>
                    {
                        Size::Sides { width, height }
                    }
                    _ => {
                        return Err(Fault::new(
                            "`operations`: resize takes a width, a height or both, or a `scale`, all above 0",
                        ));
                    }
                })
            }
            "crop" => {
                let (x, y) = (side("x")?, side("y")?);
                let (width, height) = (side("width")?, side("height")?);
                Operation::Crop {
                    x: params.required("x", x)?,
                    y: params.required("y", y)?,
                    width: params.required("width", width)?,
                    height: params.required("height", height)?,
                }
            }
            "rotate" => {
                let angle = params.number("angle")?;
                let angle = params.required("angle", angle)?.as_f64().unwrap_or_default();
                Operation::Rotate { angle, grow: params.flag("resize")? }
            }
            "flip" => {
                let code = params.number("code")?;
                let code = params.required("code", code)?.as_f64().unwrap_or_default();
                Operation::Flip { vertical: code <= 0.0, horizontal: code != 0.0 }
            }
            "interval" | "preview" => {
                return Err(Fault::new(format!("the operation \"{kind}\" is for videos")));
            }
            other => {
                return Err(Fault::new(format!(
                    "there is no operation \"{other}\"; there are threshold, resize, crop, rotate and flip"
                )));
            }
        };
        params.finish()?;
        Ok(operation)
    }
}
