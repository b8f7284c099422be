//! Tables as safetensors: named arrays with kind and shape, checked on the way in.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};

/// Why the bytes of a table were refused.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("not a safetensors file, or a damaged one")]
    Damaged(#[source] SafeTensorError),
    #[error("array {name} is missing")]
    Missing { name: String },
    #[error("array {name} holds {found}, expected {expected}")]
    Kind { name: String, expected: String, found: String },
    #[error("array {name}: {reason}")]
    Invalid { name: String, reason: String },
}

impl TableError {
    pub(crate) fn invalid(name: &str, reason: impl ToString) -> Self {
        Self::Invalid { name: name.to_owned(), reason: reason.to_string() }
    }
}

/// A number as it stands in a file, little endian.
pub(crate) trait Number: Copy {
    const KIND: Dtype;

    fn append_to(self, bytes: &mut Vec<u8>);

    /// All numbers of `bytes`, whose length is a multiple of a number's.
    fn parse_all(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! number {
    ($kind:ident, $type:ty) => {
        impl Number for $type {
            const KIND: Dtype = Dtype::$kind;

            fn append_to(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn parse_all(bytes: &[u8]) -> Vec<Self> {
                let (numbers, _) = bytes.as_chunks();
                numbers.iter().map(|bytes| Self::from_le_bytes(*bytes)).collect()
            }
        }
    };
}

number!(U64, u64);
number!(U32, u32);
number!(F32, f32);

/// An archive being read.
pub(crate) struct Archive<'a>(SafeTensors<'a>);

impl<'a> Archive<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, TableError> {
        SafeTensors::deserialize(bytes).map(Self).map_err(TableError::Damaged)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name)
    }

    /// The array of that name with its shape.
    pub(crate) fn array<N: Number>(&self, name: &str) -> Result<(Vec<usize>, Vec<N>), TableError> {
        let missing = |_| TableError::Missing { name: name.to_owned() };
        let view = self.0.tensor(name).map_err(missing)?;
        if view.dtype() != N::KIND {
            return Err(TableError::Kind {
                name: name.to_owned(),
                expected: format!("{:?}", N::KIND),
                found: format!("{:?}", view.dtype()),
            });
        }
        Ok((view.shape().to_vec(), N::parse_all(view.data())))
    }

    /// The one-dimensional array of that name.
    pub(crate) fn list<N: Number>(&self, name: &str) -> Result<Vec<N>, TableError> {
        let (shape, numbers) = self.array(name)?;
        match shape.len() {
            1 => Ok(numbers),
            axes => Err(TableError::invalid(name, format_args!("{axes} axes instead of 1"))),
        }
    }
}

/// An archive being written.
#[derive(Default)]
pub(crate) struct ArchiveWriter {
    arrays: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

impl ArchiveWriter {
    /// Adds an array whose numbers fill the shape, row by row.
    pub(crate) fn add<N: Number>(
        &mut self,
        name: &str,
        shape: &[usize],
        numbers: impl IntoIterator<Item = N>,
    ) {
        let mut bytes = Vec::new();
        for number in numbers {
            number.append_to(&mut bytes);
        }
        self.arrays.insert(name.to_owned(), (N::KIND, shape.to_vec(), bytes));
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let views = self.arrays.iter().map(|(name, (kind, shape, bytes))| {
            let view = TensorView::new(*kind, shape.clone(), bytes);
            (name, view.expect("callers give as many numbers as the shape holds"))
        });
        safetensors::serialize(views, None).expect("valid views serialise")
    }
}

/// Turns an index or an offset of a file into one of memory, below or at `limit`.
pub(crate) fn bounded(name: &str, number: u64, limit: usize) -> Result<usize, TableError> {
    usize::try_from(number)
        .ok()
        .filter(|index| *index <= limit)
        .ok_or_else(|| TableError::invalid(name, format_args!("{number} is more than {limit}")))
}
