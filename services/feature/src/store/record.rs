//! Records of more than one value as bytes. The first byte is the record's format.

use tributary_domain::{
    Action, Behaviour, BundleId, ChannelName, Event, FieldError, Gender, Item, ItemId, Served,
    ServedChannel, Timestamp, UserId, UserProfile,
};

use super::LoggedEvent;
use crate::{
    codec::{Corrupt, Decoder, Encoder},
    exposure::{Contact, Exposure},
    history::History,
    user::User,
};

const FORMAT: u8 = 1;
/// Of items: 1 is without sizes and totals.
const ITEM_FORMAT: u8 = 2;

pub(super) fn encode_item(item: &Item) -> Vec<u8> {
    let Item {
        id: _,
        title,
        text,
        creator,
        tags,
        genres,
        year,
        minimum_age,
        hidden,
        created,
        width,
        height,
        total_bookmarks,
        total_views,
    } = item;
    let mut record = Encoder::new(ITEM_FORMAT);
    record.text(title);
    record.text(text);
    record.option(*creator, Encoder::u64);
    record.texts(tags);
    record.texts(genres);
    record.option(*year, Encoder::u16);
    record.u8(*minimum_age);
    record.u8(u8::from(*hidden));
    record.option(created.map(|time| time.0), Encoder::i64);
    // "Not known" is 0 on the wire, so that 0 is never a value.
    record.small(width.unwrap_or(0));
    record.small(height.unwrap_or(0));
    record.small(total_bookmarks.unwrap_or(0));
    record.small(total_views.unwrap_or(0));
    record.finish()
}

pub(super) fn decode_item(id: ItemId, bytes: &[u8]) -> Result<Item, Corrupt> {
    let (mut record, format) = Decoder::any(bytes, &[FORMAT, ITEM_FORMAT])?;
    let mut item = Item {
        title: record.text()?,
        text: record.text()?,
        creator: record.option(Decoder::u64)?,
        tags: record.texts()?,
        genres: record.texts()?,
        year: record.option(Decoder::u16)?,
        minimum_age: record.u8()?,
        hidden: record.flag()?,
        created: record.option(Decoder::i64)?.map(Timestamp),
        ..Item::bare(id)
    };
    if format == ITEM_FORMAT {
        item.width = Some(record.small()?).filter(|pixels| *pixels != 0);
        item.height = Some(record.small()?).filter(|pixels| *pixels != 0);
        item.total_bookmarks = Some(record.small()?).filter(|count| *count != 0);
        item.total_views = Some(record.small()?).filter(|count| *count != 0);
    }
    record.finish()?;
    Ok(item)
}

pub(super) fn encode_profile(profile: &UserProfile) -> Vec<u8> {
    let UserProfile { id: _, age, gender, occupation, blocked_creators, blocked_tags } = profile;
    let mut record = Encoder::new(FORMAT);
    record.option(*age, Encoder::u8);
    record.u8(gender_code(*gender));
    record.text(occupation);
    record.length(blocked_creators.len());
    blocked_creators.iter().for_each(|creator| record.u64(*creator));
    record.texts(blocked_tags);
    record.finish()
}

pub(super) fn decode_profile(id: UserId, bytes: &[u8]) -> Result<UserProfile, Corrupt> {
    let mut record = Decoder::new(bytes, FORMAT)?;
    let profile = UserProfile {
        id,
        age: record.option(Decoder::u8)?,
        gender: gender_of(record.u8()?)?,
        occupation: record.text()?,
        blocked_creators: (0..record.length(8)?).map(|_| record.u64()).collect::<Result<_, _>>()?,
        blocked_tags: record.texts()?,
    };
    record.finish()?;
    Ok(profile)
}

/// The history together with the user's version.
pub(super) fn encode_history(version: u64, history: &History) -> Vec<u8> {
    let mut record = Encoder::new(FORMAT);
    record.u64(version);
    record.length(history.behaviours().len());
    let mut before = 0;
    for Behaviour { item, action, time, dwell_ms } in history.behaviours() {
        record.small(item.0);
        record.u8(action_code(*action));
        record.near(before, time.0);
        record.small(*dwell_ms);
        before = time.0;
    }
    record.finish()
}

