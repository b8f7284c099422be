//! Pages carry no repeats, and the same question gets the same answer.

use std::collections::HashSet;

use anyhow::{Result, ensure};
use tonic::Code;
use tributary_e2e::Mesh;
use tributary_proto::gateway::v1::{Overrides, RecommendRequest};

fn request(user_id: u64, page_token: String) -> RecommendRequest {
    let overrides = Overrides { skip_impressions: true, ..Overrides::default() };
    RecommendRequest {
        user_id,
        size: 50,
        page_token,
        overrides: Some(overrides),
        ..RecommendRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_never_repeat_and_equal_requests_get_equal_lists() -> Result<()> {
    let mesh = Mesh::start()?;
    let mut gateway = mesh.gateway().await?;
    let mut served = HashSet::new();
    let mut token = String::new();
    for page in 0..8 {
        let one = gateway.recommend(request(196, token.clone())).await?.into_inner();
        let two = gateway.recommend(request(196, token)).await?.into_inner();
        ensure!(one.items == two.items, "page {page} differs between two equal requests");
        ensure!(one.items.len() == 50, "page {page} has {} items", one.items.len());
        for item in &one.items {
            ensure!(served.insert(item.item_id), "page {page} repeats {}", item.item_id);
        }
        token = one.page_token;
    }
    let foreign = gateway.recommend(request(197, token)).await.unwrap_err();
    ensure!(foreign.code() == Code::InvalidArgument, "{foreign}");
    ensure!(foreign.message().contains("page_token"), "{foreign}");
    Ok(())
}
