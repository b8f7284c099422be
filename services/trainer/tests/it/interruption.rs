//! `trainer train` killed again and again, against one that went through.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use tributary_trainer::{steps, work::Work};

use crate::{formats, readers::source};

/// Networks that take a second or so, so that they can be interrupted.
const SETTINGS: &str = r"
[two_tower]
epochs = 40
batch = 128
[multi_interest]
epochs = 40
batch = 128
[ranker]
epochs = 40
patience = 0
batch = 128
";
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(1);

#[test]
fn a_killed_training_goes_on_and_ends_with_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("trainer.toml");
    fs::write(&settings, SETTINGS).unwrap();
    let [whole, interrupted] = ["whole", "interrupted"].map(|name| {
        let (data, work) = (folder.path().join("data"), folder.path().join(name));
        fs::create_dir_all(&data).unwrap();
        formats::write_atomic(&data);
        steps::prepare(&source(&data), &Work::at(&work).dataset()).unwrap();
        work
    });
    assert!(finish(start(&whole, &settings)).success());

    let mut finished = Vec::new();
    for place in ["window/two-tower", "window/multi-interest", "ranker", "test/multi-interest"] {
        let piece = interrupted.join("rounds").join(place);
        kill_when(start(&interrupted, &settings), || {
            piece.join("checkpoint.safetensors").exists() && !piece.join("files").exists()
        });
        assert!(!interrupted.join("final").exists(), "killed at {place} and yet done");
        finished.push(times(&interrupted.join("rounds")));
    }
    assert!(finish(start(&interrupted, &settings)).success());

    let at_last = times(&interrupted.join("rounds"));
    for (file, time) in finished.into_iter().flatten() {
        assert_eq!(at_last.get(&file), Some(&time), "{} was trained again", file.display());
    }
    for part in ["evaluated", "final"] {
        let (expected, found) = (files(&whole.join(part)), files(&interrupted.join(part)));
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected), "{part}");
        for (name, bytes) in &expected {
            assert!(found[name] == *bytes, "{part}: {} differs", name.display());
        }
    }
}

fn start(work: &Path, settings: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_trainer"))
        .args(["train", "--work"])
        .arg(work)
        .arg("--config")
        .arg(settings)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn finish(mut child: Child) -> ExitStatus {
    child.wait().unwrap()
}

/// SIGKILL, which nobody can prepare for.
fn kill_when(mut child: Child, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert_eq!(child.try_wait().unwrap(), None, "ended before it was killed");
        assert!(started.elapsed() < PATIENCE, "nothing to interrupt came");
        thread::sleep(PAUSE);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The finished models' files, with the times when they were written.
fn times(rounds: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let all = paths(rounds).into_iter();
    let finished = all.filter(|path| path.components().any(|part| part.as_os_str() == "files"));
    let time = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    finished.map(|path| (path.clone(), time(&path))).collect()
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let name = |path: &Path| path.strip_prefix(folder).unwrap().to_owned();
    paths(folder).iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { paths(&path) } else { vec![path] }).collect()
}
