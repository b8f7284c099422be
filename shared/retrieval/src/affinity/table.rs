//! One table, and what it says for one user.

use std::{collections::HashMap, sync::Arc};

use ndarray::{Array1, Array2};
use tributary_domain::{ItemId, UserContext};
use tributary_features::ranking::{AffinityName, Past};

use super::{AffinityError, narrow};
use crate::{
    audience::{Audience, AudienceTable, Trait},
    collaborative::Tables,
    factors::{Factors, Fold},
    labels::{LabelTable, Labels},
    vector::ItemVectors,
};

const COLLABORATIVE: &str = "tables/collaborative.safetensors";
const GRAPH: &str = "tables/graph_vectors.safetensors";
const FACTORS: &str = "tables/factors.safetensors";
const GENRES: &str = "tables/genres.safetensors";
const AUDIENCE: &str = "tables/audience.safetensors";
/// The tables beside those of the collaborative channel, with their files.
const NAMES: [(&str, &str); 6] = [
    ("graph", GRAPH),
    ("factors", FACTORS),
    ("genres", GENRES),
    ("gender", AUDIENCE),
    ("age", AUDIENCE),
    ("occupation", AUDIENCE),
];

/// The bundle's file in which a table stands.
pub(super) fn file(table: &str) -> &'static str {
    let known = NAMES.iter().find(|(name, _)| *name == table);
    known.map_or(COLLABORATIVE, |(_, file)| file)
}

/// That there is no such table, or that it answers to no such past.
pub(super) fn unknown(name: &AffinityName, collaborative: &[&str]) -> AffinityError {
    let others = NAMES.iter().map(|(name, file)| match *file {
        AUDIENCE => format!("{name}.profile"),
        _ => (*name).to_owned(),
    });
    let known: Vec<String> =
        collaborative.iter().map(|name| (*name).to_owned()).chain(others).collect();
    AffinityError::Unknown { name: name.clone(), known: known.join(", ") }
}

#[derive(Debug)]
pub(super) enum Table {
    /// The item-to-item table of that name.
    Neighbours {
        tables: Box<Tables>,
        name: Arc<str>,
    },
    /// [items, dimensions]
    Vectors {
        rows: HashMap<ItemId, usize>,
        vectors: Array2<f32>,
    },
    Factors {
        rows: HashMap<ItemId, usize>,
        fold: Box<Fold>,
    },
    Labels(LabelTable),
    Audience {
        table: AudienceTable,
        kind: Trait,
    },
}

/// A table with what it makes of one user.
pub(super) enum Asked<'a> {
    /// A score for each item of the tables.
    Scores {
        tables: &'a Tables,
        scores: Vec<f32>,
    },
    /// The user's vector.
    Vector {
        rows: &'a HashMap<ItemId, usize>,
        vectors: &'a Array2<f32>,
        user: Array1<f32>,
    },
    Factors {
        rows: &'a HashMap<ItemId, usize>,
        fold: &'a Fold,
        user: Array1<f64>,
    },
    Labels {
        table: &'a LabelTable,
        lifts: Vec<f64>,
    },
    Audience {
        table: &'a AudienceTable,
        group: Option<usize>,
    },
}

impl Table {
    pub(super) fn read(
        name: &AffinityName,
        file: &'static str,
        bytes: &[u8],
    ) -> Result<Self, AffinityError> {
        let broken = |source| AffinityError::Table { file, source };
        match file {
            GRAPH => {
                let ItemVectors { ids, vectors } =
                    ItemVectors::from_bytes(bytes).map_err(broken)?;
                Ok(Self::Vectors { rows: ids.into_iter().zip(0..).collect(), vectors })
            }
            FACTORS => {
                let factors = Factors::from_bytes(bytes).map_err(broken)?;
                Ok(Self::Factors { rows: factors.rows(), fold: Box::new(factors.fold()) })
            }
            GENRES => {
                let labels = Labels::from_bytes(bytes).map_err(broken)?;
                Ok(Self::Labels(LabelTable::new(labels)))
            }
            AUDIENCE => {
                let table = AudienceTable::new(Audience::from_bytes(bytes).map_err(broken)?);
                let kind = Trait::ALL.into_iter().find(|kind| kind.name() == &*name.table);
                let kind = kind.ok_or_else(|| unknown(name, &[]))?;
                Ok(Self::Audience { table, kind })
            }
            _ => Self::neighbours(name, Tables::from_bytes(bytes).map_err(broken)?),
        }
    }

