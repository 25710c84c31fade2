//! The Find commands.

use serde_json::Value as Json;

use super::{
    add::{Direction, engine_name},
    constraint::Expr,
    fault::Fault,
    kind::Kind,
    params::{Params, brief},
    part::{IN_SPAN, Rectangle, Span},
    picture::Picture,
    shape::Shape,
};
use crate::vectors::metric::Metric;

/// Frames that one ExtractFrames may name.
const MAX_FRAMES: usize = 10_000;

/// A Find of any kind.
#[derive(Debug)]
pub(crate) struct Find {
    pub(crate) kind: Kind,
    pub(crate) reference: Option<u32>,
    pub(crate) select: Select,
    /// Descriptors: only the nearest to the command's blob.
    pub(crate) nearest: Option<Nearest>,
    pub(crate) shape: Shape,
}

/// Which objects are meant. All of it must hold.
#[derive(Debug, Default)]
pub(crate) struct Select {
    pub(crate) with_class: Option<String>,
    pub(crate) constraints: Option<Expr>,
    pub(crate) connected: Option<Connected>,
    pub(crate) with_name: Option<String>,
    pub(crate) with_label: Option<String>,
    /// Descriptors of this set.
    pub(crate) set: Option<String>,
    /// Parts of these images or videos.
    pub(crate) within: Option<u32>,
    pub(crate) in_rectangle: Option<Rectangle>,
    pub(crate) in_span: Option<Span>,
    /// Images, blobs and videos from there.
    pub(crate) with_url: Option<String>,
    /// Connections that start or end at these.
    pub(crate) src: Option<u32>,
    pub(crate) dst: Option<u32>,
    /// More than one match is an error.
    pub(crate) unique: bool,
}

/// `is_connected_to`
#[derive(Debug)]
pub(crate) struct Connected {
    /// Whether every step must hold, or any.
    pub(crate) all: bool,
    pub(crate) steps: Vec<Step>,
}

/// One way to the wanted objects.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) reference: u32,
    pub(crate) class: Option<String>,
    /// Seen from the reference.
    pub(crate) direction: Option<Direction>,
    /// On the edge itself.
    pub(crate) constraints: Option<Expr>,
}

/// A search by nearness.
#[derive(Debug)]
pub(crate) struct Nearest {
    pub(crate) k: u64,
    pub(crate) engine: Option<String>,
    pub(crate) metric: Option<Metric>,
    /// Whether neighbours are looked for before the constraints, or among what these leave.
    pub(crate) knn_first: bool,
    /// FindDescriptorBatch: how many queries stand in the blob.
    pub(crate) queries: Option<usize>,
}

/// ExtractFrames: pictures of a video without objects.
#[derive(Debug)]
pub(crate) struct ExtractFrames {
    pub(crate) video: u32,
    pub(crate) frames: FrameSpec,
    pub(crate) picture: Picture,
}

/// Which frames.
#[derive(Debug)]
pub(crate) enum FrameSpec {
    These(Vec<u64>),
    /// Every `step`th, both ends in it.
    Range {
        start: u64,
        stop: Option<u64>,
        step: u64,
    },
}

/// ClassifyDescriptor.
#[derive(Debug)]
pub(crate) struct Classify {
    pub(crate) set: String,
    pub(crate) nearest: Nearest,
}

impl Find {
    pub(super) fn parse(kind: Kind, params: &mut Params) -> Result<Self, Fault> {
        let select = Select::parse(kind, params)?;
        let nearest = match kind {
            Kind::Descriptor => Nearest::take(params)?,
            _ => None,
        };
        if nearest.is_some() && select.set.is_none() {
            return Err(Fault::new("`set` is missing: `k_neighbors` searches one set"));
        }
        let shape = Shape::parse(kind, params)?;
        Ok(Self { kind, reference: params.reference("_ref")?, select, nearest, shape })
    }

