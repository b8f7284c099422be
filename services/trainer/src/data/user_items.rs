//! One user and its items a line, as the files of LightGCN and NGCF have them: `user item item …`,
//! parted by spaces or tabs. A user may have no item.
//!
//! These ids count from 0, ours from 1: users and items get their number plus one, in every file,
//! whether or not it has a 0. Every pair is a click.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use tributary_domain::{Action, Behaviour, Event, ItemId, UserId};

use super::{
    DataError,
    row::{BadRow, Rejections},
    table::decode,
    untimed::Clock,
};

/// Lines that are looked at to recognise the form.
const SAMPLE: usize = 1_000;

/// True where the file is of this form: whole numbers, no user on two lines, and lines of different
/// lengths.
pub(super) fn is_form(path: &Path) -> Result<bool, DataError> {
    let (mut users, mut widths) = (HashSet::new(), HashSet::new());
    for line in lines(path)?.take(SAMPLE) {
        let line = line?;
        let numbers: Option<Vec<u64>> =
            line.split_ascii_whitespace().map(|field| field.parse().ok()).collect();
        let Some(numbers) = numbers else { return Ok(false) };
        let Some(user) = numbers.first() else { continue };
        if !users.insert(*user) {
            return Ok(false);
        }
        widths.insert(numbers.len());
    }
    Ok(widths.len() > 1)
}

/// Reads the pairs. One that is bad is left out and named by its line and column.
pub(super) fn read_events(
    path: &Path,
    clock: &mut Clock,
    rejections: &mut Rejections,
) -> Result<Vec<Event>, DataError> {
    let mut events = Vec::new();
    for (number, line) in (1..).zip(lines(path)?) {
        let line = line?;
        let mut fields = line.split_ascii_whitespace();
        let Some(user) = fields.next() else { continue };
        let user = match shifted(user, 1) {
            Ok(user) => UserId(user),
            Err(reason) => {
                rejections.rows += 1;
                rejections.note(path, number, &reason);
                continue;
            }
        };
        for (column, field) in (2..).zip(fields) {
            rejections.rows += 1;
            match shifted(field, column) {
                Ok(item) => events.push(click(user, ItemId(item), clock)),
                Err(reason) => rejections.note(path, number, &reason),
            }
        }
    }
    Ok(events)
}

fn click(user: UserId, item: ItemId, clock: &mut Clock) -> Event {
    let behaviour = Behaviour { item, action: Action::Click, time: clock.moment(), dwell_ms: 0 };
    Event { user, behaviour }
}

/// Our id for an id from 0 on.
fn shifted(field: &str, column: usize) -> Result<u64, BadRow> {
    let id = field.parse().ok().and_then(|id: u64| id.checked_add(1));
    id.ok_or_else(|| {
        let expected = "a whole number from 0 on";
        BadRow::value(&format!("column {column}"), field, expected)
    })
}

fn lines(path: &Path) -> Result<impl Iterator<Item = Result<String, DataError>> + '_, DataError> {
    let failed = |source| DataError::Read { path: path.into(), source };
    let lines = BufReader::new(File::open(path).map_err(failed)?).split(b'\n');
    Ok(lines.map(move |line| {
        let line = line.map_err(|source| DataError::Read { path: path.into(), source })?;
        Ok(decode(&line).into_owned())
    }))
}
