//! Regions of pictures as shapes: how much two have in common, what is around them, what they are
//! made of.
//!
//! Rings may touch, neither crosses another and none lies in another, which is checked when they are
//! added; so what is inside is what is inside of one ring.

use i_overlay::{
    core::{fill_rule::FillRule, overlay_rule::OverlayRule},
    float::single::SingleFloatOverlay as _,
};
use i_triangle::float::triangulatable::Triangulatable as _;

/// x and y.
pub(crate) type Point = [f64; 2];
/// At least three corners; the last is joined to the first.
pub(crate) type Ring = Vec<Point>;

/// A region.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// x, y, width, height.
    Box([f64; 4]),
    Rings {
        rings: Vec<Ring>,
        /// The box around them.
        bounds: [f64; 4],
        area: f64,
    },
}

impl Shape {
    pub(crate) fn rings(rings: Vec<Ring>) -> Self {
        let range = |axis: usize| {
            rings.iter().flatten().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
                (low.min(point[axis]), high.max(point[axis]))
            })
        };
        let ((left, right), (top, bottom)) = (range(0), range(1));
        let area = rings.iter().map(|ring| area(ring)).sum();
        Shape::Rings { bounds: [left, top, right - left, bottom - top], area, rings }
    }

    fn bounds(&self) -> [f64; 4] {
        match self {
            Shape::Box(bounds) | Shape::Rings { bounds, .. } => *bounds,
        }
    }

    fn area(&self) -> f64 {
        match self {
            Shape::Box([_, _, width, height]) => width * height,
            Shape::Rings { area, .. } => *area,
        }
    }

    pub(crate) fn corners(&self) -> usize {
        match self {
            Shape::Box(_) => 4,
            Shape::Rings { rings, .. } => rings.iter().map(Vec::len).sum(),
        }
    }

    /// The rings; of a box only what lies within these bounds, since it may be of any size, and the
    /// grid on which shapes are laid over each other has to hold both.
    fn contours(&self, [left, top, width, height]: [f64; 4]) -> Vec<Ring> {
        match self {
            Shape::Rings { rings, .. } => rings.clone(),
            Shape::Box([x, y, w, h]) => {
                let (x0, x1) = (x.max(left), (x + w).min(left + width));
                let (y0, y1) = (y.max(top), (y + h).min(top + height));
                vec![vec![[x0, y0], [x1, y0], [x1, y1], [x0, y1]]]
            }
        }
    }
}

/// How much two regions have in common: the shared area by the area of both together.
pub(crate) fn overlap(a: &Shape, b: &Shape) -> f64 {
    let mut shared = shared_by_boxes(a.bounds(), b.bounds());
    if shared > 0.0 && !matches!((a, b), (Shape::Box(_), Shape::Box(_))) {
        let common = a.contours(b.bounds()).overlay_as::<i64>(
            &b.contours(a.bounds()),
            OverlayRule::Intersect,
            FillRule::EvenOdd,
        );
        shared = common
            .iter()
            // Holes turn the other way than what they are in.
            .map(|shape| shape.iter().map(|ring| signed_area(ring)).sum::<f64>().abs())
            .sum();
    }
    let either = a.area() + b.area() - shared;
    if either > 0.0 { (shared / either).clamp(0.0, 1.0) } else { 0.0 }
}

fn shared_by_boxes(a: [f64; 4], b: [f64; 4]) -> f64 {
    let shared = |i: usize| {
        let end = (a[i] + a[i + 2]).min(b[i] + b[i + 2]);
        (end - a[i].max(b[i])).max(0.0)
    };
    shared(0) * shared(1)
}

/// The area of a ring, above 0 in the one direction and below in the other.
fn signed_area(ring: &[Point]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>() / 2.0
}

pub(crate) fn area(ring: &[Point]) -> f64 {
    signed_area(ring).abs()
}