    /// FindDescriptorBatch.
    pub(super) fn parse_batch(params: &mut Params) -> Result<Self, Fault> {
        let queries = params.unsigned("n_descriptors")?.unwrap_or(1);
        let mut find = Self::parse(Kind::Descriptor, params)?;
        let Some(nearest) = &mut find.nearest else {
            return Err(Fault::new("`k_neighbors` is missing"));
        };
        if queries == 0 {
            return Err(Fault::new("`n_descriptors` must be at least 1"));
        }
        if find.shape.batch.is_some() || find.shape.group_by_source || find.shape.aggregates() {
            return Err(Fault::new(
                "FindDescriptorBatch takes no `batch`, `group_by_source` and aggregates",
            ));
        }
        nearest.queries = Some(usize::try_from(queries).unwrap_or(usize::MAX));
        Ok(find)
    }
}

impl ExtractFrames {
    pub(super) fn parse(params: &mut Params) -> Result<Self, Fault> {
        let spec = params.take("frame_spec");
        Ok(Self {
            video: params.required_reference("video_ref")?,
            frames: FrameSpec::parse(params.required("frame_spec", spec)?)?,
            picture: Picture::take(Kind::Frame, "as_format", params)?,
        })
    }
}

impl FrameSpec {
    fn parse(json: Json) -> Result<Self, Fault> {
        match json {
            Json::Array(all) => {
                if all.len() > MAX_FRAMES {
                    return Err(Fault::new(format!(
                        "`frame_spec` names more than {MAX_FRAMES} frames"
                    )));
                }
                all.iter()
                    .map(|n| {
                        n.as_u64().ok_or_else(|| {
                            Fault::new(format!(
                                "`frame_spec` must hold numbers of frames, counted from 0, not {}",
                                brief(n)
                            ))
                        })
                    })
                    .collect::<Result<_, _>>()
                    .map(FrameSpec::These)
            }
            object => {
                let mut params = Params::nested("frame_spec", object)?;
                let start = params.unsigned("start")?.unwrap_or(0);
                let stop = params.unsigned("stop")?;
                let step = params.unsigned("step")?.unwrap_or(1);
                params.finish()?;
                if step == 0 || stop.is_some_and(|stop| stop < start) {
                    return Err(Fault::new(
                        "`frame_spec` takes a `start`, a `stop` not before it, and a `step` above 0",
                    ));
                }
                Ok(FrameSpec::Range { start, stop, step })
            }
        }
    }

    /// The frames of a video that has so many.
    pub(crate) fn of(&self, count: u64) -> Result<Vec<u64>, Fault> {
        match *self {
            FrameSpec::These(ref all) => match all.iter().find(|n| **n >= count) {
                None => Ok(all.clone()),
                Some(n) => Err(Fault::new(format!(
                    "`frame_spec` names frame {n}, and the video has {count} frames"
                ))
                .code("bad_video")),
            },
            FrameSpec::Range { start, stop, step } => {
                let end = stop.map_or(count, |stop| stop.saturating_add(1).min(count));
                let step = usize::try_from(step).unwrap_or(usize::MAX);
                let frames: Vec<u64> = (start..end).step_by(step).take(MAX_FRAMES + 1).collect();
                if frames.len() > MAX_FRAMES {
                    return Err(Fault::new(format!(
                        "`frame_spec` is more than {MAX_FRAMES} frames; ask for less at a time"
                    )));
                }
                Ok(frames)
            }
        }
    }
}

impl Classify {
    pub(super) fn parse(params: &mut Params) -> Result<Self, Fault> {
        Ok(Self {
            set: params.required_text("set")?,
            nearest: Nearest::take(params)?
                .ok_or_else(|| Fault::new("`k_neighbors` is missing"))?,
        })
    }
}

