//! What `_ref`s name.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use crate::{request::fault::Fault, store::catalog::Target};

/// An object: its class, and its row there. No two objects but those that views make share a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Object {
    pub(crate) class: i64,
    pub(crate) id: i64,
}

/// The objects of a reference.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) target: Target,
    pub(crate) objects: Vec<Object>,
    /// Whether their order says something: nearness, or a sort order.
    pub(crate) ranked: bool,
}

/// The references of one request.
#[derive(Debug, Default)]
pub(crate) struct Refs {
    /// Nothing where a Delete has taken the objects.
    found: HashMap<u32, Option<Rc<Found>>>,
}

impl Refs {
    pub(crate) fn define(&mut self, reference: Option<u32>, found: Found) -> Result<(), Fault> {
        let Some(reference) = reference else { return Ok(()) };
        match self.found.insert(reference, Some(Rc::new(found))) {
            None => Ok(()),
            Some(_) => Err(Fault::new(format!("`_ref` {reference} is defined twice"))),
        }
    }

    pub(crate) fn has(&self, reference: u32) -> bool {
        self.found.contains_key(&reference)
    }

    pub(crate) fn get(&self, reference: u32) -> Result<Rc<Found>, Fault> {
        match self.found.get(&reference) {
            Some(Some(found)) => Ok(found.clone()),
            Some(None) => Err(Fault::new(format!(
                "the reference {reference} is gone: an earlier command deleted its objects"
            ))),
            None => Err(Fault::new(format!(
                "the reference {reference} is not defined by an earlier command"
            ))),
        }
    }

    /// A Delete by reference leaves nothing that the reference could name.
    pub(crate) fn consume(&mut self, reference: u32) {
        self.found.insert(reference, None);
    }

    /// Takes objects that are no more out of all references.
    pub(crate) fn forget(&mut self, gone: &HashSet<i64>) {
        for found in self.found.values_mut().flatten() {
            if found.objects.iter().any(|o| gone.contains(&o.id)) {
                Rc::make_mut(found).objects.retain(|o| !gone.contains(&o.id));
            }
        }
    }

    /// What can be an end of connections.
    pub(crate) fn ends(&self, reference: u32) -> Result<Rc<Found>, Fault> {
        let found = self.get(reference)?;
        match found.target {
            Target::Entity => Ok(found),
            Target::Connection => Err(Fault::new(format!(
                "the reference {reference} names connections, and those can't be connected"
            ))),
        }
    }

    /// One end or more of connections to be.
    pub(crate) fn some_ends(&self, reference: u32) -> Result<Rc<Found>, Fault> {
        let found = self.ends(reference)?;
        if found.objects.is_empty() {
            return Err(Fault::new(format!(
                "the reference {reference} names no object, so there is nothing to connect"
            )));
        }
        Ok(found)
    }
}
