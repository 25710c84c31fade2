//! Where parts of images and videos lie.

use serde_json::{Value as Json, json};

use crate::{
    Wrong,
    body::{Body, required},
    state::Kind,
    value::Value,
};

/// A place in an image or a video.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// x, y, width, height, as they were sent.
    Rect([Json; 4]),
    Rings(Vec<Vec<[f32; 2]>>),
    /// A stretch, both ends in it.
    Span(Unit, Value, Value),
    Moment(Unit, Value),
}

/// How a video is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Frames,
    Fraction,
    Offset,
}

const UNITS: [(Unit, &str); 3] = [
    (Unit::Frames, "frame_number"),
    (Unit::Offset, "time_offset"),
    (Unit::Fraction, "time_fraction"),
];

impl Unit {
    pub(crate) fn number(self) -> i64 {
        match self {
            Unit::Frames => 1,
            Unit::Fraction => 2,
            Unit::Offset => 3,
        }
    }

    fn read(self, json: &Json) -> Result<Value, Wrong> {
        let read = match self {
            Unit::Frames => json.as_i64().filter(|n| *n >= 0).map(Value::Int),
            Unit::Fraction => json.as_f64().filter(|x| (0.0..=1.0).contains(x)).map(Value::Float),
            Unit::Offset => json.as_str().and_then(micros).map(Value::Int),
        };
        read.ok_or_else(|| Wrong::new(format!("{json} is no place in a video")))
    }

    /// As answers show a measure of this unit.
    pub(crate) fn show(self, at: &Value) -> Json {
        match (self, at) {
            (Unit::Offset, Value::Int(micros)) => {
                let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
                let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
                json!(format!("{hours:02}:{minutes:02}:{:02}.{rest:06}", seconds % 60))
            }
            _ => at.show(),
        }
    }
}

/// `hh:mm:ss` with up to six digits of a fraction.
fn micros(text: &str) -> Option<i64> {
    let mut parts = text.split(':').collect::<Vec<_>>();
    let (seconds, fraction) = match parts.pop()?.split_once('.') {
        Some((seconds, fraction)) if (1..=6).contains(&fraction.len()) => {
            (seconds, format!("{fraction:0<6}"))
        }
        Some(_) => return None,
        None => (*text.rsplit(':').collect::<Vec<_>>().first()?, "0".to_owned()),
    };
    parts.push(seconds);
    let [hours, minutes, seconds] = parts[..] else { return None };
    let number = |text: &str, most: usize| {
        let digits =
            !text.is_empty() && text.len() <= most && text.chars().all(|c| c.is_ascii_digit());
        if digits { text.parse::<i64>().ok() } else { None }
    };
    let below_sixty = |text| number(text, 2).filter(|n| *n < 60);
    let seconds = number(hours, 6)? * 3600 + below_sixty(minutes)? * 60 + below_sixty(seconds)?;
    Some(seconds * 1_000_000 + number(&fraction, 6)?)
}

impl Place {
    /// What gives a place to a command about this kind.
    pub(crate) fn take(kind: Kind, body: &mut Body) -> Result<Option<Self>, Wrong> {
        match kind {
            Kind::BoundingBox => Ok(rectangle("rectangle", body)?.map(Place::Rect)),
            Kind::Polygon => body.take("polygons").map(|json| rings(&json)).transpose(),
            Kind::Clip => span("", body),
            Kind::Frame => {
                let Some((unit, json)) = one_of("", "", body)? else { return Ok(None) };
                Ok(Some(Place::Moment(unit, unit.read(&json)?)))
            }
            _ => Ok(None),
        }
    }

    /// x, y, width, height: a polygon's are those of the box around it.
    pub(crate) fn extent(&self) -> Option<[f64; 4]> {
        match self {
            Place::Rect(sides) => Some(sides.each_ref().map(|n| n.as_f64().unwrap_or_default())),
            Place::Rings(rings) => {
                let range = |axis: usize| {
                    let all = rings.iter().flatten().map(|corner| f64::from(corner[axis]));
                    let low = all.clone().fold(f64::INFINITY, f64::min);
                    (low, all.fold(f64::NEG_INFINITY, f64::max) - low)
                };
                let ((x, width), (y, height)) = (range(0), range(1));
                Some([x, y, width, height])
            }
            _ => None,
        }
    }

    pub(crate) fn area(&self) -> Option<f64> {
        match self {
            Place::Rect(_) => self.extent().map(|[_, _, width, height]| width * height),
            Place::Rings(rings) => Some(rings.iter().map(|ring| area(ring)).sum()),
            _ => None,
        }
    }

    /// Whether it lies wholly in another one, of the same unit.
    pub(crate) fn lies_in(&self, outer: &Place) -> bool {
        let within = |from: &Value, to: &Value, start: &Value, stop: &Value| {
            from.order(start).is_ge() && to.order(stop).is_le()
        };
        match (self, outer) {
            (Place::Span(unit, from, to), Place::Span(other, start, stop)) => {
                unit == other && within(from, to, start, stop)
            }
            (Place::Moment(unit, at), Place::Span(other, start, stop)) => {
                unit == other && within(at, at, start, stop)
            }
            _ => match (self.extent(), outer.extent()) {
                (Some([x, y, w, h]), Some([ox, oy, ow, oh])) => {
                    x >= ox && y >= oy && x + w <= ox + ow && y + h <= oy + oh
                }
                _ => false,
            },
        }
    }
}