    /// Keeps of the tables the one that is asked.
    fn neighbours(name: &AffinityName, mut tables: Tables) -> Result<Self, AffinityError> {
        if !tables.neighbours.contains_key(&*name.table) {
            let known: Vec<&str> = tables.neighbours.keys().map(String::as_str).collect();
            return Err(unknown(name, &known));
        }
        tables.neighbours.retain(|table, _| **table == *name.table);
        Ok(Self::Neighbours { tables: Box::new(tables), name: Arc::clone(&name.table) })
    }

    /// Whether the table can be asked by this part of a user.
    pub(super) fn answers(&self, past: Past) -> bool {
        matches!(self, Self::Audience { .. }) == (past == Past::Profile)
    }

    /// The names that the table's file is known by beside those that are always there.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Neighbours { name, .. } => vec![&**name],
            _ => Vec::new(),
        }
    }

    pub(super) fn ask(&self, context: &UserContext, past: &[(ItemId, f32)]) -> Asked<'_> {
        match self {
            Self::Neighbours { tables, name } => {
                Asked::Scores { tables, scores: summed(tables, name, past) }
            }
            Self::Vectors { rows, vectors } => {
                let mut user = Array1::zeros(vectors.ncols());
                for (row, weight) in known(rows, past) {
                    user.scaled_add(weight, &vectors.row(row));
                }
                Asked::Vector { rows, vectors, user }
            }
            Self::Factors { rows, fold } => {
                let met = known(rows, past).map(|(row, weight)| (row, f64::from(weight)));
                Asked::Factors { rows, fold, user: fold.vector(met) }
            }
            Self::Labels(table) => Asked::Labels { table, lifts: table.ask(past) },
            Self::Audience { table, kind } => {
                Asked::Audience { table, group: table.ask(*kind, context.profile.as_ref()) }
            }
        }
    }
}

impl Asked<'_> {
    /// 0 of an item that the table does not know.
    pub(super) fn score(&self, item: ItemId) -> f32 {
        match self {
            Self::Scores { tables, scores } => {
                tables.favourites.row_of(item).map_or(0.0, |row| scores[row])
            }
            Self::Vector { rows, vectors, user } => {
                rows.get(&item).map_or(0.0, |row| vectors.row(*row).dot(user))
            }
            Self::Factors { rows, fold, user } => {
                rows.get(&item).map_or(0.0, |row| narrow(fold.others().row(*row).dot(user)))
            }
            Self::Labels { table, lifts } => narrow(table.score(item, lifts)),
            Self::Audience { table, group } => table.score(item, *group),
        }
    }
}

fn known<'a>(
    rows: &'a HashMap<ItemId, usize>,
    past: &'a [(ItemId, f32)],
) -> impl Iterator<Item = (usize, f32)> + 'a {
    past.iter().filter_map(|(item, weight)| Some((*rows.get(item)?, *weight)))
}

fn summed(tables: &Tables, name: &str, past: &[(ItemId, f32)]) -> Vec<f32> {
    let neighbours = &tables.neighbours[name];
    let mut scores = vec![0.0; tables.favourites.items().len()];
    for (item, weight) in past {
        let Some(row) = tables.favourites.row_of(*item) else { continue };
        for (other, share) in neighbours.of(row) {
            scores[other] += weight * share;
        }
    }
    scores
}
