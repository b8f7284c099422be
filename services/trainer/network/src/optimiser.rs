//! Adam (Kingma and Ba, 2015), for whole arrays and for the touched rows of a table.

use ndarray::{Array2, Zip};
use rayon::prelude::*;

use crate::{real::Real, table::Table};

const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The settings of a run and how many steps it has taken.
#[derive(Debug, Clone)]
pub(crate) struct Adam {
    pub(crate) learning_rate: f32,
    steps: i32,
}

impl Adam {
    pub(crate) fn new(learning_rate: f32) -> Self {
        Self { learning_rate, steps: 0 }
    }

    pub(crate) fn steps(&self) -> i32 {
        self.steps
    }

    /// Goes on as after so many steps.
    pub(crate) fn restore(&mut self, steps: i32) {
        self.steps = steps;
    }

    /// Counts a step.
    pub(crate) fn advance(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    /// Applies the tables' gradients.
    pub(crate) fn step<T: Real>(&self, tables: &mut [Table<T>], regularisation: f32) {
        let update = self.update(regularisation);
        tables.par_iter_mut().for_each(|table| table.step(&update));
    }

    /// The update of the current step, with the gradient of `regularisation / 2 · value²` added.
    pub(crate) fn update<T: Real>(&self, regularisation: f32) -> Update<T> {
        let first = 1.0 - FIRST_DECAY.powi(self.steps);
        let second = 1.0 - SECOND_DECAY.powi(self.steps);
        Update {
            rate: T::from_f64(f64::from(self.learning_rate) / first),
            second_scale: T::from_f64(1.0 / second),
            first_decay: T::from_f64(FIRST_DECAY),
            second_decay: T::from_f64(SECOND_DECAY),
            epsilon: T::from_f64(EPSILON),
            regularisation: T::from_f64(f64::from(regularisation)),
        }
    }
}

/// One step's constants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update<T> {
    rate: T,
    second_scale: T,
    first_decay: T,
    second_decay: T,
    epsilon: T,
    regularisation: T,
}

impl<T: Real> Update<T> {
    pub(crate) fn apply(&self, value: &mut T, first: &mut T, second: &mut T, gradient: T) {
        let gradient = gradient + self.regularisation * *value;
        *first = self.first_decay * *first + (T::one() - self.first_decay) * gradient;
        *second =
            self.second_decay * *second + (T::one() - self.second_decay) * gradient * gradient;
        *value -= self.rate * *first / ((*second * self.second_scale).sqrt() + self.epsilon);
    }
}

/// A trained array with its gradient and moments.
#[derive(Debug, Clone)]
pub(crate) struct Parameter<T> {
    pub(crate) value: Array2<T>,
    pub(crate) gradient: Array2<T>,
    first: Array2<T>,
    second: Array2<T>,
}

impl<T: Real> Parameter<T> {
    pub(crate) fn new(value: Array2<T>) -> Self {
        let zeros = || Array2::zeros(value.dim());
        Self { gradient: zeros(), first: zeros(), second: zeros(), value }
    }

    /// The value and its two moments, in row-major order.
    pub(crate) fn state(&mut self) -> [&mut [T]; 3] {
        [&mut self.value, &mut self.first, &mut self.second]
            .map(|array| array.as_slice_mut().expect("parameters are in row-major order"))
    }

    /// Applies the gradient and clears it.
    pub(crate) fn step(&mut self, update: &Update<T>) {
        Zip::from(&mut self.value)
            .and(&mut self.first)
            .and(&mut self.second)
            .and(&self.gradient)
            .for_each(|value, first, second, &gradient| {
                update.apply(value, first, second, gradient);
            });
        self.gradient.fill(T::zero());
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Adam written out from the paper's algorithm 1.
    fn reference(gradients: &[f64], rate: f64) -> f64 {
        let (mut value, mut m, mut v) = (1.0, 0.0, 0.0);
        for (step, gradient) in (1..).zip(gradients) {
            m = 0.9 * m + 0.1 * gradient;
            v = 0.999 * v + 0.001 * gradient * gradient;
            let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(step)), v / (1.0 - 0.999f64.powi(step)));
            value -= rate * m_hat / (v_hat.sqrt() + 1e-8);
        }
        value
    }

    #[test]
    fn follows_the_paper() {
        let gradients = [0.5, -2.0, 0.25, 3.0];
        let mut parameter = Parameter::new(array![[1.0f64]]);
        let mut adam = Adam::new(0.125);
        for gradient in gradients {
            parameter.gradient.fill(gradient);
            adam.advance();
            parameter.step(&adam.update(0.0));
        }
        assert!((parameter.value[[0, 0]] - reference(&gradients, 0.125)).abs() < 1e-12);
        assert_eq!(parameter.gradient[[0, 0]], 0.0);
    }

    #[test]
    fn regularisation_pulls_towards_zero() {
        let mut parameter = Parameter::new(array![[1.0f64, -1.0]]);
        let mut adam = Adam::new(0.1);
        adam.advance();
        parameter.step(&adam.update(0.5));
        assert!((parameter.value[[0, 0]] - 0.9).abs() < 1e-6, "{}", parameter.value);
        assert!((parameter.value[[0, 1]] + 0.9).abs() < 1e-6, "{}", parameter.value);
    }
}
