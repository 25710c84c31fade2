//! The 40 attributes: their names, and how often CelebA has them.

use adb::prelude::*;

/// Name in Rust, name in the data set and in the database, and the share of faces that have it
/// (counted over `list_attr_celeba.csv`, and published with the data set).
macro_rules! attributes {
    ($($field:ident $name:literal $share:literal,)*) => {
        /// What annotators saw.
        #[derive(Debug, Clone, PartialEq, Default, Properties)]
        pub(crate) struct Attributes {
            $(#[adb(rename = $name)] pub(crate) $field: bool,)*
        }

        impl Attributes {
            /// The data set's names, in its order.
            pub(crate) const NAMES: [&str; 40] = [$($name),*];
            /// The share of faces that have each.
            pub(crate) const SHARES: [f64; 40] = [$($share),*];

            /// From the values in the order of [`NAMES`](Self::NAMES).
            pub(crate) fn from_values(values: [bool; 40]) -> Self {
                let [$($field),*] = values;
                Self { $($field),* }
            }

            /// In the order of [`NAMES`](Self::NAMES).
            pub(crate) fn values(&self) -> [bool; 40] {
                [$(self.$field),*]
            }

            /// The names of those that the face has.
            pub(crate) fn shown(&self) -> Vec<&'static str> {
                Self::NAMES.into_iter().zip(self.values()).filter(|(_, yes)| *yes).map(|(name, _)| name).collect()
            }
        }
    };
}

attributes! {
    five_o_clock_shadow "5_o_Clock_Shadow" 0.111,
    arched_eyebrows "Arched_Eyebrows" 0.267,
    attractive "Attractive" 0.513,
    bags_under_eyes "Bags_Under_Eyes" 0.205,
    bald "Bald" 0.022,
    bangs "Bangs" 0.152,
    big_lips "Big_Lips" 0.241,
    big_nose "Big_Nose" 0.235,
    black_hair "Black_Hair" 0.239,
    blond_hair "Blond_Hair" 0.148,
    blurry "Blurry" 0.051,
    brown_hair "Brown_Hair" 0.205,
    bushy_eyebrows "Bushy_Eyebrows" 0.142,
    chubby "Chubby" 0.058,
    double_chin "Double_Chin" 0.047,
    eyeglasses "Eyeglasses" 0.065,
    goatee "Goatee" 0.063,
    gray_hair "Gray_Hair" 0.042,
    heavy_makeup "Heavy_Makeup" 0.387,
    high_cheekbones "High_Cheekbones" 0.455,
    male "Male" 0.417,
    mouth_slightly_open "Mouth_Slightly_Open" 0.483,
    mustache "Mustache" 0.042,
    narrow_eyes "Narrow_Eyes" 0.115,
    no_beard "No_Beard" 0.835,
    oval_face "Oval_Face" 0.284,
    pale_skin "Pale_Skin" 0.043,
    pointy_nose "Pointy_Nose" 0.277,
    receding_hairline "Receding_Hairline" 0.080,
    rosy_cheeks "Rosy_Cheeks" 0.066,
    sideburns "Sideburns" 0.057,
    smiling "Smiling" 0.482,
    straight_hair "Straight_Hair" 0.208,
    wavy_hair "Wavy_Hair" 0.320,
    wearing_earrings "Wearing_Earrings" 0.189,
    wearing_hat "Wearing_Hat" 0.048,
    wearing_lipstick "Wearing_Lipstick" 0.472,
    wearing_necklace "Wearing_Necklace" 0.123,
    wearing_necktie "Wearing_Necktie" 0.073,
    young "Young" 0.774,
}
