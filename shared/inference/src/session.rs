use std::borrow::Cow;

use ndarray::ArrayD;
use ort::{
    session::{SessionInputValue, builder::SessionBuilder},
    value::{DynValue, PrimitiveTensorElementType, TensorRef},
};
use tributary_bundle::{Tensor, Tensors};

use crate::{Element, InferenceConfig, InferenceError, Port, Provider, Runtime, shape::Signature};

/// A model that is ready to run, on one thread.
pub struct Session {
    session: ort::session::Session,
    provider: Provider,
    signature: Signature,
}

impl Session {
    /// Loads a model on the first of the configured providers that works. Each one that does not
    /// is logged.
    pub fn load(
        runtime: &Runtime,
        bytes: &[u8],
        config: &InferenceConfig,
    ) -> Result<Self, InferenceError> {
        let mut tried = Vec::new();
        for provider in &config.providers {
            match register(runtime, *provider) {
                Ok(builder) => return Self::commit(builder, bytes, *provider),
                Err(error) => {
                    tracing::warn!(%provider, %error, "execution provider does not work");
                    tried.push(format!("{provider}: {error}"));
                }
            }
        }
        Err(InferenceError::NoProvider { tried: tried.join("; ") })
    }

    fn commit(
        mut builder: SessionBuilder,
        bytes: &[u8],
        provider: Provider,
    ) -> Result<Self, InferenceError> {
        let load = |source| InferenceError::Load { provider, source };
        let session = builder.commit_from_memory(bytes).map_err(load)?;
        let signature = Signature::of(&session)?;
        Ok(Self { session, provider, signature })
    }

    /// Where the model is computed.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    pub fn inputs(&self) -> &[Port] {
        &self.signature.inputs
    }

    pub fn outputs(&self) -> &[Port] {
        &self.signature.outputs
    }

    pub(crate) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Computes all outputs. Every input must be given, with the model's element type and shape,
    /// all with the same number of rows.
    pub fn run(&mut self, tensors: &Tensors) -> Result<Tensors, InferenceError> {
        self.signature.check(tensors)?;
        let inputs: Result<Vec<_>, InferenceError> = tensors
            .iter()
            .map(|(name, tensor)| Ok((Cow::Borrowed(name.as_str()), input(tensor)?)))
            .collect();
        let outputs = self.session.run(inputs?).map_err(InferenceError::Run)?;
        let read = |port: &Port| -> Result<(String, Tensor), InferenceError> {
            let value = &outputs[port.name.as_str()];
            let tensor = match port.element {
                Element::F32 => Tensor::F32(output(value)?),
                Element::I64 => Tensor::I64(output(value)?),
            };
            Ok((port.name.clone(), tensor))
        };
        self.signature.outputs.iter().map(read).collect()
    }
}

fn register(runtime: &Runtime, provider: Provider) -> Result<SessionBuilder, ort::Error> {
    let builder = ort::session::Session::builder(runtime.environment())?;
    let builder = builder.with_intra_threads(1).map_err(forget)?;
    let builder = builder.with_intra_op_spinning(false).map_err(forget)?;
    match provider.dispatch() {
        Some(dispatch) => builder.with_execution_providers([dispatch]).map_err(forget),
        None => Ok(builder),
    }
}

/// Drops the builder that an error carries: the next provider starts with a fresh one.
fn forget(error: ort::Error<SessionBuilder>) -> ort::Error {
    ort::Error::new_with_code(error.code(), error.message())
}

fn input(tensor: &Tensor) -> Result<SessionInputValue<'_>, InferenceError> {
    match tensor {
        Tensor::F32(array) => view(array),
        Tensor::I64(array) => view(array),
    }
}

fn view<T>(array: &ArrayD<T>) -> Result<SessionInputValue<'_>, InferenceError>
where
    T: PrimitiveTensorElementType + Clone + std::fmt::Debug + 'static,
{
    match array.as_slice() {
        Some(slice) => TensorRef::from_array_view((array.shape().to_vec(), slice))
            .map(SessionInputValue::from)
            .map_err(InferenceError::Run),
        None => ort::value::Tensor::from_array(array.as_standard_layout().into_owned())
            .map(SessionInputValue::from)
            .map_err(InferenceError::Run),
    }
}

fn output<T>(value: &DynValue) -> Result<ArrayD<T>, InferenceError>
where
    T: PrimitiveTensorElementType + Copy,
{
    let (shape, values) = value.try_extract_tensor::<T>().map_err(InferenceError::Run)?;
    Ok(ArrayD::from_shape_vec(shape.to_ixdyn(), values.to_vec())
        .expect("ONNX Runtime gives as many elements as its shape says"))
}
