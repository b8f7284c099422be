//! The value of one column of one row, the same whether a query or the binlog brought it.

mod read;
mod text;

use std::borrow::Cow;

use jiff::civil::DateTime;
use serde_json::json;

pub(crate) use read::Unreadable;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Integer(i128),
    /// A DECIMAL, digit for digit.
    Decimal(String),
    Float(f64),
    Text(String),
    Json(serde_json::Value),
    /// A moment in Unix milliseconds: a TIMESTAMP.
    Moment(i64),
    /// A time by some clock on some wall: DATETIME or DATE.
    Local(DateTime),
}

impl Cell {
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// As a text to compare with those of a mapping; `None` for NULL and for what is not compared.
    pub fn canonical(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Integer(number) => Some(number.to_string().into()),
            Self::Decimal(digits) => Some(whole(digits).unwrap_or(digits).into()),
            Self::Text(text) => Some(text.into()),
            Self::Null | Self::Float(_) | Self::Json(_) | Self::Moment(_) | Self::Local(_) => None,
        }
    }

    /// The whole number in it.
    pub fn integer(&self) -> Option<i128> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Decimal(digits) => whole(digits)?.parse().ok(),
            _ => None,
        }
    }

    /// For a person to read, in a list of bad rows.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Integer(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => json!(number),
                (_, Ok(number)) => json!(number),
                _ => json!(number.to_string()),
            },
            Self::Float(number) => json!(number),
            Self::Decimal(text) | Self::Text(text) => json!(text),
            Self::Json(value) => value.clone(),
            Self::Moment(ms) => json!(ms),
            Self::Local(time) => json!(time.to_string()),
        }
    }
}

/// The part before a fraction of zeros; `None` where there is another fraction.
fn whole(digits: &str) -> Option<&str> {
    match digits.split_once('.') {
        None => Some(digits),
        Some((whole, fraction)) => fraction.bytes().all(|digit| digit == b'0').then_some(whole),
    }
}
