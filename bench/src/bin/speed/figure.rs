//! Figures, and how they are printed.

use std::time::Duration;

use serde_json::{Map, Value as Json};

/// A line for whoever runs this program: what was measured, in which unit, and what else is to be
/// known of it. A `variant` is one of several ways to the same end, of which the best counts.
pub(crate) fn print(case: &str, unit: &str, value: f64, more: Json) {
    let mut line = Map::new();
    line.insert("case".to_owned(), case.into());
    line.insert("unit".to_owned(), unit.into());
    line.insert("value".to_owned(), value.into());
    if let Json::Object(more) = more {
        line.extend(more);
    }
    println!("{}", Json::Object(line));
}

/// The median and the 99th percentile of some times, as two lines.
pub(crate) fn print_times(case: &str, times: &mut [Duration], more: &Json) {
    times.sort_unstable();
    let mut more = more.clone();
    more["searches"] = times.len().into();
    print(case, "ms p50", milliseconds(at(times, 0.5)), more.clone());
    print(case, "ms p99", milliseconds(at(times, 0.99)), more);
}

/// Of sorted times, the one below which this share lies.
pub(crate) fn at(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_seen() {
        let times: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(at(&times, 0.5), Duration::from_millis(51));
        assert_eq!(at(&times, 0.99), Duration::from_millis(99));
        assert_eq!(at(&times[..1], 0.99), Duration::from_millis(1));
        assert_eq!(at(&[], 0.5), Duration::ZERO);
    }
}
