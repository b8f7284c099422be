//! Splits that come with the data.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tributary_domain::{Action, Event, Timestamp};
use tributary_trainer::data::{self, DataError, DataSet, Files, Format, Parts, Source};

use crate::{formats, readers::source};

struct Split {
    folder: TempDir,
    parts: Parts,
    format: Format,
}

impl Split {
    fn of(names: [&str; 3], texts: [String; 3]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [train, validation, test] = names.map(|name| folder.path().join(name));
        for (path, text) in [&train, &validation, &test].into_iter().zip(texts) {
            fs::write(path, text).unwrap();
        }
        let parts = Parts { train, validation: Some(validation), test, attributes: None };
        Self { folder, parts, format: Format::Auto }
    }

    fn source(&self) -> Source {
        let files = Files::Given(self.parts.clone());
        Source { files, format: self.format, ..source(Path::new("")) }
    }

    fn read(&self) -> Result<DataSet, DataError> {
        data::read(&self.source())
    }
}

/// Rows of the tiny data set, one in ten for the validation, one in ten for the test.
fn rows(line: impl Fn(u64, u64, u32, u64) -> String) -> [String; 3] {
    let mut texts = [(); 3].map(|()| String::new());
    for (index, (user, item, rating, time)) in formats::ratings().into_iter().enumerate() {
        let part = [0, 0, 0, 0, 1, 0, 0, 0, 0, 2][index % 10];
        texts[part] += &line(user, item, rating, time);
    }
    texts
}

fn pairs<'a>(events: impl IntoIterator<Item = &'a Event>) -> BTreeSet<(u64, u64)> {
    events.into_iter().map(|event| (event.user.0, event.behaviour.item.0)).collect()
}

/// What the tiny data set's parts hold.
fn expected() -> [BTreeSet<(u64, u64)>; 3] {
    rows(|user, item, _, _| format!("{user} {item}\n")).map(|text| {
        text.lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(user, item)| (user.parse().unwrap(), item.parse().unwrap()))
            .collect()
    })
}

fn check_parts(data: &DataSet) {
    let given = data.given.as_ref().unwrap();
    let found = [&data.events, &given.validation, &given.test].map(pairs);
    assert_eq!(found, expected());
    assert_eq!((data.repeated, data.rejections.rejected), (0, 0));
    let items: Vec<u64> = data.items.iter().map(|item| item.id.0).collect();
    assert_eq!(items, (1..=formats::ITEMS).collect::<Vec<_>>(), "items of all parts");
}

#[test]
fn every_form_of_a_part_gives_the_same_split() {
    let header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n";
    let tabs = |user, item, rating, time| format!("{user}\t{item}\t{rating}\t{time}\n");
    let names = ["a.inter", "b.inter", "c.inter"];
    let atomic = Split::of(names, rows(tabs).map(|text| header.to_owned() + &text));
    let commas = |user, item, rating, time| format!("{time},{user},{rating},{item}\n");
    let csv = Split::of(
        ["train.csv", "valid.csv", "test.csv"],
        rows(commas).map(|text| "time,user,rating,item\n".to_owned() + &text),
    );
    let headerless = Split::of(["u1.base", "u1.valid", "u1.test"], rows(tabs));
    for split in [atomic, csv, headerless] {
        let data = split.read().unwrap();
        check_parts(&data);
        assert!(data.timed);
        let given = data.given.as_ref().unwrap();
        let times: BTreeMap<(u64, u64), i64> = formats::ratings()
            .into_iter()
            .map(|(user, item, _, time)| ((user, item), time.cast_signed() * 1_000))
            .collect();
        for events in [&data.events, &given.validation, &given.test] {
            assert!(events.is_sorted_by_key(|event| event.behaviour.time));
            for event in events {
                assert_eq!(event.behaviour.time.0, times[&(event.user.0, event.behaviour.item.0)]);
            }
        }
    }
}

