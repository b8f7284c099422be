use tributary_domain::ChannelName;

use crate::{Measure, Value};

/// What one recall channel said of a candidate that it proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    pub channel: ChannelName,
    /// From 1, the channel's best.
    pub position: u32,
    /// Comparable inside the channel only.
    pub score: f32,
}

/// What a channel said of the candidate, `None` where it did not propose it.
pub(crate) fn measure(evidence: Option<&Evidence>, measure: Measure) -> Value<'static> {
    match (evidence, measure) {
        (None, Measure::Position | Measure::Score) => Value::Missing,
        (None, Measure::ReciprocalPosition | Measure::Present) => Value::Number(0.0),
        (Some(found), Measure::Position) => Value::Number(f64::from(found.position)),
        (Some(found), Measure::ReciprocalPosition) => {
            Value::Number(1.0 / f64::from(found.position.max(1)))
        }
        (Some(found), Measure::Score) => Value::Number(f64::from(found.score)),
        (Some(_), Measure::Present) => Value::Number(1.0),
    }
}
