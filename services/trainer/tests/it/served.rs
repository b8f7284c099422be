//! Reading the export of an event log: what was served, and from what context.

use std::fmt::Write;

use tributary_dataset::{EventRow, Events, Items, Users};
use tributary_domain::{
    Action, Behaviour, ChannelName, Event, Gender, Item, ItemId, Served, Timestamp, UserId,
    UserProfile,
};
use tributary_trainer::data::{self, DataSet, ServedChannel, ServedItem, ServedList};

use crate::readers::source;

const HEADER: &str = "user_id,item_id,action,time,user_version,request_id,position,\
                      context_version,channels,channel_positions,channel_scores";

/// Reads a log of the given rows after enough others to make a data set.
fn read(rows: &[&str]) -> DataSet {
    let folder = tempfile::tempdir().unwrap();
    let mut text = format!("{HEADER}\n");
    for number in 0..240 {
        let (user, item) = (100 + number % 12, 1 + number % 30);
        writeln!(text, "{user},{item},click,{},1,,,,,,", 1_700_000_000_000_i64 + number).unwrap();
    }
    rows.iter().for_each(|row| writeln!(text, "{row}").unwrap());
    std::fs::write(folder.path().join("events.csv"), text).unwrap();
    data::read(&source(folder.path())).unwrap()
}

#[test]
fn answers_have_their_items_in_order_and_what_their_context_did_not_know() {
    let data = read(&[
        "1,5,click,1700000001000,11,,,,,,",
        // Recorded after the answer below, though it is older.
        "1,6,click,1700000001500,14,,,,,,",
        "1,8,impression,1700000002000,11,r1,2,11,trending,4,0.5",
        "1,7,impression,1700000002000,11,r1,1,11,two-tower|trending,1|9,0.75|0.125",
        // Known to the answer, though its clock is ahead.
        "1,9,bookmark,1700000002001,10,,,,,,",
        "1,7,click,1700000003000,15,,,,,,",
        // An impression that nobody explains is a plain event.
        "1,3,impression,1700000004000,15,,,,,,",
        "2,3,impression,1700000001000,0,r0,1,0,,,",
    ]);
    let [cold, list] = &data.served[..] else { panic!("{:?}", data.served) };
    assert_eq!((cold.user, cold.items[0].channels.len()), (UserId(2), 0));
    let ServedList { request, user, time, items, late, early } = list;
    assert_eq!((request.as_str(), *user, time.0), ("r1", UserId(1), 1_700_000_002_000));
    let channel = |name: &str, position, score| {
        let channel = name.to_owned();
        ServedChannel { channel, position, score }
    };
    let first = vec![channel("two-tower", 1, 0.75), channel("trending", 9, 0.125)];
    let second = vec![channel("trending", 4, 0.5)];
    assert_eq!(
        *items,
        [
            ServedItem { item: ItemId(7), position: 1, channels: first },
            ServedItem { item: ItemId(8), position: 2, channels: second },
        ]
    );
    assert_eq!(late.iter().map(|step| step.item.0).collect::<Vec<_>>(), [6]);
    assert_eq!(early.iter().map(|step| step.item.0).collect::<Vec<_>>(), [9]);
    assert_eq!(data.events.len(), 240 + 8);
}

#[test]
fn a_row_with_columns_that_do_not_fit_is_left_out_and_named() {
    let data = read(&["1,7,impression,1700000002000,11,r1,1,11,two-tower|trending,1,0.75"]);
    assert!(data.served.is_empty());
    let named = &data.rejections.examples[0];
    assert!(named.contains("channels \"two-tower|trending\" is not a list as long as"), "{named}");
}

#[test]
fn what_was_served_is_part_of_the_data_set_that_steps_hand_on() {
    let data = read(&["1,7,impression,1700000002000,11,r1,1,11,two-tower,1,0.75"]);
    let folder = tempfile::tempdir().unwrap();
    let with = data.write(folder.path()).unwrap();
    let (again, _) = DataSet::open(folder.path()).unwrap();
    assert_eq!(again.served, data.served);
    let without = DataSet { served: Vec::new(), ..data }.write(folder.path()).unwrap();
    assert_ne!(with.fingerprint, without.fingerprint);
}

#[test]
fn the_files_of_an_export_are_a_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let behaviour = |item, action, time| Behaviour {
        item: ItemId(item),
        action,
        time: Timestamp(time),
        dwell_ms: 250,
    };
    let served = Served {
        request_id: "r1".into(),
        scene: "home".into(),
        position: 1,
        score: 0.5,
        ranking_bundle: None,
        context_version: 40,
        channels: vec![tributary_domain::ServedChannel {
            channel: ChannelName::from("search"),
            position: 3,
            score: 1.5,
        }],
        exploration: false,
    };
    let mut events = Events::create(folder.path()).unwrap();
    for number in 0..300 {
        let event = Event {
            user: UserId(u64::MAX - number % 20),
            behaviour: behaviour(1 + number % 30, Action::View, 1_000 + number.cast_signed()),
        };
        let (sequence, user_version) = (Some(number), Some(number));
        events.put(EventRow { event: &event, sequence, user_version, served: None }).unwrap();
    }
    let shown = Event {
        user: UserId(u64::MAX),
        behaviour: behaviour(7, Action::Impression, 1_700_000_000_000),
    };
    let row = EventRow { event: &shown, sequence: None, user_version: None, served: Some(&served) };
    events.put(row).unwrap();
    let mut items = Items::create(folder.path()).unwrap();
    let item = Item {
        title: "a | b".into(),
        tags: vec!["猫".into(), "dog".into()],
        creator: Some(5),
        width: Some(640),
        total_views: Some(9),
        created: Some(Timestamp(77)),
        ..Item::bare(ItemId(7))
    };
    items.put(&item).unwrap();
    let mut users = Users::create(folder.path()).unwrap();
    let profile = UserProfile {
        id: UserId(u64::MAX),
        age: Some(30),
        gender: Some(Gender::Other),
        occupation: "painter".into(),
        blocked_creators: Vec::new(),
        blocked_tags: Vec::new(),
    };
    users.put(&profile).unwrap();
    assert_eq!(items.finish().unwrap(), 1);
    assert_eq!(users.finish().unwrap(), 1);
    assert_eq!(events.finish().unwrap(), 301);

    let data = data::read(&source(folder.path())).unwrap();
    assert_eq!(data.rejections.rejected, 0, "{:?}", data.rejections.examples);
    assert_eq!(data.events.len(), 301);
    assert_eq!(data.events[300], shown);
    assert_eq!(data.items[6], item);
    assert_eq!(data.profile(UserId(u64::MAX)), Some(&profile));
    // What the user did was recorded after the answer, as far as versions over 40 go.
    let [list] = &data.served[..] else { panic!("{:?}", data.served) };
    assert_eq!((list.items[0].item, list.late.len()), (ItemId(7), 12));
    assert_eq!(list.items[0].channels[0].score, 1.5);
}