/// A user and its items a line, ids from 0 on, in an order that no id explains.
fn user_items() -> [String; 3] {
    let mut users: [BTreeMap<u64, Vec<u64>>; 3] = Default::default();
    for (part, pairs) in expected().iter().enumerate() {
        for (user, item) in pairs {
            users[part].entry(user - 1).or_default().push(item - 1);
        }
    }
    users.map(|users| {
        let line = |(user, mut items): (u64, Vec<u64>)| {
            items.sort_by_key(|item| item * 29 % 48);
            let items: Vec<String> = items.iter().map(u64::to_string).collect();
            format!("{user} {}\n", items.join(" "))
        };
        users.into_iter().map(line).collect::<String>() + "60 \n"
    })
}

#[test]
fn a_user_and_its_items_a_line_is_recognised_and_shifted_by_one() {
    let mut split = Split::of(["train.txt", "valid.txt", "test.txt"], user_items());
    for format in [Format::Auto, Format::UserItems] {
        split.format = format;
        let data = split.read().unwrap();
        check_parts(&data);
        assert!(!data.timed);
        let given = data.given.as_ref().unwrap();
        let parts = [&data.events, &given.validation, &given.test];
        for events in parts {
            assert!(events.iter().all(|event| event.behaviour.action == Action::Click));
            let mut histories: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            for event in events {
                histories.entry(event.user.0).or_default().push(event.behaviour.item.0);
            }
            for items in histories.values() {
                assert!(items.is_sorted_by_key(|item| (item - 1) * 29 % 48), "the file's order");
            }
        }
        let span = |events: &[Event]| -> (Timestamp, Timestamp) {
            (events[0].behaviour.time, events[events.len() - 1].behaviour.time)
        };
        let [train, validation, test] = parts.map(|events| span(events));
        assert!(train.1 < validation.0 && validation.1 < test.0);
        // No user is later than another: the first and the last one both span the hour.
        let mean = |user| {
            let times: Vec<i64> = data
                .events
                .iter()
                .filter(|event| event.user.0 == user)
                .map(|event| event.behaviour.time.0)
                .collect();
            times.iter().sum::<i64>() / i64::try_from(times.len()).unwrap()
        };
        let (first, last) = (mean(1) - train.0.0, mean(formats::USERS) - train.0.0);
        assert!((first - last).abs() < 20 * 60_000, "{first} {last}");
    }
}

/// The test part alone looks like pairs of a user and an item; the training part decides.
#[test]
fn all_parts_are_of_the_form_of_the_first() {
    let [train, validation, _] = user_items();
    let test: String = (0..40).map(|user| format!("{user} {}\n", user + 48)).collect();
    let data = Split::of(["train.txt", "valid.txt", "test.txt"], [train, validation, test])
        .read()
        .unwrap();
    let found = pairs(&data.given.unwrap().test);
    assert_eq!(found, (0..40).map(|user| (user + 1, user + 49)).collect());
    assert_eq!(data.items.last().unwrap().id.0, 88);
}

#[test]
fn bad_ids_are_named_by_line_and_column() {
    let [mut train, validation, test] = user_items();
    let lines = train.lines().count();
    train += "70 1 x 3\nuser 1 2\n71 18446744073709551615 4\n";
    let mut split = Split::of(["train.txt", "valid.txt", "test.txt"], [train, validation, test]);
    split.format = Format::UserItems;
    let data = split.read().unwrap();
    let places = [
        format!("train.txt:{}: column 3 \"x\"", lines + 1),
        format!("train.txt:{}: column 1 \"user\"", lines + 2),
        format!("train.txt:{}: column 2 \"18446744073709551615\"", lines + 3),
    ];
    assert_eq!(data.rejections.rejected, 3);
    for (example, place) in data.rejections.examples.iter().zip(&places) {
        assert!(example.contains(place), "{example} lacks {place}");
    }
    assert!(pairs(&data.events).is_superset(&[(71, 2), (71, 4), (72, 5)].into()));
}

#[test]
fn what_an_earlier_part_has_is_left_out_and_counted() {
    let line = |user, item, rating, time| format!("{user},{item},{rating},{time}\n");
    let [train, validation, test] =
        rows(line).map(|text| "user,item,rating,time\n".to_owned() + &text);
    let first = |text: &str| text.lines().nth(1).unwrap().to_owned() + "\n";
    let second = first(&validation);
    let (train, validation, test) =
        (train.clone(), validation + &first(&train), test + &first(&train) + &second);
    let names = ["train.csv", "valid.csv", "test.csv"];
    let split = Split::of(names, [train, validation, test]);
    let data = split.read().unwrap();
    assert_eq!(data.repeated, 3);
    let given = data.given.as_ref().unwrap();
    assert_eq!([&data.events, &given.validation, &given.test].map(pairs), expected());
    let folder = split.folder.path().join("out");
    let summary = data.write(&folder).unwrap();
    assert_eq!(summary.given.unwrap().repeated, 3);
}

