//! Parts of pictures and videos: rectangles, polygons, spans and moments.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::{
    Field, FieldKind, FieldPlace, GraphBuilder, ModelError, NodeId, ObjectKind, Record, ValueError,
};

/// A rectangle in a picture, in pixels from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: i64,
    /// Upper edge.
    pub y: i64,
    /// At least 1.
    pub width: i64,
    /// At least 1.
    pub height: i64,
}

/// One or more rings of at least three points `[x, y]`, in pixels; each is closed by itself.
///
/// Points come back rounded to 32-bit floats, so that is what they are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Polygon(pub Vec<Vec<[f32; 2]>>);

/// Frames of a video, counted from 0, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FrameSpan {
    /// The first.
    pub start: u64,
    /// The last.
    pub stop: u64,
}

/// A stretch of time in a video, to the microsecond.
///
/// In a source the ends are seconds (`12.5`) or clock texts (`"00:00:12.500000"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeSpan {
    /// Where it begins.
    pub start: TimeOffset,
    /// Where it ends.
    pub stop: TimeOffset,
}

/// A stretch of a video, each end a fraction of its length from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FractionSpan {
    /// Where it begins.
    pub start: f64,
    /// Where it ends.
    pub stop: f64,
}

/// A frame of a video, by its number from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameNumber(pub u64);

/// A moment of a video, as time from its beginning, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOffset(Duration);

/// A moment of a video, as a fraction of its length from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeFraction(pub f64);

impl TimeOffset {
    /// Cuts off what the database does not keep: digits beyond the microsecond.
    #[must_use]
    pub fn new(offset: Duration) -> Self {
        Self(Duration::from_micros(u64::try_from(offset.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Time from the beginning.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let mut seconds = 0.0;
        let mut parts = 0;
        for part in text.split(':') {
            let number: f64 = part.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
            seconds = seconds * 60.0 + number;
            parts += 1;
        }
        // Rounded, since 1.1 seconds are not 1,099,999 microseconds.
        let micros = (seconds * 1e6).round();
        (parts == 3 && micros < 9e15).then(|| Self(Duration::from_micros(micros as u64)))
    }
}

/// `hh:mm:ss.uuuuuu`
impl fmt::Display for TimeOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        let micros = self.0.subsec_micros();
        write!(f, "{:02}:{:02}:{:02}.{micros:06}", s / 3600, s / 60 % 60, s % 60)
    }
}

impl Serialize for TimeOffset {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOffset {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let refused = |what: String| {
            serde::de::Error::custom(format!(
                "{what} is no time in a video; write seconds, such as 12.5, or \"00:00:12.500000\""
            ))
        };
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Seconds(f64),
            Clock(String),
        }
        match Written::deserialize(d)? {
            Written::Seconds(s) => match Duration::try_from_secs_f64(s) {
                Ok(offset) => Ok(Self::new(offset + Duration::from_nanos(500))),
                Err(_) => Err(refused(s.to_string())),
            },
            Written::Clock(text) => Self::parse(&text).ok_or_else(|| refused(format!("{text:?}"))),
        }
    }
}

/// Where a part lies in what it is a part of.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Geometry {
    /// Of a bounding box.
    Rect(Rect),
    /// Of a polygon.
    Polygon(Polygon),
    /// Of a clip.
    Frames(FrameSpan),
    /// Of a clip.
    Time(TimeSpan),
    /// Of a clip.
    Fraction(FractionSpan),
    /// Of a frame.
    FrameNumber(FrameNumber),
    /// Of a frame.
    TimeOffset(TimeOffset),
    /// Of a frame.
    TimeFraction(TimeFraction),
}

impl Geometry {
    /// The parameter that gives it to an Add command, and its value.
    #[must_use]
    pub fn parameter(&self) -> (&'static str, Json) {
        match self {
            Geometry::Rect(r) => ("rectangle", json!(r)),
            Geometry::Polygon(p) => ("polygons", json!(p)),
            Geometry::Frames(s) => ("frame_number_range", json!(s)),
            Geometry::Time(s) => ("time_offset_range", json!(s)),
            Geometry::Fraction(s) => ("time_fraction_range", json!(s)),
            Geometry::FrameNumber(n) => ("frame_number", json!(n)),
            Geometry::TimeOffset(t) => ("time_offset", json!(t)),
            Geometry::TimeFraction(f) => ("time_fraction", json!(f)),
        }
    }

    /// Whether an object whose system properties these are lies there.
    pub(crate) fn is_stored_as(&self, object: &Map<String, Json>) -> bool {
        fn same<T: serde::de::DeserializeOwned + PartialEq>(here: &T, there: &Json) -> bool {
            T::deserialize(there).is_ok_and(|there| there == *here)
        }
        let there = |property: &str| object.get(property).unwrap_or(&Json::Null);
        match self {
            Geometry::Rect(r) => same(r, there("_coordinates")),
            Geometry::Polygon(p) => same(p, there("_vertices")),
            Geometry::Frames(s) => same(s, there("_frame_number_range")),
            Geometry::Time(s) => same(s, there("_time_offset_range")),
            Geometry::Fraction(s) => same(s, there("_time_fraction_range")),
            Geometry::FrameNumber(n) => same(n, there("_frame_number")),
            Geometry::TimeOffset(t) => same(t, there("_time_offset")),
            Geometry::TimeFraction(f) => same(f, there("_time_fraction")),
        }
    }

