//! The results as tables for a person.

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use super::{
    Evaluation, Lead, ListRow,
    lists::{CutMetrics, ListMetrics, SHORT},
    marginal::Merge,
    ranking::ScoreMetrics,
};

impl Evaluation {
    /// The tables with the protocol above them. `--json` has every metric at every k.
    pub fn to_text(&self) -> String {
        let head = format!(
            "{} · {} users asked · {} items\n{}",
            self.dataset, self.users, self.catalogue, self.protocol
        );
        let mut parts = vec![head, lists(&self.lists)];
        parts.extend(self.lead.as_ref().map(lead));
        parts.extend(self.merge.as_ref().and_then(|merge| self.marginal(merge)));
        if !self.ranker.is_empty() {
            parts.push(scores(&self.ranker));
        }
        parts.join("\n\n")
    }

    /// The merged list without each channel, with what that changes.
    fn marginal(&self, merge: &Merge) -> Option<String> {
        let whole = self.list("merged")?;
        let (short, long) = (*whole.at(SHORT)?, *whole.at(longest(whole))?);
        let mut table = new(&[
            "list".to_owned(),
            format!("recall@{SHORT}"),
            format!("recall@{}", longest(whole)),
            format!("NDCG@{SHORT}"),
            format!("recall@{}", merge.limit),
        ]);
        table.add_row([
            "merged".to_owned(),
            number(short.recall),
            number(long.recall),
            number(short.ndcg),
            number(merge.recall_at_limit),
        ]);
        for without in &merge.without {
            let (one, all) = (without.at.at(SHORT)?, without.at.at(longest(whole))?);
            table.add_row([
                format!("merged − {}", without.channel),
                changed(one.recall, short.recall),
                changed(all.recall, long.recall),
                changed(one.ndcg, short.ndcg),
                changed(without.recall_at_limit, merge.recall_at_limit),
            ]);
        }
        Some(aligned(table))
    }
}

fn longest(row: &ListMetrics) -> usize {
    row.cuts().max().unwrap_or(SHORT)
}

fn lists(rows: &[ListRow]) -> String {
    let long = rows.first().map_or(SHORT, |row| longest(&row.at));
    let mut table = new(&[
        "list".to_owned(),
        format!("precision@{SHORT}"),
        format!("recall@{SHORT}"),
        format!("recall@{long}"),
        format!("NDCG@{SHORT}"),
        format!("liked NDCG@{SHORT}"),
        format!("MRR@{SHORT}"),
        format!("hits@{SHORT}"),
        format!("coverage@{SHORT}"),
        format!("novelty@{SHORT}"),
        format!("diversity@{SHORT}"),
    ]);
    for ListRow { name, at } in rows {
        let nothing = CutMetrics::default();
        let short = at.at(SHORT).unwrap_or(&nothing);
        table.add_row([
            name.clone(),
            number(short.precision),
            number(short.recall),
            number(at.at(long).unwrap_or(&nothing).recall),
            number(short.ndcg),
            number(short.liked_ndcg),
            number(short.mrr),
            number(short.hit_rate),
            number(short.coverage),
            format!("{:.2}", short.novelty),
            number(short.diversity),
        ]);
    }
    aligned(table)
}

fn lead(lead: &Lead) -> String {
    let Lead { over, ndcg_at_10 } = lead;
    format!(
        "final − {over}: NDCG@10 {:+.4}, 95 % interval {:+.4} to {:+.4} (resampled users)",
        ndcg_at_10.difference, ndcg_at_10.low, ndcg_at_10.high
    )
}

fn scores(rows: &[ScoreMetrics]) -> String {
    let header = [
        "ranker task",
        "positives",
        "AUC",
        "GAUC",
        "popularity AUC",
        "log loss",
        "PCOC",
        "95 % of PCOC (resampled users)",
    ];
    let mut table = new(&header.map(str::to_owned));
    let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let interval = |row: &ScoreMetrics| {
        let (low, high) = (row.pcoc_low?, row.pcoc_high?);
        Some(format!("{} to {}", number(low), number(high)))
    };
    for row in rows {
        let ScoreMetrics { task, positives, auc, gauc, popularity_auc, log_loss, pcoc, .. } = row;
        table.add_row([
            task.clone(),
            positives.to_string(),
            optional(*auc),
            optional(*gauc),
            optional(*popularity_auc),
            optional(*log_loss),
            optional(*pcoc),
            interval(row).unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    aligned(table)
}

fn new(header: &[String]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn aligned(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// A value with its difference from another.
fn changed(value: f64, from: f64) -> String {
    format!("{} ({:+.4})", number(value), value - from + 0.0)
}

fn number(value: f64) -> String {
    // An empty sum is -0, which adding 0 makes 0.
    format!("{:.4}", value + 0.0)
}
