//! What an answer is to hold, and in which order.

use serde_json::Value as Json;

use super::{
    fault::Fault,
    kind::{Bytes, Kind},
    params::{Params, brief},
    picture::Picture,
    video::Film,
};
use crate::store::value::Typed;

/// Everything about a Find command that is not about which objects are meant.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Properties to list, system ones among them.
    pub(crate) list: Vec<String>,
    pub(crate) all_properties: bool,
    pub(crate) count: bool,
    pub(crate) unique_ids: bool,
    /// System properties that flags asked for.
    pub(crate) flags: Vec<&'static str>,
    pub(crate) blobs: bool,
    /// What the blobs are made into, of images, regions and frames.
    pub(crate) picture: Picture,
    /// The same of videos and clips.
    pub(crate) film: Film,
    pub(crate) group_by_source: bool,
    pub(crate) sort: Vec<SortKey>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
    pub(crate) batch: Option<Batch>,
    pub(crate) aggregates: Vec<Aggregate>,
    /// Properties by which the aggregates are grouped.
    pub(crate) group: Vec<String>,
}

/// `batch`: which part of what `limit` and `offset` leave.
#[derive(Debug)]
pub(crate) enum Batch {
    /// Only how many there are.
    Totals,
    /// One of the pieces of this size.
    OfSize { size: u64, id: u64 },
    /// One of so many pieces.
    OfPieces { pieces: u64, id: u64 },
    /// From the one to before the other.
    Range(u64, u64),
}

/// One figure over a property of all matches.
#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) figure: Figure,
    pub(crate) property: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    Sum,
    Average,
    Min,
    Max,
}

impl Figure {
    const ALL: [(Figure, &'static str); 4] = [
        (Figure::Sum, "sum"),
        (Figure::Average, "average"),
        (Figure::Min, "min"),
        (Figure::Max, "max"),
    ];
}

/// One key of a sort order.
#[derive(Debug)]
pub(crate) struct SortKey {
    pub(crate) property: String,
    pub(crate) order: Order,
}

#[derive(Debug)]
pub(crate) enum Order {
    Ascending,
    Descending,
    /// As the values stand in this list; the others come after.
    Sequence(Vec<Typed>),
}

impl Shape {
    /// Whether an answer says nothing of the objects, not even how many there are, and nothing
    /// bounds them.
    pub(crate) fn asks_nothing(&self) -> bool {
        let bounded = self.limit.is_some() || self.offset > 0 || self.batch.is_some();
        let shows = self.lists() || self.blobs || self.count || self.group_by_source;
        !bounded && !shows && !self.aggregates() && self.sort.is_empty()
    }

    pub(super) fn parse(kind: Kind, params: &mut Params) -> Result<Self, Fault> {
        let mut flags = Vec::new();
        for &(flag, property) in kind.traits().flags {
            if params.flag(flag)? {
                flags.push(property);
            }
        }
        let blobs = kind.traits().bytes != Bytes::None && params.flag("blobs")?;
        let mut film = match kind {
            Kind::Video | Kind::Clip => Film::take("as_codec", "as_container", params)?,
            _ => Film::default(),
        };
        if kind == Kind::Clip {
            film.take_fast_cut(params)?;
        }
        let batch = params.take("batch").map(Batch::parse).transpose()?;
        let mut shape = Self {
            list: Vec::new(),
            all_properties: false,
            count: false,
            unique_ids: params.flag("uniqueids")?,
            flags,
            blobs,
            picture: Picture::take(kind, "as_format", params)?,
            film,
            group_by_source: params.flag("group_by_source")?,
            sort: Vec::new(),
            limit: params.unsigned("limit")?,
            offset: params.unsigned("offset")?.unwrap_or(0),
            batch,
            aggregates: Vec::new(),
            group: Vec::new(),
        };
        let mut sort = params.take("sort");
        if let Some(json) = params.take("results") {
            let mut results = Params::nested("results", json)?;
            shape.list = results.texts("list")?.unwrap_or_default();
            shape.all_properties = results.flag("all_properties")?;
            shape.count = results.flag("count")?;
            shape.group_by_source |= results.flag("group_by_source")?;
            let (limit, inner_sort) = (results.unsigned("limit")?, results.take("sort"));
            // Where both places speak, the command's own wins.
            shape.limit = shape.limit.or(limit);
            sort = sort.or(inner_sort);
            for (figure, key) in Figure::ALL {
                let properties = results.texts(key)?.unwrap_or_default();
                let figures = properties.into_iter().map(|property| Aggregate { figure, property });
                shape.aggregates.extend(figures);
            }
            shape.group = results.texts("group")?.unwrap_or_default();
            for (older, newer) in [("blob", "blobs"), ("format", "as_format")] {
                if results.take(older).is_some() {
                    return Err(Fault::new(format!(
                        "`results.{older}` is of an edition of the language that is long past; use `{newer}` beside `results`"
                    )));
                }
            }
            results.finish()?;
        }
        if let Some(sort) = sort {
            shape.sort = sort_keys(sort)?;
        }
        if shape.aggregates.len() + shape.group.len() + shape.sort.len() > MAX_EXPRESSIONS {
            return Err(Fault::new(format!(
                "`sort`, `group` and the aggregates name more than {MAX_EXPRESSIONS} properties together"
            )));
        }
        if shape.group_by_source && (shape.batch.is_some() || shape.aggregates()) {
            return Err(Fault::new(
                "`group_by_source` goes neither with `batch` nor with aggregates",
            ));
        }
        Ok(shape)
    }

