//! Parquet, from files that another implementation wrote: `tests/fixtures/parquet/make.py`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tributary_domain::{Action, Event, Gender, ItemId, Timestamp, UserId};
use tributary_trainer::data::{self, DataError, DataSet, Files, Parts, Source};

use crate::readers::source;

const START: i64 = 1_500_000_000;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parquet").join(name)
}

/// The pairs of the files in the order in which they were written, with the seconds of each.
fn pairs() -> Vec<(u64, u64, i64)> {
    let pairs = (1_u64..=12).flat_map(|user| (1_u64..=20).map(move |item| (user, item)));
    pairs.map(|(user, item)| (user, item, START + (user * 1_000 + item).cast_signed())).collect()
}

fn find(data: &DataSet, user: u64, item: u64) -> &Event {
    let is = |event: &&Event| event.user.0 == user && event.behaviour.item.0 == item;
    data.events.iter().find(is).unwrap()
}

#[test]
fn events_items_and_users_are_read() {
    let data = data::read(&source(&fixture("events.parquet"))).unwrap();
    assert!(data.timed);
    assert_eq!((data.events.len(), data.items.len(), data.users.len()), (240, 20, 12));
    for (index, (user, item, seconds)) in pairs().into_iter().enumerate() {
        // As in make.py: looked for 1,500 ms; bookmarked, 7 ms; rated 4.5; clicked.
        let (action, dwell) = [
            (Action::View, 1_500),
            (Action::Bookmark, 7),
            (Action::Bookmark, 0),
            (Action::Click, 0),
        ][index % 4];
        let found = find(&data, user, item).behaviour;
        assert_eq!((found.action, found.dwell_ms), (action, dwell), "row {index}");
        assert_eq!(found.time, Timestamp(seconds * 1_000 + 123));
    }
    let examples = &data.rejections.examples;
    assert_eq!((data.rejections.rejected, data.rejections.rows), (2, 242 + 20 + 12));
    for (example, row) in examples.iter().zip([241, 242]) {
        assert!(
            example.ends_with(&format!("events.parquet:{row}: item_id is missing")),
            "{example}"
        );
    }
    check_items(&data);
    for user in &data.users {
        let id = u8::try_from(user.id.0).unwrap();
        assert_eq!(user.age, (id != 3).then_some(20 + id));
        assert_eq!(user.gender, (!id.is_multiple_of(2)).then_some(Gender::Female));
        assert_eq!(user.occupation, "writer");
    }
}

fn check_items(data: &DataSet) {
    for item in &data.items {
        let id = item.id.0;
        assert_eq!(item.title, format!("Film Nº {id}"));
        assert_eq!(item.creator, Some(3_000_000_000 + id));
        let tags: [&[&str]; 4] = [&["slow", "blue"], &[], &[], &["x"]];
        assert_eq!(item.tags, tags[usize::try_from(id % 4).unwrap()]);
        let genres: &[&str] = if id.is_multiple_of(2) { &[] } else { &["Comedy", "Drama"] };
        assert_eq!(item.genres, genres);
        assert_eq!(item.year.map(u64::from), Some(1990 + id));
        assert_eq!(item.created, Some(Timestamp((START - id.cast_signed()) * 1_000 + 5)));
    }
}

#[test]
fn a_folder_is_searched_for_parquet_too() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["events.parquet", "items.parquet"] {
        fs::copy(fixture(name), folder.path().join(name)).unwrap();
    }
    let data = data::read(&source(folder.path())).unwrap();
    assert_eq!((data.events.len(), data.items[0].title.as_str()), (240, "Film Nº 1"));
    assert!(data.users.iter().all(|user| user.age.is_none()));
}

#[test]
fn ratings_with_times_of_the_oldest_kind_are_read() {
    let path = fixture("ratings.parquet");
    let data = data::read(&source(&path)).unwrap();
    assert_eq!(data.rejections.rejected, 0, "{:?}", data.rejections.examples);
    for (user, item, seconds) in pairs() {
        let found = find(&data, user, item).behaviour;
        assert_eq!(found.action.is_liking(), item.is_multiple_of(2));
        assert_eq!(found.time, Timestamp(seconds * 1_000));
    }
}

#[test]
fn parts_of_a_split_may_be_of_different_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let test = folder.path().join("test.csv");
    fs::write(&test, "user,item,time\n3,77,1600000000\n3,5,1600000001\n").unwrap();
    let parts = Parts {
        train: fixture("ratings.parquet"),
        validation: None,
        test,
        attributes: Some(fixture("events.parquet")),
    };
    let data = data::read(&Source { files: Files::Given(parts), ..source(Path::new("")) }).unwrap();
    let given = data.given.as_ref().unwrap();
    let left: Vec<(UserId, ItemId)> =
        given.test.iter().map(|event| (event.user, event.behaviour.item)).collect();
    assert_eq!((left, data.repeated), (vec![(UserId(3), ItemId(77))], 1));
    assert_eq!((data.events.len(), data.items.len()), (240, 21));
    assert_eq!(data.items[0].title, "Film Nº 1");
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_it() {
    let error = data::read(&source(&fixture("decimals.parquet"))).unwrap_err();
    assert!(matches!(error, DataError::ColumnType { .. }), "{error}");
    assert!(error.to_string().contains("\"timestamp\""), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.parquet");
    let bytes = fs::read(fixture("events.parquet")).unwrap();
    for end in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..end]).unwrap();
        let error = data::read(&source(&path)).unwrap_err();
        assert!(matches!(error, DataError::Parquet { .. }), "{end}: {error}");
    }
    let error = data::read(&source(&fixture("users.parquet"))).unwrap_err();
    assert!(error.to_string().contains("no column \"item_id\""), "{error}");
}
