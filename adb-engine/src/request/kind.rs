//! What kinds of objects there are.

use crate::store::catalog::Target;

/// The kind of object that a command is about: the second half of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Entity,
    Image,
    Blob,
    DescriptorSet,
    Descriptor,
    Connection,
}

impl Kind {
    pub(crate) fn of_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "Entity" => Kind::Entity,
            "Image" => Kind::Image,
            "Blob" => Kind::Blob,
            "DescriptorSet" => Kind::DescriptorSet,
            "Descriptor" => Kind::Descriptor,
            "Connection" => Kind::Connection,
            _ => return None,
        })
    }

    /// The class that all objects of the kind are of; entities and connections have the user's.
    pub(crate) fn system_class(self) -> Option<&'static str> {
        match self {
            Kind::Entity | Kind::Connection => None,
            Kind::Image => Some("_Image"),
            Kind::Blob => Some("_Blob"),
            Kind::DescriptorSet => Some("_DescriptorSet"),
            Kind::Descriptor => Some("_Descriptor"),
        }
    }

    pub(crate) fn target(self) -> Target {
        match self {
            Kind::Connection => Target::Connection,
            _ => Target::Entity,
        }
    }

    /// The class of the connection that `connect` makes when it names none.
    pub(crate) fn default_connection(self) -> Option<&'static str> {
        match self {
            Kind::Descriptor => Some("_DescriptorConnection"),
            _ => None,
        }
    }

    /// What an answer with status 2 says.
    pub(crate) fn exists_info(self) -> &'static str {
        match self {
            Kind::Image => "Image exists!",
            _ => "Object Exists!",
        }
    }
}
