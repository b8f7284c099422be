use ndarray::ArrayView2;
use tributary_domain::UserContext;
use tributary_features::{
    Encoder,
    ranking::{UserRecord, UserView},
};
use tributary_inference::{Pool, Provider, Tensors};

use crate::TowerError;

/// What a tower answers for each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// `vector` [rows, dimensions]: one vector.
    Vector,
    /// `interests` [rows, K, dimensions]: up to K vectors.
    Interests,
}

impl Output {
    fn name(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Interests => "interests",
        }
    }

    /// True where one row of the output has this shape.
    fn fits(self, shape: &[usize], dimensions: usize) -> bool {
        match self {
            Self::Vector => shape == [1, dimensions],
            Self::Interests => {
                matches!(shape, [1, interests, width] if *interests > 0 && *width == dimensions)
            }
        }
    }
}

/// A user tower with its encoder, behind a pool of inference threads.
pub struct Tower {
    encoder: Encoder,
    pool: Pool,
    output: Output,
    dimensions: usize,
}

impl Tower {
    pub(crate) fn new(encoder: Encoder, pool: Pool, output: Output, dimensions: usize) -> Self {
        Self { encoder, pool, output, dimensions }
    }

    /// Where the user lies among the item vectors: one vector or several, in the tower's order; a
    /// vector of zeros points nowhere and is left out. `None` for a user who has dealt with no
    /// item: what the tower makes of an empty history is the same for everybody.
    pub async fn vectors(
        &self,
        context: &UserContext,
    ) -> Result<Option<Vec<Vec<f32>>>, TowerError> {
        // The tower sees ids of items, never their attributes.
        let view = UserView::new(context, &|_| None);
        if view.history_length() == 0 {
            return Ok(None);
        }
        let outputs = self.pool.run(encode(&self.encoder, &view)).await?;
        read_vectors(&outputs, self.output, self.dimensions).map(Some)
    }

    /// Where the tower is computed.
    pub fn provider(&self) -> Provider {
        self.pool.provider()
    }
}

pub(crate) fn encode(encoder: &Encoder, view: &UserView) -> Tensors {
    let mut batch = encoder.batch();
    encoder.encode(&UserRecord(view), &mut batch);
    batch.into_tensors()
}

/// The vectors of an answer for one row that are not zero.
pub(crate) fn read_vectors(
    outputs: &Tensors,
    output: Output,
    dimensions: usize,
) -> Result<Vec<Vec<f32>>, TowerError> {
    let values = outputs.get(output.name()).and_then(|values| values.as_f32());
    values
        .filter(|values| output.fits(values.shape(), dimensions))
        .and_then(|values| {
            let rows = values.shape().iter().rev().skip(1).product();
            values.view().into_shape_with_order((rows, dimensions)).ok()
        })
        .map(in_use)
        .ok_or(TowerError::NoVectors { output: output.name(), dimensions })
}

fn in_use(vectors: ArrayView2<'_, f32>) -> Vec<Vec<f32>> {
    let used = vectors.rows().into_iter().filter(|row| row.iter().any(|value| *value != 0.0));
    used.map(|row| row.to_vec()).collect()
}
