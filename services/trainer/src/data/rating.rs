use tributary_domain::{Action, Behaviour, Event, ItemId, Timestamp, UserId};

use super::row::{BadRow, Row};

/// From this value on a rating says that the user liked the item.
const LIKED: f64 = 4.0;
const DAY_MS: f64 = 86_400_000.0;

/// What a rating says: liked items were bookmarked, the others only viewed.
pub(super) fn action(value: f64) -> Action {
    if value >= LIKED { Action::Bookmark } else { Action::View }
}

/// Reads a row of user, item, value (a rating), timestamp.
pub(super) fn event(row: &Row<'_>) -> Result<Event, BadRow> {
    let value = rating(row)?;
    Ok(Event {
        user: UserId(row.id("user_id")?),
        behaviour: Behaviour {
            item: ItemId(row.id("item_id")?),
            action: action(value),
            time: time(row)?,
            dwell_ms: 0,
        },
    })
}

pub(super) fn rating(row: &Row<'_>) -> Result<f64, BadRow> {
    let value: f64 = row.number("value")?;
    match value.is_finite() {
        true => Ok(value),
        false => Err(BadRow::value("value", row.required("value")?, "a finite number")),
    }
}

/// Seconds, or milliseconds where the number is too large for seconds (after the year 5000).
pub(super) fn time(row: &Row<'_>) -> Result<Timestamp, BadRow> {
    moment(row, "timestamp")
}

/// The same of any column.
pub(super) fn moment(row: &Row<'_>, column: &str) -> Result<Timestamp, BadRow> {
    let text = row.required(column)?;
    let bad = || BadRow::value(column, text, "Unix seconds or milliseconds above 0");
    let number: f64 = text.parse().map_err(|_| bad())?;
    let milliseconds = if number < 1e11 { number * 1000.0 } else { number };
    if !(1.0..=4e15).contains(&milliseconds) {
        return Err(bad());
    }
    let whole = crate::number::floor(milliseconds);
    i64::try_from(whole).map(Timestamp).map_err(|_| bad())
}

/// Milliseconds of looking, at most a day.
pub(super) fn dwell(value: f64) -> u32 {
    let bounded = if value.is_finite() { value.clamp(0.0, DAY_MS) } else { 0.0 };
    u32::try_from(crate::number::floor(bounded)).unwrap_or(0)
}
