use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    DataError, DataSet, atomic, delimited, movielens_1m, movielens_100k, movielens_latest,
};

/// The formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
pub enum Format {
    /// Finds out from the files' names.
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
    /// One CSV or TSV of events, with items.* and users.* beside it.
    Csv,
}

/// Where a data set is and how strictly it is read.
#[derive(Debug, Clone)]
pub struct Source {
    pub path: PathBuf,
    pub format: Format,
    /// Share of bad rows above which reading fails.
    pub rejected_share: f64,
    /// Seeds the random order of data without times.
    pub seed: u64,
}

/// Reads a data set. Bad rows are left out and named; too many of them are an error.
pub fn read(source: &Source) -> Result<DataSet, DataError> {
    let path = source.path.as_path();
    let data = match resolve(source)? {
        Files::Atomic(interactions) => atomic::read(&interactions, source.seed)?,
        Files::Ml100k => movielens_100k::read(path)?,
        Files::MlLatest => movielens_latest::read(path)?,
        Files::Ml1m => movielens_1m::read(path)?,
        Files::Delimited(events) => delimited::read(&events, source.seed)?,
    };
    data.rejections.check(source.rejected_share)?;
    DataSet { name: name(path), ..data }.normalise()
}

enum Files {
    Atomic(PathBuf),
    Ml100k,
    MlLatest,
    Ml1m,
    Delimited(PathBuf),
}

fn resolve(source: &Source) -> Result<Files, DataError> {
    let path = source.path.as_path();
    let unknown = || DataError::Unknown(path.into());
    match source.format {
        Format::Auto => detect(path).ok_or_else(unknown),
        Format::Ml100k => match interactions(path) {
            Some(file) => Ok(Files::Atomic(file)),
            None => Ok(Files::Ml100k),
        },
        Format::MlLatestSmall => Ok(Files::MlLatest),
        Format::Ml1m => Ok(Files::Ml1m),
        Format::Csv => events(path).map(Files::Delimited).ok_or_else(unknown),
    }
}

fn detect(path: &Path) -> Option<Files> {
    if let Some(file) = interactions(path) {
        return Some(Files::Atomic(file));
    }
    let has = |name: &str| path.join(name).exists();
    if has("u.data") {
        Some(Files::Ml100k)
    } else if has("ratings.dat") {
        Some(Files::Ml1m)
    } else if has("ratings.csv") && has("movies.csv") {
        Some(Files::MlLatest)
    } else {
        events(path).map(Files::Delimited)
    }
}

fn interactions(path: &Path) -> Option<PathBuf> {
    if path.extension().is_some_and(|extension| extension == "inter") {
        return Some(path.into());
    }
    let files = std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|file| file.extension().is_some_and(|extension| extension == "inter")).min()
}

fn events(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.into());
    }
    let names = ["events", "interactions", "ratings", "behaviours"];
    let files = names
        .iter()
        .flat_map(|name| ["csv", "tsv"].map(|extension| path.join(format!("{name}.{extension}"))));
    files.into_iter().find(|file| file.exists())
}

fn name(path: &Path) -> String {
    let full = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    full.file_stem().map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned())
}