/// The one that is given of the three ways to measure a video.
fn one_of(before: &str, after: &str, body: &mut Body) -> Result<Option<(Unit, Json)>, Wrong> {
    let mut given = None;
    for (unit, name) in UNITS {
        let Some(json) = body.take(&format!("{before}{name}{after}")) else { continue };
        if given.replace((unit, json)).is_some() {
            return Err(Wrong::new("a place is measured in one way"));
        }
    }
    Ok(given)
}

/// A stretch: `before` is what stands before the names of its parameters.
pub(crate) fn span(before: &str, body: &mut Body) -> Result<Option<Place>, Wrong> {
    let Some((unit, json)) = one_of(before, "_range", body)? else { return Ok(None) };
    let mut ends = Body::new(json)?;
    let start = unit.read(&required(ends.take("start"), "start")?)?;
    let stop = unit.read(&required(ends.take("stop"), "stop")?)?;
    ends.end()?;
    if start.order(&stop).is_gt() {
        return Err(Wrong::new("it stops before it starts"));
    }
    Ok(Some(Place::Span(unit, start, stop)))
}

pub(crate) fn rectangle(key: &str, body: &mut Body) -> Result<Option<[Json; 4]>, Wrong> {
    let Some(json) = body.take(key) else { return Ok(None) };
    let mut inner = Body::new(json)?;
    let mut side = |name: &str| required(inner.number(name)?, name);
    let sides = [side("x")?, side("y")?, side("width")?, side("height")?];
    inner.end()?;
    let positive = |json: &Json| json.as_f64().is_some_and(|x| x > 0.0);
    if !positive(&sides[2]) || !positive(&sides[3]) {
        return Err(Wrong::new("a rectangle has a width and a height"));
    }
    Ok(Some(sides))
}

fn rings(json: &Json) -> Result<Place, Wrong> {
    let corner = |json: &Json| -> Option<[f32; 2]> {
        let [x, y] = json.as_array()?.as_slice() else { return None };
        let finite = |json: &Json| json.as_f64().map(|x| x as f32).filter(|x| x.is_finite());
        Some([finite(x)?, finite(y)?])
    };
    let ring = |json: &Json| -> Option<Vec<[f32; 2]>> {
        let ring: Vec<_> = json.as_array()?.iter().map(corner).collect::<Option<_>>()?;
        (ring.len() >= 3).then_some(ring)
    };
    let rings: Option<Vec<_>> = json.as_array().and_then(|all| all.iter().map(ring).collect());
    let rings = rings.filter(|rings| !rings.is_empty());
    let rings = rings.ok_or_else(|| Wrong::new("polygons are rings of three [x, y] or more"))?;
    let sides: Vec<_> = rings
        .iter()
        .flat_map(|ring| ring.iter().zip(ring.iter().cycle().skip(1)).map(|(a, b)| (*a, *b)))
        .collect();
    let crossing = sides.iter().any(|a| sides.iter().any(|b| cross(*a, *b)));
    let nested = rings.iter().enumerate().any(|(i, inner)| {
        let inside = |(j, outer): (usize, &Vec<[f32; 2]>)| {
            i != j && inner.iter().all(|corner| surrounds(outer, *corner))
        };
        rings.iter().enumerate().any(inside)
    });
    if crossing || nested || rings.iter().any(|ring| area(ring) == 0.0) {
        return Err(Wrong::new("rings neither cross nor lie in one another, and have an area"));
    }
    Ok(Place::Rings(rings))
}

type Side = ([f32; 2], [f32; 2]);

/// Twice the area of the triangle; its sign says which way it turns.
fn turn(a: [f32; 2], b: [f32; 2], c: [f32; 2]) -> f64 {
    let [ax, ay, bx, by, cx, cy] = [a[0], a[1], b[0], b[1], c[0], c[1]].map(f64::from);
    (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
}

fn cross((a, b): Side, (c, d): Side) -> bool {
    turn(a, b, c) * turn(a, b, d) < 0.0 && turn(c, d, a) * turn(c, d, b) < 0.0
}

fn area(ring: &[[f32; 2]]) -> f64 {
    let fan = ring.windows(2).map(|pair| turn(ring[0], pair[0], pair[1]));
    fan.sum::<f64>().abs() / 2.0
}

/// Whether a ring goes round a point that is not on it.
fn surrounds(ring: &[[f32; 2]], [x, y]: [f32; 2]) -> bool {
    let mut winding = 0;
    for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let side = turn(*a, *b, [x, y]);
        let between = |i: usize, v: f32| a[i].min(b[i]) <= v && v <= a[i].max(b[i]);
        if side == 0.0 && between(0, x) && between(1, y) {
            return false;
        }
        if a[1] <= y && b[1] > y && side > 0.0 {
            winding += 1;
        } else if a[1] > y && b[1] <= y && side < 0.0 {
            winding -= 1;
        }
    }
    winding != 0
}
