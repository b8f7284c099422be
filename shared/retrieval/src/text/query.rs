//! Queries out of words.

use tantivy::{
    Term,
    query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery},
    schema::{Field, IndexRecordOption},
};

use super::schema::Fields;

/// How much more a word in the title counts than one elsewhere.
const TITLE_BOOST: f32 = 2.0;

/// A term of one field with its weight.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WeightedTerm {
    pub(super) place: Place,
    pub(super) text: String,
    pub(super) weight: f32,
}

/// Which field a term is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Tag,
    Genre,
    Creator,
    Year,
    Title,
}

impl Place {
    fn field(self, fields: &Fields) -> Field {
        match self {
            Self::Tag => fields.tag,
            Self::Genre => fields.genre,
            Self::Creator => fields.creator,
            Self::Year => fields.year,
            Self::Title => fields.title,
        }
    }
}

/// Items that have every word, in whichever field; `None` where there is no word.
pub(super) fn all_words(fields: &Fields, words: &[String]) -> Option<Box<dyn Query>> {
    of_words(fields, words, Occur::Must)
}

/// Items that have at least one word.
pub(super) fn any_word(fields: &Fields, words: &[String]) -> Option<Box<dyn Query>> {
    of_words(fields, words, Occur::Should)
}

fn of_words(fields: &Fields, words: &[String], occur: Occur) -> Option<Box<dyn Query>> {
    let clauses = words.iter().map(|word| (occur, anywhere(fields, word)));
    let clauses: Vec<(Occur, Box<dyn Query>)> = clauses.collect();
    (!clauses.is_empty()).then(|| Box::new(BooleanQuery::new(clauses)) as Box<dyn Query>)
}

fn anywhere(fields: &Fields, word: &str) -> Box<dyn Query> {
    let clauses = [(fields.title, TITLE_BOOST), (fields.text, 1.0)]
        .map(|(field, boost)| (Occur::Should, boosted(field, word, boost)));
    Box::new(BooleanQuery::new(clauses.into()))
}

/// Items by the sum of the weights of their terms, each times how rare the term is.
pub(super) fn weighted(fields: &Fields, terms: &[WeightedTerm]) -> Option<Box<dyn Query>> {
    let clause = |term: &WeightedTerm| {
        (Occur::Should, boosted(term.place.field(fields), &term.text, term.weight))
    };
    let clauses: Vec<(Occur, Box<dyn Query>)> = terms.iter().map(clause).collect();
    (!clauses.is_empty()).then(|| Box::new(BooleanQuery::new(clauses)) as Box<dyn Query>)
}

fn boosted(field: Field, text: &str, boost: f32) -> Box<dyn Query> {
    let term = TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs);
    Box::new(BoostQuery::new(Box::new(term), boost))
}
