//! The quality of every model on one data set: the mean over several seeded splits and trainings.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

use crate::{
    config::Config,
    data::Source,
    error::TrainerError,
    evaluate::Evaluation,
    statistics::{mean, standard_deviation},
    steps,
    work::Work,
};

/// One training and evaluation for each seed.
#[derive(Debug, Clone, Serialize)]
pub struct Quality {
    pub seeds: Vec<u64>,
    pub evaluations: Vec<Evaluation>,
}

/// Trains and evaluates with each seed; nothing is bundled. `work` keeps each seed's folder, so
/// that an interrupted run goes on.
pub fn measure(
    source: &Source,
    config: &Config,
    seeds: &[u64],
    work: &std::path::Path,
) -> Result<Quality, TrainerError> {
    let config = Config { refit: false, ..config.clone() };
    let mut evaluations = Vec::with_capacity(seeds.len());
    for seed in seeds {
        let work = Work::at(work.join(format!("seed-{seed}")));
        let config = config.clone().seeded(*seed);
        steps::prepare(&Source { seed: *seed, ..source.clone() }, &work.dataset())?;
        steps::train(&work, &config)?;
        evaluations.push(steps::evaluate(&work, &config)?);
    }
    Ok(Quality { seeds: seeds.to_vec(), evaluations })
}

const COLUMNS: [&str; 6] = [
    "precision_at_10",
    "recall_at_10",
    "ndcg_at_10",
    "map_at_10",
    "recall_at_50",
    "coverage_at_10",
];

impl Quality {
    /// The means over the seeds, with the standard deviation of NDCG@10.
    pub fn to_text(&self) -> String {
        let Some(first) = self.evaluations.first() else { return String::new() };
        let metrics: Vec<BTreeMap<String, f64>> =
            self.evaluations.iter().map(Evaluation::metrics).collect();
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        let header = ["list"].into_iter().chain(COLUMNS).chain(["± ndcg_at_10"]);
        table.set_header(header);
        for row in &first.lists {
            let values = |column: &str| -> Vec<f64> {
                let name = format!("{}.{column}", row.name);
                metrics.iter().filter_map(|metrics| metrics.get(&name).copied()).collect()
            };
            let mut cells = vec![row.name.clone()];
            cells.extend(COLUMNS.iter().map(|column| number(mean(&values(column)))));
            cells.push(number(standard_deviation(&values("ndcg_at_10"))));
            table.add_row(cells);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        format!(
            "{} · {} users asked · {} items · mean of seeds {}\n{}\n\n{table}\n\n{}",
            first.dataset,
            first.users,
            first.catalogue,
            seeds.join(", "),
            first.protocol,
            self.scores(&metrics),
        )
    }

    fn scores(&self, metrics: &[BTreeMap<String, f64>]) -> String {
        let Some(first) = metrics.first() else { return String::new() };
        let lines = first.keys().filter(|name| name.starts_with("ranker.")).map(|name| {
            let values: Vec<f64> =
                metrics.iter().filter_map(|metrics| metrics.get(name).copied()).collect();
            format!("{name} {}", number(mean(&values)))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn number(value: f64) -> String {
    format!("{value:.4}")
}
