//! First stage: what is known of the user.

use std::time::Duration;

use tributary_domain::{UserContext, UserId};
use tributary_mesh::Deadline;

use crate::{
    degradation::{Degradation, Reason},
    upstreams::{Upstreams, timed},
};

pub const COMPONENT: &str = "feature";

/// The context that the request goes on with.
pub struct Fetched {
    pub context: UserContext,
    pub took: Duration,
    pub problem: Option<Degradation>,
}

/// The user's context, or a cold one where `feature` does not answer: the request then gets what a
/// new user gets.
pub async fn fetch(upstreams: &impl Upstreams, user: UserId, deadline: Deadline) -> Fetched {
    let call = timed(COMPONENT, deadline, upstreams.context(user, deadline)).await;
    let answer = call.result.and_then(|context| check(context, user));
    let (context, problem) = match answer {
        Ok(context) => (context, None),
        Err(problem) => (UserContext::cold(user), Some(problem)),
    };
    Fetched { context, took: call.took, problem }
}

/// Another user's context would show one user what another one did.
fn check(context: UserContext, user: UserId) -> Result<UserContext, Degradation> {
    if context.user == user {
        return Ok(context);
    }
    let detail = format!("answered with the context of user {}", context.user);
    Err(Degradation::new(COMPONENT, Reason::InvalidAnswer, detail))
}
