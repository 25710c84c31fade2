//! What an answer is to hold, and in which order.

use serde_json::Value as Json;

use super::{
    fault::Fault,
    kind::Kind,
    params::{Params, brief},
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
    pub(crate) group_by_source: bool,
    pub(crate) sort: Vec<SortKey>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
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
    pub(super) fn parse(kind: Kind, params: &mut Params) -> Result<Self, Fault> {
        params.not_yet(&["batch"])?;
        let mut flags = Vec::new();
        for &(flag, property) in flags_of(kind) {
            if params.flag(flag)? {
                flags.push(property);
            }
        }
        let blobs =
            matches!(kind, Kind::Image | Kind::Blob | Kind::Descriptor) && params.flag("blobs")?;
        let mut shape = Self {
            list: Vec::new(),
            all_properties: false,
            count: false,
            unique_ids: params.flag("uniqueids")?,
            flags,
            blobs,
            group_by_source: params.flag("group_by_source")?,
            sort: Vec::new(),
            limit: params.unsigned("limit")?,
            offset: params.unsigned("offset")?.unwrap_or(0),
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
            results.not_yet(&["sum", "average", "min", "max", "group", "blob", "format"])?;
            results.finish()?;
        }
        if let Some(sort) = sort {
            shape.sort = sort_keys(sort)?;
        }
        Ok(shape)
    }

    /// Whether objects are to be listed at all.
    pub(crate) fn lists(&self) -> bool {
        !self.list.is_empty() || self.all_properties || self.unique_ids || !self.flags.is_empty()
    }
}

/// Flags of a kind and the property that each adds.
fn flags_of(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Descriptor => &[("labels", "_label"), ("distances", "_distance")],
        Kind::DescriptorSet => &[
            ("engines", "_engines"),
            ("metrics", "_metrics"),
            ("dimensions", "_dimensions"),
            ("counts", "_count"),
        ],
        _ => &[],
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
