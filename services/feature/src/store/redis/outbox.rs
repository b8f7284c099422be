//! What a partition of users has for the logs. The scripts know these forms.

use tributary_domain::{Event, UserId};

use super::{
    keys::{Partition, hex},
    link::{Link, Request},
    log::Operation,
    script::{self, Invocation},
};
use crate::store::{LoggedEvent, StoreError, record};

/// Entries that are taken from an outbox at once; the scripts know the number.
pub(super) const ENTRIES: usize = 2_000;

/// Something that the logs have to take in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payload(pub(super) Vec<u8>);

impl Payload {
    pub(super) fn recorded(logged: &LoggedEvent) -> Self {
        let mut payload = of_event(b'+', &logged.event);
        payload.extend(record::encode_logged(logged));
        Self(payload)
    }

    pub(super) fn retracted(event: &Event) -> Self {
        let mut payload = of_event(b'-', event);
        payload.extend(record::identity(event));
        Self(payload)
    }

    pub(super) fn forgotten(user: UserId) -> Self {
        Self([b"x", hex(user.0).as_bytes()].concat())
    }
}

fn of_event(kind: u8, event: &Event) -> Vec<u8> {
    let mut payload = vec![kind];
    payload.extend(hex(event.user.0).as_bytes());
    payload.extend(hex(event.behaviour.item.0).as_bytes());
    payload.push(b'0' + record::action_code(event.behaviour.action));
    payload
}

/// Reads what a script or `LRANGE` gave of an outbox.
pub(super) fn entries(
    partition: Partition,
    rows: Vec<Vec<u8>>,
) -> Result<Vec<Operation>, StoreError> {
    rows.into_iter().map(|row| entry(partition, &row)).collect()
}

fn entry(partition: Partition, row: &[u8]) -> Result<Operation, StoreError> {
    let damaged = || StoreError::Damaged { key: partition.outbox() };
    let space = row.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
    let (number, payload) = (&row[..space], row[space + 1..].to_vec());
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
    let number = number.ok_or_else(damaged)?;
    Ok(Operation::Entry { partition, number, payload })
}

/// The oldest entries of an outbox, which replicas have where that is asked for.
pub(super) async fn oldest(
    link: &Link,
    partition: Partition,
) -> Result<Vec<Operation>, StoreError> {
    let mut call = Invocation::of(&script::OUTBOX);
    call.key(partition.outbox()).key(partition.last()).arg(ENTRIES);
    entries(partition, link.write(call).await?)
}

/// Drops entries that the logs have taken in.
pub(super) async fn trim(link: &Link, partition: Partition, taken: u64) -> Result<(), StoreError> {
    let mut trim = Invocation::of(&script::TRIM);
    trim.key(partition.outbox()).arg(taken);
    link.ask(Request::Script(trim)).await
}
