//! People who do not exist: what stays from picture to picture, and what changes.

use fastrand::Rng;

use super::Drawn;
use crate::attributes::Attributes;

/// What changes from picture to picture; all else is the person's.
const PASSING: [&str; 13] = [
    "Blurry",
    "Eyeglasses",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Mouth_Slightly_Open",
    "Narrow_Eyes",
    "Rosy_Cheeks",
    "Smiling",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
];

/// One of these at most.
const HAIR: [&str; 5] = ["Bald", "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"];

pub(super) struct Person {
    attributes: [bool; 40],
    centre: Vec<f32>,
    looks: u64,
}

impl Person {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut attributes = Attributes::SHARES.map(|share| rng.f64() < share);
        // Drawn again from one throw, since a head has one colour of hair.
        let mut throw = rng.f64();
        for name in HAIR {
            let at = place(name);
            let share = Attributes::SHARES[at];
            attributes[at] = (0.0..share).contains(&throw);
            throw -= share;
        }
        // No_Beard and its contraries.
        for name in ["5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns"] {
            attributes[place(name)] &= !attributes[place("No_Beard")];
        }
        Self { attributes, centre: unit(&mut rng), looks: seed }
    }

    /// The person on one more picture.
    pub(super) fn photographed(&self, rng: &mut Rng) -> Drawn {
        let mut attributes = self.attributes;
        for name in PASSING {
            let at = place(name);
            attributes[at] = rng.f64() < Attributes::SHARES[at];
        }
        // Within some pixels of where CelebA's alignment puts them.
        let mut near = |x: f64, y: f64| (x + rng.f64() * 0.02, y + rng.f64() * 0.02);
        let points = [
            near(0.38, 0.50),
            near(0.60, 0.50),
            near(0.49, 0.61),
            near(0.40, 0.69),
            near(0.58, 0.69),
        ];
        Drawn { attributes: Attributes::from_values(attributes), points, looks: self.looks }
    }

    /// A unit vector whose cosine with others of this person is about 0.7, as FaceNet's of one
    /// person are, and with other people's about 0.
    pub(super) fn vector(&self, rng: &mut Rng) -> Vec<f32> {
        let noise = unit(rng);
        scaled(self.centre.iter().zip(noise).map(|(c, n)| 0.84 * c + 0.54 * n).collect())
    }
}

impl Drawn {
    /// A unit vector that lies the nearer to another's, the more attributes they share.
    pub(super) fn vector(&self, rng: &mut Rng) -> Vec<f32> {
        let mut sum = unit(rng);
        for (at, yes) in self.attributes.values().into_iter().enumerate() {
            let mut own = Rng::with_seed(at as u64 * 2 + u64::from(yes));
            for (to, component) in sum.iter_mut().zip(unit(&mut own)) {
                *to += 0.3 * component;
            }
        }
        scaled(sum)
    }
}

fn place(name: &str) -> usize {
    // All names above stand in the table.
    Attributes::NAMES.iter().position(|known| *known == name).unwrap_or_default()
}

/// In any direction alike: components are normally distributed, nearly, as sums of four are.
fn unit(rng: &mut Rng) -> Vec<f32> {
    scaled((0..512).map(|_| (0..4).map(|_| rng.f32()).sum::<f32>() - 2.0).collect())
}

fn scaled(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|c| c * c).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|c| *c /= length);
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn pictures_of_one_person_lie_together() {
        let mut rng = Rng::with_seed(7);
        let (ada, bob) = (Person::new(1), Person::new(2));
        let (one, other, far) = (ada.vector(&mut rng), ada.vector(&mut rng), bob.vector(&mut rng));
        assert!((cosine(&one, &other) - 0.7).abs() < 0.1, "{}", cosine(&one, &other));
        assert!(cosine(&one, &far).abs() < 0.2, "{}", cosine(&one, &far));
    }

    #[test]
    fn every_name_is_in_the_table() {
        for name in PASSING.iter().chain(&HAIR).chain(&["No_Beard", "Goatee", "Sideburns"]) {
            assert!(Attributes::NAMES.contains(name), "{name}");
        }
    }

    #[test]
    fn attributes_are_as_frequent_as_in_the_data_set() {
        let people = 4000;
        let mut counts = [0_u32; 40];
        for seed in 0..people {
            let face = Person::new(seed).photographed(&mut Rng::with_seed(seed + 1_000_000));
            for (count, yes) in counts.iter_mut().zip(face.attributes.values()) {
                *count += u32::from(yes);
            }
        }
        for ((count, share), name) in counts.iter().zip(Attributes::SHARES).zip(Attributes::NAMES) {
            // Beards are thinned out by `No_Beard`.
            if ["5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns"].contains(&name) {
                continue;
            }
            let found = f64::from(*count) / people as f64;
            assert!((found - share).abs() < 0.03, "{name}: {found} for {share}");
        }
    }
}
