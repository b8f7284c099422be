use tonic::{Response, Status};
use tributary_domain::{FieldError, ItemId, at};
use tributary_mesh::status;
use tributary_proto::rerank::v1 as wire;
use tributary_slate::{Algorithm, Pick, Reason, Settings};
use wire::rerank_service_server::RerankService;

use crate::{
    RerankError,
    config::{Attribute, CapConfig, Config, check_theta},
    rerank::{Query, Reranker, Slate},
};

const CANDIDATES: usize = 2_000;
const SIZE: usize = 500;
const CAPS: usize = 16;

/// The contract of rerank.
pub(crate) struct Service {
    reranker: Reranker,
    settings: Settings,
    caps: Vec<CapConfig>,
}

impl Service {
    pub(crate) fn new(reranker: Reranker, config: &Config) -> Self {
        Self { reranker, settings: config.diversity, caps: config.cap.clone() }
    }

    async fn answer(
        &self,
        request: wire::RerankRequest,
    ) -> Result<wire::RerankResponse, RerankError> {
        let query = self.decode(request)?;
        let (items, scores, settings) = (query.items.clone(), query.scores.clone(), query.settings);
        let slate = self.reranker.rerank(query).await?;
        Ok(encode(&items, &scores, settings, slate))
    }

    fn decode(&self, request: wire::RerankRequest) -> Result<Query, FieldError> {
        let wire::RerankRequest { item_ids, scores, size, theta, algorithm, caps, override_caps } =
            request;
        let items = ItemId::distinct_from_wire(&item_ids, CANDIDATES, "item_ids")?;
        check_scores(&scores, items.len())?;
        let caps = decode_caps(caps)?;
        Ok(Query {
            items,
            scores,
            size: decode_size(size)?,
            settings: self.settings(theta, algorithm)?,
            caps: if override_caps { caps } else { self.caps.clone() },
        })
    }

    fn settings(&self, theta: Option<f32>, algorithm: i32) -> Result<Settings, FieldError> {
        let theta = theta.unwrap_or(self.settings.theta);
        check_theta(theta)?;
        let algorithm = decode_algorithm(algorithm)?.unwrap_or(self.settings.algorithm);
        Ok(Settings { theta, algorithm, ..self.settings })
    }
}

#[tonic::async_trait]
impl RerankService for Service {
    async fn rerank(
        &self,
        request: tonic::Request<wire::RerankRequest>,
    ) -> Result<Response<wire::RerankResponse>, Status> {
        let answer = self.answer(request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }
}

fn check_scores(scores: &[f32], items: usize) -> Result<(), FieldError> {
    if scores.len() != items {
        let reason = format_args!("{} scores for {items} items", scores.len());
        return Err(FieldError::new("scores", reason));
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(index) => Err(FieldError::new(format!("scores[{index}]"), "must be finite")),
        None => Ok(()),
    }
}

fn decode_size(size: u32) -> Result<usize, FieldError> {
    let size = usize::try_from(size).ok().filter(|size| (1..=SIZE).contains(size));
    size.ok_or_else(|| FieldError::new("size", format_args!("is not from 1 to {SIZE}")))
}

fn decode_algorithm(number: i32) -> Result<Option<Algorithm>, FieldError> {
    let unknown = |_| FieldError::new("algorithm", format_args!("unknown algorithm {number}"));
    Ok(match wire::Algorithm::try_from(number).map_err(unknown)? {
        wire::Algorithm::Unspecified => None,
        wire::Algorithm::Dpp => Some(Algorithm::Dpp),
        wire::Algorithm::DppWindow => Some(Algorithm::DppWindow),
        wire::Algorithm::Mmr => Some(Algorithm::Mmr),
        wire::Algorithm::Score => Some(Algorithm::Score),
    })
}

fn decode_caps(caps: Vec<wire::Cap>) -> Result<Vec<CapConfig>, FieldError> {
    if caps.len() > CAPS {
        let reason = format_args!("{} caps are more than {CAPS}", caps.len());
        return Err(FieldError::new("caps", reason));
    }
    let decode = |(index, cap)| decode_cap(cap).map_err(at("caps", index));
    caps.into_iter().enumerate().map(decode).collect()
}

fn decode_cap(cap: wire::Cap) -> Result<CapConfig, FieldError> {
    let wire::Cap { attribute, maximum, window } = cap;
    let number = |name, value| {
        usize::try_from(value).map_err(|_| FieldError::new(name, "does not fit in memory"))
    };
    let cap = CapConfig {
        attribute: decode_attribute(attribute)?,
        maximum: number("maximum", maximum)?,
        window: number("window", window)?,
    };
    cap.check()?;
    Ok(cap)
}

fn decode_attribute(number: i32) -> Result<Attribute, FieldError> {
    let unknown = |_| FieldError::new("attribute", format_args!("unknown attribute {number}"));
    match wire::cap::Attribute::try_from(number).map_err(unknown)? {
        wire::cap::Attribute::Unspecified => Err(FieldError::new("attribute", "must be given")),
        wire::cap::Attribute::Creator => Ok(Attribute::Creator),
        wire::cap::Attribute::Genre => Ok(Attribute::Genre),
        wire::cap::Attribute::Tag => Ok(Attribute::Tag),
    }
}

fn encode(
    items: &[ItemId],
    scores: &[f32],
    settings: Settings,
    slate: Slate,
) -> wire::RerankResponse {
    let Slate { picks, bundle } = slate;
    let positions = positions(scores);
    wire::RerankResponse {
        item_ids: picks.iter().map(|pick| items[pick.index].0).collect(),
        score_positions: picks.iter().map(|pick| positions[pick.index]).collect(),
        reasons: picks.iter().map(|pick| encode_reason(*pick).into()).collect(),
        algorithm: encode_algorithm(settings.algorithm).into(),
        theta: settings.theta,
        bundle_id: bundle.map_or_else(String::new, |bundle| bundle.to_string()),
    }
}

/// For each candidate its place in the order by score, from 1, ties in the order given.
fn positions(scores: &[f32]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
    let mut positions = vec![0; scores.len()];
    for (position, candidate) in (1_u32..).zip(order) {
        positions[candidate] = position;
    }
    positions
}

fn encode_reason(pick: Pick) -> wire::Reason {
    match pick.reason {
        Reason::Score => wire::Reason::Score,
        Reason::Diversity => wire::Reason::Diversity,
        Reason::Cap => wire::Reason::Cap,
        Reason::Fill => wire::Reason::Fill,
    }
}

fn encode_algorithm(algorithm: Algorithm) -> wire::Algorithm {
    match algorithm {
        Algorithm::Dpp => wire::Algorithm::Dpp,
        Algorithm::DppWindow => wire::Algorithm::DppWindow,
        Algorithm::Mmr => wire::Algorithm::Mmr,
        Algorithm::Score => wire::Algorithm::Score,
    }
}
