//! Statistics as they stand in a bundle: safetensors with columns of equal length, `item_ids`,
//! `interactions` and `likes` (U64), `recent` (F64) and `updated_ms` (I64, Unix milliseconds,
//! -1 for never); the last two may be missing.

use safetensors::{
    Dtype,
    tensor::{SafeTensors, TensorView},
};
use tributary_domain::{ItemId, Timestamp};

use super::{Counts, Statistics};
use crate::FeatureError;

const IDS: &str = "item_ids";
const INTERACTIONS: &str = "interactions";
const LIKES: &str = "likes";
const RECENT: &str = "recent";
const UPDATED: &str = "updated_ms";
const NEVER: i64 = -1;

pub(super) fn write(statistics: &Statistics) -> Vec<u8> {
    let mut rows: Vec<(&ItemId, &Counts)> = statistics.items.iter().collect();
    rows.sort_unstable_by_key(|(item, _)| **item);
    let bytes = |cell: fn(&(&ItemId, &Counts)) -> [u8; 8]| -> Vec<u8> {
        rows.iter().flat_map(cell).collect()
    };
    let columns = [
        (IDS, Dtype::U64, bytes(|(item, _)| item.0.to_le_bytes())),
        (INTERACTIONS, Dtype::U64, bytes(|(_, counts)| counts.interactions.to_le_bytes())),
        (LIKES, Dtype::U64, bytes(|(_, counts)| counts.likes.to_le_bytes())),
        (RECENT, Dtype::F64, bytes(|(_, counts)| counts.decayed.to_le_bytes())),
        (
            UPDATED,
            Dtype::I64,
            bytes(|(_, counts)| counts.updated.map_or(NEVER, |time| time.0).to_le_bytes()),
        ),
    ];
    let views = columns.iter().map(|(name, dtype, bytes)| {
        let view = TensorView::new(*dtype, vec![rows.len()], bytes);
        (*name, view.expect("eight bytes a cell"))
    });
    safetensors::serialize(views, None).expect("valid views serialise")
}

pub(super) fn read(bytes: &[u8]) -> Result<Statistics, FeatureError> {
    let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
    let ids = column(&file, IDS, Dtype::U64, None)?.ok_or_else(|| missing(IDS))?;
    let rows = Some(ids.len());
    let required = |name| column(&file, name, Dtype::U64, rows)?.ok_or_else(|| missing(name));
    let (interactions, likes) = (required(INTERACTIONS)?, required(LIKES)?);
    let recent = column(&file, RECENT, Dtype::F64, rows)?;
    let updated = column(&file, UPDATED, Dtype::I64, rows)?;
    let mut statistics = Statistics::default();
    for (row, id) in ids.iter().enumerate() {
        let decayed = recent.as_ref().map_or(0.0, |cells| f64::from_le_bytes(cells[row]));
        let updated = updated.as_ref().map(|cells| i64::from_le_bytes(cells[row]));
        let counts = Counts {
            interactions: u64::from_le_bytes(interactions[row]),
            likes: u64::from_le_bytes(likes[row]),
            decayed: if decayed.is_finite() { decayed } else { 0.0 },
            updated: updated.filter(|time| *time >= 0).map(Timestamp),
        };
        statistics.put(ItemId(u64::from_le_bytes(*id)), counts);
    }
    Ok(statistics)
}

fn column<'b>(
    file: &SafeTensors<'b>,
    name: &str,
    dtype: Dtype,
    rows: Option<usize>,
) -> Result<Option<&'b [[u8; 8]]>, FeatureError> {
    let Some((_, view)) = file.iter().find(|(known, _)| *known == name) else {
        return Ok(None);
    };
    let cells = view.data().as_chunks().0;
    let fits = view.dtype() == dtype
        && view.shape() == [cells.len()]
        && rows.is_none_or(|rows| rows == cells.len());
    match fits {
        true => Ok(Some(cells)),
        false => Err(refuse(format_args!(
            "column {name} is {:?} {:?}, not {dtype:?} with a cell for each item",
            view.dtype(),
            view.shape()
        ))),
    }
}

fn missing(name: &str) -> FeatureError {
    refuse(format_args!("column {name} is missing"))
}

fn refuse(reason: impl std::fmt::Display) -> FeatureError {
    FeatureError::Statistics { reason: reason.to_string() }
}
