use crate::{BundleError, Tensors, tensor};

/// Inputs of a model with the outputs that its trainer computed: a service refuses a model that
/// answers otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    pub inputs: Tensors,
    pub outputs: Tensors,
}

impl Golden {
    /// Safetensors with the names "in.<input>" and "out.<output>".
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        let prefixed = |prefix: &'static str, tensors: &Tensors| -> Tensors {
            let rename =
                |(name, tensor): (&String, &_)| (format!("{prefix}{name}"), Clone::clone(tensor));
            tensors.iter().map(rename).collect()
        };
        let mut all = prefixed("in.", &self.inputs);
        all.extend(prefixed("out.", &self.outputs));
        tensor::encode(&all)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        let mut golden = Self { inputs: Tensors::new(), outputs: Tensors::new() };
        for (name, tensor) in tensor::decode(bytes)? {
            if let Some(name) = name.strip_prefix("in.") {
                golden.inputs.insert(name.to_owned(), tensor);
            } else if let Some(name) = name.strip_prefix("out.") {
                golden.outputs.insert(name.to_owned(), tensor);
            } else {
                let reason = format!("golden tensor {name} starts with neither in. nor out.");
                return Err(BundleError::BadTensors { reason });
            }
        }
        Ok(golden)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    use super::*;
    use crate::Tensor;

    proptest! {
        #[test]
        fn golden_round_trips(rows in 0_usize..5, width in 0_usize..4, seed: i64) {
            let shape = IxDyn(&[rows, width]);
            let ids = ArrayD::from_elem(shape.clone(), seed);
            let dense = ArrayD::from_shape_fn(shape, |index| index[0] as f32 / 3.0);
            let golden = Golden {
                inputs: [("ids".into(), Tensor::I64(ids))].into(),
                outputs: [("liked".into(), Tensor::F32(dense))].into(),
            };
            let read = Golden::from_bytes(&golden.to_bytes().unwrap()).unwrap();
            prop_assert_eq!(read, golden);
        }

        #[test]
        fn any_bytes_are_an_error_at_worst(bytes: Vec<u8>) {
            let _read = Golden::from_bytes(&bytes);
        }
    }
}