impl Select {
    pub(super) fn parse(kind: Kind, params: &mut Params) -> Result<Self, Fault> {
        let mut select = Self { unique: params.flag("unique")?, ..Self::default() };
        if let Some(json) = params.take("constraints") {
            select.constraints = Expr::parse(json)?;
        }
        match kind {
            Kind::Entity => select.with_class = params.text("with_class")?,
            Kind::Connection => {
                select.with_class = params.text("with_class")?;
                select.src = params.reference("src")?;
                select.dst = params.reference("dst")?;
            }
            Kind::DescriptorSet => select.with_name = params.text("with_name")?,
            Kind::Descriptor => select.set = params.text("set")?,
            Kind::BoundingBox | Kind::Polygon => {
                select.in_rectangle = Rectangle::take("in_rectangle", params)?;
            }
            Kind::Clip | Kind::Frame => select.in_span = Span::take(IN_SPAN, params)?,
            Kind::Image | Kind::Blob | Kind::Video => {
                select.with_url = params.text("with_url")?;
            }
        }
        if kind.traits().labelled {
            select.with_label = params.text("with_label")?;
        }
        if let Some(within) = &kind.traits().within {
            select.within = params.reference(within.parameter)?;
        }
        if kind != Kind::Connection
            && let Some(json) = params.take("is_connected_to")
        {
            if let (Some(_), Some(within)) = (select.within, &kind.traits().within) {
                return Err(Fault::new(format!(
                    "`{}` and `is_connected_to` exclude each other",
                    within.parameter
                )));
            }
            select.connected = Some(Connected::parse(json)?);
        }
        Ok(select)
    }
}

impl Select {
    /// Whether a search by nearness with it is about all vectors of the set, but for connections.
    pub(crate) fn wants_whole_set(&self) -> bool {
        self.constraints.is_none() && self.with_label.is_none()
    }
}

impl Connected {
    fn parse(json: Json) -> Result<Self, Fault> {
        let mut params = Params::nested("is_connected_to", json)?;
        let (all, any) = (params.take("all"), params.take("any"));
        let (all, steps) = match (all, any) {
            (None, None) => (true, vec![Step::parse(&mut params)?]),
            (Some(Json::Array(steps)), None) => (true, Step::parse_all(steps)?),
            (None, Some(Json::Array(steps))) => (false, Step::parse_all(steps)?),
            _ => {
                return Err(Fault::new(
                    "`is_connected_to` takes one array under `all` or `any`, not both",
                ));
            }
        };
        params.finish()?;
        if steps.is_empty() {
            return Err(Fault::new("`is_connected_to` has an empty list"));
        }
        Ok(Self { all, steps })
    }
}

impl Step {
    fn parse(params: &mut Params) -> Result<Self, Fault> {
        Ok(Self {
            reference: params.required_reference("ref")?,
            class: connection_class(params)?,
            direction: Direction::take(params)?,
            constraints: match params.take("constraints") {
                Some(json) => Expr::parse(json)?,
                None => None,
            },
        })
    }

    fn parse_all(steps: Vec<Json>) -> Result<Vec<Self>, Fault> {
        steps
            .into_iter()
            .map(|json| {
                let mut params = Params::nested("is_connected_to", json)?;
                let step = Self::parse(&mut params)?;
                params.finish()?;
                Ok(step)
            })
            .collect()
    }
}

/// `connection_class`; ApertureDB's page on embeddings of pictures says `class`.
fn connection_class(params: &mut Params) -> Result<Option<String>, Fault> {
    match (params.text("connection_class")?, params.text("class")?) {
        (Some(class), Some(other)) if class != other => {
            Err(Fault::new("`connection_class` and `class` of `is_connected_to` differ"))
        }
        (class, other) => Ok(class.or(other)),
    }
}

impl Nearest {
    fn take(params: &mut Params) -> Result<Option<Self>, Fault> {
        let k = params.unsigned("k_neighbors")?.or(params.unsigned("k_closest")?);
        let engine = params.text("engine")?.map(|e| engine_name(&e).to_owned());
        let metric = params.text("metric")?.map(|m| Metric::parse(&m)).transpose()?;
        let knn_first = params.boolean("knn_first")?;
        let knn_first = knn_first.or(params.boolean("knnfirst")?).unwrap_or(true);
        // Every vector is found here, indexed or not.
        params.boolean("indexed_results_only")?;
        match k {
            None => Ok(None),
            Some(0) => Err(Fault::new("`k_neighbors` must be at least 1")),
            Some(k) => Ok(Some(Self { k, engine, metric, knn_first, queries: None })),
        }
    }
}
