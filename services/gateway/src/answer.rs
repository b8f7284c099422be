//! Last stage: the page token that carries on after this page.

use tributary_domain::{ItemId, Timestamp};

use crate::{
    outcome::Outcome,
    page_token::{MAXIMUM_SERVED, Page, Tokens},
    request::Request,
};

/// The token of the next page; empty where nothing is left, or where a token can remember no more.
pub fn next_page(tokens: &Tokens, request: &Request, outcome: &Outcome, now: Timestamp) -> String {
    let served = served(request, outcome);
    if !outcome.may_have_more() || served.len() > MAXIMUM_SERVED {
        return String::new();
    }
    tokens.issue(&Page { user: request.user, scene: request.scene.clone(), served }, now)
}

fn served(request: &Request, outcome: &Outcome) -> Vec<ItemId> {
    let mut served = request.served.clone();
    served.extend(outcome.items());
    served.sort_unstable();
    served.dedup();
    served
}
