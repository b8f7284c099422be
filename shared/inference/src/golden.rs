use tributary_bundle::{Golden, Tensor};

use crate::{InferenceError, Session};

/// Runs the golden inputs and compares every golden output, element by element, within an
/// absolute tolerance. Non-finite answers are refused.
pub fn verify_golden(
    session: &mut Session,
    golden: &Golden,
    tolerance: f32,
) -> Result<(), InferenceError> {
    let outputs = session.run(&golden.inputs)?;
    for (name, expected) in &golden.outputs {
        let verdict = match outputs.get(name) {
            Some(found) => compare(expected, found, tolerance),
            None => Err("the model has no such output".to_owned()),
        };
        verdict.map_err(|reason| InferenceError::Golden { name: name.clone(), reason })?;
    }
    Ok(())
}

fn compare(expected: &Tensor, found: &Tensor, tolerance: f32) -> Result<(), String> {
    if expected.shape() != found.shape() {
        return Err(format!("shape {:?} instead of {:?}", found.shape(), expected.shape()));
    }
    match (expected, found) {
        (Tensor::F32(expected), Tensor::F32(found)) => {
            let mut pairs = expected.iter().zip(found.iter()).enumerate();
            // A difference that is NaN is not within the tolerance either.
            let off = pairs.find(|(_, (expected, found))| {
                !((*expected - *found).abs() <= tolerance && found.is_finite())
            });
            off.map_or(Ok(()), |(index, (expected, found))| {
                Err(format!("element {index} is {found} instead of {expected} ± {tolerance}"))
            })
        }
        (Tensor::I64(expected), Tensor::I64(found)) if expected == found => Ok(()),
        (Tensor::I64(_), Tensor::I64(_)) => Err("whole numbers differ".to_owned()),
        _ => Err("the element types differ".to_owned()),
    }
}
