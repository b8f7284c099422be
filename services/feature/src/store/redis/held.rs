//! One user between reading and writing.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tributary_domain::{
    Action, Behaviour, Event, ItemId, ServedEvent, Timestamp, UserId, UserProfile,
};

use super::{outbox::Payload, script::Invocation};
use crate::{
    Retention,
    codec::Corrupt,
    store::{LoggedEvent, record},
    user::User,
};

/// Bytes before the state that are new with every write of it.
const STAMP_BYTES: usize = 8;

/// What happens to a user.
#[derive(Debug, Clone)]
pub(super) enum UserChange {
    Profile(UserProfile),
    Forget,
    Record(ServedEvent),
    Retract(Event),
}

/// A user as read, and what has become of it since.
pub(super) struct Held {
    id: UserId,
    stamp: Vec<u8>,
    user: User,
    /// In the order of their arrival.
    recorded: Vec<Behaviour>,
    known: HashSet<Identity>,
    /// The greatest version that was ever given out, as far as is known here.
    highest: u64,
    changed: bool,
    /// All recorded events as read go.
    cleared: bool,
    /// Recorded events that go and come, as stored.
    go: Vec<Vec<u8>>,
    come: Vec<Vec<u8>>,
}

type Identity = (ItemId, Timestamp, Action);

fn identity(behaviour: &Behaviour) -> Identity {
    (behaviour.item, behaviour.time, behaviour.action)
}

impl Held {
    /// `floor`: versions not greater were given out before, to users who are forgotten.
    pub(super) fn decode(
        id: UserId,
        state: Option<&[u8]>,
        recorded: &[Vec<u8>],
        floor: u64,
    ) -> Result<Self, Corrupt> {
        let (stamp, user) =
            state.map_or(Ok(Default::default()), |state| decode_state(id, state))?;
        let recorded: Vec<Behaviour> =
            recorded.iter().map(|row| record::decode_recorded(row)).collect::<Result<_, _>>()?;
        let known = recorded.iter().chain(user.history.behaviours()).map(identity).collect();
        let highest = user.version.max(floor);
        Ok(Self {
            id,
            stamp,
            user,
            recorded,
            known,
            highest,
            changed: false,
            cleared: false,
            go: Vec::new(),
            come: Vec::new(),
        })
    }

    /// Changes the user; gives whether that changed anything, and what the logs have to take in.
    pub(super) fn change(
        &mut self,
        change: &UserChange,
        retention: &Retention,
    ) -> (bool, Option<Payload>) {
        match change {
            UserChange::Profile(profile) => (self.put(profile), None),
            UserChange::Forget => self.forget(),
            UserChange::Record(event) => with_payload(self.take_in(event, retention)),
            UserChange::Retract(event) => with_payload(self.take_back(event, retention)),
        }
    }

    fn put(&mut self, profile: &UserProfile) -> bool {
        let differs = self.user.profile.as_ref() != Some(profile);
        if differs {
            let version = self.next_version();
            self.user.replace_profile(profile.clone(), version);
            self.changed = true;
        }
        differs
    }

    fn forget(&mut self) -> (bool, Option<Payload>) {
        // Also where nothing is stored: others may keep lists that were made for the id.
        let existed = !self.user.is_unknown();
        self.user = User::default();
        self.recorded.clear();
        self.known.clear();
        (self.changed, self.cleared) = (true, true);
        self.go.clear();
        self.come.clear();
        (existed, Some(Payload::forgotten(self.id)))
    }

    fn take_in(&mut self, served: &ServedEvent, retention: &Retention) -> Option<Payload> {
        let ServedEvent { event, served } = served;
        if !self.known.insert(identity(&event.behaviour)) {
            return None;
        }
        let version = self.version_after(&event.behaviour);
        self.user.record(&event.behaviour, version, retention);
        self.recorded.push(event.behaviour);
        self.come.push(record::encode_recorded(&event.behaviour));
        self.changed = true;
        Some(Payload::recorded(&LoggedEvent::of(&self.user, *event, served.clone())))
    }

    fn take_back(&mut self, event: &Event, retention: &Retention) -> Option<Payload> {
        let retracted = identity(&event.behaviour);
        if !self.known.remove(&retracted) {
            return None;
        }
        // What is in the history is known of, even where so many events came after it that it is
        // no longer among the recorded ones.
        if let Some(index) = self.recorded.iter().rposition(|row| identity(row) == retracted) {
            let row = record::encode_recorded(&self.recorded.remove(index));
            match self.come.iter().rposition(|come| *come == row) {
                Some(index) => drop(self.come.remove(index)),
                None => self.go.push(row),
            }
        }
        let mut met = HashSet::new();
        let all = self.recorded.iter().chain(self.user.history.behaviours());
        let left: Vec<Behaviour> = all
            .filter(|other| identity(other) != retracted && met.insert(identity(other)))
            .copied()
            .collect();
        let version = self.version_after(&event.behaviour);
        self.user.retract(&event.behaviour, &left, version, retention);
        self.changed = true;
        Some(Payload::retracted(event))
    }

    /// An impression leaves the version as it is. To take a new one all the same would have to be
    /// remembered, and would be in the way of everybody else who writes users of the partition.
    fn version_after(&mut self, behaviour: &Behaviour) -> u64 {
        match behaviour.action {
            Action::Impression => self.user.version,
            Action::Click | Action::View | Action::Bookmark | Action::Share | Action::Hide => {
                self.next_version()
            }
        }
    }

    /// From the time, so that a store which takes the place of another does not repeat versions
    /// that caches still hold.
    fn next_version(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let now = u64::try_from(now.as_micros()).unwrap_or(0);
        self.highest = now.max(self.highest + 1);
        self.highest
    }

    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// The version that has to be remembered for the user, where the state does so no longer.
    pub(super) fn forgotten_version(&self) -> u64 {
        if self.user.version < self.highest { self.highest } else { 0 }
    }

    pub(super) fn stamp(&self) -> &[u8] {
        &self.stamp
    }

    /// The arguments of the script that writes the user.
    pub(super) fn write(&self, script: &mut Invocation) {
        let state = match self.user.is_unknown() && self.recorded.is_empty() {
            true => Vec::new(),
            false => encode_state(&self.user),
        };
        script.bytes(state);
        match self.cleared {
            true => script.arg(-1),
            false => script.arg(self.go.len()).rows(&self.go),
        };
        script.arg(self.come.len()).rows(&self.come);
    }
}

fn with_payload(payload: Option<Payload>) -> (bool, Option<Payload>) {
    (payload.is_some(), payload)
}

fn encode_state(user: &User) -> Vec<u8> {
    let mut state = rand::random::<[u8; STAMP_BYTES]>().to_vec();
    state.extend(record::encode_user(user));
    state
}

fn decode_state(id: UserId, state: &[u8]) -> Result<(Vec<u8>, User), Corrupt> {
    let missing = STAMP_BYTES.saturating_sub(state.len());
    let (stamp, state) = state.split_at_checked(STAMP_BYTES).ok_or(Corrupt::Short { missing })?;
    Ok((stamp.to_vec(), record::decode_user(id, state)?))
}

/// The user that a state holds; the one nothing is known of where there is none.
pub(super) fn user_of(id: UserId, state: Option<&[u8]>) -> Result<User, Corrupt> {
    match state {
        None => Ok(User::default()),
        Some(state) => decode_state(id, state).map(|(_stamp, user)| user),
    }
}
