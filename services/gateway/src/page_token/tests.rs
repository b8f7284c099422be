use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn tokens() -> Tokens {
    Tokens::with_secret(b"0123456789abcdef", Duration::from_secs(60))
}

fn page(served: &[u64]) -> Page {
    let served = served.iter().copied().map(ItemId).collect();
    Page { user: UserId(7), scene: "home".into(), served }
}

fn later(ms: i64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

#[test]
fn refusals_say_why() {
    let good = tokens().issue(&page(&[1, 5]), NOW);
    let foreign = Tokens::with_secret(b"another secret..", Duration::from_secs(60));
    let foreign = foreign.issue(&page(&[1, 5]), NOW);
    let random = Tokens::with_random_key(Duration::from_secs(60)).issue(&page(&[1, 5]), NOW);
    let long = "A".repeat(MAXIMUM_BYTES + 1);
    let open = |token: &str, user, scene, now| tokens().open(token, UserId(user), scene, now);
    for (token, user, scene, now, want) in [
        (&*good, 7, "home", NOW, Ok(vec![ItemId(1), ItemId(5)])),
        (&good, 7, "home", later(59_999), Ok(vec![ItemId(1), ItemId(5)])),
        (&good, 7, "home", later(60_000), Err(TokenError::Expired)),
        (&good, 8, "home", NOW, Err(TokenError::OtherUser)),
        (&good, 7, "detail", NOW, Err(TokenError::OtherScene)),
        (&foreign, 7, "home", NOW, Err(TokenError::Signature)),
        (&random, 7, "home", NOW, Err(TokenError::Signature)),
        ("", 7, "home", NOW, Err(TokenError::Malformed)),
        ("AQ", 7, "home", NOW, Err(TokenError::Malformed)),
        ("not base64!", 7, "home", NOW, Err(TokenError::Malformed)),
        (&long, 7, "home", NOW, Err(TokenError::Malformed)),
        ("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 7, "home", NOW, Err(TokenError::Version(2))),
    ] {
        assert_eq!(open(token, user, scene, now), want, "{token:.40} {user} {scene} {now:?}");
    }
}

#[test]
fn a_full_token_is_small_enough_to_be_opened() {
    let step = u64::MAX / 5_001;
    let served: Vec<u64> = (1..=5_000).map(|index| index * step).collect();
    let mut page = page(&served);
    page.scene = "s".repeat(100);
    let token = tokens().issue(&page, NOW);
    assert!(token.len() <= MAXIMUM_BYTES, "{}", token.len());
    assert_eq!(tokens().open(&token, page.user, &page.scene, NOW), Ok(page.served));
}

proptest! {
    #[test]
    fn tokens_round_trip(
        user in 1_u64..,
        scene in "[a-z0-9_-]{1,100}",
        served in prop::collection::btree_set(1_u64.., 0..300),
    ) {
        let served: Vec<ItemId> = served.into_iter().map(ItemId).collect();
        let page = Page { user: UserId(user), scene, served };
        let token = tokens().issue(&page, NOW);
        prop_assert_eq!(tokens().open(&token, page.user, &page.scene, NOW), Ok(page.served));
    }

    #[test]
    fn any_changed_character_is_refused(
        served in prop::collection::btree_set(1_u64..10_000, 0..60),
        place: prop::sample::Index,
        byte in 0_u8..128,
    ) {
        let served: Vec<u64> = served.into_iter().collect();
        let mut token = tokens().issue(&page(&served), NOW).into_bytes();
        let place = place.index(token.len());
        prop_assume!(token[place] != byte);
        token[place] = byte;
        let token = String::from_utf8(token).unwrap();
        prop_assert!(tokens().open(&token, UserId(7), "home", NOW).is_err());
    }

    #[test]
    fn a_shortened_token_is_refused(
        served in prop::collection::btree_set(1_u64..10_000, 0..60),
        cut: prop::sample::Index,
    ) {
        let served: Vec<u64> = served.into_iter().collect();
        let token = tokens().issue(&page(&served), NOW);
        let short = &token[..cut.index(token.len())];
        prop_assert!(tokens().open(short, UserId(7), "home", NOW).is_err());
    }

    #[test]
    fn decoding_never_panics(bytes: Vec<u8>) {
        let token = URL_SAFE_NO_PAD.encode(&bytes);
        prop_assert!(tokens().open(&token, UserId(7), "home", NOW).is_err());
        if let Some((page, expiry)) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&page, expiry)), Some((page, expiry)));
        }
    }
}
