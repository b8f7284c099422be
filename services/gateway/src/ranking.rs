//! Fifth stage: the candidates' scores.

use std::{collections::HashSet, time::Duration};

use tributary_domain::{ItemId, Scored, UserContext};
use tributary_mesh::Deadline;

use crate::{
    degradation::{Degradation, Reason},
    merge::Pool,
    upstreams::{RankAnswer, RankQuery, Upstreams, timed},
};

mod evidence;

pub use evidence::Names;

pub const COMPONENT: &str = "ranking";

/// The ranked candidates. Rows are places in the list of candidates that was ranked.
#[derive(Debug, Default)]
pub struct Ranking {
    /// By row; not finite where the model gave no usable score.
    pub scores: Vec<f32>,
    /// By task, then by row: probabilities.
    pub tasks: Vec<(String, Vec<f32>)>,
    /// All rows, best first.
    pub order: Vec<usize>,
    pub bundle_id: String,
}

/// What came of asking.
pub struct Ranked {
    /// `None` where the merged order has to do.
    pub ranking: Option<Ranking>,
    pub took: Duration,
    pub problem: Option<Degradation>,
}

/// Asks for the scores of `candidates`.
pub async fn rank(upstreams: &impl Upstreams, query: Query<'_>, deadline: Deadline) -> Ranked {
    let items: Vec<ItemId> = query.ids();
    let evidence = evidence::columns(query.pool, query.candidates, query.channels);
    let context = query.context;
    let asked = RankQuery { context, items, evidence, with_tasks: query.with_tasks };
    let call = timed(COMPONENT, deadline, upstreams.rank(asked, deadline)).await;
    let (ranking, problem) = match call.result {
        Ok(answer) => check(answer, &query),
        Err(problem) => (None, Some(problem)),
    };
    Ranked { ranking, took: call.took, problem }
}

/// What is ranked, and by what.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    pub context: &'a UserContext,
    pub pool: &'a Pool,
    pub candidates: &'a [usize],
    pub channels: Names<'a>,
    pub with_tasks: bool,
}

impl Query<'_> {
    fn ids(&self) -> Vec<ItemId> {
        self.candidates.iter().map(|candidate| self.pool.id(*candidate)).collect()
    }
}

/// Scores of another length cannot be told apart: the answer is dropped. Candidates without a
/// finite score go behind those with one.
fn check(answer: RankAnswer, query: &Query<'_>) -> (Option<Ranking>, Option<Degradation>) {
    let RankAnswer { scores, mut tasks, bundle_id } = answer;
    let invalid = |detail| Some(Degradation::new(COMPONENT, Reason::InvalidAnswer, detail));
    let rows = query.candidates.len();
    if scores.len() != rows {
        return (None, invalid(format!("{} scores for {rows} candidates", scores.len())));
    }
    let bad = scores.iter().filter(|score| !score.is_finite()).count();
    if bad == rows {
        return (None, invalid("no score is finite".to_owned()));
    }
    tasks.retain(|(_, scores)| scores.len() == rows);
    let problem = (bad > 0).then(|| invalid(format!("{bad} scores are not finite"))).flatten();
    let order = order(&scores, query);
    (Some(Ranking { scores, tasks, order, bundle_id }), problem)
}

fn order(scores: &[f32], query: &Query<'_>) -> Vec<usize> {
    let scored =
        |row: usize| Scored { item: query.pool.id(query.candidates[row]), score: scores[row] };
    let mut rows: Vec<(Scored, usize)> = (0..scores.len()).map(|row| (scored(row), row)).collect();
    rows.sort_unstable_by(|(one, _), (other, _)| one.best_first(other));
    debug_assert!(distinct(&rows));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Items are distinct, so that the order is total.
fn distinct(rows: &[(Scored, usize)]) -> bool {
    rows.iter().map(|(scored, _)| scored.item).collect::<HashSet<_>>().len() == rows.len()
}
