//! What the store says of itself, and its numbers as they move.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use deadpool_redis::redis;
use tokio::time::{Instant, interval, sleep};

use super::{
    Shared,
    keys::{FORMAT, NUMBERS},
    link::{Link, PAUSE, Request},
    script::{self, Invocation},
};
use crate::{
    OpenError, RedisConfig, metrics,
    store::{Heads, StoreError},
};

/// A store's name, and over how many partitions its users are spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: Arc<str>,
    pub(super) partitions: u16,
}

/// Finds the store, or founds it. Waits for Redis as long as is configured.
pub(super) async fn open(
    link: &Link,
    config: &RedisConfig,
) -> Result<(Identity, Heads), OpenError> {
    let end = Instant::now() + config.patience;
    let mut told = false;
    loop {
        match found(link, config.partitions).await {
            Err(error @ StoreError::Unreachable { .. }) if Instant::now() < end => {
                if !std::mem::replace(&mut told, true) {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "waiting for redis");
                }
                sleep(PAUSE).await;
            }
            Err(source) => return Err(OpenError::Away { source }),
            Ok((FORMAT, identity, heads)) => return Ok((identity, heads)),
            Ok((found, ..)) => {
                return Err(OpenError::RedisFormat { found, expected: FORMAT });
            }
        }
    }
}

async fn found(link: &Link, partitions: u16) -> Result<(u64, Identity, Heads), StoreError> {
    let mut call = Invocation::of(&script::OPEN);
    call.key(NUMBERS).arg(FORMAT).arg(new_name()).arg(partitions);
    let (format, name, partitions, items, events, user_deletions): (
        u64,
        String,
        u16,
        u64,
        u64,
        u64,
    ) = link.ask(Request::Script(call)).await?;
    let heads = Heads { items, events, user_deletions };
    Ok((format, Identity { name: name.into(), partitions }, heads))
}

/// Two stores are not founded in the same nanosecond.
pub(super) fn new_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{:016x}", u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// Looks for what other replicas of `feature` have changed, for as long as the store is open.
pub(super) async fn follow(shared: Arc<Shared>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        ticks.tick().await;
        match look(&shared).await {
            Ok(()) if away => {
                away = false;
                tracing::info!("redis answers again");
            }
            Ok(()) => {}
            Err(error) => {
                metrics::redis_error();
                if !std::mem::replace(&mut away, true) {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "the heads of the logs cannot be read");
                }
                sleep(PAUSE).await;
            }
        }
    }
}

async fn look(shared: &Shared) -> Result<(), StoreError> {
    // Read before the question, so that an answer cannot be older than what it is compared with.
    let known = *shared.heads.borrow();
    let mut ask = redis::cmd("HMGET");
    ask.arg(NUMBERS).arg(&["store", "items", "events", "deletions"]);
    let stored: (Option<String>, Option<u64>, Option<u64>, Option<u64>) =
        shared.link.ask(Request::Command(ask)).await?;
    let (Some(name), Some(items), Some(events), Some(user_deletions)) = stored else {
        return found_again(shared).await;
    };
    if *name != *shared.identity.borrow().name {
        return found_again(shared).await;
    }
    let is_behind = items < known.items || events < known.events;
    if is_behind || user_deletions < known.user_deletions {
        return rename(shared, &name).await;
    }
    shared.publish(Heads { items, events, user_deletions });
    Ok(())
}

/// Redis lost the last writes, in a failover without `wait_replicas`: numbers that followers have
/// seen will stand for other changes. Under another name the store is another one to them.
async fn rename(shared: &Shared, name: &str) -> Result<(), StoreError> {
    tracing::error!("redis lost the last numbers of the logs: followers start from the beginning");
    let mut call = Invocation::of(&script::RENAME);
    call.key(NUMBERS).arg(name).arg(new_name());
    let _renamed: String = shared.link.ask(Request::Script(call)).await?;
    found_again(shared).await
}

/// Another store stands where this one was: its streams end, and new ones name it.
async fn found_again(shared: &Shared) -> Result<(), StoreError> {
    let partitions = shared.identity.borrow().partitions;
    let (format, identity, heads) = found(&shared.link, partitions).await?;
    if format != FORMAT {
        tracing::error!(format, expected = FORMAT, "another version's store is in redis now");
        shared.failed.cancel();
        return Ok(());
    }
    tracing::warn!(name = %identity.name, "another store is in redis now");
    // The name first: whoever waits for the heads to move looks at it.
    shared.identity.send_replace(identity);
    shared.heads.send_replace(heads);
    Ok(())
}
