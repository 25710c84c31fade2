//! The Add commands.

use adb_model::MAX_DIMENSIONS;
use bytes::Bytes;

use super::{
    constraint::Expr,
    fault::Fault,
    kind::Kind,
    params::{Params, as_reference, brief},
    part::Placement,
    picture::Picture,
    video::Film,
};
use crate::{media::facts::Facts, store::value::Typed, vectors::metric::Metric};

/// An Add of anything but a connection.
#[derive(Debug)]
pub(crate) struct Add {
    pub(crate) kind: Kind,
    pub(crate) detail: Detail,
    pub(crate) reference: Option<u32>,
    pub(crate) properties: Vec<(String, Typed)>,
    pub(crate) guard: Option<Guard>,
    pub(crate) connect: Option<Connect>,
}

/// What a kind has beside properties.
#[derive(Debug)]
pub(crate) enum Detail {
    Entity {
        class: String,
    },
    /// An image, a blob or a video.
    Media(NewMedia),
    /// Part of an image or of a video.
    Part {
        container: u32,
        label: Option<String>,
        placement: Placement,
    },
    DescriptorSet(NewSet),
    Descriptor {
        set: String,
        label: Option<String>,
    },
}

/// An image, a blob or a video to be.
#[derive(Debug)]
pub(crate) struct NewMedia {
    /// Images: what they are made into before they are stored.
    pub(crate) picture: Picture,
    /// The same of videos.
    pub(crate) film: Film,
    /// Where the bytes are, if they don't come with the request.
    pub(crate) url: Option<String>,
    /// What became of that, before the transaction.
    pub(crate) ready: Ready,
}

/// The bytes of an image, a blob or a video on their way into the store.
#[derive(Debug, Clone, Default)]
pub(crate) enum Ready {
    /// As they came with the request.
    #[default]
    AsTheyCame,
    /// Fetched, worked on, looked at.
    Made(Bytes, Option<Facts>),
    /// They can't be had; which matters if the object is added.
    Failed(Fault),
    /// The object was there already, so nothing was made.
    NotNeeded,
}

/// A descriptor set to be.
#[derive(Debug)]
pub(crate) struct NewSet {
    pub(crate) name: String,
    pub(crate) dimensions: usize,
    /// As asked for, normalised; the first is the default.
    pub(crate) engines: Vec<String>,
    pub(crate) metrics: Vec<Metric>,
}

/// `if_not_found`
#[derive(Debug)]
pub(crate) enum Guard {
    Like(Expr),
    Reference(u32),
}

/// `connect`
#[derive(Debug)]
pub(crate) struct Connect {
    pub(crate) reference: u32,
    pub(crate) class: String,
    pub(crate) direction: Direction,
    pub(crate) properties: Vec<(String, Typed)>,
}

/// Which way an edge points. From whose point of view, the parameter decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

impl Direction {
    pub(super) fn take(params: &mut Params) -> Result<Option<Self>, Fault> {
        match params.text("direction")?.as_deref() {
            None => Ok(None),
            Some("in") => Ok(Some(Direction::In)),
            Some("out") => Ok(Some(Direction::Out)),
            Some(other) => {
                Err(Fault::new(format!("`direction` must be \"in\" or \"out\", not \"{other}\"")))
            }
        }
    }
}

impl Add {
    pub(super) fn parse(kind: Kind, params: &mut Params) -> Result<Self, Fault> {
        let detail = match kind {
            Kind::Entity => Detail::Entity { class: new_class(params)? },
            Kind::Image | Kind::Blob | Kind::Video => Detail::Media(NewMedia::parse(kind, params)?),
            Kind::Clip | Kind::Frame | Kind::BoundingBox | Kind::Polygon => {
                Self::parse_part(kind, params)?
            }
            Kind::DescriptorSet => Detail::DescriptorSet(NewSet::parse(params)?),
            Kind::Descriptor => Detail::Descriptor {
                set: params.required_text("set")?,
                label: params.text("label")?,
            },
            Kind::Connection => return Err(Fault::new("connections have a command of their own")),
        };
        Ok(Self {
            kind,
            detail,
            reference: params.reference("_ref")?,
            properties: properties(params)?,
            guard: Guard::take(params)?,
            connect: Connect::take(kind, params)?,
        })
    }

    fn parse_part(kind: Kind, params: &mut Params) -> Result<Detail, Fault> {
        let container = kind.traits().within.as_ref().map(|within| within.parameter);
        Ok(Detail::Part {
            container: params.required_reference(container.unwrap_or_default())?,
            label: params.text("label")?,
            placement: Placement::take(kind, params)?
                .ok_or_else(|| Fault::new(Placement::expected(kind)))?,
        })
    }

    pub(crate) fn takes_blob(&self) -> bool {
        match &self.detail {
            Detail::Media(media) => media.url.is_none(),
            Detail::Descriptor { .. } => true,
            _ => false,
        }
    }

    /// What has to be fetched, worked on or looked at before the transaction.
    pub(crate) fn unprepared(&mut self) -> Option<&mut NewMedia> {
        match &mut self.detail {
            Detail::Media(media) if media.needs_work(self.kind) => Some(media),
            _ => None,
        }
    }

    /// Bytes that were made before the transaction.
    pub(crate) fn ready_bytes(&self) -> usize {
        match &self.detail {
            Detail::Media(NewMedia { ready: Ready::Made(bytes, _), .. }) => bytes.len(),
            _ => 0,
        }
    }
}