    /// Refuses what has no extent.
    pub(crate) fn check(&self) -> Result<(), ValueError> {
        let wrong = |what: &'static str, found: String| {
            Err(ValueError::Unexpected { expected: what, found })
        };
        let fraction = |f: f64| (0.0..=1.0).contains(&f);
        match self {
            Geometry::Rect(r) if r.width < 1 || r.height < 1 => {
                wrong("rectangle of at least one pixel", format!("{}×{}", r.width, r.height))
            }
            Geometry::Polygon(p) if p.0.is_empty() || p.0.iter().any(|ring| ring.len() < 3) => {
                wrong("polygon of three points or more", json!(p).to_string())
            }
            Geometry::Polygon(p) if p.0.iter().flatten().flatten().any(|c| !c.is_finite()) => {
                wrong("polygon of finite numbers", format!("{:?}", p.0))
            }
            Geometry::Frames(s) if s.start > s.stop => {
                wrong("span of frames", format!("{}–{}", s.start, s.stop))
            }
            Geometry::Time(s) if s.start > s.stop => {
                wrong("span of time", format!("{}–{}", s.start, s.stop))
            }
            Geometry::Fraction(s)
                if !fraction(s.start) || !fraction(s.stop) || s.start > s.stop =>
            {
                wrong("span between 0 and 1", format!("{}–{}", s.start, s.stop))
            }
            Geometry::TimeFraction(f) if !fraction(f.0) => {
                wrong("number between 0 and 1", f.0.to_string())
            }
            _ => Ok(()),
        }
    }
}

macro_rules! geometries {
    ($($ty:ident as $variant:ident of $kind:ident, $property:literal, |$json:ident| $read:expr;)*) => {
        /// System properties that say where a part lies.
        pub(crate) const SYSTEMS: &[&str] = &[$($property),*];
    $(
        /// Where the object lies in what it is a part of.
        impl Field for $ty {
            type Stored = Self;
            const KIND: FieldKind =
                FieldKind::Geometry { of: ObjectKind::$kind, property: $property, optional: false };
            fn add(
                &self,
                graph: &mut GraphBuilder,
                node: NodeId,
                at: FieldPlace,
            ) -> Result<(), ModelError> {
                let geometry = Geometry::$variant(self.clone());
                geometry.check().map_err(|e| at.error(e.into()))?;
                graph.geometry(node, geometry);
                Ok(())
            }
            fn is_absent(record: &Record, _: FieldPlace) -> bool {
                record.lacks($property)
            }
            fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
                let $json = record.properties().get($property).unwrap_or(&Json::Null);
                let read: Option<Self> = $read;
                read.ok_or_else(|| {
                    let expected = stringify!($ty);
                    let found = $json.to_string();
                    at.error(ValueError::Unexpected { expected, found }.into())
                })
            }
        }
    )*};
}
geometries! {
    Rect as Rect of BoundingBox, "_coordinates", |json| serde_json::from_value(json.clone()).ok();
    Polygon as Polygon of Polygon, "_vertices", |json| serde_json::from_value(json.clone()).ok();
    FrameSpan as Frames of Clip, "_frame_number_range",
        |json| serde_json::from_value(json.clone()).ok();
    TimeSpan as Time of Clip, "_time_offset_range", |json| serde_json::from_value(json.clone()).ok();
    FractionSpan as Fraction of Clip, "_time_fraction_range",
        |json| serde_json::from_value(json.clone()).ok();
    FrameNumber as FrameNumber of Frame, "_frame_number", |json| json.as_u64().map(Self);
    TimeOffset as TimeOffset of Frame, "_time_offset", |json| json.as_str().and_then(Self::parse);
    TimeFraction as TimeFraction of Frame, "_time_fraction", |json| json.as_f64().map(Self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_fractions() {
        for (written, text) in [
            ("12.5", "00:00:12.500000"),
            ("1.1", "00:00:01.100000"),
            ("\"00:01:05\"", "00:01:05.000000"),
            ("\"01:00:00.25\"", "01:00:00.250000"),
        ] {
            let offset: TimeOffset = serde_json::from_str(written).unwrap();
            assert_eq!(offset.to_string(), text);
        }
        for wrong in ["-1", "\"1:2\"", "\"soon\"", "1e300", "\"00:00:-1\""] {
            let err = serde_json::from_str::<TimeOffset>(wrong).unwrap_err();
            assert!(err.to_string().contains("no time in a video"), "{wrong}: {err}");
        }
    }

    #[test]
    fn geometry_without_extent_is_refused() {
        let span = |start, stop| FractionSpan { start, stop };
        for geometry in [
            Geometry::Rect(Rect { x: 0, y: 0, width: 0, height: 5 }),
            Geometry::Polygon(Polygon(vec![vec![[0.0, 0.0], [1.0, 1.0]]])),
            Geometry::Polygon(Polygon(vec![])),
            Geometry::Frames(FrameSpan { start: 3, stop: 2 }),
            Geometry::Fraction(span(0.5, 1.5)),
            Geometry::Fraction(span(f64::NAN, 1.0)),
            Geometry::TimeFraction(TimeFraction(-0.1)),
        ] {
            assert!(geometry.check().is_err(), "{geometry:?}");
        }
        assert!(Geometry::Fraction(span(0.0, 1.0)).check().is_ok());
    }
}
