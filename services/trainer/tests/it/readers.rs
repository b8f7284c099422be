use std::{fs, path::Path};

use tempfile::TempDir;
use tributary_domain::{Action, Gender, ItemId, UserId};
use tributary_trainer::data::{self, DataError, DataSet, Files, Format, Source};

use crate::formats;

pub(crate) fn source(path: &Path) -> Source {
    let files = Files::Whole(path.into());
    Source { files, format: Format::Auto, rejected_share: 0.01, seed: 1 }
}

fn written(write: fn(&Path)) -> (TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let source = source(folder.path());
    (folder, source)
}

/// What a format says of users, apart from events and items, which all formats give alike.
struct Users {
    ages: bool,
}

fn check(write: fn(&Path), users: &Users) {
    let (_folder, source) = written(write);
    let data = data::read(&source).unwrap();
    let ratings = formats::ratings();
    assert!(data.timed);
    assert_eq!(data.rejections.rejected, 0, "{:?}", data.rejections.examples);
    assert_eq!(data.events.len(), ratings.len());
    let mut found: Vec<(u64, u64, bool, i64)> = data.events.iter().map(row).collect();
    let mut expected: Vec<(u64, u64, bool, i64)> = ratings
        .into_iter()
        .map(|(user, item, rating, seconds)| {
            (user, item, rating >= 4, i64::try_from(seconds * 1_000).unwrap())
        })
        .collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    check_items(&data);
    let user = data.profile(UserId(2)).unwrap();
    let known = (user.age, user.gender, user.occupation.as_str());
    match users.ages {
        true => assert_eq!(known, (Some(22), Some(Gender::Female), "writer")),
        false => assert_eq!(known, (None, None, "")),
    }
}

fn row(event: &tributary_domain::Event) -> (u64, u64, bool, i64) {
    let step = &event.behaviour;
    (event.user.0, step.item.0, step.action == Action::Bookmark, step.time.0)
}

fn check_items(data: &DataSet) {
    let ids: Vec<ItemId> = data.items.iter().map(|item| item.id).collect();
    assert_eq!(ids, (1..=formats::ITEMS).map(ItemId).collect::<Vec<_>>());
    for item in &data.items {
        assert_eq!(item.title, formats::title(item.id.0));
        assert_eq!(item.year.map(u64::from), Some(formats::year(item.id.0)));
        assert_eq!(item.genres, formats::genres(item.id.0));
    }
}

#[test]
fn every_format_gives_the_same_data() {
    check(formats::write_atomic, &Users { ages: true });
    check(formats::write_original, &Users { ages: true });
    check(formats::write_latest, &Users { ages: false });
    check(formats::write_1m, &Users { ages: true });
    check(formats::write_csv, &Users { ages: true });
}

#[test]
fn taggings_become_tags_in_lower_case() {
    let (_folder, source) = written(formats::write_latest);
    let data = data::read(&source).unwrap();
    assert_eq!(data.catalogue(None)[1].tags, ["slow burn"]);
}

#[test]
fn a_bad_row_is_left_out_and_named() {
    let (folder, source) = written(formats::write_csv);
    let path = folder.path().join("events.csv");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().count();
    fs::write(&path, format!("{text}0,1,view,880000000\n1,1,stare,880000000\n1,1,view,soon\n"))
        .unwrap();
    let data = data::read(&source).unwrap();
    assert_eq!(data.events.len(), formats::ratings().len());
    assert_eq!(data.rejections.rejected, 3);
    let reasons = ["user_id \"0\"", "action \"stare\"", "timestamp \"soon\""];
    for ((example, reason), line) in data.rejections.examples.iter().zip(reasons).zip(lines + 1..) {
        assert!(example.contains(&format!("events.csv:{line}: {reason}")), "{example}");
    }
}

#[test]
fn too_many_bad_rows_are_an_error() {
    let (folder, source) = written(formats::write_csv);
    let path = folder.path().join("events.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{}", "x,1,view,880000000\n".repeat(40))).unwrap();
    let error = data::read(&source).unwrap_err();
    assert!(matches!(error, DataError::TooManyRejected { .. }), "{error}");
    assert!(error.to_string().contains("events.csv"), "{error}");
}

#[test]
fn data_without_times_gets_a_random_order_that_depends_on_the_seed_alone() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = formats::ratings()
        .into_iter()
        .map(|(user, item, rating, _)| format!("{user}\t{item}\t{rating}\n"))
        .collect();
    let path = folder.path().join("seen.tsv");
    fs::write(&path, format!("user_id\titem_id\trating\n{rows}")).unwrap();
    let read = |seed| data::read(&Source { seed, ..source(&path) }).unwrap();
    let (one, same, other) = (read(1), read(1), read(2));
    assert!(!one.timed);
    assert_eq!(one.events, same.events);
    assert_ne!(one.events, other.events);
}

#[test]
fn a_folder_without_data_is_an_error_that_says_what_to_give() {
    let folder = tempfile::tempdir().unwrap();
    let error = data::read(&source(folder.path())).unwrap_err();
    assert!(error.to_string().contains("events.csv"), "{error}");
}

