//! Numbers that options take.

/// A number that nought would make no sense for.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| "it takes a whole number, 1 or more".to_owned())
}

/// Memory in MiB, as bytes that can be counted.
pub(crate) fn mebibytes(text: &str) -> Result<usize, String> {
    at_least_one(text)?.checked_mul(1 << 20).ok_or_else(|| "no machine has so much".to_owned())
}

/// How long something is measured.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|n| *n > 0.0 && *n <= 3600.0);
    number.ok_or_else(|| "it takes seconds, more than 0 and 3600 at most, such as 0.5".to_owned())
}
