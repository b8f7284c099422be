//! A split that comes with the data: a file each for training, validation and test.

use std::{collections::HashSet, path::Path};

use tributary_domain::{Action, Event, ItemId, UserId};

use super::{
    DataError, DataSet, GivenSplit, Parts, Rejections,
    delimited::Collected,
    detect::{self, EventFile, Format},
    served::Collector,
    untimed::{self, Clock},
};

/// Reads the parts, and the attributes of items and users: of the data set that `attributes` names,
/// or else of the files beside the training part.
pub(super) fn read(parts: &Parts, format: Format, seed: u64) -> Result<DataSet, DataError> {
    let files = files(parts, format)?;
    let mut data = attributes(parts, &files.train, seed)?;
    data.timed = files.timed()?;
    let mut read = |part: i64, file: &EventFile| {
        let seed = seed.wrapping_add(part.unsigned_abs());
        // Parts that are given ask what they ask: what was served once is no part of it.
        let served = &mut Collector::default();
        let collected = Collected { rejections: &mut data.rejections, served };
        let mut events = file.read(&mut Clock::new(data.timed, seed), collected)?;
        if !data.timed {
            untimed::keep_order(&mut events, part);
        }
        Ok::<_, DataError>(events)
    };
    data.events = read(0, &files.train)?;
    let validation = files.validation.map(|file| read(1, &file)).transpose()?;
    let test = read(2, &files.test)?;
    if test.is_empty() {
        return Err(DataError::EmptyTest(parts.test.clone()));
    }
    data.given = Some(GivenSplit { validation: validation.unwrap_or_default(), test });
    Ok(data)
}

struct Files {
    train: EventFile,
    validation: Option<EventFile>,
    test: EventFile,
}

/// The ids of all parts must mean the same: where one is of users and their items, all are.
fn files(parts: &Parts, format: Format) -> Result<Files, DataError> {
    let train = EventFile::of(&parts.train, format)?;
    let others = match train {
        EventFile::UserItems(_) => Format::UserItems,
        _ if format == Format::Auto => Format::Csv,
        _ => format,
    };
    let open = |path: &Path| match path.extension().is_some_and(|ending| ending == "inter") {
        true => EventFile::of(path, Format::Auto),
        false => EventFile::of(path, others),
    };
    let validation = parts.validation.as_deref().map(open).transpose()?;
    Ok(Files { train, validation, test: open(&parts.test)? })
}

impl Files {
    /// True where all parts have times; those of some alone would order nothing.
    fn timed(&self) -> Result<bool, DataError> {
        let timed = self.train.timed()?;
        for other in self.validation.iter().chain([&self.test]) {
            if other.timed()? != timed {
                return Err(DataError::Times {
                    train: self.train.path().into(),
                    other: other.path().into(),
                });
            }
        }
        Ok(timed)
    }
}

/// A data set with items, users and taggings alone.
fn attributes(parts: &Parts, train: &EventFile, seed: u64) -> Result<DataSet, DataError> {
    let Some(folder) = &parts.attributes else {
        let mut data = DataSet::default();
        train.read_attributes(&mut data)?;
        return Ok(data);
    };
    if let EventFile::UserItems(path) = train {
        return Err(DataError::ShiftedIds(path.clone()));
    }
    let data = detect::read_attributes(folder, seed)?;
    // What was wrong with events that nobody asked for is of no interest.
    Ok(DataSet { events: Vec::new(), rejections: Rejections::default(), ..data })
}

/// Leaves out of validation and test what an earlier part has of the same user and item, so that
/// nothing that was learned is asked for. Gives how many events that were.
pub(super) fn part(events: &[Event], given: &mut GivenSplit) -> usize {
    let mut met: HashSet<(UserId, ItemId)> = HashSet::new();
    let mut left_out = 0;
    let mut known = events;
    for part in [&mut given.validation, &mut given.test] {
        met.extend(known.iter().filter(|event| is_deed(event)).map(pair));
        let before = part.len();
        part.retain(|event| !met.contains(&pair(event)));
        left_out += before - part.len();
        known = part;
    }
    left_out
}

fn pair(event: &Event) -> (UserId, ItemId) {
    (event.user, event.behaviour.item)
}

/// Being shown an item is nothing that the user did.
fn is_deed(event: &Event) -> bool {
    event.behaviour.action != Action::Impression
}
