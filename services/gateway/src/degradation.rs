//! What was left out of an answer and why: the gateway never fails a request for a part's failure,
//! and never hides one.

use std::error::Error;

use tributary_mesh::{CallError, Failure};

/// Why a part of the pipeline did not contribute. As in `Degradation.Reason` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    Timeout,
    Unavailable,
    Overloaded,
    InvalidAnswer,
    Error,
    Fallback,
}

impl Reason {
    /// The value of the metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::InvalidAnswer => "invalid_answer",
            Self::Error => "error",
            Self::Fallback => "fallback",
        }
    }
}

/// One part that did not contribute, or not in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Degradation {
    /// "feature", "ranking", "rerank", "recall-<channel>", or "recall" for the fallback list.
    pub component: String,
    pub reason: Reason,
    /// For people.
    pub detail: String,
}

impl Degradation {
    pub fn new(component: &str, reason: Reason, detail: impl Into<String>) -> Self {
        Self { component: component.to_owned(), reason, detail: detail.into() }
    }
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Timeout => Self::Timeout,
            Failure::Unavailable => Self::Unavailable,
            Failure::Overloaded => Self::Overloaded,
            Failure::InvalidAnswer => Self::InvalidAnswer,
            Failure::Error => Self::Error,
        }
    }
}

impl From<CallError> for Degradation {
    fn from(error: CallError) -> Self {
        let detail = match (error.status(), error.source()) {
            (Some(status), _) => status.message().to_owned(),
            (None, Some(source)) => source.to_string(),
            (None, None) => error.failure.to_string(),
        };
        Self { reason: error.failure.into(), component: error.upstream, detail }
    }
}

/// Adds `new`, joining the details where the component is already named for the same reason, so
/// that a component and a reason appear once in an answer.
pub fn note(degraded: &mut Vec<Degradation>, new: Degradation) {
    let same = |old: &&mut Degradation| old.component == new.component && old.reason == new.reason;
    match degraded.iter_mut().find(same) {
        Some(old) => {
            old.detail.push_str(", ");
            old.detail.push_str(&new.detail);
        }
        None => degraded.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_named_once_for_a_reason() {
        let mut degraded = Vec::new();
        note(&mut degraded, Degradation::new("recall-a", Reason::InvalidAnswer, "one"));
        note(&mut degraded, Degradation::new("recall-b", Reason::InvalidAnswer, "two"));
        note(&mut degraded, Degradation::new("recall-a", Reason::InvalidAnswer, "three"));
        note(&mut degraded, Degradation::new("recall-a", Reason::Timeout, "four"));
        let named: Vec<_> = degraded.iter().map(|one| (&*one.component, &*one.detail)).collect();
        assert_eq!(named, [("recall-a", "one, three"), ("recall-b", "two"), ("recall-a", "four")]);
    }
}
