use tributary_domain::ChannelName;

use crate::{Side, ranking::AffinityName};

/// A field's name with what it means, worked out once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    name: String,
    source: Source,
}

/// The fields that this system's records have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    UserId,
    UserAge,
    UserGender,
    UserOccupation,
    UserHistoryLength,
    UserLikeRate,
    HistoryItems,
    HistoryLiked,
    HistoryHidden,
    ItemId,
    ItemGenres,
    ItemTags,
    ItemCreator,
    ItemYear,
    ItemWidth,
    ItemHeight,
    ItemTotalBookmarks,
    ItemTotalViews,
    StatisticsInteractions,
    StatisticsLikes,
    StatisticsLikeRate,
    StatisticsRecent,
    PairGenreAffinityLiked,
    PairGenreAffinityWatched,
    PairGenreLikeRate,
    PairGenreShareLiked,
    PairGenreShareWatched,
    PairYearShareLiked,
    PairYearShareWatched,
    PairTagAffinity,
    PairCreatorAffinity,
    PairYearDistance,
    PairDaysSinceCreated,
    EvidenceChannels,
    /// What one channel said of the candidate.
    Evidence {
        channel: ChannelName,
        measure: Measure,
    },
    /// What one table of the bundle said of the candidate.
    Affinity(AffinityName),
    /// A field of somebody else's record.
    Other,
}

/// What is taken of a channel's finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// From 1; missing where the channel did not find the candidate.
    Position,
    /// 1 for the channel's best candidate, towards 0 further down and where it did not find it.
    ReciprocalPosition,
    /// Missing where the channel did not find the candidate.
    Score,
    /// 1 where the channel found the candidate, otherwise 0.
    Present,
}

const FIELDS: [(&str, Source); 34] = [
    ("user.id", Source::UserId),
    ("user.age", Source::UserAge),
    ("user.gender", Source::UserGender),
    ("user.occupation", Source::UserOccupation),
    ("user.history_length", Source::UserHistoryLength),
    ("user.like_rate", Source::UserLikeRate),
    ("history.items", Source::HistoryItems),
    ("history.liked", Source::HistoryLiked),
    ("history.hidden", Source::HistoryHidden),
    ("item.id", Source::ItemId),
    ("item.genres", Source::ItemGenres),
    ("item.tags", Source::ItemTags),
    ("item.creator", Source::ItemCreator),
    ("item.year", Source::ItemYear),
    ("item.width", Source::ItemWidth),
    ("item.height", Source::ItemHeight),
    ("item.total_bookmarks", Source::ItemTotalBookmarks),
    ("item.total_views", Source::ItemTotalViews),
    ("statistics.interactions", Source::StatisticsInteractions),
    ("statistics.likes", Source::StatisticsLikes),
    ("statistics.like_rate", Source::StatisticsLikeRate),
    ("statistics.recent", Source::StatisticsRecent),
    ("pair.genre_affinity.liked", Source::PairGenreAffinityLiked),
    ("pair.genre_affinity.watched", Source::PairGenreAffinityWatched),
    ("pair.genre_like_rate", Source::PairGenreLikeRate),
    ("pair.genre_share.liked", Source::PairGenreShareLiked),
    ("pair.genre_share.watched", Source::PairGenreShareWatched),
    ("pair.year_share.liked", Source::PairYearShareLiked),
    ("pair.year_share.watched", Source::PairYearShareWatched),
    ("pair.tag_affinity", Source::PairTagAffinity),
    ("pair.creator_affinity", Source::PairCreatorAffinity),
    ("pair.year_distance", Source::PairYearDistance),
    ("pair.days_since_created", Source::PairDaysSinceCreated),
    ("evidence.channels", Source::EvidenceChannels),
];

impl Field {
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let source = source_of(&name);
        Self { name, source }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whose the field is, by its first word: "user" and "history" are the user's, "item" the
    /// item's, all others belong to the two together at the moment of asking.
    pub fn side(&self) -> Side {
        match self.name.split('.').next() {
            Some("user" | "history") => Side::User,
            Some("item") => Side::Item,
            _ => Side::Pair,
        }
    }
}

fn source_of(name: &str) -> Source {
    if let Some((_, source)) = FIELDS.iter().find(|(known, _)| *known == name) {
        return source.clone();
    }
    evidence_of(name).or_else(|| affinity_of(name)).unwrap_or(Source::Other)
}

/// "evidence.<channel>.<measure>": a new channel needs no code.
fn evidence_of(name: &str) -> Option<Source> {
    let (channel, measure) = name.strip_prefix("evidence.")?.rsplit_once('.')?;
    let measure = match measure {
        "position" => Measure::Position,
        "reciprocal_position" => Measure::ReciprocalPosition,
        "score" => Measure::Score,
        "present" => Measure::Present,
        _ => return None,
    };
    (!channel.is_empty()).then(|| Source::Evidence { channel: channel.into(), measure })
}

/// "affinity.<table>.<past>" and "standing.<table>.<past>": which tables there are is known where
/// they are asked.
fn affinity_of(name: &str) -> Option<Source> {
    AffinityName::parse(name).map(Source::Affinity)
}
