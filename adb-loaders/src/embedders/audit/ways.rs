//! Ways to prepare a picture that are known to be used, whether they are meant or not.

use std::fmt;

use super::super::{Channels, Filter, Preprocess, Resize};

/// How a picture is prepared, next to what its bundle says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Way {
    /// How it is scaled.
    pub scaling: Scaling,
    /// The other order of channels: BGR where the bundle says RGB.
    pub other_channels: bool,
    /// What becomes of the bytes.
    pub numbers: Numbers,
}

/// How a picture is scaled to the square that a graph takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scaling {
    /// As the bundle says.
    Own,
    /// All of it is squashed into the square.
    Squashed,
    /// Its shorter edge gets the square's length, and the square is cut from the middle.
    Cropped,
    /// The largest face is found, cut out, and scaled; where there is none, the whole picture.
    Face,
}

/// How bytes become a graph's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Numbers {
    /// As the bundle says.
    Own,
    /// Mean and deviation of ImageNet: 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225.
    ImageNet,
    /// Mean and deviation of CLIP: 0.481, 0.458, 0.408 and 0.269, 0.261, 0.276.
    Clip,
    /// From −1 to 1.
    Symmetric,
    /// From 0 to 1: nothing is subtracted.
    Unit,
    /// From 0 to 255: not even divided.
    Bytes,
}

impl Numbers {
    const ALL: [Numbers; 6] = [
        Numbers::Own,
        Numbers::ImageNet,
        Numbers::Clip,
        Numbers::Symmetric,
        Numbers::Unit,
        Numbers::Bytes,
    ];

    /// Mean and deviation of values from 0 to 1.
    fn mean_and_std(self) -> Option<([f32; 3], [f32; 3])> {
        match self {
            Numbers::Own => None,
            Numbers::ImageNet => Some(([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])),
            Numbers::Clip => Some((
                [0.481_454_66, 0.457_827_5, 0.408_210_73],
                [0.268_629_54, 0.261_302_6, 0.275_777_1],
            )),
            Numbers::Symmetric => Some(([0.5; 3], [0.5; 3])),
            Numbers::Unit => Some(([0.0; 3], [1.0; 3])),
            Numbers::Bytes => Some(([0.0; 3], [1.0 / 255.0; 3])),
        }
    }
}

impl Way {
    /// As the bundle says.
    pub const OWN: Way =
        Way { scaling: Scaling::Own, other_channels: false, numbers: Numbers::Own };

    /// As the bundle says, of a face that its detector finds.
    pub const FACE: Way = Way { scaling: Scaling::Face, ..Way::OWN };

    /// Whether the bundle's own embedder makes vectors so.
    pub(super) fn is_own(self) -> bool {
        self == Way::OWN || self == Way::FACE
    }

    /// All of them, but for those that come to the same with this bundle; the bundle's own first.
    pub(super) fn all(own: &Preprocess) -> Vec<(Way, Preprocess)> {
        let mut ways: Vec<(Way, Preprocess)> = Vec::new();
        for numbers in Numbers::ALL {
            for other_channels in [false, true] {
                for scaling in [Scaling::Own, Scaling::Squashed, Scaling::Cropped] {
                    let way = Way { scaling, other_channels, numbers };
                    let steps = way.applied(own);
                    if !ways.iter().any(|(_, known)| same(known, &steps)) {
                        ways.push((way, steps));
                    }
                }
            }
        }
        ways
    }

    fn applied(self, own: &Preprocess) -> Preprocess {
        let mut steps = own.clone();
        let filter = own.resize.as_ref().map_or(Filter::Bicubic, |resize| resize.filter);
        match self.scaling {
            // What is cut out is scaled as the bundle says.
            Scaling::Own | Scaling::Face => {}
            Scaling::Squashed => steps.resize = Some(Resize::exact(own.center_crop, filter)),
            Scaling::Cropped => steps.resize = Some(Resize::shortest_edge(own.center_crop, filter)),
        }
        if self.other_channels {
            steps.channels = match own.channels {
                Channels::Rgb => Channels::Bgr,
                Channels::Bgr => Channels::Rgb,
            };
        }
        if let Some((mean, std)) = self.numbers.mean_and_std() {
            (steps.mean, steps.std, steps.standardize) = (Some(mean), Some(std), false);
        }
        steps
    }
}

/// Whether two bundles' numbers are the same, written with more digits or fewer.
fn same(a: &Preprocess, b: &Preprocess) -> bool {
    let near = |a: Option<[f32; 3]>, b: Option<[f32; 3]>| match (a, b) {
        (Some(a), Some(b)) => a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3),
        (a, b) => a == b,
    };
    near(a.mean, b.mean)
        && near(a.std, b.std)
        && Preprocess { mean: b.mean, std: b.std, ..a.clone() } == *b
}

/// As the end of "made by …, …".
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Way::OWN {
            return f.write_str("prepared as its bundle says");
        }
        let mut parts = Vec::new();
        match self.scaling {
            Scaling::Own => {}
            Scaling::Squashed => parts.push("squashed to a square"),
            Scaling::Cropped => parts.push("scaled to the square's length and cropped"),
            Scaling::Face => parts.push("prepared as its bundle says, of the largest face"),
        }
        if self.other_channels {
            parts.push("with red and blue swapped (BGR for RGB)");
        }
        match self.numbers {
            Numbers::Own => {}
            Numbers::ImageNet => parts.push("with the mean and deviation of ImageNet"),
            Numbers::Clip => parts.push("with the mean and deviation of CLIP"),
            Numbers::Symmetric => parts.push("with values from −1 to 1"),
            Numbers::Unit => parts.push("with values from 0 to 1, no mean subtracted"),
            Numbers::Bytes => parts.push("with values from 0 to 255"),
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedders::Layout;

    #[test]
    fn each_way_is_another_and_the_bundle_s_own_comes_first() {
        let own = Preprocess {
            orient: false,
            resize: Some(Resize::shortest_edge(224, Filter::Bicubic)),
            center_crop: 224,
            mean: Some([0.481, 0.458, 0.408]),
            std: Some([0.269, 0.261, 0.276]),
            standardize: false,
            channels: Channels::Rgb,
            layout: Layout::Nchw,
        };
        let ways = Way::all(&own);
        assert_eq!(ways[0], (Way::OWN, own.clone()));
        // CLIP's numbers are its own.
        assert_eq!(ways.len(), 5 * 2 * 2);
        for (i, (_, steps)) in ways.iter().enumerate() {
            steps.check().unwrap();
            assert!(ways[..i].iter().all(|(_, other)| other != steps));
        }
        let squashed = Way { scaling: Scaling::Squashed, ..Way::OWN }.applied(&own);
        assert_eq!(squashed.resize, Some(Resize::exact(224, Filter::Bicubic)));
        let back = Way { scaling: Scaling::Cropped, ..Way::OWN }.applied(&squashed);
        assert_eq!(back, own);
    }
}
