//! The index's fields.

use tantivy::{
    Index, TantivyDocument,
    schema::{
        Field, IndexRecordOption, NumericOptions, STRING, Schema, TextFieldIndexing, TextOptions,
    },
    tokenizer::TextAnalyzer,
};
use tributary_domain::Item;

use super::words::Words;

pub(super) const ID: &str = "id";
const WORDS: &str = "words";

/// Labels are indexed whole, for recall, and as words, for search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub(super) id: Field,
    pub(super) title: Field,
    /// Words of the description and of the labels.
    pub(super) text: Field,
    pub(super) tag: Field,
    pub(super) genre: Field,
    pub(super) creator: Field,
    /// The year and its decade, such as `1994` and `1990s`.
    pub(super) year: Field,
}

/// An empty index in memory with its fields.
pub(super) fn create() -> (Index, Fields) {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(WORDS)
        .set_index_option(IndexRecordOption::WithFreqs);
    let words = TextOptions::default().set_indexing_options(indexing);
    let fields = Fields {
        id: schema.add_u64_field(ID, NumericOptions::default().set_indexed().set_fast()),
        title: schema.add_text_field("title", words.clone()),
        text: schema.add_text_field("text", words),
        tag: schema.add_text_field("tag", STRING),
        genre: schema.add_text_field("genre", STRING),
        creator: schema.add_text_field("creator", STRING),
        year: schema.add_text_field("year", STRING),
    };
    let index = Index::create_in_ram(schema.build());
    index.tokenizers().register(WORDS, TextAnalyzer::from(Words));
    (index, fields)
}

impl Fields {
    pub(super) fn document(&self, item: &Item) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_u64(self.id, item.id.0);
        document.add_text(self.title, &item.title);
        document.add_text(self.text, &item.text);
        for (field, labels) in [(self.tag, &item.tags), (self.genre, &item.genres)] {
            for label in labels {
                document.add_text(field, label_term(label));
                document.add_text(self.text, label);
            }
        }
        if let Some(creator) = item.creator {
            document.add_text(self.creator, creator.to_string());
        }
        for term in item.year.iter().flat_map(|year| year_terms(*year)) {
            document.add_text(self.year, &term);
            document.add_text(self.text, &term);
        }
        document
    }
}

/// A label as it stands in the index.
pub(super) fn label_term(label: &str) -> String {
    label.to_lowercase()
}

pub(super) fn year_terms(year: u16) -> [String; 2] {
    [year.to_string(), format!("{}0s", year / 10)]
}
