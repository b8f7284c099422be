//! Who learns from what, and who is asked what: the rounds of a training under each kind of split.
//!
//! A round has events to learn from and cases to ask. The rehearsals come first: what the recall
//! models of a rehearsal find for its cases is what the ranker learns from, so that it never sees
//! a channel answer about its own training data. The test round is the one that is measured.

mod events;
mod held_out;
mod timed;

use serde::{Deserialize, Serialize};
use tributary_domain::Timestamp;

pub(crate) use self::events::Events;
use crate::{
    config::{SplitConfig, SplitKind},
    data::DataSet,
    evaluate::EvaluationError,
    split::Case,
};

/// One round of learning and asking.
#[derive(Debug, Clone)]
pub(crate) struct Round<'a> {
    /// Names the round's folder.
    pub(crate) name: String,
    /// What the models learn from, in order of time.
    pub(crate) learned: Events<'a>,
    /// Tags given at or after this moment are not known; `None` knows all.
    pub(crate) before: Option<Timestamp>,
    /// What counters may follow up to each case's moment, in order of time.
    pub(crate) stream: Events<'a>,
    /// In order of asking, ties by user.
    pub(crate) cases: Vec<Case>,
}

/// All rounds of a training.
#[derive(Debug, Clone)]
pub(crate) struct Protocol<'a> {
    pub(crate) kind: ProtocolKind,
    pub(crate) rehearsals: Vec<Round<'a>>,
    pub(crate) test: Round<'a>,
}

/// How the data was divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProtocolKind {
    Time,
    Random,
    Given,
}

impl ProtocolKind {
    /// The protocol in words, for the table and the bundle.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Time => {
                "Split by time. Models learn from what is before the test period. Each user with \
                 events in it asks once, after the first half of them, which the context then \
                 holds (fresh history); what the user engages with in the rest and had not seen \
                 is relevant. Full ranking of the catalogue, seen items left out. Popularity, \
                 ItemKNN and EASE are as of the start of the period; the channels serve the same \
                 models, with live counters in trending and search."
            }
            Self::Random => {
                "Random split of each user's items, seeded. Models and contexts know the kept \
                 items; the held out ones are relevant, whatever their rating. Full ranking of \
                 the catalogue, known items left out. The ranker learns from the kept items \
                 alone, by holding out some of those in turn."
            }
            Self::Given => {
                "The split that the files give. Models and contexts know the training and \
                 validation parts; the items of the test part are relevant. Full ranking of the \
                 catalogue, known items left out."
            }
        }
    }
}

impl<'a> Protocol<'a> {
    /// Divides a data set as configured; a split that came with the data goes before.
    pub(crate) fn of(
        data: &'a DataSet,
        config: &SplitConfig,
        seed: u64,
    ) -> Result<Self, EvaluationError> {
        let mut protocol = match (&data.given, config.kind) {
            (Some(given), _) => held_out::given(data, given, config, seed),
            (None, SplitKind::Time) => timed::protocol(data, config),
            (None, SplitKind::Random) => held_out::random(data, config, seed),
        };
        protocol.rehearsals.retain(|round| !round.cases.is_empty());
        if protocol.rehearsals.is_empty() {
            return Err(EvaluationError::NoRehearsal);
        }
        if protocol.test.cases.is_empty() {
            return Err(EvaluationError::NoCases);
        }
        for round in protocol.rehearsals.iter_mut().chain([&mut protocol.test]) {
            thin(&mut round.cases, config.cases);
        }
        Ok(protocol)
    }
}

/// A round that learns from everything and asks nothing: what is served.
pub(crate) fn everything(data: &DataSet) -> Round<'_> {
    let learned = match &data.given {
        None => Events::Part(&data.events),
        Some(given) => {
            let parts = [&data.events, &given.validation, &given.test];
            Events::Selected(held_out::in_order(parts).into())
        }
    };
    Round {
        name: "final".into(),
        stream: learned.clone(),
        learned,
        before: None,
        cases: Vec::new(),
    }
}

/// Keeps at most `maximum` cases, evenly over their order.
fn thin(cases: &mut Vec<Case>, maximum: usize) {
    let stride = cases.len().div_ceil(maximum.max(1)).max(1);
    let mut position = 0;
    cases.retain(|_| {
        position += 1;
        (position - 1) % stride == 0
    });
}

#[cfg(test)]
mod tests;
