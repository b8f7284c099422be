use crate::{BundleId, ChannelName, Event};

/// How an item came to be shown; kept with its impression, so that training sees what serving saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// Names the answer it was shown in.
    pub request_id: String,
    /// Where it was shown.
    pub scene: String,
    /// In the answer, from 1, over all pages.
    pub position: u32,
    /// Fused score of ranking; 0 without. Finite.
    pub score: f32,
    /// The bundle that ranked; `None` without.
    pub ranking_bundle: Option<BundleId>,
    /// The version of the user's context that the request saw.
    pub context_version: u64,
    pub channels: Vec<ServedChannel>,
    /// Stood in a slot reserved for cold items.
    pub exploration: bool,
}

/// Where a channel had an item that was shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ServedChannel {
    pub channel: ChannelName,
    /// In the channel's list, from 1.
    pub position: u32,
    /// The channel's own score. Finite.
    pub score: f32,
}

/// An event with how its item came to be shown, where that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct ServedEvent {
    pub event: Event,
    pub served: Option<Served>,
}

impl From<Event> for ServedEvent {
    fn from(event: Event) -> Self {
        Self { event, served: None }
    }
}

mod proto {
    use tributary_proto::entity::v1 as wire;

    use super::{Served, ServedChannel};
    use crate::{BundleId, ChannelName, FieldError, field};

    const REQUEST_ID_BYTES: usize = 64;
    const NAME_BYTES: usize = 100;
    const BUNDLE_ID_BYTES: usize = 200;
    const CHANNELS: usize = 16;

    impl Served {
        /// Decodes a message that stands in a row beside others: an empty one says that nothing is
        /// known.
        pub fn from_wire(served: wire::Served) -> Result<Option<Self>, FieldError> {
            match served == wire::Served::default() {
                true => Ok(None),
                false => Self::try_from(served).map(Some),
            }
        }
    }

    impl TryFrom<wire::Served> for Served {
        type Error = FieldError;

        fn try_from(served: wire::Served) -> Result<Self, FieldError> {
            let wire::Served {
                request_id,
                scene,
                position,
                score,
                ranking_bundle_id,
                context_version,
                channels,
                exploration,
            } = served;
            check_bytes("request_id", &request_id, REQUEST_ID_BYTES)?;
            check_bytes("scene", &scene, NAME_BYTES)?;
            check_bytes("ranking_bundle_id", &ranking_bundle_id, BUNDLE_ID_BYTES)?;
            if channels.len() > CHANNELS {
                let reason = format_args!("{} are more than {CHANNELS}", channels.len());
                return Err(FieldError::new("channels", reason));
            }
            let channels = channels.into_iter().enumerate().map(|(index, channel)| {
                ServedChannel::try_from(channel).map_err(field::at("channels", index))
            });
            Ok(Self {
                request_id,
                scene,
                position: from_one(position)?,
                score: finite(score)?,
                ranking_bundle: (!ranking_bundle_id.is_empty())
                    .then(|| BundleId::from(ranking_bundle_id)),
                context_version,
                channels: channels.collect::<Result<_, _>>()?,
                exploration,
            })
        }
    }

    impl TryFrom<wire::ServedChannel> for ServedChannel {
        type Error = FieldError;

        fn try_from(channel: wire::ServedChannel) -> Result<Self, FieldError> {
            let wire::ServedChannel { channel, position, score } = channel;
            if channel.is_empty() {
                return Err(FieldError::new("channel", "must not be empty"));
            }
            check_bytes("channel", &channel, NAME_BYTES)?;
            Ok(Self {
                channel: ChannelName::from(channel),
                position: from_one(position)?,
                score: finite(score)?,
            })
        }
    }

    fn check_bytes(field: &str, text: &str, most: usize) -> Result<(), FieldError> {
        match text.len() {
            length if length > most => {
                Err(FieldError::new(field, format_args!("{length} bytes are more than {most}")))
            }
            _ => Ok(()),
        }
    }

    fn from_one(position: u32) -> Result<u32, FieldError> {
        match position {
            0 => Err(FieldError::new("position", "must not be zero")),
            position => Ok(position),
        }
    }

    fn finite(score: f32) -> Result<f32, FieldError> {
        match score.is_finite() {
            true => Ok(score),
            false => Err(FieldError::new("score", format_args!("{score} is not finite"))),
        }
    }

    impl From<Served> for wire::Served {
        fn from(served: Served) -> Self {
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
            Self {
                request_id,
                scene,
                position,
                score,
                ranking_bundle_id: ranking_bundle
                    .map_or_else(String::new, |bundle| bundle.as_str().to_owned()),
                context_version,
                channels: channels.into_iter().map(Into::into).collect(),
                exploration,
            }
        }
    }

    impl From<ServedChannel> for wire::ServedChannel {
        fn from(channel: ServedChannel) -> Self {
            let ServedChannel { channel, position, score } = channel;
            Self { channel: channel.as_str().to_owned(), position, score }
        }
    }
}

#[cfg(test)]
mod tests {
    use tributary_proto::entity::v1 as wire;

    use super::*;

    fn message() -> wire::Served {
        wire::Served {
            request_id: "r".repeat(64),
            scene: "home".to_owned(),
            position: 3,
            score: 0.5,
            ranking_bundle_id: "b".to_owned(),
            context_version: 9,
            channels: vec![wire::ServedChannel {
                channel: "search".to_owned(),
                position: 1,
                score: -2.0,
            }],
            exploration: true,
        }
    }

    #[test]
    fn good_messages_round_trip_and_an_empty_one_is_nothing() {
        let changes: [fn(&mut wire::Served); 3] =
            [|_| {}, |served| served.ranking_bundle_id.clear(), |served| served.channels.clear()];
        for change in changes {
            let mut served = message();
            change(&mut served);
            let decoded = Served::from_wire(served.clone()).unwrap().unwrap();
            assert_eq!(wire::Served::from(decoded), served);
        }
        assert_eq!(Served::from_wire(wire::Served::default()), Ok(None));
    }

    #[test]
    fn bad_messages_name_the_field() {
        type Change = fn(&mut wire::Served);
        let cases: [(Change, &str); 10] = [
            (|served| served.request_id.push('x'), "request_id"),
            (|served| served.scene = "x".repeat(101), "scene"),
            (|served| served.position = 0, "position"),
            (|served| served.score = f32::NAN, "score"),
            (|served| served.ranking_bundle_id = "x".repeat(201), "ranking_bundle_id"),
            (|served| served.channels = vec![served.channels[0].clone(); 17], "channels"),
            (|served| served.channels[0].channel.clear(), "channels[0].channel"),
            (|served| served.channels[0].channel = "x".repeat(101), "channels[0].channel"),
            (|served| served.channels[0].position = 0, "channels[0].position"),
            (|served| served.channels[0].score = f32::INFINITY, "channels[0].score"),
        ];
        for (change, field) in cases {
            let mut served = message();
            change(&mut served);
            assert_eq!(Served::from_wire(served).unwrap_err().field, field);
        }
    }
}
