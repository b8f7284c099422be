use serde::{Deserialize, Serialize};

/// What a column holds, as far as it matters for reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Integer {
        bytes: u8,
        unsigned: bool,
    },
    Decimal {
        precision: u8,
        scale: u8,
    },
    Float,
    Double,
    /// CHAR.
    Fixed(Charset),
    /// VARCHAR of at most that many bytes.
    Varying(Charset, u64),
    /// TINYTEXT to LONGTEXT, by the bytes of their length. MariaDB's JSON is one of them.
    Text(Charset, u8),
    /// MySQL's JSON.
    Json,
    Enum(Vec<String>),
    Set(Vec<String>),
    Date,
    /// With that many digits of a second's fraction.
    Datetime(u8),
    Timestamp(u8),
    Year,
    Bit,
    /// Times of day, places, and what newer servers may bring.
    Other,
}

/// How a text is written in the binlog, which does not convert it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charset {
    /// utf8mb4, utf8mb3, ascii, and columns of bytes.
    Utf8,
    /// MySQL's latin1, which is Windows-1252.
    Latin1,
    Other(String),
}

impl Charset {
    fn parse(name: Option<&str>) -> Self {
        match name {
            None | Some("utf8mb4" | "utf8mb3" | "utf8" | "ascii" | "binary") => Self::Utf8,
            Some("latin1") => Self::Latin1,
            Some(other) => Self::Other(other.to_owned()),
        }
    }
}

impl Kind {
    /// From `DATA_TYPE`, `COLUMN_TYPE`, `CHARACTER_SET_NAME` and `CHARACTER_OCTET_LENGTH` of
    /// `information_schema.COLUMNS`.
    pub(super) fn parse(
        data_type: &str,
        declared: &str,
        charset: Option<&str>,
        bytes: Option<u64>,
    ) -> Self {
        let integer = |bytes| Self::Integer { bytes, unsigned: declared.contains("unsigned") };
        let charset = || Charset::parse(charset);
        let argument = |index| argument(declared, index);
        match data_type.to_ascii_lowercase().as_str() {
            "tinyint" => integer(1),
            "smallint" => integer(2),
            "mediumint" => integer(3),
            "int" => integer(4),
            "bigint" => integer(8),
            "decimal" => Self::Decimal { precision: argument(0), scale: argument(1) },
            "float" => Self::Float,
            "double" => Self::Double,
            "char" | "binary" => Self::Fixed(charset()),
            "varchar" | "varbinary" => Self::Varying(charset(), bytes.unwrap_or(0)),
            "tinytext" | "tinyblob" => Self::Text(charset(), 1),
            "text" | "blob" => Self::Text(charset(), 2),
            "mediumtext" | "mediumblob" => Self::Text(charset(), 3),
            "longtext" | "longblob" => Self::Text(charset(), 4),
            "json" => Self::Json,
            "enum" => Self::Enum(members(declared)),
            "set" => Self::Set(members(declared)),
            "date" => Self::Date,
            "datetime" => Self::Datetime(argument(0)),
            "timestamp" => Self::Timestamp(argument(0)),
            "year" => Self::Year,
            "bit" => Self::Bit,
            _ => Self::Other,
        }
    }

    /// Whether whole numbers can be read from it.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Integer { .. } | Self::Decimal { .. } | Self::Year | Self::Bit)
    }

    /// Whether it holds text that can be read.
    pub fn is_text(&self) -> bool {
        self.charset().is_some_and(|charset| !matches!(charset, Charset::Other(_)))
            || matches!(self, Self::Json | Self::Enum(_) | Self::Set(_))
    }

    /// How its text is written.
    pub fn charset(&self) -> Option<&Charset> {
        match self {
            Self::Fixed(charset) | Self::Varying(charset, _) | Self::Text(charset, _) => {
                Some(charset)
            }
            _ => None,
        }
    }

    /// Whether its values can be compared with the texts of a mapping.
    pub fn is_comparable(&self) -> bool {
        self.is_number() || self.is_text()
    }
}

/// The number at that place within the parentheses; 0 where there is none.
fn argument(declared: &str, index: usize) -> u8 {
    let inside = declared.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let number = inside.and_then(|(inside, _)| inside.split(',').nth(index));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// The members of `enum('a','it''s')`, in their order.
fn members(declared: &str) -> Vec<String> {
    let mut members = Vec::new();
    let mut current: Option<String> = None;
    let mut rest = declared.chars().peekable();
    while let Some(character) = rest.next() {
        match (&mut current, character) {
            (None, '\'') => current = Some(String::new()),
            (None, _) => {}
            (Some(text), '\'') if rest.peek() == Some(&'\'') => {
                text.push('\'');
                rest.next();
            }
            (Some(_), '\'') => members.extend(current.take()),
            (Some(text), other) => text.push(other),
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read() {
        let text = |charset| Kind::Text(charset, 4);
        for (data_type, declared, charset, kind) in [
            ("int", "int(10) unsigned", None, Kind::Integer { bytes: 4, unsigned: true }),
            ("bigint", "bigint(20)", None, Kind::Integer { bytes: 8, unsigned: false }),
            ("decimal", "decimal(20,4)", None, Kind::Decimal { precision: 20, scale: 4 }),
            ("datetime", "datetime(3)", None, Kind::Datetime(3)),
            ("timestamp", "timestamp", None, Kind::Timestamp(0)),
            ("longtext", "longtext", Some("utf8mb4"), text(Charset::Utf8)),
            ("longtext", "longtext", Some("sjis"), text(Charset::Other("sjis".into()))),
            ("char", "char(3)", Some("latin1"), Kind::Fixed(Charset::Latin1)),
            ("varchar", "varchar(9)", Some("utf8mb4"), Kind::Varying(Charset::Utf8, 36)),
            ("point", "point", None, Kind::Other),
            (
                "enum",
                "enum('a','it''s','x,y','')",
                Some("latin1"),
                Kind::Enum(vec!["a".into(), "it's".into(), "x,y".into(), String::new()]),
            ),
        ] {
            assert_eq!(Kind::parse(data_type, declared, charset, Some(36)), kind, "{declared}");
        }
    }
}
