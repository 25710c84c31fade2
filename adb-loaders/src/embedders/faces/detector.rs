//! The three nets, one after the other.

use std::{fmt, sync::Arc};

use adb_model::{EmbedError, Pixels};

use super::{
    DetectorSpec, Face, FaceFinder, Landmarks,
    boxes::{Candidate, Share, suppress},
    sampling::{patch, shrink},
};
use crate::embedders::{
    Bundle, Cache, Device, Error, Runtime,
    session::{Feed, GraphRunner, Opening, Values},
};

/// Side of the window that the first net looks at, in pixels, and its step.
const WINDOW: f32 = 12.0;
const STEP: f32 = 2.0;
/// Sides of what the second and the third net look at.
const REFINED: usize = 24;
const FINAL: usize = 48;
/// Numbers that come out of them for each picture: score, four edges, and five points.
const OF_REFINEMENT: usize = 5;
const OF_OUTPUT: usize = 15;

/// Pixels of the largest picture that the first net sees: its layers take 40 times as many bytes.
/// Of a larger photo only a smaller copy is looked at, and so the smallest faces are missed.
const MOST_PIXELS: f64 = (2 << 20) as f64;
/// Boxes that are looked at further, best first: of each size of the picture, and of all together.
/// In a photo there are hundreds.
const MOST_CANDIDATES: usize = 4096;
/// Patches that a net takes at once.
const PATCHES_AT_ONCE: usize = 128;

/// How much of a box a better one may cover: within a size of the picture, among all, at the end
/// (of the smaller box). As in the reference.
const OVERLAP_WITHIN: f32 = 0.5;
const OVERLAP_AMONG: f32 = 0.7;
const OVERLAP_OF_FACES: f32 = 0.7;

/// Finds faces in pictures, by the nets of a bundle.
///
/// Equal pictures give equal faces in the same order, on one machine and run time. It is shared by
/// threads.
///
/// ```no_run
/// use adb_loaders::embedders::{Bundle, Cache, FaceDetector};
///
/// # fn example(pixels: &adb_model::Pixels) -> Result<(), Box<dyn std::error::Error>> {
/// let cache = Cache::from_env()?;
/// let bundle = cache.bundle("facenet-128")?.ok_or("build it: tools/models/facenet.py")?;
/// for face in FaceDetector::open(&bundle, &cache)?.detect(pixels)? {
///     println!("{:?}, {:.2} sure", face.rect(), face.score);
/// }
/// # Ok(())
/// # }
/// ```
pub struct FaceDetector {
    name: String,
    spec: FaceFinder,
    proposals: Net,
    refinement: Net,
    output: Net,
}

struct Net {
    runner: GraphRunner,
    input: String,
    output: String,
}

