//! Changes of users: read, decided by the rules that every store shares, and written where nothing
//! has changed meanwhile.

use std::{collections::BTreeMap, time::Duration};

use deadpool_redis::redis::{self, Value};
use tokio::time::sleep;
use tributary_domain::UserId;

use super::{
    Shared,
    held::{Held, UserChange},
    keys::Partition,
    link::Request,
    log::Operation,
    outbox::{self, ENTRIES, Payload},
    script::{self, Invocation},
};
use crate::store::{StoreError, corrupt};

/// After so many tries in a row each further one waits a little.
const HASTY_TRIES: u32 = 3;
const BREATH: Duration = Duration::from_millis(2);

/// A change of a user, with its place in the call.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) index: usize,
    pub(super) user: UserId,
    pub(super) change: UserChange,
}

/// What was written of a partition.
pub(super) struct Committed {
    pub(super) partition: Partition,
    /// Of each step that changed something, its place in the call.
    pub(super) changed: Vec<usize>,
    /// The partition's outbox, oldest first, each entry with the place in the call of its step, or
    /// 0 where it was there before.
    pub(super) entries: Vec<(usize, Operation)>,
    /// There may be more in the outbox.
    pub(super) more: bool,
}

/// A partition as read.
struct Read {
    floor: Option<String>,
    /// Entries in the outbox.
    waiting: usize,
    users: BTreeMap<UserId, Held>,
}

/// Writes the steps of one partition, all or none of them. Steps of one user are done in their
/// order.
pub(super) async fn commit(
    shared: &Shared,
    partition: Partition,
    steps: &[Step],
) -> Result<Committed, StoreError> {
    let mut tries = 0;
    loop {
        let mut read = read(shared, partition, steps).await?;
        let mut changed = Vec::new();
        let mut payloads: Vec<(usize, Payload)> = Vec::new();
        for Step { index, user, change } in steps {
            let held = read.users.get_mut(user).expect("every user of a step is read");
            let (differs, payload) = held.change(change, &shared.retention);
            if differs {
                changed.push(*index);
            }
            payloads.extend(payload.map(|payload| (*index, payload)));
        }
        // What an earlier try of the call has written may be on no replica yet: then it is written
        // once more.
        let again = shared.link.awaits_replicas();
        if !again && !read.users.values().any(Held::is_changed) {
            let waiting = match read.waiting {
                0 => Vec::new(),
                _ => outbox::oldest(&shared.link, partition).await?,
            };
            let more = waiting.len() >= ENTRIES;
            let entries = waiting.into_iter().map(|entry| (0, entry)).collect();
            return Ok(Committed { partition, changed, entries, more });
        }
        if let Some(rows) = write(shared, partition, &read, &payloads).await? {
            let entries = place(outbox::entries(partition, rows)?, &payloads);
            let more = entries.len() >= ENTRIES;
            return Ok(Committed { partition, changed, entries, more });
        }
        tries += 1;
        if tries > HASTY_TRIES {
            sleep(BREATH.mul_f64(1.0 + rand::random::<f64>())).await;
        }
    }
}

async fn read(shared: &Shared, partition: Partition, steps: &[Step]) -> Result<Read, StoreError> {
    let mut ids: Vec<UserId> = steps.iter().map(|step| step.user).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut pipeline = redis::pipe();
    pipeline.cmd("GET").arg(partition.floor());
    pipeline.cmd("LLEN").arg(partition.outbox());
    for user in &ids {
        pipeline.cmd("GET").arg(partition.state(*user));
        pipeline.cmd("LRANGE").arg(partition.recorded(*user)).arg(0).arg(-1);
    }
    let rows: Vec<Value> = shared.link.ask(Request::Pipeline(pipeline)).await?;
    let mut rows = rows.into_iter();
    let floor: Option<String> = take(&mut rows)?;
    let waiting = take(&mut rows)?;
    let least = floor.as_deref().map_or(Ok(0), str::parse);
    let least = least.map_err(|_| StoreError::Damaged { key: partition.floor() })?;
    let mut users = BTreeMap::new();
    for id in ids {
        let state: Option<Vec<u8>> = take(&mut rows)?;
        let recorded: Vec<Vec<u8>> = take(&mut rows)?;
        let held = Held::decode(id, state.as_deref(), &recorded, least);
        users.insert(id, held.map_err(corrupt("users", id.0))?);
    }
    Ok(Read { floor, waiting, users })
}

/// Writes the changed users and what the logs have to take in, and gives the partition's outbox;
/// `None` where something has changed since it was read.
async fn write(
    shared: &Shared,
    partition: Partition,
    read: &Read,
    payloads: &[(usize, Payload)],
) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
    let again = shared.link.awaits_replicas();
    let changed: Vec<(&UserId, &Held)> =
        read.users.iter().filter(|(_, held)| again || held.is_changed()).collect();
    let mut call = Invocation::of(&script::COMMIT);
    call.key(partition.outbox()).key(partition.last()).key(partition.floor());
    for (user, _) in &changed {
        call.key(partition.state(**user)).key(partition.recorded(**user));
    }
    let forgotten = changed.iter().map(|(_, held)| held.forgotten_version()).max().unwrap_or(0);
    call.bytes(read.floor.clone().unwrap_or_default());
    call.bytes(if forgotten == 0 { String::new() } else { forgotten.to_string() });
    call.arg(shared.recorded);
    for (_, held) in &changed {
        call.bytes(held.stamp());
    }
    for (_, held) in &changed {
        held.write(&mut call);
    }
    for (_, Payload(payload)) in payloads {
        call.bytes(payload.as_slice());
    }
    shared.link.write(call).await
}

/// Entries of this call stand at the end of the outbox, unless it is longer than what was read.
fn place(entries: Vec<Operation>, payloads: &[(usize, Payload)]) -> Vec<(usize, Operation)> {
    let before = match entries.len() {
        ENTRIES.. => entries.len(),
        length => length.saturating_sub(payloads.len()),
    };
    let own = payloads.iter().map(|(index, _)| *index);
    let places = std::iter::repeat_n(0, before).chain(own);
    places.zip(entries).collect()
}

fn take<T: redis::FromRedisValue>(rows: &mut std::vec::IntoIter<Value>) -> Result<T, StoreError> {
    let missing = || StoreError::Damaged { key: "a pipeline's answer".to_owned() };
    let value = rows.next().ok_or_else(missing)?;
    Ok(redis::from_redis_value(value).map_err(redis::RedisError::from)?)
}
