use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tributary_proto::entity::v1 as entity;

use crate::{
    layout::Layout,
    reader::{Row, State},
};

/// How long a change of the binlog may take to be seen by queries.
const UNSEEN: Duration = Duration::from_secs(60);
/// When to look for what is older.
const MANY: usize = 10_000;

/// Table and key of a row, and user, item, action and time of the event that it was.
type Told = (String, String, (u64, u64, i32, i64));

/// The rows that tell an event no more, as the binlog had it a short while ago. A query may still
/// see them: a server writes its binlog before it makes a change visible.
#[derive(Debug, Default)]
pub(super) struct Tellers {
    silent: HashMap<Told, Instant>,
}

impl Tellers {
    /// Takes a row before and after its change.
    pub(super) fn note(&mut self, layout: &Layout, before: Option<&Row>, after: Option<&Row>) {
        if self.silent.len() >= MANY {
            self.silent.retain(|_, since| since.elapsed() < UNSEEN);
        }
        if let Some(told) = before.and_then(|row| told(layout, row)) {
            self.silent.insert(told, Instant::now());
        }
        if let Some(told) = after.and_then(|row| told(layout, row)) {
            self.silent.remove(&told);
        }
    }

    /// Whether a row that a query has seen tells the event.
    pub(super) fn tells(&self, layout: &Layout, row: &Row, event: &entity::Event) -> bool {
        let told = told(layout, row).filter(|(_, _, told)| *told == identity(event));
        told.is_some_and(|told| !self.silent.contains_key(&told))
    }
}

fn told(layout: &Layout, row: &Row) -> Option<Told> {
    let Ok(State::Event(event)) = layout.state(row) else { return None };
    let key = serde_json::Value::Object(layout.key_of(row)).to_string();
    Some((layout.table.name.clone(), key, identity(&event)))
}

/// What tells events apart.
pub(super) fn identity(event: &entity::Event) -> (u64, u64, i32, i64) {
    (event.user_id, event.item_id, event.action, event.time_ms)
}
