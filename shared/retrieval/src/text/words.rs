//! Text into words.
//!
//! Latin and other scripts with spaces: runs of letters and digits, lower-cased, without accents.
//! Chinese, Japanese and Korean: single characters and pairs of neighbours. Everything is brought
//! into one form of Unicode first (NFKC), so that full-width letters and half-width kana match.

use std::iter::Peekable;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// A piece of text of one kind.
enum Run {
    Spaced(String),
    Unspaced(Vec<char>),
}

/// All words of a text, for the index.
pub(super) fn of_text(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in runs(text) {
        match run {
            Run::Spaced(word) => words.push(word),
            Run::Unspaced(characters) => {
                words.extend(characters.iter().map(char::to_string));
                words.extend(pairs(&characters));
            }
        }
    }
    words
}

/// The words to look for: pairs where there are pairs, since single characters match too much.
pub(super) fn of_query(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for run in runs(text) {
        match run {
            Run::Spaced(word) => words.push(word),
            Run::Unspaced(characters) if characters.len() == 1 => {
                words.extend(characters.iter().map(char::to_string));
            }
            Run::Unspaced(characters) => words.extend(pairs(&characters)),
        }
    }
    let mut known = std::collections::HashSet::new();
    words.retain(|word| known.insert(word.clone()));
    words
}

fn pairs(characters: &[char]) -> impl Iterator<Item = String> {
    characters.windows(2).map(|pair| pair.iter().collect())
}

fn runs(text: &str) -> Vec<Run> {
    let mut characters = text.nfkc().flat_map(char::to_lowercase).peekable();
    let mut runs = Vec::new();
    while let Some(first) = characters.peek().copied() {
        if is_unspaced(first) {
            runs.push(Run::Unspaced(take(&mut characters, is_unspaced).collect()));
        } else if is_spaced(first) {
            let word: String = take(&mut characters, is_spaced).collect();
            runs.push(Run::Spaced(without_accents(&word)));
        } else {
            characters.next();
        }
    }
    runs
}

fn take<I: Iterator<Item = char>>(
    characters: &mut Peekable<I>,
    belongs: impl Fn(char) -> bool,
) -> impl Iterator<Item = char> {
    std::iter::from_fn(move || characters.next_if(|character| belongs(*character)))
}

fn without_accents(word: &str) -> String {
    word.nfd().filter(|character| !is_combining_mark(*character)).collect()
}

fn is_spaced(character: char) -> bool {
    (character.is_alphanumeric() || is_combining_mark(character)) && !is_unspaced(character)
}

/// Han, kana, hangul, and the marks that lengthen or repeat them.
fn is_unspaced(character: char) -> bool {
    matches!(u32::from(character),
        0x3005..=0x3007
        | 0x3041..=0x3096
        | 0x309D..=0x309F
        | 0x30A1..=0x30FA
        | 0x30FC..=0x30FF
        | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xAC00..=0xD7AF
        | 0xF900..=0xFAFF
        | 0x2_0000..=0x3_FFFF)
}

/// [`of_text`] for tantivy.
#[derive(Clone, Default)]
pub(super) struct Words;

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream {
        WordStream { rest: of_text(text).into_iter(), token: Token::default() }
    }
}

/// Words one by one. Offsets are not kept: nothing is highlighted.
pub(super) struct WordStream {
    rest: std::vec::IntoIter<String>,
    token: Token,
}

impl TokenStream for WordStream {
    fn advance(&mut self) -> bool {
        let Some(word) = self.rest.next() else { return false };
        self.token.text = word;
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
