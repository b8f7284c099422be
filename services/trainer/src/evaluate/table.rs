//! The results as tables for a person.

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use super::{Evaluation, ListRow, ranking::ScoreMetrics};

impl Evaluation {
    /// Both tables with the protocol above them.
    pub fn to_text(&self) -> String {
        format!(
            "{} · {} users asked · {} items\n{}\n\n{}\n\n{}",
            self.dataset,
            self.users,
            self.catalogue,
            self.protocol,
            lists(&self.lists),
            scores(&self.ranker)
        )
    }
}

fn lists(rows: &[ListRow]) -> Table {
    let mut table = new([
        "list",
        "recall@10",
        "recall@50",
        "NDCG@10",
        "NDCG@10 liked",
        "coverage@10",
        "diversity@10",
    ]);
    for ListRow { name, metrics } in rows {
        table.add_row([
            name.clone(),
            number(metrics.recall_at_10),
            number(metrics.recall_at_50),
            number(metrics.ndcg_at_10),
            number(metrics.liked_ndcg_at_10),
            number(metrics.coverage_at_10),
            number(metrics.diversity_at_10),
        ]);
    }
    aligned(table)
}

fn scores(rows: &[ScoreMetrics]) -> Table {
    let mut table = new(["ranker task", "AUC", "GAUC", "log loss", "PCOC"]);
    let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    for ScoreMetrics { task, auc, gauc, log_loss, pcoc } in rows {
        table.add_row([
            task.clone(),
            optional(*auc),
            optional(*gauc),
            number(*log_loss),
            optional(*pcoc),
        ]);
    }
    aligned(table)
}

fn new<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn aligned(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn number(value: f64) -> String {
    // An empty sum is -0, which adding 0 makes 0.
    format!("{:.4}", value + 0.0)
}
