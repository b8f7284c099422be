use tributary_domain::{Event, FieldError, ItemId, Served, ServedEvent, at};
use tributary_proto::{entity::v1 as entity, feature::v1 as wire};

use crate::store::Changes;

/// Most elements of a repeated field.
const MOST: usize = 1_000;
const SOURCE_BYTES: usize = 100;
const POSITION_BYTES: usize = 64 * 1024;

/// Decodes 1 to 1,000 messages; an error names the element, as in `events[3].item_id`.
pub(super) fn all<W, D>(field: &'static str, messages: Vec<W>) -> Result<Vec<D>, FieldError>
where
    D: TryFrom<W, Error = FieldError>,
{
    check_length(field, messages.len(), 1, MOST)?;
    each(field, messages, D::try_from)
}

/// Decodes 1 to 1,000 item ids.
pub(super) fn item_ids(ids: &[u64]) -> Result<Vec<ItemId>, FieldError> {
    check_length("item_ids", ids.len(), 1, MOST)?;
    ItemId::all_from_wire(ids, "item_ids")
}

/// Decodes events, with how their items came to be shown where that was sent.
pub(super) fn events(
    events: Vec<entity::Event>,
    served: Vec<entity::Served>,
) -> Result<Vec<ServedEvent>, FieldError> {
    let events: Vec<Event> = all("events", events)?;
    if served.is_empty() {
        return Ok(events.into_iter().map(ServedEvent::from).collect());
    }
    if served.len() != events.len() {
        let reason = format_args!("{} for {} events", served.len(), events.len()).to_string();
        return Err(FieldError::new("served", reason));
    }
    let served = each("served", served, Served::from_wire)?;
    let both = events.into_iter().zip(served);
    Ok(both.map(|(event, served)| ServedEvent { event, served }).collect())
}

pub(super) fn changes(message: wire::ApplyChangesRequest) -> Result<Changes, FieldError> {
    let wire::ApplyChangesRequest { source: name, position, expected_position, changes } = message;
    let source = source(name)?;
    check_length("position", position.len(), 1, POSITION_BYTES)?;
    check_length("expected_position", expected_position.len(), 0, POSITION_BYTES)?;
    check_length("changes", changes.len(), 0, MOST)?;
    let changes = each("changes", changes, TryFrom::try_from)?;
    Ok(Changes { source, position, expected: expected_position, changes })
}

pub(super) fn source(name: String) -> Result<String, FieldError> {
    check_length("source", name.len(), 1, SOURCE_BYTES)?;
    Ok(name)
}

fn each<W, D>(
    field: &'static str,
    messages: Vec<W>,
    decode: impl Fn(W) -> Result<D, FieldError>,
) -> Result<Vec<D>, FieldError> {
    let messages = messages.into_iter().enumerate();
    messages.map(|(index, message)| decode(message).map_err(at(field, index))).collect()
}

fn check_length(field: &str, length: usize, least: usize, most: usize) -> Result<(), FieldError> {
    match (least..=most).contains(&length) {
        true => Ok(()),
        false => {
            let reason = format_args!("a length of {length} is not between {least} and {most}");
            Err(FieldError::new(field, reason.to_string()))
        }
    }
}
