//! Reading one column by one rule.

use std::collections::BTreeSet;

use super::{BadRow, Cause, Row};
use crate::{
    cell::Cell,
    layout::{Layout, Resolver},
    mapping::{Condition, LabelFormat, Labels, Moment, TimeFormat, ValueMap},
    zone::Zone,
};

/// The cells of a row with their columns' names.
pub(super) struct Cells<'a> {
    layout: &'a Layout,
    row: &'a Row,
}

impl<'a> Cells<'a> {
    pub(super) fn new(layout: &'a Layout, row: &'a Row) -> Self {
        Self { layout, row }
    }

    pub(super) fn name(&self, place: usize) -> &'a str {
        &self.layout.table.columns[self.layout.needed[place]].name
    }

    pub(super) fn bad(&self, place: usize, cause: Cause, reason: impl Into<String>) -> BadRow {
        BadRow::new(self.name(place), cause, reason)
    }

    pub(super) fn cell(&self, place: usize) -> Result<&'a Cell, BadRow> {
        self.row[place].as_ref().map_err(|error| self.bad(place, Cause::Type, error.to_string()))
    }

    /// A whole number in the range of `T`; `None` for NULL.
    pub(super) fn number<T: TryFrom<i128>>(&self, place: usize) -> Result<Option<T>, BadRow> {
        let cell = self.cell(place)?;
        if cell.is_null() {
            return Ok(None);
        }
        let Some(number) = cell.integer() else {
            return Err(self.bad(place, Cause::Range, "is not a whole number"));
        };
        match T::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.bad(place, Cause::Range, format!("{number} is out of range"))),
        }
    }

    /// The number of an optional column; 0 where there is none, which means "not known".
    pub(super) fn number_or_zero<T>(&self, place: Option<usize>) -> Result<T, BadRow>
    where
        T: TryFrom<i128> + Default,
    {
        match place {
            Some(place) => Ok(self.number(place)?.unwrap_or_default()),
            None => Ok(T::default()),
        }
    }

    /// An id: a positive number that is there.
    pub(super) fn id(&self, place: usize) -> Result<u64, BadRow> {
        match self.number(place)? {
            None => Err(self.bad(place, Cause::Null, "is NULL")),
            Some(0) => Err(self.bad(place, Cause::Range, "must not be zero")),
            Some(id) => Ok(id),
        }
    }

    /// The text of an optional column; empty where there is none.
    pub(super) fn text(&self, place: Option<usize>) -> Result<String, BadRow> {
        let Some(place) = place else { return Ok(String::new()) };
        match self.cell(place)? {
            Cell::Null => Ok(String::new()),
            Cell::Text(text) => Ok(text.clone()),
            Cell::Json(value) => {
                Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }
            _ => Err(self.bad(place, Cause::Type, "is not a text")),
        }
    }
}

/// A condition whose column has been found.
#[derive(Debug, Clone)]
pub(super) struct Test {
    place: usize,
    values: BTreeSet<String>,
    null: Option<bool>,
}

impl Test {
    /// Those of `rules` whose columns are there.
    pub(super) fn all(rules: &[Condition], resolver: &mut Resolver<'_>) -> Vec<Self> {
        let test = |rule: &Condition| {
            let place = match rule.null {
                Some(_) => resolver.any(&rule.column),
                None => resolver.comparable(&rule.column),
            };
            let values = rule.values.iter().cloned().collect();
            Some(Self { place: place?, values, null: rule.null })
        };
        rules.iter().filter_map(test).collect()
    }

    fn holds(&self, cells: &Cells<'_>) -> Result<bool, BadRow> {
        if let Some(null) = self.null {
            // A value that is there and cannot be read is not NULL.
            return Ok(matches!(cells.row[self.place], Ok(Cell::Null)) == null);
        }
        let value = cells.cell(self.place)?.canonical();
        Ok(value.is_some_and(|value| self.values.contains(&*value)))
    }
}

/// Whether one of them holds.
pub(super) fn any(tests: &[Test], cells: &Cells<'_>) -> Result<bool, BadRow> {
    tests.iter().try_fold(false, |held, test| Ok(held || test.holds(cells)?))
}

/// Whether all of them hold.
pub(super) fn all(tests: &[Test], cells: &Cells<'_>) -> Result<bool, BadRow> {
    tests.iter().try_fold(true, |held, test| Ok(held && test.holds(cells)?))
}

/// A value map whose column has been found.
#[derive(Debug, Clone)]
pub(super) struct Lookup<T> {
    pub(super) place: usize,
    map: ValueMap<T>,
}

impl<T: Copy> Lookup<T> {
    pub(super) fn resolve(map: &ValueMap<T>, resolver: &mut Resolver<'_>) -> Option<Self> {
        Some(Self { place: resolver.comparable(&map.column)?, map: map.clone() })
    }

    pub(super) fn read(&self, cells: &Cells<'_>) -> Result<T, BadRow> {
        let value = cells.cell(self.place)?.canonical();
        let known = value.as_ref().and_then(|value| self.map.values.get(&**value)).copied();
        known.or(self.map.otherwise).ok_or_else(|| {
            let value = value.as_deref().unwrap_or("NULL");
            cells.bad(
                self.place,
                Cause::Unmapped,
                format!("{value:?} is not among the mapped values"),
            )
        })
    }
}

