//! Conversions between counts and floats, each with what it loses.

/// A count as `f64`: exact below 2^53, which no count here reaches.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}

/// A count as `f32`: exact below 2^24, rounded above.
#[expect(clippy::cast_precision_loss, reason = "a rounded count is all that a weight needs")]
pub(crate) fn float32(count: usize) -> f32 {
    count as f32
}

/// The whole part of a number that is not negative; 0 for NaN.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates by purpose")]
pub(crate) fn floor(value: f64) -> usize {
    value as usize
}

/// The nearest `f32`.
#[expect(clippy::cast_possible_truncation, reason = "a rounded number is what is asked for")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}