impl fmt::Debug for FaceDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaceDetector")
            .field("bundle", &self.name)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl FaceDetector {
    /// Loads the detector of a bundle; `cache` is where ONNX Runtime's library is looked for.
    ///
    /// # Errors
    /// When the bundle has none, the run time can't be had, a file is damaged, or a graph does not
    /// fit.
    pub fn open(bundle: &Bundle, cache: &Cache) -> Result<Arc<Self>, Error> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let opening = Opening { device: Device::default(), sessions: 1, threads };
        Self::open_on(bundle, cache, opening)
    }

    pub(in crate::embedders) fn open_on(
        bundle: &Bundle,
        cache: &Cache,
        opening: Opening,
    ) -> Result<Arc<Self>, Error> {
        let faces = bundle.manifest().image.as_ref().and_then(|tower| tower.faces.clone());
        let Some(spec) = faces else {
            return Err(Error::bundle(
                bundle.dir(),
                "it has no face detector; `python3 tools/models/facenet.py` builds a bundle that has one",
            ));
        };
        let runtime = Runtime::start(cache)?;
        let net = |file: &str| -> Result<Net, Error> {
            let path = bundle.verified(file)?;
            let runner = GraphRunner::open(runtime, &path, opening)
                .map_err(|e| Error::bundle(&path, format!("this graph can't be loaded: {e}")))?;
            let only = |ports: &[crate::embedders::session::Port], what: &str| match ports {
                [port] => Ok(port.name.clone()),
                ports => Err(Error::bundle(
                    &path,
                    format!("this graph has {} {what}, and a face detector's has one", ports.len()),
                )),
            };
            let (input, output) =
                (only(&runner.inputs, "inputs")?, only(&runner.outputs, "outputs")?);
            Ok(Net { runner, input, output })
        };
        let DetectorSpec::Mtcnn { proposals, refinement, output, .. } = &spec.detector;
        Ok(Arc::new(Self {
            name: bundle.identity().name.clone(),
            proposals: net(proposals)?,
            refinement: net(refinement)?,
            output: net(output)?,
            spec,
        }))
    }

    /// The faces in a picture, the largest first.
    ///
    /// Blocks. Takes memory for the picture's pixels four times over, at most for 2 million of
    /// them, and at most 100 MB beside that: in a larger picture small faces are missed, the more
    /// the larger it is.
    ///
    /// # Errors
    /// When inference fails.
    pub fn detect(&self, picture: &Pixels) -> Result<Vec<Face>, EmbedError> {
        let DetectorSpec::Mtcnn { thresholds, .. } = self.spec.detector;
        let bytes = picture.width as usize * picture.height as usize * 3;
        if bytes == 0 || picture.rgb.len() != bytes {
            return Err(EmbedError::Unreadable(format!(
                "{} bytes are no picture of {} × {} pixels",
                picture.rgb.len(),
                picture.width,
                picture.height
            )));
        }
        let boxes = self.propose(picture, thresholds[0])?;
        let boxes = self.refine(picture, &boxes, thresholds[1])?;
        let mut faces = self.finish(picture, &boxes, thresholds[2])?;
        // They come best first, and this keeps the order of equals.
        faces.sort_by(|a, b| b.area().total_cmp(&a.area()));
        Ok(faces)
    }

    fn propose(&self, picture: &Pixels, threshold: f32) -> Result<Vec<Candidate>, EmbedError> {
        let mut all = Vec::new();
        let DetectorSpec::Mtcnn { smallest, factor, .. } = self.spec.detector;
        for scale in scales(picture.width, picture.height, smallest, factor) {
            let scaled = |edge: u32| (f64::from(edge) * scale) as usize;
            let (width, height) = (scaled(picture.width), scaled(picture.height));
            let values = shrink(picture, width, height);
            let (shape, found) = self.run(&self.proposals, [1, 3, height, width], values)?;
            let &[1, 5, rows, columns] = shape.as_slice() else {
                return Err(self.misfit(&shape, "1 × 5 × rows × columns"));
            };
            // Shapes of what came out are its length, so they fit.
            let (columns, places) = (columns as usize, (rows * columns) as usize);
            let near = (0..places).filter(|place| found[*place] > threshold);
            let boxes = near.map(|place| {
                let (x, y) = ((place % columns) as f32 * STEP, (place / columns) as f32 * STEP);
                let by = |edge: usize| found[(edge + 1) * places + place] * WINDOW;
                let back = |edge: f32| (f64::from(edge) / scale) as f32;
                Candidate {
                    left: back(x + by(0)),
                    top: back(y + by(1)),
                    right: back(x + WINDOW + by(2)),
                    bottom: back(y + WINDOW + by(3)),
                    score: found[place],
                }
            });
            let boxes = boxes.filter(Candidate::is_sound).collect();
            all.extend(suppress(boxes, MOST_CANDIDATES, OVERLAP_WITHIN, Share::OfUnion, |c| c));
        }
        Ok(suppress(all, MOST_CANDIDATES, OVERLAP_AMONG, Share::OfUnion, |c| c))
    }

    fn refine(
        &self,
        picture: &Pixels,
        boxes: &[Candidate],
        threshold: f32,
    ) -> Result<Vec<Candidate>, EmbedError> {
        let looked_at = self.look(picture, boxes, &self.refinement, REFINED, OF_REFINEMENT)?;
        let moved = looked_at
            .iter()
            .filter(|(_, said)| said[0] > threshold)
            .map(|(square, said)| square.moved([said[1], said[2], said[3], said[4]], said[0]))
            .filter(Candidate::is_sound)
            .collect();
        Ok(suppress(moved, MOST_CANDIDATES, OVERLAP_AMONG, Share::OfUnion, |c| c))
    }

    fn finish(
        &self,
        picture: &Pixels,
        boxes: &[Candidate],
        threshold: f32,
    ) -> Result<Vec<Face>, EmbedError> {
        let looked_at = self.look(picture, boxes, &self.output, FINAL, OF_OUTPUT)?;
        let moved = looked_at
            .iter()
            .filter(|(_, said)| said[0] > threshold)
            .map(|(square, said)| {
                let moved = square.moved([said[1], said[2], said[3], said[4]], said[0]);
                (moved, landmarks(square, &said[OF_REFINEMENT..]))
            })
            .filter(|(moved, _)| moved.is_sound())
            .collect();
        let kept = suppress(moved, MOST_CANDIDATES, OVERLAP_OF_FACES, Share::OfSmaller, |(c, _)| c);
        let (right, bottom) = (picture.width as f32 - 1.0, picture.height as f32 - 1.0);
        let faces = kept.into_iter().map(|(found, landmarks)| Face {
            left: found.left.clamp(0.0, right),
            top: found.top.clamp(0.0, bottom),
            right: found.right.clamp(0.0, right),
            bottom: found.bottom.clamp(0.0, bottom),
            score: found.score,
            landmarks,
        });
        // One that lies outside of the picture is none.
        Ok(faces.filter(|face| face.area() > 0.0).collect())
    }

    /// What a net says of the squares around boxes: each square, and its numbers.
    fn look(
        &self,
        picture: &Pixels,
        boxes: &[Candidate],
        net: &Net,
        side: usize,
        numbers: usize,
    ) -> Result<Vec<(Candidate, Vec<f32>)>, EmbedError> {
        let mut all = Vec::with_capacity(boxes.len());
        for some in boxes.chunks(PATCHES_AT_ONCE) {
            let squares: Vec<Candidate> = some.iter().map(Candidate::square).collect();
            let mut values = Vec::with_capacity(squares.len() * 3 * side * side);
            squares.iter().for_each(|square| patch(picture, square, side, &mut values));
            let (shape, said) = self.run(net, [squares.len(), 3, side, side], values)?;
            if shape != [squares.len() as i64, numbers as i64] {
                return Err(self.misfit(&shape, &format!("{} × {numbers}", squares.len())));
            }
            all.extend(squares.into_iter().zip(said.chunks(numbers).map(<[f32]>::to_vec)));
        }
        Ok(all)
    }

    fn run(
        &self,
        net: &Net,
        shape: [usize; 4],
        values: Vec<f32>,
    ) -> Result<(Vec<i64>, Vec<f32>), EmbedError> {
        let shape = shape.map(|n| n as i64).to_vec();
        let feed = Feed { name: &net.input, shape, values: Values::F32(values) };
        net.runner.run(vec![feed], &net.output).map_err(|message| self.failed(message))
    }

    fn misfit(&self, shape: &[i64], wanted: &str) -> EmbedError {
        self.failed(format!(
            "a net of its face detector gave the shape {shape:?}, and {wanted} was expected; the bundle does not fit its graphs"
        ))
    }

    fn failed(&self, message: String) -> EmbedError {
        EmbedError::Inference { embedder: self.name.clone(), message }
    }
}