/// A time whose column has been found.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    pub(super) place: usize,
    format: TimeFormat,
    zone: Zone,
}

impl Clock {
    pub(super) fn resolve(rule: &Moment, resolver: &mut Resolver<'_>) -> Option<Self> {
        let place = resolver.moment(rule)?;
        let zone = Zone::parse(&rule.zone).unwrap_or_else(|_| Zone::utc());
        Some(Self { place, format: rule.format, zone })
    }

    /// Unix milliseconds; `None` for NULL.
    pub(super) fn read(&self, cells: &Cells<'_>) -> Result<Option<i64>, BadRow> {
        let cell = cells.cell(self.place)?;
        let moment = match (cell, self.format) {
            (Cell::Null, _) => return Ok(None),
            (Cell::Moment(ms), TimeFormat::Datetime) => Some(*ms),
            (Cell::Local(local), TimeFormat::Datetime) => self.zone.to_unix_ms(*local),
            (cell, TimeFormat::Seconds) => thousandths(cell),
            (cell, TimeFormat::Milliseconds) => cell.integer().and_then(|ms| ms.try_into().ok()),
            _ => None,
        };
        let wrong = || cells.bad(self.place, Cause::Range, "is not a time that can be read");
        moment.map(Some).ok_or_else(wrong)
    }
}

/// A number times 1,000, without what is beyond.
fn thousandths(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Integer(seconds) => seconds.checked_mul(1_000)?.try_into().ok(),
        Cell::Decimal(digits) => {
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            let fraction = format!("{fraction:0<3}");
            let whole: i64 = whole.parse().ok()?;
            whole.checked_mul(1_000)?.checked_add(fraction.get(..3)?.parse().ok()?)
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked: within 2^53")]
        Cell::Float(seconds) => {
            let ms = (seconds * 1_000.0).floor();
            (ms.abs() < 9e15).then_some(ms as i64)
        }
        _ => None,
    }
}

/// Labels whose column has been found.
#[derive(Debug, Clone)]
pub(super) struct LabelList {
    place: usize,
    rule: Labels,
}

impl LabelList {
    pub(super) fn resolve(rule: &Labels, resolver: &mut Resolver<'_>) -> Option<Self> {
        Some(Self { place: resolver.labels(rule)?, rule: rule.clone() })
    }

    /// The labels in their order, none empty, none twice.
    pub(super) fn read(&self, cells: &Cells<'_>) -> Result<Vec<String>, BadRow> {
        let wrong = |reason: String| cells.bad(self.place, Cause::Json, reason);
        let mut labels: Vec<String> = match (cells.cell(self.place)?, self.rule.format) {
            (Cell::Null, _) => Vec::new(),
            (Cell::Text(text), LabelFormat::Separated) => {
                text.split(&self.rule.separator).map(str::to_owned).collect()
            }
            (Cell::Text(text), _) if text.trim().is_empty() => Vec::new(),
            (Cell::Text(text), _) => {
                let value = serde_json::from_str(text);
                self.of_json(&value.map_err(|error| wrong(format!("broken JSON: {error}")))?)
                    .map_err(wrong)?
            }
            (Cell::Json(value), _) => self.of_json(value).map_err(wrong)?,
            _ => return Err(wrong("is not a text".to_owned())),
        };
        let mut seen = BTreeSet::new();
        labels.iter_mut().for_each(|label| *label = label.trim().to_owned());
        labels.retain(|label| !label.is_empty() && seen.insert(label.clone()));
        Ok(labels)
    }

    fn of_json(&self, value: &serde_json::Value) -> Result<Vec<String>, String> {
        if value.is_null() {
            return Ok(Vec::new());
        }
        let list = value.as_array().ok_or_else(|| "is JSON, but not an array".to_owned())?;
        let mut labels = Vec::new();
        for (index, element) in list.iter().enumerate() {
            match self.rule.format {
                LabelFormat::JsonObjects => self.of_object(index, element, &mut labels)?,
                LabelFormat::JsonTexts | LabelFormat::Separated => {
                    let text = element.as_str();
                    let text = text.ok_or_else(|| format!("element {index} is not a text"))?;
                    labels.push(text.to_owned());
                }
            }
        }
        Ok(labels)
    }

    fn of_object(
        &self,
        index: usize,
        element: &serde_json::Value,
        labels: &mut Vec<String>,
    ) -> Result<(), String> {
        let name = &self.rule.name;
        let text = element.get(name).and_then(serde_json::Value::as_str);
        let text = text.ok_or_else(|| format!("element {index} has no text {name:?}"))?;
        labels.push(text.to_owned());
        let translation = self.rule.translation.as_ref().and_then(|field| element.get(field));
        match translation {
            None | Some(serde_json::Value::Null) => {}
            Some(serde_json::Value::String(text)) => labels.push(text.clone()),
            Some(_) => return Err(format!("the translation of element {index} is not a text")),
        }
        Ok(())
    }
}
