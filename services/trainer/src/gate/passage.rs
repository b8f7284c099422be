//! A bundle's way through the gate to publication.

use serde::Serialize;
use tributary_bundle::{Forced, Judgement, Store};
use tributary_domain::BundleId;

use super::{GateConfig, record::Candidate};
use crate::error::TrainerError;

/// What is to become of a bundle once it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// It is only judged.
    Not,
    /// It is published where it passes.
    IfPassed,
    /// It is published in any case, on somebody's word.
    Forced(Forced),
}

impl Publication {
    /// Published where it passes and that is wanted.
    pub fn wanted(publish: bool) -> Self {
        if publish { Self::IfPassed } else { Self::Not }
    }
}

/// A bundle that the gate has judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    pub bundle: BundleId,
    pub gate: Judgement,
    pub published: bool,
}

impl Judged {
    /// An error where the bundle was to be published and was not.
    pub fn check(&self, store: &Store, publication: &Publication) -> Result<(), TrainerError> {
        match self.published || *publication == Publication::Not {
            true => Ok(()),
            false => Err(TrainerError::Blocked {
                bundle: self.bundle.clone(),
                store: store.folder().to_owned(),
                reasons: self.gate.reasons.clone(),
            }),
        }
    }

    /// One line for a person.
    pub fn to_text(&self) -> String {
        let Self { bundle, gate, published } = self;
        let verdict = gate.verdict.as_str();
        match published {
            true => format!("bundle {bundle} is published; the gate: {verdict}"),
            false => format!("bundle {bundle} is written, not published; the gate: {verdict}"),
        }
    }
}

/// Records the verdict on a bundle of the store, and publishes it as wanted.
pub(crate) fn pass(
    store: &Store,
    bundle: BundleId,
    candidate: &Candidate<'_>,
    judgement: Judgement,
    config: &GateConfig,
    publication: &Publication,
) -> Result<Judged, TrainerError> {
    candidate.record(store, &bundle, &judgement, config)?;
    let published = match (publication, judgement.is_blocked()) {
        (Publication::Not, _) | (Publication::IfPassed, true) => false,
        (Publication::IfPassed | Publication::Forced(_), false) => {
            store.publish(&bundle)?;
            true
        }
        (Publication::Forced(forced), true) => {
            store.publish_forced(&bundle, forced)?;
            true
        }
    };
    Ok(Judged { bundle, gate: judgement, published })
}

/// Judges a bundle that is in the store, the latest for `None`, by the metrics of its manifest.
pub fn judge_bundle(
    store: &Store,
    bundle: Option<BundleId>,
    config: &GateConfig,
    publication: &Publication,
) -> Result<Judged, TrainerError> {
    let bundle = match bundle {
        Some(bundle) => bundle,
        None => latest(store)?,
    };
    let opened = store.open(&bundle)?;
    let manifest = opened.manifest();
    let candidate = Candidate {
        dataset: manifest.dataset(),
        protocol: manifest.protocol(),
        metrics: &manifest.metrics,
    };
    let judgement = candidate.judge(store, Some(&bundle), config)?;
    pass(store, bundle, &candidate, judgement, config, publication)
}

fn latest(store: &Store) -> Result<BundleId, TrainerError> {
    let last = store.list()?.pop().map(|summary| summary.id);
    last.ok_or_else(|| TrainerError::NoBundle { store: store.folder().to_owned() })
}