    /// Whether figures over the matches are asked for.
    pub(crate) fn aggregates(&self) -> bool {
        !self.aggregates.is_empty() || !self.group.is_empty()
    }

    /// Whether objects are to be listed at all.
    pub(crate) fn lists(&self) -> bool {
        !self.list.is_empty() || self.all_properties || self.unique_ids || !self.flags.is_empty()
    }
}

/// What one SELECT may have of them; SQLite stops at 2000 columns.
const MAX_EXPRESSIONS: usize = 500;

impl Batch {
    fn parse(json: Json) -> Result<Self, Fault> {
        let mut params = Params::nested("batch", json)?;
        let size = params.unsigned("batch_size")?;
        let pieces = params.unsigned("batches")?;
        let id = params.unsigned("batch_id")?;
        let range = params.take("range");
        params.finish()?;
        Ok(match (size, pieces, range) {
            (None, None, None) if id.is_none() => Batch::Totals,
            (Some(size), None, None) if size > 0 => Batch::OfSize { size, id: id.unwrap_or(0) },
            (None, Some(pieces), None) if pieces > 0 => {
                Batch::OfPieces { pieces, id: id.unwrap_or(0) }
            }
            (None, None, Some(range)) if id.is_none() => Self::range(&range)?,
            _ => {
                return Err(Fault::new(
                    "`batch` is {}, or takes a `batch_size` or a number of `batches`, above 0, with a `batch_id`, or a `range`",
                ));
            }
        })
    }

    /// `[start, end]` or `{"start": …, "end": …}`
    fn range(json: &Json) -> Result<Self, Fault> {
        let ends = match json {
            Json::Array(ends) if ends.len() == 2 => (ends[0].as_u64(), ends[1].as_u64()),
            Json::Object(ends) => (
                ends.get("start").and_then(Json::as_u64),
                ends.get("end").or(ends.get("stop")).and_then(Json::as_u64),
            ),
            _ => (None, None),
        };
        match ends {
            (Some(start), Some(end)) => Ok(Batch::Range(start, end)),
            _ => {
                Err(Fault::new(format!("`batch.range` must be [start, end], not {}", brief(json))))
            }
        }
    }
}

/// A key, `{"key": …, "order" | "sequence": …}`, or an array of these.
fn sort_keys(json: Json) -> Result<Vec<SortKey>, Fault> {
    match json {
        Json::Array(keys) => keys.into_iter().map(sort_key).collect(),
        one => Ok(vec![sort_key(one)?]),
    }
}

fn sort_key(json: Json) -> Result<SortKey, Fault> {
    if let Json::String(property) = json {
        return Ok(SortKey { property, order: Order::Ascending });
    }
    let mut params = Params::nested("sort", json)?;
    let property = params.required_text("key")?;
    let order = match (params.text("order")?.as_deref(), params.take("sequence")) {
        (None | Some("ascending"), None) => Order::Ascending,
        (Some("descending"), None) => Order::Descending,
        (Some(other), None) => {
            return Err(Fault::new(format!(
                "`sort.order` must be \"ascending\" or \"descending\", not \"{other}\""
            )));
        }
        (None, Some(Json::Array(values))) => Order::Sequence(
            values
                .into_iter()
                .map(|value| match Typed::from_json(value) {
                    Ok(Some(value)) => Ok(value),
                    Ok(None) => Err(Fault::new("`sort.sequence` holds null")),
                    Err(why) => Err(Fault::new(format!("`sort.sequence`: {why}"))),
                })
                .collect::<Result<_, _>>()?,
        ),
        (None, Some(other)) => {
            return Err(Fault::new(format!(
                "`sort.sequence` must be an array, not {}",
                brief(&other)
            )));
        }
        (Some(_), Some(_)) => {
            return Err(Fault::new("`sort` takes `order` or `sequence`, not both"));
        }
    };
    params.finish()?;
    Ok(SortKey { property, order })
}
