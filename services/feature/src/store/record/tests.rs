use proptest::prelude::*;

use super::*;

fn items() -> impl Strategy<Value = Item> {
    let texts = || prop::collection::vec(".{0,8}", 0..4);
    let numbers = (any::<Option<u64>>(), any::<Option<u16>>(), any::<Option<i64>>());
    let pixels = || prop::option::of(1_u32..);
    let totals = (pixels(), pixels(), prop::option::of(1_u64..), prop::option::of(1_u64..));
    (".{0,40}", ".{0,40}", texts(), texts(), numbers, 0_u8..=120, any::<bool>(), totals).prop_map(
        |(title, text, tags, genres, (creator, year, created), minimum_age, hidden, totals)| Item {
            id: ItemId(7),
            title,
            text,
            creator,
            tags,
            genres,
            year,
            minimum_age,
            hidden,
            created: created.map(Timestamp),
            width: totals.0,
            height: totals.1,
            total_bookmarks: totals.2,
            total_views: totals.3,
        },
    )
}

fn contacts() -> impl Strategy<Value = Exposure> {
    let contact = (any::<i64>(), any::<u16>(), any::<bool>());
    prop::collection::btree_map(any::<u64>(), contact, 0..40).prop_map(|rows| {
        let contacts = rows.into_iter().map(|(item, (last, shown, acted))| Contact {
            item: ItemId(item),
            last: Timestamp(last),
            shown,
            acted,
        });
        Exposure::from_contacts(contacts.collect()).unwrap()
    })
}

fn histories() -> impl Strategy<Value = History> {
    let row = (any::<u64>(), 0..Action::ALL.len(), any::<i64>(), any::<u32>());
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let mut history = History::default();
        for (item, action, time, dwell_ms) in rows {
            let (item, time) = (ItemId(item), Timestamp(time));
            let action = Action::ALL[action];
            history.insert(Behaviour { item, action, time, dwell_ms }, 100);
        }
        history
    })
}

fn served() -> impl Strategy<Value = Served> {
    let channel =
        (".{1,12}", any::<u32>(), -9.0_f32..9.0).prop_map(|(channel, position, score)| {
            ServedChannel { channel: channel.into(), position, score }
        });
    let names = (".{0,40}", ".{0,20}", prop::option::of(".{1,20}"));
    let numbers = (any::<u32>(), -9.0_f32..9.0, any::<u64>(), any::<bool>());
    (names, numbers, prop::collection::vec(channel, 0..6)).prop_map(
        |((request_id, scene, bundle), (position, score, version, exploration), channels)| Served {
            request_id,
            scene,
            position,
            score,
            ranking_bundle: bundle.map(BundleId::from),
            context_version: version,
            channels,
            exploration,
        },
    )
}

fn logged() -> impl Strategy<Value = LoggedEvent> {
    let behaviour = (any::<u64>(), 0..Action::ALL.len(), any::<i64>(), any::<u32>());
    let user = (any::<u64>(), any::<u8>(), 0_u8..4, any::<u64>());
    (behaviour, user, prop::option::of(served())).prop_map(
        |((item, action, time, dwell_ms), (user, age, gender, user_version), served)| {
            let (item, time) = (ItemId(item), Timestamp(time));
            let behaviour = Behaviour { item, action: Action::ALL[action], time, dwell_ms };
            LoggedEvent {
                event: Event { user: UserId(user), behaviour },
                age: (age != 0).then_some(age),
                gender: gender_of(gender).unwrap(),
                served,
                user_version,
            }
        },
    )
}

proptest! {
    #[test]
    fn logged_events_round_trip(logged in logged()) {
        prop_assert_eq!(decode_logged(&encode_logged(&logged)), Ok(logged));
    }

    #[test]
    fn items_of_the_first_format_are_read(item in items()) {
        let item = Item { width: None, height: None, total_bookmarks: None, total_views: None, ..item };
        let mut bytes = encode_item(&item);
        bytes[0] = FORMAT;
        bytes.truncate(bytes.len() - 4);
        prop_assert_eq!(decode_item(item.id, &bytes), Ok(item));
    }

    #[test]
    fn items_round_trip(item in items()) {
        prop_assert_eq!(decode_item(item.id, &encode_item(&item)), Ok(item));
    }

    #[test]
    fn histories_round_trip(version: u64, history in histories()) {
        let decoded = decode_history(&encode_history(version, &history));
        prop_assert_eq!(decoded, Ok((version, history)));
    }

    #[test]
    fn users_round_trip(version: u64, history in histories(), exposure in contacts()) {
        let user = User { profile: None, history, exposure, version };
        prop_assert_eq!(decode_user(UserId(1), &encode_user(&user)), Ok(user));
    }

    #[test]
    fn recorded_events_round_trip(history in histories()) {
        for behaviour in history.behaviours() {
            prop_assert_eq!(decode_recorded(&encode_recorded(behaviour)), Ok(*behaviour));
        }
    }

    #[test]
    fn the_identity_stands_after_the_format(logged in logged()) {
        let record = encode_logged(&logged);
        prop_assert_eq!(&record[1..=IDENTITY_BYTES], &identity(&logged.event));
    }

    #[test]
    fn exposures_round_trip(exposure in contacts()) {
        prop_assert_eq!(decode_exposure(&encode_exposure(&exposure)), Ok(exposure));
    }

    #[test]
    fn profiles_round_trip(
        age: Option<u8>,
        gender in 0_u8..4,
        occupation in ".{0,20}",
        blocked_creators: Vec<u64>,
        blocked_tags in prop::collection::vec(".{0,8}", 0..4),
    ) {
        let (id, gender) = (UserId(3), gender_of(gender).unwrap());
        let profile =
            UserProfile { id, age, gender, occupation, blocked_creators, blocked_tags };
        prop_assert_eq!(decode_profile(id, &encode_profile(&profile)), Ok(profile));
    }

    #[test]
    fn a_cut_or_lengthened_record_is_an_error(item in items(), cut in any::<prop::sample::Index>()) {
        let mut bytes = encode_item(&item);
        prop_assert!(decode_item(item.id, &bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(decode_item(item.id, &bytes).is_err());
    }

    #[test]
    fn rubbish_never_panics(bytes: Vec<u8>) {
        let bytes = [&[FORMAT][..], &bytes].concat();
        decode_item(ItemId(1), &bytes).ok();
        decode_profile(UserId(1), &bytes).ok();
        decode_history(&bytes).ok();
        decode_exposure(&bytes).ok();
        decode_logged(&bytes).ok();
        decode_user(UserId(1), &bytes).ok();
        decode_recorded(&bytes).ok();
    }
}
