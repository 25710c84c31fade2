//! Where in an image or a video a part lies: boxes, polygons, clips, frames.

use rusqlite::types::Value as Sql;
use serde_json::{Number, Value as Json, json};

use super::{
    fault::Fault,
    kind::Kind,
    params::{Params, brief},
};
use crate::geometry::Shape;

/// A place in an image or a video.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Placement {
    Rectangle(Rectangle),
    Polygons(Polygons),
    Span(Span),
    Moment(Moment),
}

/// A box, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rectangle {
    /// x, y, width, height, as they were sent.
    numbers: [Number; 4],
}

/// Rings, each of at least three corners; the last is joined to the first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Polygons {
    rings: Vec<Vec<Corner>>,
}

type Corner = [f32; 2];

/// How clips and frames count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Frames,
    /// From 0 to 1, of the whole video.
    Fraction,
    /// Microseconds from the beginning.
    Offset,
}

/// A stretch of a video, both ends in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) unit: Unit,
    pub(crate) start: Sql,
    pub(crate) stop: Sql,
}

/// One frame of a video.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moment {
    unit: Unit,
    at: Sql,
}

/// Corners that one command may have; crossings are looked for pair by pair.
const MAX_CORNERS: usize = 10_000;

impl Placement {
    /// The place, where the kind has one; nothing if none is given.
    pub(super) fn take(kind: Kind, params: &mut Params) -> Result<Option<Self>, Fault> {
        Ok(match kind {
            Kind::BoundingBox => Rectangle::take("rectangle", params)?.map(Placement::Rectangle),
            Kind::Polygon => Polygons::take(params)?.map(Placement::Polygons),
            Kind::Clip => Span::take(SPAN, params)?.map(Placement::Span),
            Kind::Frame => Moment::take(params)?.map(Placement::Moment),
            _ => None,
        })
    }

    /// What must be given for a new object of the kind.
    pub(super) fn expected(kind: Kind) -> &'static str {
        match kind {
            Kind::BoundingBox => "`rectangle` is missing",
            Kind::Polygon => "`polygons` is missing",
            Kind::Clip => {
                "one of `frame_number_range`, `time_offset_range`, `time_fraction_range` is missing"
            }
            _ => "one of `frame_number`, `time_offset`, `time_fraction` is missing",
        }
    }

    /// The columns that hold it.
    pub(crate) fn columns(&self) -> Vec<(&'static str, Sql)> {
        match self {
            Placement::Rectangle(rectangle) => {
                let [_, _, width, height] = rectangle.extent();
                let mut columns = rectangle.columns();
                columns.push(("area", real(width * height)));
                columns
            }
            Placement::Polygons(polygons) => {
                let mut columns = polygons.bounds().columns();
                columns.push(("area", Sql::Real(polygons.area())));
                columns.push(("vertices", Sql::Text(json!(polygons.rings).to_string())));
                columns
            }
            Placement::Span(span) => vec![
                ("range_type", Sql::Integer(span.unit.number())),
                ("range_start", span.start.clone()),
                ("range_stop", span.stop.clone()),
            ],
            Placement::Moment(moment) => [Unit::Frames, Unit::Offset, Unit::Fraction]
                .into_iter()
                .map(|unit| {
                    let given = moment.unit == unit;
                    (unit.column(), if given { moment.at.clone() } else { Sql::Null })
                })
                .collect(),
        }
    }
}

impl Rectangle {
    pub(super) fn take(key: &'static str, params: &mut Params) -> Result<Option<Self>, Fault> {
        let Some(json) = params.take(key) else { return Ok(None) };
        let mut inner = Params::nested(key, json)?;
        let mut side = |name| {
            let number = inner.number(name)?;
            inner.required(name, number)
        };
        let numbers = [side("x")?, side("y")?, side("width")?, side("height")?];
        inner.finish()?;
        let rectangle = Self { numbers };
        let [_, _, width, height] = rectangle.extent();
        if width <= 0.0 || height <= 0.0 {
            return Err(Fault::new(format!(
                "`{key}` must have a width and a height above 0, not {width} × {height}"
            )));
        }
        Ok(Some(rectangle))
    }