/// An item that was shown while training may well be clicked in the test.
#[test]
fn what_was_only_shown_may_be_asked_for() {
    let line = |user, item, _, time| format!("{user},{item},view,{time}\n");
    let [train, validation, test] =
        rows(line).map(|text| "user,item,action,time\n".to_owned() + &text);
    let shown = "1,900,impression,880000000\n1,901,click,880000000\n";
    let met = "1,900,click,890000000\n1,901,click,890000000\n";
    let names = ["train.csv", "valid.csv", "test.csv"];
    let data = Split::of(names, [train + shown, validation, test + met]).read().unwrap();
    assert_eq!(data.repeated, 1);
    let test = pairs(&data.given.unwrap().test);
    assert!(test.contains(&(1, 900)) && !test.contains(&(1, 901)));
}

#[test]
fn a_split_is_written_read_back_and_part_of_the_fingerprint() {
    let names = ["train.txt", "valid.txt", "test.txt"];
    let split = Split::of(names, user_items());
    let data = split.read().unwrap();
    let folder = split.folder.path().join("out");
    let summary = data.write(&folder).unwrap();
    let (read, again) = DataSet::open(&folder).unwrap();
    assert_eq!(again, summary);
    assert_eq!((&read.events, &read.given), (&data.events, &data.given));
    let mut other = data.clone();
    other.given.as_mut().unwrap().test.pop();
    assert_ne!(other.write(&folder).unwrap().fingerprint, summary.fingerprint);
    other.given = None;
    let whole = other.write(&folder).unwrap();
    assert_ne!(whole.fingerprint, summary.fingerprint);
    assert_eq!(DataSet::open(&folder).unwrap().0.given, None, "files of before do not count");
}

#[test]
fn a_data_set_may_describe_the_items_and_users() {
    let tabs = |user, item, rating, time| format!("{user}\t{item}\t{rating}\t{time}\n");
    let mut split = Split::of(["u1.base", "u1.valid", "u1.test"], rows(tabs));
    let write: [fn(&Path); 2] = [formats::write_original, |folder| {
        formats::write_csv(folder);
        fs::remove_file(folder.join("events.csv")).unwrap();
    }];
    for write in write {
        let described = tempfile::tempdir().unwrap();
        write(described.path());
        split.parts.attributes = Some(described.path().into());
        let data = split.read().unwrap();
        check_parts(&data);
        assert_eq!(data.items[1].title, formats::title(2));
        assert_eq!(data.users[1].age, Some(22));
    }
}

#[test]
fn splits_that_cannot_be_are_errors_that_say_why() {
    let pairs = |user, item, _, _| format!("{user},{item}\n");
    let texts = rows(pairs).map(|text| "user,item\n".to_owned() + &text);
    let names = ["train.csv", "valid.csv", "test.csv"];
    let mut split = Split::of(names, texts.clone());
    assert!(!split.read().unwrap().timed);
    fs::write(&split.parts.test, "user,item,time\n1,900,880000000\n").unwrap();
    let error = split.read().unwrap_err();
    assert!(matches!(error, DataError::Times { .. }), "{error}");
    fs::write(&split.parts.test, "user,item\n").unwrap();
    let error = split.read().unwrap_err();
    assert!(error.to_string().contains("test.csv has no usable event"), "{error}");
    split.parts.test = PathBuf::from("nowhere.csv");
    let error = split.read().unwrap_err();
    assert!(error.to_string().contains("nowhere.csv"), "{error}");
    let mut shifted = Split::of(["train.txt", "valid.txt", "test.txt"], user_items());
    shifted.parts.attributes = Some(shifted.folder.path().into());
    let error = shifted.read().unwrap_err();
    assert!(matches!(error, DataError::ShiftedIds(_)), "{error}");
}
