//! The gate over a store: which runs a candidate is compared with, and what is written down.

use std::collections::BTreeMap;

use tributary_bundle::{BundleError, GateRun, Judgement, Store};
use tributary_domain::{BundleId, Timestamp};

use super::{GateConfig, Metrics, judge, looked_at};

/// What was measured, on what, and how.
pub(crate) struct Candidate<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) protocol: &'a str,
    pub(crate) metrics: &'a Metrics,
}

impl Candidate<'_> {
    /// The verdict over the store's record. A bundle is not compared with itself.
    pub(crate) fn judge(
        &self,
        store: &Store,
        bundle: Option<&BundleId>,
        config: &GateConfig,
    ) -> Result<Judgement, BundleError> {
        let runs = store.gate_runs()?;
        Ok(judge(self.metrics, &self.comparable(&runs, bundle), config))
    }

    /// Writes the verdict down, with what it was based on.
    pub(crate) fn record(
        &self,
        store: &Store,
        bundle: &BundleId,
        judgement: &Judgement,
        config: &GateConfig,
    ) -> Result<(), BundleError> {
        let names = looked_at(self.metrics, config);
        let known = |name: String| {
            let value = self.metrics.get(&name).copied().filter(|value| value.is_finite());
            Some((name, value?))
        };
        store.record_gate(&GateRun {
            time_ms: Timestamp::now().0,
            bundle: bundle.clone(),
            dataset: self.dataset.to_owned(),
            protocol: self.protocol.to_owned(),
            metrics: names.into_iter().filter_map(known).collect(),
            verdict: judgement.verdict,
            reasons: judgement.reasons.clone(),
            forced: None,
        })
    }

    /// The last word on each bundle of this data set and protocol that was accepted, in the order
    /// in which the bundles were first judged.
    fn comparable<'r>(&self, runs: &'r [GateRun], but: Option<&BundleId>) -> Vec<&'r Metrics> {
        let mut places: BTreeMap<&BundleId, usize> = BTreeMap::new();
        let mut last: Vec<&GateRun> = Vec::new();
        let same = |run: &&GateRun| {
            run.dataset == self.dataset && run.protocol == self.protocol && Some(&run.bundle) != but
        };
        for run in runs.iter().filter(same) {
            let place = *places.entry(&run.bundle).or_insert(last.len());
            match last.get_mut(place) {
                Some(known) => *known = run,
                None => last.push(run),
            }
        }
        last.into_iter().filter(|run| run.is_accepted()).map(|run| &run.metrics).collect()
    }
}

#[cfg(test)]
mod tests {
    use tributary_bundle::{Forced, Verdict};

    use super::*;

    fn run(bundle: &str, dataset: &str, auc: f64, verdict: Verdict, forced: bool) -> GateRun {
        let forced = forced.then(|| Forced { by: "somebody".into(), reason: "so".into() });
        GateRun {
            time_ms: 1,
            bundle: BundleId::from(bundle),
            dataset: dataset.into(),
            protocol: "time".into(),
            metrics: [("auc".to_owned(), auc)].into(),
            verdict,
            reasons: Vec::new(),
            forced,
        }
    }

    #[test]
    fn only_the_last_word_on_accepted_bundles_of_the_same_data_is_compared_with() {
        use Verdict::{Blocked, Passed};
        let runs = [
            run("a", "one", 0.1, Passed, false),
            run("b", "one", 0.2, Blocked, false),
            run("c", "two", 0.3, Passed, false),
            run("d", "one", 0.4, Blocked, true),
            run("e", "one", 0.5, Passed, false),
            run("a", "one", 0.6, Passed, false),
            run("f", "one", 0.7, Passed, false),
            run("f", "one", 0.7, Blocked, false),
            GateRun { protocol: "random".into(), ..run("g", "one", 0.8, Passed, false) },
        ];
        let metrics = Metrics::new();
        let candidate = Candidate { dataset: "one", protocol: "time", metrics: &metrics };
        let found = |but: Option<&BundleId>| -> Vec<f64> {
            candidate.comparable(&runs, but).iter().map(|metrics| metrics["auc"]).collect()
        };
        assert_eq!(found(None), [0.6, 0.4, 0.5]);
        assert_eq!(found(Some(&BundleId::from("e"))), [0.6, 0.4]);
    }
}
