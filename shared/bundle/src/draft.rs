use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tributary_domain::{BundleId, Timestamp};

use crate::{
    BundleError, FileEntry, Manifest, ManifestParts, Store, disk,
    manifest::{MANIFEST, MANIFEST_HASH, check_name},
};

/// A bundle that is being written. Nobody sees it before [`Draft::finish`]; dropped unfinished,
/// it is removed.
#[derive(Debug)]
pub struct Draft {
    store: Store,
    folder: TempDir,
    files: BTreeMap<String, FileEntry>,
}

impl Draft {
    /// Starts an empty draft in the store.
    pub fn new(store: &Store) -> Result<Self, BundleError> {
        let drafts = store.drafts();
        fs::create_dir_all(&drafts).map_err(BundleError::io("create", &drafts))?;
        let folder =
            TempDir::new_in(&drafts).map_err(BundleError::io("create a folder in", &drafts))?;
        Ok(Self { store: store.clone(), folder, files: BTreeMap::new() })
    }

    /// Writes a file; a name may hold folders ("models/ranker.onnx"). The last content counts.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        check_name(name)?;
        let path = self.folder.path().join(name);
        let parent = path.parent().expect("a file of the draft lies in the draft's folder");
        fs::create_dir_all(parent).map_err(BundleError::io("create", parent))?;
        disk::write_durably(&path, bytes)?;
        let size = u64::try_from(bytes.len()).expect("a slice's length fits in 64 bits");
        let entry = FileEntry { sha256: disk::digest(bytes), bytes: size };
        self.files.insert(name.to_owned(), entry);
        Ok(())
    }

    /// Turns the draft into a bundle of the store, whole or not at all, and gives its id: the
    /// time (UTC) and a hash of the manifest. The bundle is not published.
    pub fn finish(self, parts: ManifestParts) -> Result<BundleId, BundleError> {
        parts.check(&self.files)?;
        let manifest = self.manifest(parts)?;
        let text = serde_json::to_vec_pretty(&manifest).map_err(BundleError::Encode)?;
        let folder = self.folder.path();
        disk::write_durably(&folder.join(MANIFEST), &text)?;
        let hash = format!("{}  {MANIFEST}\n", disk::digest(&text));
        disk::write_durably(&folder.join(MANIFEST_HASH), hash.as_bytes())?;
        sync_folders(folder, self.files.keys())?;
        self.store.adopt(self.folder, &manifest.id)?;
        Ok(manifest.id)
    }

    fn manifest(&self, parts: ManifestParts) -> Result<Manifest, BundleError> {
        let ManifestParts { data_fingerprint, models, specifications, metrics, parameters, gate } =
            parts;
        let created = Timestamp::now();
        let mut manifest = Manifest {
            id: BundleId::from(""),
            created_ms: created.0,
            data_fingerprint,
            models,
            specifications,
            metrics,
            parameters,
            gate,
            files: self.files.clone(),
        };
        let unnamed = serde_json::to_vec(&manifest).map_err(BundleError::Encode)?;
        let hash = &disk::digest(&unnamed)[..12];
        manifest.id = BundleId::from(format!("{}-{hash}", compact_time(created)));
        Ok(manifest)
    }
}

/// "20261121T205900" in UTC, so that ids sort by time.
fn compact_time(time: Timestamp) -> String {
    let seconds = time.0.div_euclid(1_000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}")
}

/// Year, month and day of a count of days since 1970-01-01, after Howard Hinnant's
/// `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>).
fn civil_date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn sync_folders<'a>(
    folder: &Path,
    files: impl Iterator<Item = &'a String>,
) -> Result<(), BundleError> {
    let parents: BTreeSet<PathBuf> = files
        .flat_map(|file| Path::new(file).ancestors().skip(1))
        .map(|parent| folder.join(parent))
        .collect();
    parents.iter().try_for_each(|parent| disk::sync_folder(parent))?;
    disk::sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_know_leap_years() {
        for (time_ms, text) in [
            (0, "19700101T000000"),
            (951_782_399_000, "20000228T235959"),
            (951_782_400_000, "20000229T000000"),
            (1_709_164_800_000, "20240229T000000"),
            (1_767_225_599_999, "20251231T235959"),
        ] {
            assert_eq!(compact_time(Timestamp(time_ms)), text);
        }
    }
}