impl NewMedia {
    fn parse(kind: Kind, params: &mut Params) -> Result<Self, Fault> {
        let picture = Picture::take(kind, "format", params)?;
        let film = match kind {
            Kind::Video => Film::take("codec", "container", params)?,
            _ => Film::default(),
        };
        let url = params.text("url")?;
        if url.is_some() && !(picture.is_untouched() && film.is_untouched()) {
            return Err(Fault::new(
                "what comes from a `url` is stored as it is: it goes with neither `operations` nor another format",
            ));
        }
        Ok(Self { picture, film, url, ready: Ready::default() })
    }

    /// Every video is looked at; images and blobs are stored as they come unless told otherwise.
    fn needs_work(&self, kind: Kind) -> bool {
        kind == Kind::Video || self.url.is_some() || !self.picture.is_untouched()
    }
}

impl NewSet {
    fn parse(params: &mut Params) -> Result<Self, Fault> {
        let name = params.required_text("name")?;
        if name.is_empty() {
            return Err(Fault::new("`name` is empty"));
        }
        let dimensions = params.unsigned("dimensions")?;
        let dimensions = params.required("dimensions", dimensions)?;
        if dimensions == 0 || dimensions > MAX_DIMENSIONS as u64 {
            return Err(Fault::new(format!(
                "`dimensions` must be from 1 to {MAX_DIMENSIONS}, not {dimensions}"
            )));
        }
        let engines = params.texts("engine")?.filter(|all| !all.is_empty());
        let metrics = params.texts("metric")?.filter(|all| !all.is_empty());
        Ok(Self {
            name,
            dimensions: dimensions as usize,
            engines: engines.map_or_else(
                || vec!["Flat".to_owned()],
                |all| all.iter().map(|e| engine_name(e).to_owned()).collect(),
            ),
            metrics: match metrics {
                None => vec![Metric::L2],
                Some(all) => all.iter().map(|m| Metric::parse(m)).collect::<Result<_, _>>()?,
            },
        })
    }
}

/// The present name of an engine that had another. Engines that are not known search exactly.
pub(crate) fn engine_name(name: &str) -> &str {
    match name {
        "FaissFlat" => "Flat",
        "FaissIVFFlat" => "IVF",
        other => other,
    }
}

impl Guard {
    fn take(params: &mut Params) -> Result<Option<Self>, Fault> {
        let Some(json) = params.take("if_not_found") else { return Ok(None) };
        if json.is_number() {
            let reference = as_reference(&json).ok_or_else(|| {
                Fault::new(format!(
                    "`if_not_found` must be constraints or a reference, not {}",
                    brief(&json)
                ))
            })?;
            return Ok(Some(Guard::Reference(reference)));
        }
        Ok(Expr::parse(json)?.map(Guard::Like))
    }
}

impl Connect {
    fn take(kind: Kind, params: &mut Params) -> Result<Option<Self>, Fault> {
        let Some(json) = params.take("connect") else { return Ok(None) };
        let mut inner = Params::nested("connect", json)?;
        let reference = inner.required_reference("ref")?;
        let class = match (inner.text("class")?, kind.default_connection()) {
            (Some(class), system) if Some(class.as_str()) == system => class,
            (Some(class), _) => {
                check_class(&class)?;
                class
            }
            (None, Some(system)) => system.to_owned(),
            (None, None) => return Err(Fault::new("`connect.class` is missing")),
        };
        let direction = Direction::take(&mut inner)?.unwrap_or(Direction::Out);
        let properties = properties(&mut inner)?;
        inner.finish()?;
        Ok(Some(Self { reference, class, direction, properties }))
    }
}

/// AddConnection.
#[derive(Debug)]
pub(crate) struct AddConnection {
    pub(crate) class: String,
    pub(crate) src: u32,
    pub(crate) dst: u32,
    pub(crate) reference: Option<u32>,
    pub(crate) properties: Vec<(String, Typed)>,
    pub(crate) guard: Option<Guard>,
}

impl AddConnection {
    pub(super) fn parse(params: &mut Params) -> Result<Self, Fault> {
        Ok(Self {
            class: new_class(params)?,
            src: params.required_reference("src")?,
            dst: params.required_reference("dst")?,
            reference: params.reference("_ref")?,
            properties: properties(params)?,
            guard: Guard::take(params)?,
        })
    }
}

fn new_class(params: &mut Params) -> Result<String, Fault> {
    let class = params.required_text("class")?;
    check_class(&class)?;
    Ok(class)
}

fn check_class(class: &str) -> Result<(), Fault> {
    check_name(class).map_err(|why| Fault::new(format!("the class `{class}` {why}")))
}

/// The values of `properties`; those that are null are left out.
pub(super) fn properties(params: &mut Params) -> Result<Vec<(String, Typed)>, Fault> {
    let given = params.properties()?;
    let mut properties = Vec::with_capacity(given.len());
    for (key, json) in given {
        let fault = |why: &str| Fault::new(format!("the property `{key}` {why}"));
        check_name(&key).map_err(fault)?;
        match Typed::from_json(json) {
            Ok(Some(value)) => properties.push((key, value)),
            Ok(None) => {}
            Err(why) => return Err(Fault::new(format!("the property `{key}`: {why}"))),
        }
    }
    Ok(properties)
}

const MAX_NAME: usize = 64;

/// Names of classes and properties, as users may choose them.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("has an empty name")
    } else if name.starts_with('_') {
        Err("begins with `_`, which the database keeps for itself")
    } else if name.len() > MAX_NAME {
        Err("has a name of more than 64 bytes")
    } else {
        Ok(())
    }
}
