use std::{fmt, sync::Arc};

use crate::Value;

/// What of a user counts when a table of a bundle is asked what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Past {
    /// Every item that the user engaged with, all alike.
    Engaged,
    /// The items that the user liked, all alike.
    Liked,
    /// Every item that the user engaged with, the latest most: each counts half as much as one
    /// that came twenty items later.
    Recent,
    /// No history: the profile.
    Profile,
}

/// How a table's score is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// As the table has it; it grows with the history.
    Score,
    /// In standard deviations above the mean of the request's candidates: what is far ahead for a
    /// user of five items is then as far ahead as for one of five hundred.
    Standing,
}

/// Names what a table of the bundle says of a candidate: "affinity.<table>.<past>" for the score,
/// "standing.<table>.<past>" for the standing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AffinityName {
    pub table: Arc<str>,
    pub past: Past,
    pub form: Form,
}

/// What a table of the bundle says of a candidate by the user's history. Unlike the evidence of a
/// channel there is one for every candidate, whoever proposed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Affinity {
    pub name: AffinityName,
    /// Comparable under the same name only.
    pub score: f32,
}

const PASTS: [(&str, Past); 4] = [
    ("engaged", Past::Engaged),
    ("liked", Past::Liked),
    ("recent", Past::Recent),
    ("profile", Past::Profile),
];

const FORMS: [(&str, Form); 2] = [("affinity", Form::Score), ("standing", Form::Standing)];

impl AffinityName {
    /// Reads "<form>.<table>.<past>".
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (form, name) = name.split_once('.')?;
        let (table, past) = name.rsplit_once('.')?;
        let (_, form) = FORMS.iter().find(|(known, _)| *known == form)?;
        let (_, past) = PASTS.iter().find(|(known, _)| *known == past)?;
        (!table.is_empty()).then(|| Self { table: table.into(), past: *past, form: *form })
    }
}

impl fmt::Display for AffinityName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (past, _) =
            PASTS.iter().find(|(_, past)| *past == self.past).expect("every past has a name");
        let (form, _) =
            FORMS.iter().find(|(_, form)| *form == self.form).expect("every form has a name");
        write!(formatter, "{form}.{}.{past}", self.table)
    }
}

/// What is said under a name, `None` where the asker has no such table.
pub(crate) fn score(affinities: &[Affinity], wanted: &AffinityName) -> Value<'static> {
    let found = affinities.iter().find(|one| one.name == *wanted);
    found.map_or(Value::Missing, |one| Value::Number(f64::from(one.score)))
}
