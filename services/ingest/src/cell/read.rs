use jiff::civil::DateTime;
use mysql_async::{Value, binlog::value::BinlogValue};

use super::{Cell, text};
use crate::schema::{Charset, Kind};

/// A value that cannot be read as its column's type says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

fn unreadable<T>(reason: impl Into<String>) -> Result<T, Unreadable> {
    Err(Unreadable(reason.into()))
}

impl Cell {
    /// A value as a query gives it, over a connection in UTF-8 and UTC.
    pub fn from_query(value: Value, kind: &Kind) -> Result<Self, Unreadable> {
        match (value, kind) {
            (Value::Bytes(bytes), Kind::Json) => json(&bytes),
            (Value::Bytes(bytes), Kind::Enum(_) | Kind::Set(_)) => utf8(bytes),
            // The connection converts all texts.
            (
                Value::Bytes(bytes),
                Kind::Fixed(_) | Kind::Varying(..) | Kind::Text(..) | Kind::Other,
            ) => utf8(bytes),
            (value @ Value::Date(..), Kind::Timestamp(_)) => {
                let local = local(&value)?;
                let moment = crate::zone::Zone::utc().to_unix_ms(local);
                moment.map_or_else(|| unreadable("a time out of range"), |ms| Ok(Self::Moment(ms)))
            }
            (value, kind) => Self::from_any(value, kind),
        }
    }

    /// A value as the binlog gives it: without signs, names of members, or conversions.
    pub fn from_binlog(value: BinlogValue<'_>, kind: &Kind) -> Result<Self, Unreadable> {
        let value = match value {
            BinlogValue::Value(value) => value,
            BinlogValue::Jsonb(value) => {
                // By way of its tree, which also has what JSON itself has not: dates, decimals.
                return value.parse().map(|tree| Self::Json(tree.into())).map_err(|error| {
                    Unreadable(format!("binary JSON that cannot be read: {error}"))
                });
            }
            BinlogValue::JsonDiff(_) => {
                return unreadable("a difference of JSON: unset binlog_row_value_options");
            }
        };
        match (value, kind) {
            (Value::Int(number), Kind::Integer { bytes, unsigned: true }) if number < 0 => {
                Ok(Self::Integer(i128::from(number) + (1_i128 << (8 * u32::from(*bytes)))))
            }
            // The year 0000, which is written as 0 and read by the library as 1900 + 0.
            (Value::Bytes(year), Kind::Year) if year == b"1900" => Ok(Self::Integer(0)),
            (Value::Int(index), Kind::Enum(members)) => member(index, members),
            (Value::Bytes(bits), Kind::Set(members)) => Ok(set(&bits, members)),
            (Value::Int(seconds), Kind::Timestamp(_)) => moment(&seconds.to_string()),
            (Value::Bytes(bytes), Kind::Timestamp(_)) => match std::str::from_utf8(&bytes) {
                Ok(text) => moment(text),
                Err(_) => unreadable("not a TIMESTAMP"),
            },
            (value, kind) => Self::from_any(value, kind),
        }
    }

    /// What both sources have in common.
    fn from_any(value: Value, kind: &Kind) -> Result<Self, Unreadable> {
        match (value, kind) {
            (Value::NULL, _) => Ok(Self::Null),
            (Value::Int(number), _) => Ok(Self::Integer(number.into())),
            (Value::UInt(number), _) => Ok(Self::Integer(number.into())),
            (Value::Float(number), _) => Ok(Self::Float(number.into())),
            (Value::Double(number), _) => Ok(Self::Float(number)),
            (Value::Bytes(bytes), Kind::Decimal { .. }) => match utf8(bytes)? {
                Self::Text(digits) => Ok(Self::Decimal(digits)),
                other => Ok(other),
            },
            (Value::Bytes(bytes), Kind::Bit) => {
                let bits = bytes.iter().fold(0, |bits, byte| (bits << 8) | i128::from(*byte));
                Ok(Self::Integer(bits))
            }
            (Value::Bytes(bytes), Kind::Year | Kind::Integer { .. }) => {
                let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
                number
                    .map_or_else(|| unreadable("not a number"), |number| Ok(Self::Integer(number)))
            }
            (Value::Bytes(bytes), kind) => {
                let charset = kind.charset().unwrap_or(&Charset::Utf8);
                let text = text::decode(bytes, charset);
                text.map_or_else(
                    || unreadable("not a text of its charset"),
                    |text| Ok(Self::Text(text)),
                )
            }
            (value @ Value::Date(..), _) => local(&value).map(Self::Local),
            (Value::Time(..), _) => unreadable("a time of day"),
        }
    }
}

fn utf8(bytes: Vec<u8>) -> Result<Cell, Unreadable> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Cell::Text(text)),
        Err(_) => unreadable("not a text in UTF-8"),
    }
}

fn json(bytes: &[u8]) -> Result<Cell, Unreadable> {
    serde_json::from_slice(bytes)
        .map(Cell::Json)
        .map_err(|error| Unreadable(format!("broken JSON: {error}")))
}

/// Index 0 is what MySQL keeps of a value that was no member.
fn member(index: i64, members: &[String]) -> Result<Cell, Unreadable> {
    let name = match usize::try_from(index) {
        Ok(0) => Some(String::new()),
        Ok(index) => members.get(index - 1).cloned(),
        Err(_) => None,
    };
    name.map_or_else(|| unreadable("not a member of the ENUM"), |name| Ok(Cell::Text(name)))
}

fn set(bits: &[u8], members: &[String]) -> Cell {
    let is_in = |index: usize| bits.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1);
    let names = members.iter().enumerate().filter(|(index, _)| is_in(*index));
    Cell::Text(names.map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(","))
}

/// Seconds since 1970, with a fraction or without.
fn moment(text: &str) -> Result<Cell, Unreadable> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let milliseconds = format!("{fraction:0<3}");
    let milliseconds = milliseconds.get(..3).and_then(|digits| digits.parse::<i64>().ok());
    let parsed = seconds.parse::<i64>().ok().zip(milliseconds);
    match parsed {
        // The zero TIMESTAMP, which is no moment.
        Some((0, 0)) => unreadable("a time of zeros"),
        Some((seconds, milliseconds)) => Ok(Cell::Moment(seconds * 1_000 + milliseconds)),
        None => unreadable("not a TIMESTAMP"),
    }
}

fn local(value: &Value) -> Result<DateTime, Unreadable> {
    let Value::Date(year, month, day, hour, minute, second, micros) = *value else {
        return unreadable("not a date");
    };
    let parts = [month, day, hour, minute, second].map(|part| i8::try_from(part).ok());
    let time = match (i16::try_from(year).ok(), parts, i32::try_from(micros).ok()) {
        (
            Some(year),
            [Some(month), Some(day), Some(hour), Some(minute), Some(second)],
            Some(micros),
        ) => {
            let nanos = micros.checked_mul(1_000);
            nanos
                .and_then(|nanos| DateTime::new(year, month, day, hour, minute, second, nanos).ok())
        }
        _ => None,
    };
    time.map_or_else(|| unreadable("a date that does not exist, such as one of zeros"), Ok)
}
