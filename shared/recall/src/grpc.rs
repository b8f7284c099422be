use std::sync::Arc;

use tonic::{Request, Response, Status, async_trait};
use tributary_domain::{FieldError, Timestamp, UserContext, prefixed};
use tributary_mesh::status;
use tributary_proto::recall::v1::{
    Exploration, RecallRequest, RecallResponse,
    recall_service_server::{RecallService, RecallServiceServer},
};
use tributary_retrieval::exploration::{ColdItem, ColdQuery};

use crate::{Channel, Lists, RecallError, batch::Page, cache::Wanted};

const LIMIT: usize = 2_000;
const OFFSET: usize = 10_000;
const SCENE_BYTES: usize = 100;
const COLD_LIMIT: usize = 500;
const MOST_IMPRESSIONS: u64 = 1_000_000;

/// A channel behind the contract of all channels. Made by [`service`].
pub struct ChannelService<C> {
    channel: Arc<C>,
    lists: Lists,
}

/// Puts `channel` behind the contract: limits, cache, pages, and the shape of lists.
pub fn service<C: Channel>(
    channel: Arc<C>,
    lists: Lists,
) -> RecallServiceServer<ChannelService<C>> {
    RecallServiceServer::new(ChannelService { channel, lists })
}

#[async_trait]
impl<C: Channel> RecallService for ChannelService<C> {
    async fn recall(
        &self,
        request: Request<RecallRequest>,
    ) -> Result<Response<RecallResponse>, Status> {
        let request = request.into_inner();
        self.answer(request).await.map(Response::new).map_err(|error| status(&*error))
    }
}

impl<C: Channel> ChannelService<C> {
    async fn answer(&self, mut request: RecallRequest) -> Result<RecallResponse, Arc<RecallError>> {
        let exploration = request.exploration.take().map(decode_exploration).transpose();
        let exploration =
            exploration.map_err(prefixed("exploration")).map_err(RecallError::from)?;
        let wanted = Wanted::try_from(request).map_err(RecallError::from)?;
        let context = Arc::clone(&wanted.context);
        let (page, cached) = self.lists.cache().page(&*self.channel, wanted).await?;
        let cold = match exploration {
            Some(query) => self.channel.cold(&context, query).await?,
            None => Vec::new(),
        };
        Ok(encode(page, cached, &cold))
    }
}

fn decode_exploration(exploration: Exploration) -> Result<ColdQuery, FieldError> {
    let Exploration { limit, until_impressions, created_after_ms } = exploration;
    if !(1..=MOST_IMPRESSIONS).contains(&until_impressions) {
        let reason = format!("{until_impressions} is not between 1 and {MOST_IMPRESSIONS}");
        return Err(FieldError::new("until_impressions", reason));
    }
    if created_after_ms <= 0 {
        return Err(FieldError::new("created_after_ms", "must be positive"));
    }
    let limit = within("limit", limit, 1, COLD_LIMIT)?;
    Ok(ColdQuery { limit, until_impressions, created_after: Timestamp(created_after_ms) })
}

impl TryFrom<RecallRequest> for Wanted {
    type Error = FieldError;

    fn try_from(request: RecallRequest) -> Result<Self, FieldError> {
        // The exploration is taken out before: it is a question of its own.
        let RecallRequest { context, limit, offset, scene, exploration: _ } = request;
        let context = context.ok_or_else(|| FieldError::new("context", "must be given"))?;
        if scene.len() > SCENE_BYTES {
            let reason = format_args!("{} bytes, more than {SCENE_BYTES}", scene.len()).to_string();
            return Err(FieldError::new("scene", reason));
        }
        Ok(Self {
            context: Arc::new(UserContext::try_from(context).map_err(prefixed("context"))?),
            scene,
            offset: within("offset", offset, 0, OFFSET)?,
            limit: within("limit", limit, 1, LIMIT)?,
        })
    }
}

fn within(field: &str, value: u32, least: usize, most: usize) -> Result<usize, FieldError> {
    let reason = || format!("{value} is not between {least} and {most}");
    usize::try_from(value)
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| FieldError::new(field, reason()))
}

fn encode(page: Page, cached: bool, cold: &[ColdItem]) -> RecallResponse {
    RecallResponse {
        item_ids: page.items.iter().map(|scored| scored.item.0).collect(),
        scores: page.items.iter().map(|scored| scored.score).collect(),
        bundle_id: page.bundle.map_or_else(String::new, |bundle| bundle.to_string()),
        cached,
        exploration_item_ids: cold.iter().map(|cold| cold.item.0).collect(),
        exploration_impressions: cold.iter().map(|cold| cold.impressions).collect(),
    }
}

#[cfg(test)]
mod tests {
    use tributary_domain::UserId;
    use tributary_proto::entity::v1 as entity;

    use super::*;

    fn request() -> RecallRequest {
        let context = entity::UserContext::from(UserContext::cold(UserId(1)));
        RecallRequest { context: Some(context), limit: 10, scene: "home".into(), ..<_>::default() }
    }

    #[test]
    fn requests_out_of_contract_name_the_field() {
        let nobody = entity::UserContext { user_id: 0, ..Default::default() };
        for (bad, field) in [
            (RecallRequest { context: None, ..request() }, "context"),
            (RecallRequest { context: Some(nobody), ..request() }, "context.user_id"),
            (RecallRequest { limit: 0, ..request() }, "limit"),
            (RecallRequest { limit: 2_001, ..request() }, "limit"),
            (RecallRequest { offset: 10_001, ..request() }, "offset"),
            (RecallRequest { scene: "x".repeat(101), ..request() }, "scene"),
        ] {
            assert_eq!(Wanted::try_from(bad).unwrap_err().field, field);
        }
    }

    #[test]
    fn explorations_out_of_contract_name_the_field() {
        let good = Exploration { limit: 500, until_impressions: 1_000_000, created_after_ms: 1 };
        assert_eq!(decode_exploration(good).unwrap().limit, 500);
        for (bad, field) in [
            (Exploration { limit: 0, ..good }, "limit"),
            (Exploration { limit: 501, ..good }, "limit"),
            (Exploration { until_impressions: 0, ..good }, "until_impressions"),
            (Exploration { until_impressions: 1_000_001, ..good }, "until_impressions"),
            (Exploration { created_after_ms: 0, ..good }, "created_after_ms"),
        ] {
            assert_eq!(decode_exploration(bad).unwrap_err().field, field);
        }
    }

    #[test]
    fn limits_are_inside_the_contract() {
        let largest = RecallRequest { limit: 2_000, offset: 10_000, ..request() };
        let wanted = Wanted::try_from(largest).unwrap();
        assert_eq!((wanted.limit, wanted.offset), (2_000, 10_000));
    }
}
