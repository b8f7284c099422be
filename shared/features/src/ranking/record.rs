use tributary_domain::{Gender, Item};

use super::{
    Affinity, Evidence, ItemStatistics, UserView, affinity, evidence::measure, view::to_number,
};
use crate::{Field, Record, Source, Value};

/// What connects a user with an item, `None` where it cannot be said.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ties {
    pub(super) genre_liked: Option<f64>,
    pub(super) genre_watched: Option<f64>,
    pub(super) genre_like_rate: Option<f64>,
    pub(super) genre_share_liked: Option<f64>,
    pub(super) genre_share_watched: Option<f64>,
    pub(super) year_share_liked: Option<f64>,
    pub(super) year_share_watched: Option<f64>,
    pub(super) tags: Option<f64>,
    pub(super) creator: Option<f64>,
    pub(super) year_distance: Option<f64>,
    pub(super) days_since_created: Option<f64>,
}

/// A user, as the user tower sees one.
#[derive(Debug, Clone, Copy)]
pub struct UserRecord<'a>(pub &'a UserView);

/// An item, as the item tower sees one.
#[derive(Debug, Clone, Copy)]
pub struct ItemRecord<'a>(pub &'a Item);

/// A user with a candidate, as the ranker sees them.
#[derive(Debug, Clone, Copy)]
pub struct RankingRecord<'a> {
    view: &'a UserView,
    item: &'a Item,
    statistics: ItemStatistics,
    /// One for each channel that proposed the candidate.
    evidence: &'a [Evidence],
    /// One for each table that was asked.
    affinities: &'a [Affinity],
    ties: Ties,
}

impl<'a> RankingRecord<'a> {
    pub fn new(
        view: &'a UserView,
        item: &'a Item,
        statistics: ItemStatistics,
        evidence: &'a [Evidence],
    ) -> Self {
        Self { view, item, statistics, evidence, affinities: &[], ties: view.ties(item) }
    }

    /// With what the bundle's tables say of the candidate.
    #[must_use]
    pub fn with_affinities(self, affinities: &'a [Affinity]) -> Self {
        Self { affinities, ..self }
    }
}

impl Record for UserRecord<'_> {
    fn value(&self, field: &str) -> Value<'_> {
        user_value(self.0, Field::new(field).source())
    }

    fn resolved(&self, field: &Field) -> Value<'_> {
        user_value(self.0, field.source())
    }
}

impl Record for ItemRecord<'_> {
    fn value(&self, field: &str) -> Value<'_> {
        item_value(self.0, Field::new(field).source())
    }

    fn resolved(&self, field: &Field) -> Value<'_> {
        item_value(self.0, field.source())
    }
}

impl Record for RankingRecord<'_> {
    fn value(&self, field: &str) -> Value<'_> {
        self.by_source(Field::new(field).source())
    }

    fn resolved(&self, field: &Field) -> Value<'_> {
        self.by_source(field.source())
    }
}

impl RankingRecord<'_> {
    fn by_source(&self, source: &Source) -> Value<'_> {
        let (statistics, ties) = (&self.statistics, &self.ties);
        match source {
            Source::StatisticsInteractions => count(statistics.interactions),
            Source::StatisticsLikes => count(statistics.likes),
            Source::StatisticsLikeRate => Value::Number(statistics.like_rate),
            Source::StatisticsRecent => Value::Number(statistics.recent),
            Source::PairGenreAffinityLiked => number(ties.genre_liked),
            Source::PairGenreAffinityWatched => number(ties.genre_watched),
            Source::PairGenreLikeRate => number(ties.genre_like_rate),
            Source::PairGenreShareLiked => number(ties.genre_share_liked),
            Source::PairGenreShareWatched => number(ties.genre_share_watched),
            Source::PairYearShareLiked => number(ties.year_share_liked),
            Source::PairYearShareWatched => number(ties.year_share_watched),
            Source::PairTagAffinity => number(ties.tags),
            Source::PairCreatorAffinity => number(ties.creator),
            Source::PairYearDistance => number(ties.year_distance),
            Source::PairDaysSinceCreated => number(ties.days_since_created),
            Source::EvidenceChannels => Value::Number(to_number(self.evidence.len())),
            Source::Evidence { channel, measure: wanted } => {
                let found = self.evidence.iter().find(|one| one.channel == *channel);
                measure(found, *wanted)
            }
            Source::Affinity(wanted) => affinity::score(self.affinities, wanted),
            other => match item_value(self.item, other) {
                Value::Missing => user_value(self.view, other),
                value => value,
            },
        }
    }
}

fn user_value<'a>(view: &'a UserView, source: &Source) -> Value<'a> {
    match source {
        Source::UserId => view.user.map_or(Value::Missing, |user| Value::Id(user.0)),
        Source::UserAge => number(view.age.map(f64::from)),
        Source::UserGender => text(view.gender.map_or("", Gender::as_str)),
        Source::UserOccupation => text(&view.occupation),
        Source::UserHistoryLength => Value::Number(to_number(view.items.len())),
        Source::UserLikeRate => number(view.like_rate()),
        Source::HistoryItems => Value::Ids(&view.items),
        Source::HistoryLiked => Value::Ids(&view.liked),
        Source::HistoryHidden => Value::Ids(&view.hidden),
        _ => Value::Missing,
    }
}

fn item_value<'a>(item: &'a Item, source: &Source) -> Value<'a> {
    match source {
        Source::ItemId => Value::Id(item.id.0),
        Source::ItemGenres => Value::Texts(&item.genres),
        Source::ItemTags => Value::Texts(&item.tags),
        Source::ItemCreator => item.creator.map_or(Value::Missing, Value::Id),
        Source::ItemYear => number(item.year.map(f64::from)),
        Source::ItemWidth => number(item.width.map(f64::from)),
        Source::ItemHeight => number(item.height.map(f64::from)),
        Source::ItemTotalBookmarks => item.total_bookmarks.map_or(Value::Missing, count),
        Source::ItemTotalViews => item.total_views.map_or(Value::Missing, count),
        _ => Value::Missing,
    }
}

fn number(number: Option<f64>) -> Value<'static> {
    number.map_or(Value::Missing, Value::Number)
}

fn text(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Missing } else { Value::Text(text) }
}

/// Counts beyond 2^53 lose their last digits, which no feature shows.
fn count(count: u64) -> Value<'static> {
    Value::Number(count as f64)
}
