use serde::Serialize;
use tributary_proto::gateway::v1::{
    Overrides, RecommendRequest, RecommendResponse, RecommendedItem,
    gateway_service_client::GatewayServiceClient,
};

use super::explanation::{ExplanationView, degradations};
use crate::{
    CliError,
    arguments::{MeshAddresses, OverrideOptions, RecommendOptions},
    connection::Connection,
    output::{Output, table},
};

/// Asks what a user should see next and prints it.
pub(crate) async fn recommend(
    mesh: &MeshAddresses,
    options: RecommendOptions,
    output: &Output,
) -> Result<(), CliError> {
    let user = options.user;
    let response = ask(mesh, options).await?;
    output.show(&ListView::from(response), |list| list.text(user));
    Ok(())
}

async fn ask(
    mesh: &MeshAddresses,
    options: RecommendOptions,
) -> Result<RecommendResponse, CliError> {
    let gateway = Connection::new("gateway", &mesh.gateway, mesh.timeout)?;
    let request = RecommendRequest {
        user_id: options.user,
        scene: options.scene,
        size: options.size,
        page_token: options.page_token,
        overrides: Some(overrides(options.overrides)),
        explain: options.explain,
        deadline_ms: 0,
    };
    let mut client = GatewayServiceClient::new(gateway.client());
    gateway.answer(client.recommend(gateway.request(request)).await)
}

/// The message for what the command line asked to be different.
pub(crate) fn overrides(options: OverrideOptions) -> Overrides {
    Overrides {
        channels: options.channels,
        theta: options.theta,
        weights: std::collections::HashMap::new(),
        skip_ranking: options.skip_ranking,
        skip_rerank: options.skip_rerank,
        skip_impressions: options.skip_impressions,
    }
}

/// A list as it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct ListView {
    items: Vec<ItemView>,
    degraded: Vec<String>,
    bundle_ids: std::collections::BTreeMap<String, String>,
    page_token: String,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ExplanationView>,
}

#[derive(Debug, Serialize)]
struct ItemView {
    position: u32,
    item: u64,
    title: String,
    score: f32,
    channels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl From<RecommendResponse> for ListView {
    fn from(response: RecommendResponse) -> Self {
        Self {
            items: response.items.into_iter().map(ItemView::from).collect(),
            degraded: degradations(&response.degraded),
            bundle_ids: response.bundle_ids.into_iter().collect(),
            page_token: response.page_token,
            request_id: response.request_id,
            explanation: response.explanation.map(ExplanationView::from),
        }
    }
}

impl From<RecommendedItem> for ItemView {
    fn from(item: RecommendedItem) -> Self {
        Self {
            position: item.position,
            item: item.item_id,
            title: item.title,
            score: item.score,
            channels: item.channels,
            why: item.explanation.as_ref().map(super::explanation::sentence),
        }
    }
}

impl ListView {
    pub(crate) fn text(&self, user: u64) -> String {
        let mut rows = table(["#", "item", "title", "score", "channels"]);
        for item in &self.items {
            let channels = item.why.clone().unwrap_or_else(|| item.channels.join(", "));
            rows.add_row([
                item.position.to_string(),
                item.item.to_string(),
                item.title.clone(),
                format!("{:.4}", item.score),
                channels,
            ]);
        }
        let mut text = format!("for user {user}:\n{rows}");
        if !self.degraded.is_empty() {
            text += &format!("\ndegraded: {}", self.degraded.join("; "));
        }
        if let Some(explanation) = &self.explanation {
            text += &format!("\n{}", explanation.text());
        }
        if !self.page_token.is_empty() {
            text += &format!("\nnext page: --page-token {}", self.page_token);
        }
        text
    }
}
