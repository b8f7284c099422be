//! The numbers that layers compute with: `f32` to train and serve, `f64` to check gradients.

use std::iter::Sum;

use ndarray::NdFloat;

/// A floating-point type of the network.
pub(crate) trait Real: NdFloat + Sum {
    /// The nearest value.
    fn from_f64(value: f64) -> Self;
    /// The nearest value.
    fn to_single(self) -> f32;

    /// A count as a number; exact up to the mantissa, which no batch or row comes near.
    fn from_count(count: usize) -> Self {
        Self::from_f64(count as f64)
    }
}

impl Real for f32 {
    fn from_f64(value: f64) -> Self {
        value as Self
    }

    fn to_single(self) -> f32 {
        self
    }
}

impl Real for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }

    fn to_single(self) -> f32 {
        self as f32
    }
}