    /// x, y, width, height.
    pub(crate) fn extent(&self) -> [f64; 4] {
        self.numbers.each_ref().map(|n| n.as_f64().unwrap_or_default())
    }

    pub(crate) fn columns(&self) -> Vec<(&'static str, Sql)> {
        let sides = ["x", "y", "width", "height"];
        sides.into_iter().zip(self.numbers.iter().map(sql_number)).collect()
    }
}

/// Whole where it is, so that areas of whole sides are.
fn real(x: f64) -> Sql {
    // Up to here, binary64 holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if x.fract() == 0.0 && x.abs() < EXACT { Sql::Integer(x as i64) } else { Sql::Real(x) }
}

fn sql_number(n: &Number) -> Sql {
    n.as_i64().map_or_else(|| Sql::Real(n.as_f64().unwrap_or_default()), Sql::Integer)
}

impl Polygons {
    pub(super) fn take(params: &mut Params) -> Result<Option<Self>, Fault> {
        let Some(json) = params.take("polygons") else { return Ok(None) };
        let wrong = |found: &Json| {
            Fault::new(format!(
                "`polygons` must be an array of rings, each an array of at least three [x, y], not {}",
                brief(found)
            ))
        };
        let Json::Array(rings) = &json else { return Err(wrong(&json)) };
        if rings.is_empty() {
            return Err(wrong(&json));
        }
        let mut corners = 0;
        let mut parsed = Vec::with_capacity(rings.len());
        for ring in rings {
            let ring = ring.as_array().filter(|r| r.len() >= 3).ok_or_else(|| wrong(ring))?;
            corners += ring.len();
            if corners > MAX_CORNERS {
                return Err(Fault::new(format!("`polygons` has more than {MAX_CORNERS} corners")));
            }
            let ring: Vec<Corner> = ring
                .iter()
                .map(|corner| as_corner(corner).ok_or_else(|| wrong(corner)))
                .collect::<Result<_, _>>()?;
            parsed.push(ring);
        }
        let polygons = Self { rings: parsed };
        polygons.check()?;
        Ok(Some(polygons))
    }

