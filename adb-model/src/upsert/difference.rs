//! In which respects a database holds a value otherwise.

use std::fmt;

use crate::ObjectKind;

/// One respect in which a database holds a value otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// An object is missing.
    Missing {
        /// Its class.
        class: String,
    },
    /// A property has another value, or none, or is there and should not be.
    Property {
        /// The object's class.
        class: String,
        /// The property.
        property: &'static str,
    },
    /// A part lies elsewhere, or has another label.
    Place {
        /// The part's class.
        class: String,
    },
    /// The bytes of a picture, a video or a file: it is replaced.
    Media {
        /// Its class.
        class: String,
    },
    /// A vector was made from something else, or by another embedder, or is another one.
    Vector {
        /// The class of the descriptor: model and field, such as `Dish.look`.
        class: String,
        /// Whether it has to be made anew; else the caller gave it.
        embed: bool,
    },
    /// A connection is missing, or has other properties.
    Connection {
        /// Its class.
        class: &'static str,
    },
    /// A connection holds no longer.
    ConnectionGone {
        /// Its class.
        class: &'static str,
    },
    /// A region, clip, frame, picture or vector is there that the value no longer has.
    Gone {
        /// What it is.
        kind: ObjectKind,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing { class } => write!(f, "`{class}` is to be added"),
            Difference::Property { class, property } => {
                write!(f, "`{class}.{property}` is another")
            }
            Difference::Place { class } => write!(f, "`{class}` lies elsewhere, or is labelled so"),
            Difference::Media { class } => write!(f, "`{class}` has other bytes: it is replaced"),
            Difference::Vector { class, embed: true } => {
                write!(f, "`{class}` was made from something else: it is embedded again")
            }
            Difference::Vector { class, embed: false } => {
                write!(f, "`{class}` is another vector")
            }
            Difference::Connection { class } => write!(f, "a connection `{class}` is to be made"),
            Difference::ConnectionGone { class } => {
                write!(f, "a connection `{class}` holds no longer")
            }
            Difference::Gone { kind } => {
                write!(f, "a {} is there no longer", kind.command_suffix())
            }
        }
    }
}