pub(super) fn decode_history(bytes: &[u8]) -> Result<(u64, History), Corrupt> {
    let mut record = Decoder::new(bytes, FORMAT)?;
    let version = record.u64()?;
    let length = record.length(4)?;
    let mut behaviours = Vec::with_capacity(length);
    let mut before = Timestamp(0);
    for _ in 0..length {
        let behaviour = decode_behaviour(&mut record, before)?;
        before = behaviour.time;
        behaviours.push(behaviour);
    }
    record.finish()?;
    let history = History::from_behaviours(behaviours).ok_or_else(|| disorder("behaviours"))?;
    Ok((version, history))
}

fn decode_behaviour(record: &mut Decoder<'_>, before: Timestamp) -> Result<Behaviour, Corrupt> {
    Ok(Behaviour {
        item: ItemId(record.small()?),
        action: action_of(record.u8()?)?,
        time: Timestamp(record.near(before.0)?),
        dwell_ms: record.small()?,
    })
}

pub(super) fn encode_exposure(exposure: &Exposure) -> Vec<u8> {
    let mut record = Encoder::new(FORMAT);
    record.length(exposure.contacts().len());
    let (mut item_before, mut last_before) = (0, 0);
    for Contact { item, last, shown, acted } in exposure.contacts() {
        record.small(item.0.wrapping_sub(item_before));
        record.near(last_before, last.0);
        record.small((u32::from(*shown) << 1) | u32::from(*acted));
        (item_before, last_before) = (item.0, last.0);
    }
    record.finish()
}

pub(super) fn decode_exposure(bytes: &[u8]) -> Result<Exposure, Corrupt> {
    let mut record = Decoder::new(bytes, FORMAT)?;
    let length = record.length(3)?;
    let mut contacts = Vec::with_capacity(length);
    let (mut item, mut last) = (ItemId(0), Timestamp(0));
    for _ in 0..length {
        let contact = decode_contact(&mut record, item, last)?;
        (item, last) = (contact.item, contact.last);
        contacts.push(contact);
    }
    record.finish()?;
    Exposure::from_contacts(contacts).ok_or_else(|| disorder("contacts"))
}

fn decode_contact(
    record: &mut Decoder<'_>,
    item_before: ItemId,
    last_before: Timestamp,
) -> Result<Contact, Corrupt> {
    let item = item_before.0.wrapping_add(record.small()?);
    let last = record.near(last_before.0)?;
    let shown_and_acted: u32 = record.small()?;
    Ok(Contact {
        item: ItemId(item),
        last: Timestamp(last),
        shown: u16::try_from(shown_and_acted >> 1).map_err(|_| Corrupt::Number)?,
        acted: shown_and_acted & 1 == 1,
    })
}

/// User, item, time and action in a fixed form, so that scripts find them in a record.
pub(super) fn identity(event: &Event) -> [u8; IDENTITY_BYTES] {
    let Event { user, behaviour: Behaviour { item, action, time, dwell_ms: _ } } = event;
    let mut identity = [0; IDENTITY_BYTES];
    identity[..8].copy_from_slice(&user.0.to_be_bytes());
    identity[8..16].copy_from_slice(&item.0.to_be_bytes());
    identity[16..24].copy_from_slice(&time.0.to_be_bytes());
    identity[24] = action_code(*action);
    identity
}

pub(super) const IDENTITY_BYTES: usize = 25;

/// The identity stands right after the format.
pub(super) fn encode_logged(logged: &LoggedEvent) -> Vec<u8> {
    let LoggedEvent { event, age, gender, served, user_version } = logged;
    let mut record = Encoder::new(FORMAT);
    record.raw(&identity(event));
    record.small(event.behaviour.dwell_ms);
    record.u8(age.unwrap_or(0));
    record.u8(gender_code(*gender));
    record.small(*user_version);
    record.option(served.as_ref(), encode_served);
    record.finish()
}

pub(super) fn decode_logged(bytes: &[u8]) -> Result<LoggedEvent, Corrupt> {
    let mut record = Decoder::new(bytes, FORMAT)?;
    let user = UserId(u64::from_be_bytes(record.array()?));
    let behaviour = Behaviour {
        item: ItemId(u64::from_be_bytes(record.array()?)),
        time: Timestamp(i64::from_be_bytes(record.array()?)),
        action: action_of(record.u8()?)?,
        dwell_ms: record.small()?,
    };
    let age = record.u8()?;
    let logged = LoggedEvent {
        event: Event { user, behaviour },
        age: (age != 0).then_some(age),
        gender: gender_of(record.u8()?)?,
        user_version: record.small()?,
        served: record.option(decode_served)?,
    };
    record.finish()?;
    Ok(logged)
}