    /// No ring crosses itself or another, and none lies in another.
    fn check(&self) -> Result<(), Fault> {
        let mut edges: Vec<(usize, Corner, Corner)> = Vec::new();
        for (r, ring) in self.rings.iter().enumerate() {
            for (i, &corner) in ring.iter().enumerate() {
                edges.push((r, corner, ring[(i + 1) % ring.len()]));
            }
        }
        // Only edges that share some x can cross.
        edges.sort_by(|a, b| a.1[0].min(a.2[0]).total_cmp(&b.1[0].min(b.2[0])));
        for (i, (ring, a, b)) in edges.iter().enumerate() {
            let reach = a[0].max(b[0]);
            for (other, c, d) in edges[i + 1..].iter().take_while(|e| e.1[0].min(e.2[0]) <= reach) {
                if crosses(*a, *b, *c, *d) {
                    let (first, second) = (*ring.min(other), *ring.max(other));
                    return Err(Fault::new(if first == second {
                        format!("ring {first} of `polygons` crosses itself")
                    } else {
                        format!("rings {first} and {second} of `polygons` cross")
                    }));
                }
            }
        }
        for (i, inner) in self.rings.iter().enumerate() {
            if ring_area(inner) == 0.0 {
                return Err(Fault::new(format!("ring {i} of `polygons` has no area")));
            }
            for (j, outer) in self.rings.iter().enumerate().filter(|(j, _)| *j != i) {
                if inner.iter().all(|corner| contains(outer, *corner)) {
                    return Err(Fault::new(format!("ring {i} of `polygons` lies in ring {j}")));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn shape(&self) -> Shape {
        let wide = |ring: &Vec<Corner>| ring.iter().map(|c| c.map(f64::from)).collect();
        Shape::rings(self.rings.iter().map(wide).collect())
    }

    fn area(&self) -> f64 {
        self.rings.iter().map(|ring| ring_area(ring)).sum()
    }

    /// The box around all rings.
    fn bounds(&self) -> Rectangle {
        let all = || self.rings.iter().flatten();
        let range = |axis: usize| {
            let (low, high) = all().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), c| {
                (low.min(c[axis]), high.max(c[axis]))
            });
            (f64::from(low), f64::from(high) - f64::from(low))
        };
        let ((x, width), (y, height)) = (range(0), range(1));
        let numbers = [x, y, width, height].map(|n| match real(n) {
            Sql::Integer(i) => Number::from(i),
            // Corners are finite, and so is what lies between them.
            _ => Number::from_f64(n).unwrap_or_else(|| Number::from(0)),
        });
        Rectangle { numbers }
    }
}

fn as_corner(json: &Json) -> Option<Corner> {
    let [x, y] = json.as_array()?.as_slice() else { return None };
    let coordinate = |json: &Json| json.as_f64().map(|x| x as f32).filter(|x| x.is_finite());
    Some([coordinate(x)?, coordinate(y)?])
}

fn ring_area(ring: &[Corner]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    let doubled: f64 = ring
        .iter()
        .zip(next)
        .map(|(a, b)| f64::from(a[0]) * f64::from(b[1]) - f64::from(b[0]) * f64::from(a[1]))
        .sum();
    doubled.abs() / 2.0
}

/// Which side of the line from `a` to `b` a corner is on.
fn side(a: Corner, b: Corner, of: Corner) -> f64 {
    let [ax, ay, bx, by] = [a[0], a[1], b[0], b[1]].map(f64::from);
    (bx - ax) * (f64::from(of[1]) - ay) - (by - ay) * (f64::from(of[0]) - ax)
}

/// Whether two edges cross; that they touch is no crossing.
fn crosses(a: Corner, b: Corner, c: Corner, d: Corner) -> bool {
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

/// Whether a corner lies in a ring, its border not counted.
fn contains(ring: &[Corner], corner: Corner) -> bool {
    let mut inside = false;
    for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let straddles = (a[1] > corner[1]) != (b[1] > corner[1]);
        let turn = side(*a, *b, corner);
        if turn == 0.0
            && (corner[0] - a[0]) * (corner[0] - b[0]) <= 0.0
            && (corner[1] - a[1]) * (corner[1] - b[1]) <= 0.0
        {
            return false;
        }
        if straddles && (turn > 0.0) == (b[1] > a[1]) {
            inside = !inside;
        }
    }
    inside
}

/// Keys of ranges, by unit.
type Keys = [(Unit, &'static str); 3];

const SPAN: Keys = [
    (Unit::Frames, "frame_number_range"),
    (Unit::Offset, "time_offset_range"),
    (Unit::Fraction, "time_fraction_range"),
];
pub(super) const IN_SPAN: Keys = [
    (Unit::Frames, "in_frame_number_range"),
    (Unit::Offset, "in_time_offset_range"),
    (Unit::Fraction, "in_time_fraction_range"),
];
const MOMENT: Keys = [
    (Unit::Frames, "frame_number"),
    (Unit::Offset, "time_offset"),
    (Unit::Fraction, "time_fraction"),
];

/// The one that is given of three.
fn one_of(keys: Keys, params: &mut Params) -> Result<Option<(Unit, &'static str, Json)>, Fault> {
    let mut given = None;
    for (unit, key) in keys {
        let Some(json) = params.take(key) else { continue };
        if let Some((_, first, _)) = given {
            return Err(Fault::new(format!("`{first}` and `{key}` exclude each other")));
        }
        given = Some((unit, key, json));
    }
    Ok(given)
}

impl Span {
    pub(super) fn take(keys: Keys, params: &mut Params) -> Result<Option<Self>, Fault> {
        let Some((unit, key, json)) = one_of(keys, params)? else { return Ok(None) };
        let mut inner = Params::nested(key, json)?;
        let mut end = |name| {
            let json = inner.take(name);
            unit.read(&format!("{key}.{name}"), &inner.required(name, json)?)
        };
        let (start, stop) = (end("start")?, end("stop")?);
        inner.finish()?;
        let ordered = match (&start, &stop) {
            (Sql::Integer(a), Sql::Integer(b)) => a <= b,
            (Sql::Real(a), Sql::Real(b)) => a <= b,
            _ => true,
        };
        if !ordered {
            return Err(Fault::new(format!("`{key}` stops before it starts")));
        }
        Ok(Some(Self { unit, start, stop }))
    }
}

impl Moment {
    fn take(params: &mut Params) -> Result<Option<Self>, Fault> {
        let Some((unit, key, json)) = one_of(MOMENT, params)? else { return Ok(None) };
        Ok(Some(Self { unit, at: unit.read(key, &json)? }))
    }
}

impl Unit {
    /// As `_range_type` has it.
    pub(crate) fn number(self) -> i64 {
        match self {
            Unit::Frames => 1,
            Unit::Fraction => 2,
            Unit::Offset => 3,
        }
    }

    pub(crate) fn numbered(number: i64) -> Option<Self> {
        [Unit::Frames, Unit::Fraction, Unit::Offset].into_iter().find(|u| u.number() == number)
    }

    /// The column of a frame that was placed so.
    fn column(self) -> &'static str {
        match self {
            Unit::Frames => "frame_number",
            Unit::Fraction => "time_fraction",
            Unit::Offset => "time_offset",
        }
    }

    fn read(self, key: &str, json: &Json) -> Result<Sql, Fault> {
        let (read, expected) = match self {
            Unit::Frames => (
                json.as_i64().filter(|n| *n >= 0).map(Sql::Integer),
                "a frame's number, counted from 0",
            ),
            Unit::Fraction => (
                json.as_f64().filter(|x| (0.0..=1.0).contains(x)).map(Sql::Real),
                "a number from 0 to 1",
            ),
            Unit::Offset => (
                json.as_str().and_then(offset_micros).map(Sql::Integer),
                "a time such as \"00:01:05.250000\"",
            ),
        };
        read.ok_or_else(|| Fault::new(format!("`{key}` must be {expected}, not {}", brief(json))))
    }
}

/// Microseconds of `hh:mm:ss`, with or without a fraction.
pub(super) fn offset_micros(text: &str) -> Option<i64> {
    let digits = |text: &str, least: usize, most: usize| {
        let fits = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let mut parts = text.split(':');
    let (hours, minutes, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (seconds, fraction) = match rest.split_once('.') {
        Some((seconds, fraction)) => {
            (seconds, digits(fraction, 1, 6)? * 10_i64.pow(6 - fraction.len() as u32))
        }
        None => (rest, 0),
    };
    let below_sixty = |text| digits(text, 1, 2).filter(|n| *n < 60);
    let minutes = digits(hours, 1, 6)? * 60 + below_sixty(minutes)?;
    Some((minutes * 60 + below_sixty(seconds)?) * 1_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_to_the_microsecond() {
        assert_eq!(offset_micros("00:01:05"), Some(65_000_000));
        assert_eq!(offset_micros("01:00:00.25"), Some(3_600_250_000));
        for text in ["", "5", "00:61:00", "00:00:01.", "-1:00:00", "00:00:00:00", "a:b:c"] {
            assert_eq!(offset_micros(text), None, "{text}");
        }
    }

    #[test]
    fn rings_that_cross_or_nest_are_told() {
        let check = |rings: &[&[Corner]]| {
            Polygons { rings: rings.iter().map(|r| r.to_vec()).collect() }.check()
        };
        let square = |x: f32, y: f32, side: f32| {
            vec![[x, y], [x + side, y], [x + side, y + side], [x, y + side]]
        };
        let (large, right, small) =
            (square(0.0, 0.0, 10.0), square(10.0, 0.0, 10.0), square(2.0, 2.0, 3.0));
        assert!(check(&[&large]).is_ok());
        assert!(check(&[&large, &right]).is_ok(), "they only touch");
        assert!(check(&[&large, &small]).is_err(), "one in the other");
        assert!(check(&[&large, &square(5.0, 5.0, 10.0)]).is_err(), "they cross");
        assert!(check(&[&[[0.0, 0.0], [10.0, 8.0], [10.0, 0.0], [0.0, 10.0]]]).is_err());
        assert!(check(&[&[[0.0, 0.0], [5.0, 5.0], [10.0, 10.0]]]).is_err(), "a line");
        let closed = [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 0.0]];
        assert!(check(&[&closed]).is_ok(), "the first corner again");
    }
}
