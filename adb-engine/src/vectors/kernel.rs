//! The two inner loops. Sixteen sums side by side let the compiler use the widest registers that
//! it may; memory, not arithmetic, is what a scan of many vectors waits for.

const LANES: usize = 16;

/// Sum over `f(a[i], b[i])`. Both are equally long.
#[inline(always)]
fn accumulate(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| f(*x, *y)).sum();
    for (x, y) in a.zip(b) {
        for lane in 0..LANES {
            sums[lane] += f(x[lane], y[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest
}

pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    accumulate(a, b, |x, y| x * y)
}

pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    accumulate(a, b, |x, y| (x - y) * (x - y))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agree_with_sums_in_f64(pairs in prop::collection::vec((-10.0_f32..10.0, -10.0_f32..10.0), 0..70)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let wide = |f: fn(f64, f64) -> f64| -> f64 {
                pairs.iter().map(|(x, y)| f(f64::from(*x), f64::from(*y))).sum()
            };
            let scale = 1e-5 * (1.0 + 400.0 * a.len() as f64);
            prop_assert!((f64::from(dot(&a, &b)) - wide(|x, y| x * y)).abs() <= scale);
            let squared = wide(|x, y| (x - y) * (x - y));
            prop_assert!((f64::from(squared_distance(&a, &b)) - squared).abs() <= scale);
        }
    }
}
