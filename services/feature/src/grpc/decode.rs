use tributary_domain::{FieldError, ItemId, at};

/// Most elements of a repeated field.
const MOST: usize = 1_000;

/// Decodes 1 to 1,000 messages; an error names the element, as in `events[3].item_id`.
pub(super) fn all<W, D>(field: &'static str, messages: Vec<W>) -> Result<Vec<D>, FieldError>
where
    D: TryFrom<W, Error = FieldError>,
{
    check_count(field, messages.len())?;
    let decoded = messages.into_iter().enumerate();
    decoded.map(|(index, message)| D::try_from(message).map_err(at(field, index))).collect()
}

/// Decodes 1 to 1,000 item ids.
pub(super) fn item_ids(ids: &[u64]) -> Result<Vec<ItemId>, FieldError> {
    check_count("item_ids", ids.len())?;
    ItemId::all_from_wire(ids, "item_ids")
}

fn check_count(field: &str, count: usize) -> Result<(), FieldError> {
    match count {
        1..=MOST => Ok(()),
        _ => Err(FieldError::new(field, format_args!("{count} are not between 1 and {MOST}"))),
    }
}
