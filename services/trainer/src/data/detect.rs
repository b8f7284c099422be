use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tributary_domain::Event;

use super::{
    DataError, DataSet, atomic,
    delimited::{self, Collected},
    given, label, movielens_1m, movielens_100k, movielens_latest,
    served::Collector,
    untimed::Clock,
    user_items,
};

/// The formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
pub enum Format {
    /// Finds out from the files' names, and for the form `user-items` from the first lines.
    #[default]
    Auto,
    /// MovieLens 100K: RecBole's atomic files, or u.data, u.item, u.user.
    #[value(name = "ml-100k")]
    Ml100k,
    /// ratings.csv, movies.csv, tags.csv.
    #[value(name = "ml-latest-small")]
    MlLatestSmall,
    /// ratings.dat, movies.dat, users.dat.
    #[value(name = "ml-1m")]
    Ml1m,
    /// One CSV, TSV or Parquet file of events, with items.* and users.* beside it.
    #[value(alias = "parquet")]
    Csv,
    /// A user and its items a line, ids from 0 on, which become ids from 1 on.
    UserItems,
}

/// What files to read.
#[derive(Debug, Clone)]
pub enum Files {
    /// A folder, or one file of events.
    Whole(PathBuf),
    /// A split that the files give.
    Given(Parts),
}

/// A file of events for each part.
#[derive(Debug, Clone)]
pub struct Parts {
    pub train: PathBuf,
    pub validation: Option<PathBuf>,
    pub test: PathBuf,
    /// A data set whose items, users and taggings describe those of the parts.
    pub attributes: Option<PathBuf>,
}

/// Where a data set is and how strictly it is read.
#[derive(Debug, Clone)]
pub struct Source {
    pub files: Files,
    pub format: Format,
    /// Share of bad rows above which reading fails.
    pub rejected_share: f64,
    /// Seeds the random order of data without times.
    pub seed: u64,
}

/// Reads a data set. Bad rows are left out and named; too many of them are an error.
pub fn read(source: &Source) -> Result<DataSet, DataError> {
    let (data, name) = match &source.files {
        Files::Whole(path) => (read_whole(path, source.format, source.seed)?, label::name(path)?),
        Files::Given(parts) => {
            let name = label::name(parts.train.parent().unwrap_or(&parts.train))?;
            (given::read(parts, source.format, source.seed)?, name)
        }
    };
    data.rejections.check(source.rejected_share)?;
    DataSet { name, ..data }.normalise()
}

/// A data set for its items, users and taggings; events need not be there.
pub(super) fn read_attributes(path: &Path, seed: u64) -> Result<DataSet, DataError> {
    let beside = path.join("events");
    let described =
        ["items", "users"].iter().any(|name| delimited::attributes(path, name).is_some());
    if detect(path).is_none() && described {
        let mut data = DataSet::default();
        delimited::read_attributes(&beside, &mut data)?;
        return Ok(data);
    }
    read_whole(path, Format::Auto, seed)
}

fn read_whole(path: &Path, format: Format, seed: u64) -> Result<DataSet, DataError> {
    match resolve(path, format)? {
        Found::Ml100k => movielens_100k::read(path),
        Found::MlLatest => movielens_latest::read(path),
        Found::Ml1m => movielens_1m::read(path),
        Found::Events(path) => {
            let file = EventFile::of(&path, format)?;
            let mut data = DataSet { timed: file.timed()?, ..DataSet::default() };
            let mut clock = Clock::new(data.timed, seed);
            let mut served = Collector::default();
            let collected = Collected { rejections: &mut data.rejections, served: &mut served };
            data.events = file.read(&mut clock, collected)?;
            data.served = served.finish();
            file.read_attributes(&mut data)?;
            Ok(data)
        }
    }
}

/// One file of events.
pub(super) enum EventFile {
    Atomic(PathBuf),
    Delimited(PathBuf),
    UserItems(PathBuf),
}

impl EventFile {
    /// Finds out what kind of file it is.
    pub(super) fn of(path: &Path, format: Format) -> Result<Self, DataError> {
        let is = |ending| delimited::has_ending(path, ending);
        let named = is("csv") || is("tsv") || is("parquet");
        Ok(match format {
            Format::UserItems => Self::UserItems(path.into()),
            _ if is("inter") => Self::Atomic(path.into()),
            Format::Auto if !named && user_items::is_form(path)? => Self::UserItems(path.into()),
            _ => Self::Delimited(path.into()),
        })
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Atomic(path) | Self::Delimited(path) | Self::UserItems(path) => path,
        }
    }

    pub(super) fn timed(&self) -> Result<bool, DataError> {
        match self {
            Self::Atomic(path) => atomic::timed(path),
            Self::Delimited(path) => delimited::timed(path),
            Self::UserItems(_) => Ok(false),
        }
    }

    /// Reads the events in the order of the file.
    pub(super) fn read(
        &self,
        clock: &mut Clock,
        collected: Collected<'_>,
    ) -> Result<Vec<Event>, DataError> {
        let rejections = collected.rejections;
        match self {
            Self::Atomic(path) => atomic::read_events(path, clock, rejections),
            Self::UserItems(path) => user_items::read_events(path, clock, rejections),
            Self::Delimited(path) => {
                let served = collected.served;
                delimited::read_events(path, clock, Collected { rejections, served })
            }
        }
    }

    /// Reads the files of items and users beside it.
    pub(super) fn read_attributes(&self, data: &mut DataSet) -> Result<(), DataError> {
        match self {
            Self::Atomic(path) => atomic::read_attributes(path, data),
            Self::Delimited(path) => delimited::read_attributes(path, data),
            Self::UserItems(_) => Ok(()),
        }
    }
}

enum Found {
    Ml100k,
    MlLatest,
    Ml1m,
    Events(PathBuf),
}

fn resolve(path: &Path, format: Format) -> Result<Found, DataError> {
    let unknown = || DataError::Unknown(path.into());
    match format {
        Format::Auto => detect(path).ok_or_else(unknown),
        Format::Ml100k => Ok(interactions(path).map_or(Found::Ml100k, Found::Events)),
        Format::MlLatestSmall => Ok(Found::MlLatest),
        Format::Ml1m => Ok(Found::Ml1m),
        Format::Csv | Format::UserItems => events(path).map(Found::Events).ok_or_else(unknown),
    }
}

fn detect(path: &Path) -> Option<Found> {
    if let Some(file) = interactions(path) {
        return Some(Found::Events(file));
    }
    let has = |name: &str| path.join(name).exists();
    if has("u.data") {
        Some(Found::Ml100k)
    } else if has("ratings.dat") {
        Some(Found::Ml1m)
    } else if has("ratings.csv") && has("movies.csv") {
        Some(Found::MlLatest)
    } else {
        events(path).map(Found::Events)
    }
}

fn interactions(path: &Path) -> Option<PathBuf> {
    if delimited::has_ending(path, "inter") {
        return Some(path.into());
    }
    let files = std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|file| delimited::has_ending(file, "inter")).min()
}

fn events(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.into());
    }
    let names = ["events", "interactions", "ratings", "behaviours"];
    names.iter().find_map(|name| delimited::attributes(path, name))
}