/// The tiny data set's events in a file `name`, one `line` each.
fn events_file(
    name: &str,
    header: &str,
    line: impl Fn(u64, u64, u64) -> String,
) -> (TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    let rows = formats::ratings().into_iter().map(|(user, item, _, time)| line(user, item, time));
    let text: String = rows.map(|row| row + "\n").collect();
    let path = folder.path().join(name);
    fs::write(&path, format!("{header}{text}")).unwrap();
    let source = source(&path);
    (folder, source)
}

#[test]
fn a_row_of_user_item_and_time_is_a_click() {
    for (header, timed) in [("user,item,time\n", true), ("user,item\n", false), ("", false)] {
        let (_folder, source) = events_file("events.csv", header, |user, item, time| match timed {
            true => format!("{user},{item},{time}"),
            false => format!("{user},{item}"),
        });
        let data = data::read(&source).unwrap();
        assert_eq!(data.events.len(), formats::ratings().len(), "{header:?}");
        assert_eq!(data.timed, timed, "{header:?}");
        assert!(data.events.iter().all(|event| event.behaviour.action == Action::Click));
    }
}

#[test]
fn a_headerless_file_is_as_timed_as_its_first_row_is_wide() {
    for timed in [false, true] {
        let (_folder, source) = events_file("events.csv", "", |user, item, time| match timed {
            true => format!("{user},{item},share,{time}"),
            false => format!("{user},{item},share"),
        });
        let data = data::read(&source).unwrap();
        assert_eq!(data.rejections.rejected, 0, "{:?}", data.rejections.examples);
        assert_eq!((data.events.len(), data.timed), (formats::ratings().len(), timed));
        assert!(data.events.iter().all(|event| event.behaviour.action == Action::Share));
    }
}

/// As `u1.base` of MovieLens 100K is.
#[test]
fn a_headerless_file_with_a_number_third_is_of_ratings_or_times() {
    let rating = |user: u64, item: u64| 1 + (user + item) % 5;
    for (name, separator) in [("u1.base", "\t"), ("r.txt", "::"), ("r.txt", ","), ("r.txt", " ")] {
        let (_folder, source) = events_file(name, "", |user, item, time| {
            [user, item, rating(user, item), time].map(|field| field.to_string()).join(separator)
        });
        let data = data::read(&source).unwrap();
        assert_eq!(data.rejections.rejected, 0, "{:?}", data.rejections.examples);
        assert!(data.timed);
        for event in &data.events {
            let liked = rating(event.user.0, event.behaviour.item.0) >= 4;
            assert_eq!(event.behaviour.action.is_liking(), liked);
        }
        let (_folder, source) = events_file(name, "", |user, item, time| {
            [user, item, time].map(|field| field.to_string()).join(separator)
        });
        let data = data::read(&source).unwrap();
        assert_eq!((data.events.len(), data.timed), (formats::ratings().len(), true));
        assert!(data.events.iter().all(|event| event.behaviour.action == Action::Click));
    }
}

#[test]
fn looking_takes_what_dwell_ms_says() {
    let (_folder, source) =
        events_file("e.csv", "user,item,action,time,value,dwell_ms\n", |user, item, time| {
            let (action, value) =
                [("view", "9"), ("click", "9"), ("rating", "3")][(item % 3) as usize];
            let dwell = if user.is_multiple_of(2) { "77" } else { "" };
            format!("{user},{item},{action},{time},{value},{dwell}")
        });
    let data = data::read(&source).unwrap();
    assert_eq!(data.rejections.rejected, 0, "{:?}", data.rejections.examples);
    for event in &data.events {
        let expected = match (event.user.0 % 2, event.behaviour.item.0 % 3) {
            (0, _) => 77,
            (_, 0) => 9,
            _ => 0,
        };
        assert_eq!(event.behaviour.dwell_ms, expected, "{event:?}");
    }
}

#[test]
fn what_the_mesh_would_refuse_is_left_out_and_named() {
    let (folder, source) = written(formats::write_csv);
    let append = |name: &str, row: &str| {
        let path = folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{row}\n")).unwrap();
        format!("{name}:{}: ", text.lines().count() + 1)
    };
    let places = [
        append("events.csv", "1,1,click,4000000000000") + "time_ms",
        append("items.csv", &format!("900,{},1999,Drama", "x".repeat(1_001))) + "title",
        append("users.csv", &format!("900,30,F,{}", "x".repeat(201))) + "occupation",
    ];
    let data = data::read(&source).unwrap();
    assert_eq!(data.rejections.rejected, places.len());
    for (example, place) in data.rejections.examples.iter().zip(&places) {
        assert!(example.contains(place), "{example} lacks {place}");
    }
}

#[test]
fn more_tags_than_the_mesh_takes_are_cut_off() {
    let (folder, source) = written(formats::write_csv);
    let tags = vec!["t"; 130].join("|");
    fs::write(folder.path().join("items.csv"), format!("item,title,tags\n1,One,{tags}\n")).unwrap();
    let data = data::read(&source).unwrap();
    assert_eq!(data.rejections.rejected, 0, "{:?}", data.rejections.examples);
    assert_eq!(data.items[0].tags.len(), 100);
}
