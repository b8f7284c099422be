//! The gateway's last good trending list: what is served when no channel brings a candidate.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tributary_domain::{Scored, UserContext, UserId};
use tributary_mesh::Deadline;

use crate::{
    config::{ChannelConfig, FallbackConfig},
    metrics,
    recall::{ChannelAnswer, MAXIMUM_LIMIT, ask},
    request::Asked,
    upstreams::{RecallQuery, Upstreams},
};

/// Nobody's id: the list is made for a user of whom nothing is known.
const NOBODY: UserId = UserId(u64::MAX);
const FIRST_TRY: Duration = Duration::from_secs(1);
const SCENE: &str = "fallback";

/// The list, kept for as long as the process lives; clones share it. Empty until the first good
/// answer.
#[derive(Clone, Default)]
pub struct Fallback {
    list: Arc<ArcSwap<Vec<Scored>>>,
}

impl Fallback {
    pub fn list(&self) -> Arc<Vec<Scored>> {
        self.list.load_full()
    }

    /// Takes a trending answer made for a cold user. One made for somebody who has seen items
    /// lacks those, one for a segment suits that segment only, and one from a deep page lacks the
    /// best, so others are passed over.
    pub fn learn(&self, answer: &ChannelAnswer, context: &UserContext) {
        let for_anybody = context.profile.is_none() && context.seen.is_empty();
        let sound = answer.problem.is_none() && !answer.items.is_empty() && answer.offset == 0;
        if for_anybody && sound && answer.items.len() >= self.list.load().len() {
            self.replace(answer.items.clone());
        }
    }

    fn replace(&self, items: Vec<Scored>) {
        metrics::fallback_size(items.len());
        self.list.store(Arc::new(items));
    }
}

/// Asks the trending channel for a list from time to time; every second until the first one came.
/// Returns at shutdown.
pub async fn refresh(
    upstreams: Arc<impl Upstreams>,
    channel: (usize, ChannelConfig),
    config: FallbackConfig,
    fallback: Fallback,
    shutdown: CancellationToken,
) {
    let forever = async {
        loop {
            refresh_once(&*upstreams, &channel, &config, &fallback).await;
            let empty = fallback.list().is_empty();
            let pause = if empty { FIRST_TRY.min(config.refresh) } else { config.refresh };
            tokio::time::sleep(pause).await;
        }
    };
    shutdown.run_until_cancelled(forever).await;
}

async fn refresh_once(
    upstreams: &impl Upstreams,
    (index, channel): &(usize, ChannelConfig),
    config: &FallbackConfig,
    fallback: &Fallback,
) {
    let context = UserContext::cold(NOBODY);
    let limit = config.size.min(MAXIMUM_LIMIT);
    let query = RecallQuery { context: &context, scene: SCENE, offset: 0, limit, cold: None };
    let asked = Asked { channel: *index, weight: 1 };
    let answer = ask(upstreams, channel, asked, query, Deadline::after(config.deadline)).await;
    if let Some(problem) = &answer.problem {
        let (reason, detail) = (problem.reason.as_str(), &problem.detail);
        tracing::debug!(channel = channel.name, reason, detail, "no new fallback list");
    }
    if answer.answered() && !answer.items.is_empty() {
        fallback.replace(answer.items);
    }
}
