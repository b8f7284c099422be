use std::collections::BTreeMap;

use tributary_domain::{Action, Event};
use tributary_proto::entity::v1 as entity;

use super::{
    BadRow, Cause, State,
    rules::{Cells, Clock, Test, all, any},
};
use crate::{
    layout::Resolver,
    mapping::{Effect, InteractionTable},
    schema::Kind,
};

/// Reads rows as behaviour.
#[derive(Debug, Clone)]
pub struct InteractionReader {
    pub(crate) user: usize,
    pub(crate) item: usize,
    action: Doing,
    time: Option<Clock>,
    dwell_ms: Option<usize>,
    deleted: Vec<Test>,
    only: Vec<Test>,
    /// Whether no two rows are the same event, so that one can be taken back with its row.
    pub(crate) distinct: bool,
}

#[derive(Debug, Clone)]
enum Doing {
    Always(Action),
    Told { place: usize, values: BTreeMap<String, Effect> },
}

impl InteractionReader {
    pub(crate) fn resolve(rules: &InteractionTable, resolver: &mut Resolver<'_>) -> Self {
        let action = match (&rules.action.always, &rules.action.column) {
            (Some(action), _) => Doing::Always(*action),
            (None, column) => Doing::Told {
                place: column.as_ref().and_then(|name| resolver.comparable(name)).unwrap_or(0),
                values: rules.action.values.clone(),
            },
        };
        Self {
            user: resolver.number(&rules.user),
            item: resolver.number(&rules.item),
            action,
            time: Clock::resolve(&rules.time, resolver),
            dwell_ms: resolver.optional_number(rules.dwell_ms.as_ref()),
            deleted: Test::all(&rules.deleted, resolver),
            only: Test::all(&rules.only, resolver),
            distinct: is_distinct(rules, resolver),
        }
    }

    /// The place of the time's column among those that are read.
    pub(crate) fn time_place(&self) -> Option<usize> {
        self.time.as_ref().map(|clock| clock.place)
    }

    pub(super) fn read(&self, cells: &Cells<'_>) -> Result<State, BadRow> {
        if !all(&self.only, cells)? || any(&self.deleted, cells)? {
            return Ok(State::Absent);
        }
        let Some(action) = self.action(cells)? else { return Ok(State::Absent) };
        let event = entity::Event {
            user_id: cells.id(self.user)?,
            item_id: cells.id(self.item)?,
            action: entity::Action::from(action).into(),
            time_ms: self.time(cells)?,
            dwell_ms: match action {
                Action::View => cells.number_or_zero(self.dwell_ms)?,
                _ => 0,
            },
        };
        Event::try_from(event)?;
        Ok(State::Event(event))
    }

    fn action(&self, cells: &Cells<'_>) -> Result<Option<Action>, BadRow> {
        let (place, values) = match &self.action {
            Doing::Always(action) => return Ok(Some(*action)),
            Doing::Told { place, values } => (*place, values),
        };
        let value = cells.cell(place)?.canonical();
        match value.as_ref().and_then(|value| values.get(&**value)) {
            Some(effect) => Ok(effect.action()),
            None => {
                let value = value.as_deref().unwrap_or("NULL");
                Err(cells.bad(place, Cause::Unmapped, format!("{value:?} is not a mapped action")))
            }
        }
    }

    fn time(&self, cells: &Cells<'_>) -> Result<i64, BadRow> {
        match &self.time {
            Some(clock) => {
                clock.read(cells)?.ok_or_else(|| cells.bad(clock.place, Cause::Null, "is NULL"))
            }
            None => Err(BadRow::new("time", Cause::Null, "the column is missing")),
        }
    }
}

/// Whether the table's keys make events of different rows differ: a key over user, item, and the
/// action and time as far as different values there are different events.
fn is_distinct(rules: &InteractionTable, resolver: &Resolver<'_>) -> bool {
    let table = resolver.table();
    let mut columns = vec![rules.user.as_str(), rules.item.as_str()];
    let mut effects: Vec<Effect> = rules.action.values.values().copied().collect();
    effects.sort_unstable();
    let count = effects.len();
    effects.dedup();
    if effects.len() == count {
        columns.extend(rules.action.column.as_deref());
    }
    let exact = |kind: &Kind| match kind {
        Kind::Datetime(digits) | Kind::Timestamp(digits) => *digits <= 3,
        kind => matches!(kind, Kind::Integer { .. } | Kind::Date),
    };
    if table.column(&rules.time.column).is_some_and(|(_, column)| exact(&column.kind)) {
        columns.push(&rules.time.column);
    }
    table.is_unique(&columns)
}
