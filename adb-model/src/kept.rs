//! Names that come while a program runs, kept for as long as it runs.
//!
//! Graphs and schemas borrow their names, since nearly all of them are written in the program. The
//! few others (of a set that somebody names on a command line, of a property that a database has)
//! are kept here, each once.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// The name, for as long as the program runs: the same one whenever it is asked for.
pub(crate) fn kept(name: &str) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    // Names are put in whole, so a panic elsewhere leaves nothing half done.
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    match names.get(name) {
        Some(known) => known,
        None => {
            let name: &'static str = Box::leak(name.into());
            names.insert(name);
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let (first, second) = (kept(&"a".repeat(3)), kept(&"a".repeat(3)));
        assert_eq!(first, "aaa");
        assert!(std::ptr::eq(first, second));
        assert_ne!(kept("aab"), first);
    }
}
