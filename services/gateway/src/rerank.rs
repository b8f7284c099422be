//! Sixth stage: the ranked head of the list in an order that is diverse.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tributary_domain::ItemId;
use tributary_mesh::Deadline;

use crate::{
    degradation::{Degradation, Reason},
    merge::Pool,
    ranking::Ranking,
    upstreams::{Decision, RerankAnswer, RerankQuery, Upstreams, timed},
};

pub const COMPONENT: &str = "rerank";

/// Most candidates that the contract lets rerank be asked for.
const MAXIMUM_CANDIDATES: usize = 2_000;

/// One place of the final list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The row of the candidate among those ranked.
    pub row: usize,
    /// `None` where rerank did not decide.
    pub decision: Option<Decision>,
}

impl Placed {
    /// True in a place that is reserved for new items.
    pub fn is_explored(&self) -> bool {
        self.decision == Some(Decision::Exploration)
    }
}

/// What came of asking.
pub struct Reranked {
    pub slate: Vec<Placed>,
    pub took: Duration,
    pub problem: Option<Degradation>,
    pub bundle_id: String,
}

/// What is reranked.
pub struct Query<'a> {
    pub pool: &'a Pool,
    pub candidates: &'a [usize],
    pub ranking: &'a Ranking,
    pub size: usize,
    /// Rows that are put into places of their own.
    pub reserved: &'a [usize],
    pub theta: Option<f32>,
    /// How many of the ranked list are considered, at least twice the size.
    pub considered: usize,
}

impl Query<'_> {
    /// Rows with a score, best first, at most as many as are considered.
    fn head(&self) -> Vec<usize> {
        let bound = self.considered.max(self.size * 2).min(MAXIMUM_CANDIDATES);
        let finite = |row: &usize| self.ranking.scores[*row].is_finite();
        self.open().take_while(finite).take(bound).collect()
    }

    /// The rows that compete for the places that are not reserved, best first.
    fn open(&self) -> impl Iterator<Item = usize> {
        self.ranking.order.iter().copied().filter(|row| !self.reserved.contains(row))
    }

    fn id(&self, row: usize) -> ItemId {
        self.pool.id(self.candidates[row])
    }
}

/// The order that stands where nobody reranks.
pub fn by_order(order: impl IntoIterator<Item = usize>, size: usize) -> Vec<Placed> {
    order.into_iter().take(size).map(|row| Placed { row, decision: None }).collect()
}

/// Asks for a diverse order of the head of the ranked list.
pub async fn rerank(upstreams: &impl Upstreams, query: Query<'_>, deadline: Deadline) -> Reranked {
    let head = query.head();
    let asked = RerankQuery {
        items: head.iter().map(|row| query.id(*row)).collect(),
        scores: head.iter().map(|row| query.ranking.scores[*row]).collect(),
        size: query.size,
        theta: query.theta,
    };
    let call = timed(COMPONENT, deadline, upstreams.rerank(asked, deadline)).await;
    let ranked = query.open();
    match call.result {
        Ok(answer) => {
            let bundle_id = answer.bundle_id.clone();
            let (mut slate, problem) = check(answer, &query, &head);
            fill(&mut slate, ranked, query.size);
            Reranked { slate, took: call.took, problem, bundle_id }
        }
        Err(problem) => {
            let slate = by_order(ranked, query.size);
            Reranked { slate, took: call.took, problem: Some(problem), bundle_id: String::new() }
        }
    }
}

/// The usable part of the answer: items that were sent, each once, not more than asked for.
fn check(
    answer: RerankAnswer,
    query: &Query<'_>,
    head: &[usize],
) -> (Vec<Placed>, Option<Degradation>) {
    let invalid = |detail| Some(Degradation::new(COMPONENT, Reason::InvalidAnswer, detail));
    let RerankAnswer { item_ids, decisions, bundle_id: _ } = answer;
    if item_ids.len() != decisions.len() {
        let detail = format!("{} items with {} reasons", item_ids.len(), decisions.len());
        return (Vec::new(), invalid(detail));
    }
    let mut rows: HashMap<u64, usize> = head.iter().map(|row| (query.id(*row).0, *row)).collect();
    let picked = item_ids.iter().zip(&decisions).filter_map(|(id, decision)| {
        rows.remove(id).map(|row| Placed { row, decision: Some(*decision) })
    });
    let slate: Vec<Placed> = picked.take(query.size).collect();
    let due = query.size.min(head.len());
    let sound = slate.len() == due && item_ids.len() == due;
    let detail = || format!("{} of {} picks usable, {due} due", slate.len(), item_ids.len());
    let problem = if sound { None } else { invalid(detail()) };
    (slate, problem)
}

/// Fills a short list up in ranked order: a page is never short while candidates last.
fn fill(slate: &mut Vec<Placed>, ranked: impl Iterator<Item = usize>, size: usize) {
    if slate.len() >= size {
        return;
    }
    let placed: HashSet<usize> = slate.iter().map(|one| one.row).collect();
    let missing = size - slate.len();
    let rest = ranked.filter(|row| !placed.contains(row)).take(missing);
    slate.extend(rest.map(|row| Placed { row, decision: None }));
}
