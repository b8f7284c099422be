use tributary_domain::{Action, Behaviour, UserContext, UserId, UserProfile};

use crate::{Retention, exposure::Exposure, history::History};

/// All that is kept of a user beside the list of recorded events. Pure: what an event or a profile
/// changes is decided here, whatever the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) profile: Option<UserProfile>,
    pub(crate) history: History,
    pub(crate) exposure: Exposure,
    /// The number of the last change of profile or history; 0 where there was none.
    pub(crate) version: u64,
}

impl User {
    /// True where nothing is known: such a user is not stored.
    pub(crate) fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in a behaviour. `version` must be new for every change in the store, so that a user
    /// deleted and met again never comes back to a version that stood for something else.
    pub(crate) fn record(&mut self, behaviour: &Behaviour, version: u64, retention: &Retention) {
        self.exposure.record(behaviour, retention);
        if behaviour.action != Action::Impression {
            self.history.insert(*behaviour, retention.behaviours);
            self.version = version;
        }
    }

    /// Takes a recorded behaviour back, of all recorded ones of the user `left` is what is left.
    pub(crate) fn retract(
        &mut self,
        behaviour: &Behaviour,
        left: &[Behaviour],
        version: u64,
        retention: &Retention,
    ) {
        let on_item = left.iter().filter(|other| other.item == behaviour.item);
        self.exposure.replace(behaviour.item, on_item);
        if behaviour.action != Action::Impression {
            self.history = History::latest(left, retention.behaviours);
            let empty = self.profile.is_none() && self.history.behaviours().is_empty();
            self.version = if empty { 0 } else { version };
        }
    }

    pub(crate) fn replace_profile(&mut self, profile: UserProfile, version: u64) {
        self.profile = Some(profile);
        self.version = version;
    }

    pub(crate) fn into_context(self, user: UserId, retention: &Retention) -> UserContext {
        UserContext {
            user,
            profile: self.profile,
            behaviours: self.history.behaviours().to_vec(),
            seen: self.exposure.seen(retention.impressions_until_seen),
            version: self.version,
        }
    }
}