/// The convex hull of a ring, without corners that lie on its edges.
pub(crate) fn hull(ring: &[Point]) -> Ring {
    let mut points = ring.to_vec();
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    points.dedup();
    let turn = |a: Point, b: Point, c: Point| {
        (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    };
    let chain = |points: &mut dyn Iterator<Item = Point>| {
        let mut chain: Ring = Vec::new();
        for point in points {
            while let [.., a, b] = chain[..]
                && turn(a, b, point) <= 0.0
            {
                chain.pop();
            }
            chain.push(point);
        }
        // The other chain begins with it.
        chain.pop();
        chain
    };
    let mut hull = chain(&mut points.iter().copied());
    hull.extend(chain(&mut points.iter().rev().copied()));
    hull
}

/// Convex pieces that make up the rings, and don't overlap.
pub(crate) fn pieces(rings: &[Ring]) -> Vec<Ring> {
    rings
        .iter()
        .flat_map(|ring| {
            let mesh = [ring.clone()].triangulate_as::<i64>();
            mesh.into_delaunay().to_convex_polygons()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn square(x: f64, y: f64, side: f64) -> Ring {
        vec![[x, y], [x + side, y], [x + side, y + side], [x, y + side]]
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} for {b}");
    }

    #[test]
    fn boxes_are_exact() {
        let a = Shape::Box([0.0, 0.0, 2.0, 2.0]);
        assert_eq!(overlap(&a, &a), 1.0);
        assert_eq!(overlap(&a, &Shape::Box([1.0, 0.0, 2.0, 2.0])), 2.0 / 6.0);
        assert_eq!(overlap(&a, &Shape::Box([2.0, 0.0, 2.0, 2.0])), 0.0);
    }

    #[test]
    fn polygons_and_boxes() {
        let triangle = Shape::rings(vec![vec![[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]]);
        close(overlap(&triangle, &triangle), 1.0);
        // The box has 4, of which half lies beyond the long side.
        close(overlap(&triangle, &Shape::Box([2.0, 0.0, 2.0, 2.0])), 2.0 / (8.0 + 4.0 - 2.0));
        close(overlap(&Shape::Box([0.0, 0.0, 1.0, 1.0]), &triangle), 1.0 / 8.0);
        let turned = Shape::rings(vec![vec![[0.0, 4.0], [4.0, 0.0], [0.0, 0.0]]]);
        close(overlap(&triangle, &turned), 1.0);
        assert_eq!(overlap(&triangle, &Shape::Box([4.0, 0.0, 1.0, 1.0])), 0.0, "a corner");
        // Their boxes meet, they do not.
        let other = Shape::rings(vec![vec![[4.0, 4.0], [4.0, 1.0], [1.0, 4.0]]]);
        close(overlap(&triangle, &other), 0.0);
    }

    #[test]
    fn several_rings_count_together() {
        let two = Shape::rings(vec![square(0.0, 0.0, 2.0), square(4.0, 0.0, 2.0)]);
        close(overlap(&two, &Shape::Box([1.0, 0.0, 4.0, 2.0])), 4.0 / (8.0 + 8.0 - 4.0));
        let touching = Shape::rings(vec![square(0.0, 0.0, 2.0), square(2.0, 0.0, 2.0)]);
        close(overlap(&touching, &Shape::Box([0.0, 0.0, 4.0, 2.0])), 1.0);
    }

    #[test]
    fn shapes_that_are_hardly_any() {
        let line = Shape::rings(vec![vec![[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]]);
        let point = Shape::rings(vec![vec![[1.0, 1.0]; 3]]);
        let spiked = Shape::rings(vec![vec![
            [0.0, 0.0],
            [4.0, 0.0],
            [9.0, 0.0],
            [4.0, 0.0],
            [4.0, 4.0],
            [0.0, 4.0],
            [0.0, 0.0],
        ]]);
        let large = Shape::Box([0.0, 0.0, 4.0, 4.0]);
        for nothing in [&line, &point] {
            assert_eq!(overlap(nothing, nothing), 0.0);
            close(overlap(nothing, &large), 0.0);
        }
        close(overlap(&spiked, &large), 1.0);
        // A bow: what crosses itself can't be stored, and does not break this.
        let bow = Shape::rings(vec![vec![[0.0, 0.0], [4.0, 4.0], [4.0, 0.0], [0.0, 4.0]]]);
        assert!((0.0..=1.0).contains(&overlap(&bow, &large)));
        let huge = Shape::rings(vec![square(-1e38, -1e38, 2e38)]);
        close(overlap(&huge, &huge), 1.0);
        assert!((0.0..1e-6).contains(&overlap(&huge, &large)));
        let endless = Shape::Box([-1e308, -1e308, f64::MAX, f64::MAX]);
        for shape in [&huge, &spiked, &endless] {
            assert!((0.0..1e-6).contains(&overlap(&endless, shape)));
            assert!((0.0..1e-6).contains(&overlap(shape, &endless)));
        }
    }

    #[test]
    fn hulls_are_around_and_pieces_within() {
        // An L.
        let ring = vec![
            [0.0, 0.0],
            [4.0, 0.0],
            [4.0, 1.0],
            [1.0, 1.0],
            [1.0, 4.0],
            [0.0, 4.0],
            [0.0, 2.0],
        ];
        assert_eq!(hull(&ring), [[0.0, 0.0], [4.0, 0.0], [4.0, 1.0], [1.0, 4.0], [0.0, 4.0]]);
        let pieces = pieces(std::slice::from_ref(&ring));
        assert!(pieces.len() >= 2);
        close(pieces.iter().map(|piece| area(piece)).sum(), area(&ring));
        for piece in &pieces {
            close(area(&hull(piece)), area(piece));
        }
        assert_eq!(hull(&[[1.0, 1.0]; 3]), Vec::<Point>::new());
    }

    /// A star around a point: never crosses itself.
    fn star() -> impl Strategy<Value = Ring> {
        let radii = prop::collection::vec(0.2..10.0_f64, 3..12);
        (radii, -8.0..8.0_f64, -8.0..8.0_f64).prop_map(|(radii, x, y)| {
            let step = std::f64::consts::TAU / radii.len() as f64;
            let corner = |(i, r): (usize, &f64)| {
                let (sin, cos) = (step * i as f64).sin_cos();
                [f64::from((x + r * cos) as f32), f64::from((y + r * sin) as f32)]
            };
            radii.iter().enumerate().map(corner).collect()
        })
    }

    /// Whether a point lies in a ring, by counting edges to its right.
    fn inside(ring: &Ring, p: Point) -> bool {
        let edges = ring.iter().zip(ring.iter().cycle().skip(1));
        let crossed = edges.filter(|(a, b)| {
            (a[1] > p[1]) != (b[1] > p[1])
                && p[0] < (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) + a[0]
        });
        crossed.count() % 2 == 1
    }

    proptest! {
        // Counting points takes its time.
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn overlaps_are_those_that_counting_points_finds(a in star(), b in star()) {
            let (mut both, mut either) = (0.0, 0.0);
            for i in 0..240 {
                for j in 0..240 {
                    let p = [-18.0 + 0.15 * f64::from(i) + 0.01, -18.0 + 0.15 * f64::from(j) + 0.01];
                    let (in_a, in_b) = (inside(&a, p), inside(&b, p));
                    both += f64::from(in_a && in_b);
                    either += f64::from(in_a || in_b);
                }
            }
            let found = overlap(&Shape::rings(vec![a.clone()]), &Shape::rings(vec![b.clone()]));
            let other_way = overlap(&Shape::rings(vec![b]), &Shape::rings(vec![a]));
            prop_assert!((found - other_way).abs() < 1e-9);
            if either > 500.0 {
                prop_assert!((found - both / either).abs() < 0.1, "{found} for {}", both / either);
            }
        }

        #[test]
        fn pieces_make_up_their_ring(ring in star()) {
            let pieces = pieces(std::slice::from_ref(&ring));
            let sum: f64 = pieces.iter().map(|piece| area(piece)).sum();
            prop_assert!((sum - area(&ring)).abs() < 1e-3 * area(&ring), "{sum} for {}", area(&ring));
            for piece in &pieces {
                prop_assert!((area(&hull(piece)) - area(piece)).abs() < 1e-3 * area(&ring));
            }
        }
    }
}
