use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tributary_domain::BundleId;

use crate::{
    Bundle, BundleError, Forced, Standing,
    bundle::read_manifest,
    disk,
    manifest::{Manifest, check_id},
};

/// A folder of bundles with a pointer to the one that is served.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// A bundle in a list, its files unchecked.
#[derive(Debug)]
pub struct Summary {
    pub id: BundleId,
    pub current: bool,
    pub published_before: bool,
    /// What the gate said of it; `None` where no gate was asked.
    pub standing: Option<Standing>,
    /// The manifest, or why there is none.
    pub manifest: Result<Manifest, BundleError>,
}

impl Store {
    /// The store in that folder; nothing is read or created yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All bundles, ascending by id, which is by time.
    pub fn list(&self) -> Result<Vec<Summary>, BundleError> {
        let folder = self.folder.join("bundles");
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let (current, history, runs) = (self.current()?, self.history()?, self.gate_runs()?);
        let mut list = Vec::new();
        for entry in fs::read_dir(&folder).map_err(BundleError::io("list", &folder))? {
            let entry = entry.map_err(BundleError::io("list", &folder))?;
            let id = BundleId::from(entry.file_name().to_string_lossy().into_owned());
            let manifest = read_manifest(&entry.path(), &id);
            let written = manifest.as_ref().ok().and_then(|manifest| manifest.gate.as_ref());
            list.push(Summary {
                current: current.as_ref() == Some(&id),
                published_before: history.contains(&id),
                standing: Standing::of(&id, &runs, written),
                manifest,
                id,
            });
        }
        list.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(list)
    }

    /// The published bundle; `None` where nothing is published.
    pub fn current(&self) -> Result<Option<BundleId>, BundleError> {
        let Some(text) = disk::read_if_present(&self.folder.join("current"))? else {
            return Ok(None);
        };
        let id = BundleId::from(text.trim());
        check_id(&id)?;
        Ok(Some(id))
    }

    /// Bundles that were published before the current one, oldest first.
    pub fn history(&self) -> Result<Vec<BundleId>, BundleError> {
        let text = disk::read_if_present(&self.folder.join("history"))?;
        Ok(text.iter().flat_map(|text| text.lines()).map(BundleId::from).collect())
    }

    /// Opens and checks a bundle.
    pub fn open(&self, id: &BundleId) -> Result<Bundle, BundleError> {
        check_id(id)?;
        let folder = self.bundle_folder(id);
        match folder.is_dir() {
            true => Bundle::open(folder),
            false => Err(BundleError::NotFound { bundle: id.clone(), store: self.folder.clone() }),
        }
    }

    /// Checks the bundle, then points to it. What was current goes on top of the history.
    /// Publishing the current bundle changes nothing. A bundle that the gate blocked is refused.
    pub fn publish(&self, id: &BundleId) -> Result<(), BundleError> {
        let _lock = self.lock()?;
        self.open(id)?;
        self.check_gate(id)?;
        self.move_to(id)
    }

    /// Publishes whatever the gate said, and records who wanted it and why.
    pub fn publish_forced(&self, id: &BundleId, forced: &Forced) -> Result<(), BundleError> {
        for (what, text) in [("the name", &forced.by), ("the reason", &forced.reason)] {
            if text.trim().is_empty() {
                return Err(BundleError::NotVouched { bundle: id.clone(), what });
            }
        }
        let _lock = self.lock()?;
        self.open(id)?;
        self.record_force(id, forced)?;
        self.move_to(id)
    }

    fn move_to(&self, id: &BundleId) -> Result<(), BundleError> {
        match self.current()? {
            Some(current) if current == *id => return Ok(()),
            Some(current) => {
                let mut history = self.history()?;
                history.push(current);
                self.write_history(&history)?;
            }
            None => {}
        }
        self.point_to(id)
    }

    /// Takes the last bundle off the history, checks it and points to it.
    pub fn rollback(&self) -> Result<BundleId, BundleError> {
        let _lock = self.lock()?;
        let current = self.current()?;
        let mut history = self.history()?;
        // A crash between the two writes of a publication leaves the current bundle on top.
        history.pop_if(|id| Some(&*id) == current.as_ref());
        let none = || BundleError::NoHistory { store: self.folder.clone() };
        let previous = history.pop().ok_or_else(none)?;
        self.open(&previous)?;
        self.point_to(&previous)?;
        self.write_history(&history)?;
        Ok(previous)
    }

    pub(crate) fn drafts(&self) -> PathBuf {
        self.folder.join("drafts")
    }

    /// Moves a finished draft to its place.
    pub(crate) fn adopt(&self, draft: TempDir, id: &BundleId) -> Result<(), BundleError> {
        check_id(id)?;
        let bundles = self.folder.join("bundles");
        fs::create_dir_all(&bundles).map_err(BundleError::io("create", &bundles))?;
        let place = self.bundle_folder(id);
        // The id holds the manifest's hash: what is there already is the same bundle.
        if place.is_dir() {
            return Bundle::open(place).map(drop);
        }
        let folder = draft.keep();
        fs::rename(&folder, &place).map_err(BundleError::io("move the draft to", place))?;
        disk::sync_folder(&bundles)
    }

    fn bundle_folder(&self, id: &BundleId) -> PathBuf {
        self.folder.join("bundles").join(id.as_str())
    }

    fn point_to(&self, id: &BundleId) -> Result<(), BundleError> {
        disk::replace(&self.folder.join("current"), format!("{id}\n").as_bytes())
    }

    fn write_history(&self, history: &[BundleId]) -> Result<(), BundleError> {
        let lines: String = history.iter().map(|id| format!("{id}\n")).collect();
        disk::replace(&self.folder.join("history"), lines.as_bytes())
    }

    /// A bundle's manifest, its other files unchecked.
    pub(crate) fn manifest(&self, id: &BundleId) -> Result<Manifest, BundleError> {
        check_id(id)?;
        read_manifest(&self.bundle_folder(id), id)
    }

    /// Keeps other processes from moving the pointer, or adding to the gate's record, until the
    /// file is dropped.
    pub(crate) fn lock(&self) -> Result<File, BundleError> {
        fs::create_dir_all(&self.folder).map_err(BundleError::io("create", &self.folder))?;
        let path = self.folder.join("lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(BundleError::io("open", &path))?;
        file.lock().map_err(BundleError::io("lock", &path))?;
        Ok(file)
    }
}