/// The sizes at which a picture is looked at, as parts of its own.
fn scales(width: u32, height: u32, smallest: u32, factor: f32) -> Vec<f64> {
    let (width, height) = (f64::from(width), f64::from(height));
    let first = f64::from(WINDOW) / f64::from(smallest);
    let first = first.min((MOST_PIXELS / (width * height)).sqrt());
    let shorter = width.min(height);
    std::iter::successors(Some(first), |scale| Some(scale * f64::from(factor)))
        .take_while(|scale| shorter * scale >= f64::from(WINDOW))
        .collect()
}

/// Five `x`, then five `y`, in parts of the square (which has one pixel more than its edges are
/// apart, and begins one before, as in the reference).
fn landmarks(square: &Candidate, said: &[f32]) -> Landmarks {
    let (width, height) = (square.right - square.left + 1.0, square.bottom - square.top + 1.0);
    let at =
        |i: usize| [said[i] * width + square.left - 1.0, said[i + 5] * height + square.top - 1.0];
    Landmarks {
        left_eye: at(0),
        right_eye: at(1),
        nose: at(2),
        mouth_left: at(3),
        mouth_right: at(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_looked_at_until_it_is_smaller_than_the_window() {
        // 60 pixels: 36, 25.5, 18.1, 12.8.
        let all = scales(100, 60, 20, 0.709);
        assert_eq!(all.len(), 4, "{all:?}");
        assert!((all[0] - 0.6).abs() < 1e-9);
        assert!(all.windows(2).all(|two| (two[1] / two[0] - 0.709).abs() < 1e-6));
        assert_eq!(scales(100, 19, 20, 0.709), [] as [f64; 0]);
        assert_eq!(scales(20, 20, 20, 0.709).len(), 1);
    }

    #[test]
    fn of_a_huge_picture_a_smaller_copy_is_looked_at() {
        for (width, height) in [(30_000, 8_000), (16_384, 16_384), (32_768, 300)] {
            let all = scales(width, height, 12, 0.9);
            let pixels = f64::from(width) * all[0] * f64::from(height) * all[0];
            assert!(pixels <= MOST_PIXELS + 1.0, "{pixels}");
            assert!(all.len() < 60, "{}", all.len());
        }
        // So long that nothing of it is as high as the window.
        assert_eq!(scales(32_768, 40, 20, 0.709).len(), 3);
        assert_eq!(scales(32_768, 12, 20, 0.709), [] as [f64; 0]);
    }
}
