//! Numbers of things, as one says them.

use std::fmt;

/// A number of things, for a person.
///
/// ```
/// use adb_loaders::Counted;
///
/// assert_eq!(Counted(1, "row").to_string(), "1 row");
/// assert_eq!(Counted(2, "row").to_string(), "2 rows");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Counted(pub u64, pub &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, what) = self;
        let plural = if *number == 1 {
            ""
        } else if what.ends_with('x') {
            "es"
        } else {
            "s"
        };
        write!(f, "{number} {what}{plural}")
    }
}