/// All that is kept of a user beside recorded events.
pub(super) fn encode_user(user: &User) -> Vec<u8> {
    let User { profile, history, exposure, version } = user;
    let mut record = Encoder::new(FORMAT);
    record.option(profile.as_ref(), |record, profile| record.bytes(&encode_profile(profile)));
    record.bytes(&encode_history(*version, history));
    record.bytes(&encode_exposure(exposure));
    record.finish()
}

pub(super) fn decode_user(id: UserId, bytes: &[u8]) -> Result<User, Corrupt> {
    let mut record = Decoder::new(bytes, FORMAT)?;
    let profile = record.option(|record| decode_profile(id, record.bytes()?))?;
    let (version, history) = decode_history(record.bytes()?)?;
    let exposure = decode_exposure(record.bytes()?)?;
    record.finish()?;
    Ok(User { profile, history, exposure, version })
}

/// One recorded event of a user, told apart by item, time and action.
pub(super) fn encode_recorded(behaviour: &Behaviour) -> Vec<u8> {
    let Behaviour { item, action, time, dwell_ms } = behaviour;
    let mut record = Encoder::new(FORMAT);
    record.small(item.0);
    record.u8(action_code(*action));
    record.near(0, time.0);
    record.small(*dwell_ms);
    record.finish()
}

pub(super) fn decode_recorded(bytes: &[u8]) -> Result<Behaviour, Corrupt> {
    let mut record = Decoder::new(bytes, FORMAT)?;
    let behaviour = decode_behaviour(&mut record, Timestamp(0))?;
    record.finish()?;
    Ok(behaviour)
}

fn encode_served(record: &mut Encoder, served: &Served) {
    let Served {
        request_id,
        scene,
        position,
        score,
        ranking_bundle,
        context_version,
        channels,
        exploration,
    } = served;
    record.text(request_id);
    record.text(scene);
    record.small(*position);
    record.u32(score.to_bits());
    record.option(ranking_bundle.as_ref(), |record, bundle| record.text(bundle.as_str()));
    record.small(*context_version);
    record.length(channels.len());
    for ServedChannel { channel, position, score } in channels {
        record.text(channel.as_str());
        record.small(*position);
        record.u32(score.to_bits());
    }
    record.u8(u8::from(*exploration));
}

fn decode_served(record: &mut Decoder<'_>) -> Result<Served, Corrupt> {
    Ok(Served {
        request_id: record.text()?,
        scene: record.text()?,
        position: record.small()?,
        score: f32::from_bits(record.u32()?),
        ranking_bundle: record.option(Decoder::text)?.map(BundleId::from),
        context_version: record.small()?,
        channels: (0..record.length(9)?)
            .map(|_| {
                Ok(ServedChannel {
                    channel: ChannelName::from(record.text()?),
                    position: record.small()?,
                    score: f32::from_bits(record.u32()?),
                })
            })
            .collect::<Result<_, Corrupt>>()?,
        exploration: record.flag()?,
    })
}

fn disorder(list: &str) -> Corrupt {
    FieldError::new(list, "out of order").into()
}

// The numbers below are on disk: never change one, only add.

pub(super) fn action_code(action: Action) -> u8 {
    match action {
        Action::Impression => 1,
        Action::Click => 2,
        Action::View => 3,
        Action::Bookmark => 4,
        Action::Share => 5,
        Action::Hide => 6,
    }
}

pub(super) fn action_of(code: u8) -> Result<Action, Corrupt> {
    let known = Action::ALL.into_iter().find(|action| action_code(*action) == code);
    known.ok_or_else(|| FieldError::new("action", code).into())
}

pub(super) fn gender_code(gender: Option<Gender>) -> u8 {
    match gender {
        None => 0,
        Some(Gender::Female) => 1,
        Some(Gender::Male) => 2,
        Some(Gender::Other) => 3,
    }
}

pub(super) fn gender_of(code: u8) -> Result<Option<Gender>, Corrupt> {
    let all = [None, Some(Gender::Female), Some(Gender::Male), Some(Gender::Other)];
    let known = all.into_iter().find(|gender| gender_code(*gender) == code);
    known.ok_or_else(|| FieldError::new("gender", code).into())
}

#[cfg(test)]
mod tests;
