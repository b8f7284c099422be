//! Statistics of a handful of numbers.

pub(crate) use crate::evaluate::metrics::mean;
use crate::number::{float, floor};

/// Of a sample (divided by n − 1); 0 of fewer than two.
pub(crate) fn standard_deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / float(values.len().saturating_sub(1).max(1))).sqrt()
}

/// The value below which `share` of the values lie, between neighbours by straight lines (the
/// seventh of Hyndman and Fan, 1996). There is at least one value.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share.clamp(0.0, 1.0) * float(sorted.len() - 1);
    let below = floor(place);
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - float(below)) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values by numpy: `np.std(x, ddof=1)` and `np.quantile(x, q)`.
    #[test]
    fn as_numpy_has_them() {
        let values = [0.31, 0.28, 0.35, 0.30, 0.29];
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        };
        close(mean(&values), 0.306);
        close(standard_deviation(&values), 0.027_018_512_172_212_59);
        close(quantile(&values, 0.1), 0.284);
        close(quantile(&values, 0.9), 0.334);
        close(quantile(&values, 0.5), 0.30);
        close(quantile(&[2.0], 0.1), 2.0);
        close(standard_deviation(&[2.0]), 0.0);
    }
}
