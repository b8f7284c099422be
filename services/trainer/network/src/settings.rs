//! Checks that both models' settings share.

use crate::error::NetworkError;

pub(crate) fn positive(field: &'static str, value: f32) -> Result<(), NetworkError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(NetworkError::config(field, format!("must be a positive number, not {value}")))
}

pub(crate) fn not_negative(field: &'static str, value: f32) -> Result<(), NetworkError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(NetworkError::config(field, format!("must be zero or a positive number, not {value}")))
}

pub(crate) fn at_least_one(field: &'static str, value: usize) -> Result<(), NetworkError> {
    if value > 0 { Ok(()) } else { Err(NetworkError::config(field, "must be at least 1")) }
}

pub(crate) fn widths(field: &'static str, widths: &[usize]) -> Result<(), NetworkError> {
    if widths.contains(&0) {
        return Err(NetworkError::config(field, "must not have a layer of width 0"));
    }
    Ok(())
}
