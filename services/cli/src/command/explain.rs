use serde::Serialize;
use tributary_proto::gateway::v1::{
    ExplainRequest, ItemVerdict, gateway_service_client::GatewayServiceClient,
    item_verdict::Verdict,
};

use super::{
    explanation::{ExplanationView, degradations, sentence},
    recommend::overrides,
};
use crate::{
    CliError,
    arguments::{ExplainOptions, MeshAddresses},
    connection::Connection,
    output::{Output, table},
};

/// Says what happened to items on the way to a user's list.
pub(crate) async fn explain(
    mesh: &MeshAddresses,
    options: ExplainOptions,
    output: &Output,
) -> Result<(), CliError> {
    let gateway = Connection::new("gateway", &mesh.gateway, mesh.timeout)?;
    let request = ExplainRequest {
        user_id: options.user,
        item_ids: options.items,
        scene: options.scene,
        size: options.size,
        overrides: Some(overrides(options.overrides)),
    };
    let mut client = GatewayServiceClient::new(gateway.client());
    let response = gateway.answer(client.explain(gateway.request(request)).await)?;
    let view = VerdictsView {
        verdicts: response.verdicts.iter().map(VerdictView::from).collect(),
        degraded: degradations(&response.degraded),
        explanation: response.explanation.map(ExplanationView::from),
    };
    output.show(&view, VerdictsView::text);
    Ok(())
}

#[derive(Debug, Serialize)]
struct VerdictsView {
    verdicts: Vec<VerdictView>,
    degraded: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ExplanationView>,
}

#[derive(Debug, Serialize)]
struct VerdictView {
    item: u64,
    verdict: String,
    why: String,
}

impl From<&ItemVerdict> for VerdictView {
    fn from(verdict: &ItemVerdict) -> Self {
        let text = match verdict.verdict() {
            Verdict::Unspecified => "unknown".to_owned(),
            Verdict::Listed => format!("listed at {}", verdict.position),
            Verdict::NotRecalled => "not proposed by any channel".to_owned(),
            Verdict::Filtered => format!("removed by {}", verdict.filter),
            Verdict::Outranked => "outranked".to_owned(),
            Verdict::Cut => "beyond the bound on candidates".to_owned(),
        };
        let why = verdict.explanation.as_ref().map_or_else(String::new, sentence);
        Self { item: verdict.item_id, verdict: text, why }
    }
}

impl VerdictsView {
    fn text(&self) -> String {
        let mut rows = table(["item", "verdict", "why"]);
        for verdict in &self.verdicts {
            rows.add_row([verdict.item.to_string(), verdict.verdict.clone(), verdict.why.clone()]);
        }
        let mut text = rows.to_string();
        if !self.degraded.is_empty() {
            text += &format!("\ndegraded: {}", self.degraded.join("; "));
        }
        if let Some(explanation) = &self.explanation {
            text += &format!("\n{}", explanation.text());
        }
        text
    }
}
