use std::sync::Arc;

use tonic::{Request, Response, Status, async_trait};
use tributary_domain::{FieldError, UserContext, prefixed};
use tributary_mesh::status;
use tributary_proto::recall::v1::{
    RecallRequest, RecallResponse,
    recall_service_server::{RecallService, RecallServiceServer},
};

use crate::{
    CacheConfig, Channel, RecallError,
    batch::Page,
    cache::{BatchCache, Wanted},
};

const LIMIT: usize = 2_000;
const OFFSET: usize = 10_000;
const SCENE_BYTES: usize = 100;

/// A channel behind the contract of all channels. Made by [`service`].
pub struct ChannelService<C> {
    channel: Arc<C>,
    cache: BatchCache,
}

/// Puts `channel` behind the contract: limits, cache, pages, and the shape of lists. `name` labels
/// its metrics.
pub fn service<C: Channel>(
    name: &str,
    channel: Arc<C>,
    cache: &CacheConfig,
) -> RecallServiceServer<ChannelService<C>> {
    RecallServiceServer::new(ChannelService { channel, cache: BatchCache::new(name, cache) })
}

#[async_trait]
impl<C: Channel> RecallService for ChannelService<C> {
    async fn recall(
        &self,
        request: Request<RecallRequest>,
    ) -> Result<Response<RecallResponse>, Status> {
        let wanted = Wanted::try_from(request.into_inner())
            .map_err(|error| status(&RecallError::from(error)))?;
        match self.cache.page(&*self.channel, wanted).await {
            Ok((page, cached)) => Ok(Response::new(encode(page, cached))),
            Err(error) => Err(status(&*error)),
        }
    }
}

impl TryFrom<RecallRequest> for Wanted {
    type Error = FieldError;

    fn try_from(request: RecallRequest) -> Result<Self, FieldError> {
        let RecallRequest { context, limit, offset, scene } = request;
        let context = context.ok_or_else(|| FieldError::new("context", "must be given"))?;
        if scene.len() > SCENE_BYTES {
            let reason = format_args!("{} bytes, more than {SCENE_BYTES}", scene.len()).to_string();
            return Err(FieldError::new("scene", reason));
        }
        Ok(Self {
            context: UserContext::try_from(context).map_err(prefixed("context"))?,
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

fn encode(page: Page, cached: bool) -> RecallResponse {
    RecallResponse {
        item_ids: page.items.iter().map(|scored| scored.item.0).collect(),
        scores: page.items.iter().map(|scored| scored.score).collect(),
        bundle_id: page.bundle.map_or_else(String::new, |bundle| bundle.to_string()),
        cached,
    }
}

#[cfg(test)]
mod tests {
    use tributary_domain::UserId;
    use tributary_proto::entity::v1 as entity;

    use super::*;

    fn request() -> RecallRequest {
        let context = entity::UserContext::from(UserContext::cold(UserId(1)));
        RecallRequest { context: Some(context), limit: 10, offset: 0, scene: "home".into() }
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
    fn limits_are_inside_the_contract() {
        let largest = RecallRequest { limit: 2_000, offset: 10_000, ..request() };
        let wanted = Wanted::try_from(largest).unwrap();
        assert_eq!((wanted.limit, wanted.offset), (2_000, 10_000));
    }
}
