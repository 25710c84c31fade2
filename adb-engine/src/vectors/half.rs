//! Rows in half the bytes: bfloat16, rounded to the nearest, two components in a word, the one of
//! even place in its lower half.

/// Words of a row.
pub(super) fn words(dimensions: usize) -> usize {
    dimensions.div_ceil(2)
}

/// Adds a row; says how far it is from what it was, in Euclidean length, or more.
pub(super) fn push(row: &[f32], words: &mut Vec<u32>) -> f32 {
    let mut squares = 0.0_f64;
    for pair in row.chunks(2) {
        let mut word = 0;
        for (place, x) in pair.iter().enumerate() {
            let half = round(*x);
            let error = f64::from(*x) - f64::from(f32::from_bits(half << 16));
            squares += error * error;
            word |= half << (16 * place);
        }
        words.push(word);
    }
    // Rounding to binary32 and the sum's own errors are far below this.
    (squares.sqrt() * 1.000_001) as f32
}

/// The bits of the nearest bfloat16, of two the even one. `x` is finite; what is beyond the greatest
/// becomes infinite.
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    (bits + 0x7fff + (bits >> 16 & 1)) >> 16
}

/// The components again.
#[cfg(test)]
pub(super) fn values(words: &[u32], dimensions: usize) -> Vec<f32> {
    let both =
        words.iter().flat_map(|w| [f32::from_bits(w << 16), f32::from_bits(w & 0xffff_0000)]);
    both.take(dimensions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_the_nearest_and_says_how_far() {
        let row = [1.0, -1.0, 1.003_906_2, 3.140_625, 0.1, 1e-40, 3.4e38];
        let mut bits = Vec::new();
        let error = push(&row, &mut bits);
        assert_eq!(bits.len(), words(row.len()));
        let back = values(&bits, row.len());
        assert_eq!(back[..4], [1.0, -1.0, 1.0, 3.140_625], "of two the even one");
        assert!((back[4] - 0.1).abs() < 0.1 / 512.0);
        assert_eq!(error, f32::INFINITY, "the last is beyond the greatest");
        let mut bits = Vec::new();
        let error = push(&row[..5], &mut bits);
        let real: f64 =
            row[..5].iter().zip(values(&bits, 5)).map(|(x, y)| f64::from(x - y).powi(2)).sum();
        assert!(f64::from(error) >= real.sqrt() && f64::from(error) < real.sqrt() * 1.0001);
    }
}
