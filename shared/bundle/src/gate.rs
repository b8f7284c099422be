//! What the gate said of bundles: the verdict, who overruled it, and the store's record of both.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use tributary_domain::{BundleId, Timestamp};

use crate::{BundleError, Store, disk};

const RUNS: &str = "gate.jsonl";

/// Whether a bundle may be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Passed,
    Blocked,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Blocked => "blocked",
        }
    }
}

/// A verdict with what spoke against the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    pub verdict: Verdict,
    /// One sentence for each rule that was broken; empty where the verdict is `Passed`.
    pub reasons: Vec<String>,
}

impl Judgement {
    /// Blocked where there is a reason.
    pub fn from_reasons(reasons: Vec<String>) -> Self {
        let verdict = if reasons.is_empty() { Verdict::Passed } else { Verdict::Blocked };
        Self { verdict, reasons }
    }

    pub fn is_blocked(&self) -> bool {
        self.verdict == Verdict::Blocked
    }
}

/// The first manifests could hold the verdict as a bare word.
impl<'de> Deserialize<'de> for Judgement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, deny_unknown_fields)]
        enum Form {
            Word(Verdict),
            Full { verdict: Verdict, reasons: Vec<String> },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Word(verdict) => Self { verdict, reasons: Vec::new() },
            Form::Full { verdict, reasons } => Self { verdict, reasons },
        })
    }
}

/// Who published a blocked bundle all the same, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forced {
    pub by: String,
    pub reason: String,
}

/// One line of the store's record: a bundle was judged, or a verdict was overruled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateRun {
    /// Unix milliseconds.
    pub time_ms: i64,
    pub bundle: BundleId,
    /// Name of the data set that the bundle was measured on.
    pub dataset: String,
    /// How it was measured. Only runs of one data set and one protocol can be compared.
    pub protocol: String,
    /// What the gate looked at, all finite.
    pub metrics: BTreeMap<String, f64>,
    pub verdict: Verdict,
    pub reasons: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<Forced>,
}

impl GateRun {
    /// True where the bundle was good enough for the gate or for a person who vouched for it.
    pub fn is_accepted(&self) -> bool {
        self.verdict == Verdict::Passed || self.forced.is_some()
    }
}

/// What is known of a bundle's passage through the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    #[serde(flatten)]
    pub judgement: Judgement,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced: Option<Forced>,
}

impl Standing {
    pub(crate) fn of(
        bundle: &BundleId,
        runs: &[GateRun],
        written: Option<&Judgement>,
    ) -> Option<Self> {
        let recorded = runs.iter().rfind(|run| run.bundle == *bundle);
        let recorded = recorded.map(|run| Self {
            judgement: Judgement { verdict: run.verdict, reasons: run.reasons.clone() },
            forced: run.forced.clone(),
        });
        recorded.or_else(|| Some(Self { judgement: written?.clone(), forced: None }))
    }
}

impl Store {
    /// Every recorded run of the gate, oldest first.
    pub fn gate_runs(&self) -> Result<Vec<GateRun>, BundleError> {
        let path = self.folder().join(RUNS);
        let text = disk::read_if_present(&path)?.unwrap_or_default();
        let lines = text.lines().zip(1..);
        lines
            .map(|(line, number)| {
                serde_json::from_str(line).map_err(|error| BundleError::BadGateRun {
                    path: path.clone(),
                    line: number,
                    reason: error.to_string(),
                })
            })
            .collect()
    }

    /// Adds a run to the record: the whole line or, after a crash, none of it.
    pub fn record_gate(&self, run: &GateRun) -> Result<(), BundleError> {
        let _lock = self.lock()?;
        self.append_gate(run)
    }

    /// The last word on a bundle: the record's, or where it has none, the manifest's. `None` where
    /// no gate was asked.
    pub fn standing(&self, id: &BundleId) -> Result<Option<Standing>, BundleError> {
        Ok(Standing::of(id, &self.gate_runs()?, self.manifest(id)?.gate.as_ref()))
    }

    /// Refuses a bundle that the gate blocked, unless it was forced before.
    pub(crate) fn check_gate(&self, id: &BundleId) -> Result<(), BundleError> {
        match self.standing(id)? {
            Some(Standing { judgement, forced: None }) if judgement.is_blocked() => {
                Err(BundleError::Blocked { bundle: id.clone(), reasons: judgement.reasons })
            }
            _ => Ok(()),
        }
    }

    /// Notes who overruled the gate. What was measured is that of the bundle's last run.
    pub(crate) fn record_force(&self, id: &BundleId, forced: &Forced) -> Result<(), BundleError> {
        let runs = self.gate_runs()?;
        let last = runs.into_iter().rfind(|run| run.bundle == *id);
        let run = match last {
            Some(run) => run,
            None => self.run_of_manifest(id)?,
        };
        self.append_gate(&GateRun {
            time_ms: Timestamp::now().0,
            forced: Some(forced.clone()),
            ..run
        })
    }

    fn run_of_manifest(&self, id: &BundleId) -> Result<GateRun, BundleError> {
        let manifest = self.manifest(id)?;
        let dataset = manifest.dataset().to_owned();
        let protocol = manifest.protocol().to_owned();
        let judgement = manifest
            .gate
            .unwrap_or_else(|| Judgement::from_reasons(vec!["the gate was not asked".to_owned()]));
        Ok(GateRun {
            time_ms: manifest.created_ms,
            bundle: id.clone(),
            dataset,
            protocol,
            metrics: BTreeMap::new(),
            verdict: judgement.verdict,
            reasons: judgement.reasons,
            forced: None,
        })
    }

    fn append_gate(&self, run: &GateRun) -> Result<(), BundleError> {
        let path = self.folder().join(RUNS);
        let mut text = disk::read_if_present(&path)?.unwrap_or_default();
        text.push_str(&serde_json::to_string(run).map_err(BundleError::Encode)?);
        text.push('\n');
        disk::replace(&path, text.as_bytes())
    }
}
