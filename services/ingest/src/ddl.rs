//! What a statement in the binlog does to the mapped tables. Rows come as rows; statements tell
//! that a table was changed, or emptied without a row being told.

/// What a statement means for a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Its columns may be others now.
    Altered,
    /// Its rows are gone, and which there were is not told.
    Emptied,
    /// Rows were changed by the statement itself, which does not tell which.
    Unseen,
}

/// The effect of `statement`, made in the database `default`, on the table `table` of `database`.
pub(crate) fn effect(
    statement: &str,
    default: &str,
    database: &str,
    table: &str,
) -> Option<Effect> {
    let words = words(statement);
    let words = inner(&words);
    let mut rest = words.iter().map(String::as_str).peekable();
    let is_ours = |at: usize| names(words, at, default, database, table);
    let has = |pair: [&str; 2]| {
        (0..words.len()).any(|at| is(words, at, pair[0]) && is(words, at + 1, pair[1]))
    };
    let mentioned = || (0..words.len()).any(is_ours);
    match rest.next()?.to_ascii_uppercase().as_str() {
        "TRUNCATE" => {
            rest.next_if(|word| word.eq_ignore_ascii_case("TABLE"));
            let at = words.len() - rest.count();
            is_ours(at).then_some(Effect::Emptied)
        }
        "DROP" => match rest.next()?.to_ascii_uppercase().as_str() {
            "TABLE" => mentioned().then_some(Effect::Emptied),
            "INDEX" => mentioned().then_some(Effect::Altered),
            "DATABASE" | "SCHEMA" => {
                let is_ours = words.iter().any(|word| word.eq_ignore_ascii_case(database));
                is_ours.then_some(Effect::Emptied)
            }
            _ => None,
        },
        "CREATE" if is(words, 1, "TEMPORARY") => None,
        "CREATE" if is(words, 1, "OR") && is(words, 3, "TABLE") => {
            mentioned().then_some(Effect::Emptied)
        }
        "ALTER" if REFILLS.into_iter().any(has) => mentioned().then_some(Effect::Emptied),
        "ALTER" | "RENAME" | "CREATE" => mentioned().then_some(Effect::Altered),
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "LOAD" | "WITH" => {
            mentioned().then_some(Effect::Unseen)
        }
        _ => None,
    }
}

/// What makes rows come or go with a change of a table.
const REFILLS: [[&str; 2]; 5] = [
    ["DROP", "PARTITION"],
    ["TRUNCATE", "PARTITION"],
    ["EXCHANGE", "PARTITION"],
    ["DISCARD", "TABLESPACE"],
    ["IMPORT", "TABLESPACE"],
];

/// The statement of MariaDB's `SET STATEMENT variable = value FOR statement`.
fn inner(words: &[String]) -> &[String] {
    let begin = words.iter().position(|word| word.eq_ignore_ascii_case("FOR"));
    match begin {
        Some(begin) if is(words, 0, "SET") && is(words, 1, "STATEMENT") => &words[begin + 1..],
        _ => words,
    }
}

/// Whether the words from `at` on name the table: `table`, or `database`.`table`.
fn names(words: &[String], at: usize, default: &str, database: &str, table: &str) -> bool {
    match is(words, at + 1, ".") {
        true => is(words, at, database) && is(words, at + 2, table),
        false => {
            let qualified = at.checked_sub(1).is_some_and(|before| is(words, before, "."));
            !qualified && is(words, at, table) && default == database
        }
    }
}

fn is(words: &[String], at: usize, name: &str) -> bool {
    words.get(at).is_some_and(|word| word.eq_ignore_ascii_case(name))
}

/// The words and dots of a statement, without comments, texts and other signs.
fn words(statement: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            // A comment of the form /*! … */ is executed: its words count.
            '/' if rest.starts_with("/*!") || rest.starts_with("/*M!") => &rest[3..],
            '/' if rest.starts_with("/*") => after(&rest[2..], "*/"),
            '-' if rest.starts_with("-- ") => after(rest, "\n"),
            '#' => after(rest, "\n"),
            '\'' | '"' => text_end(rest, first),
            '`' => {
                let name = rest[1..].split('`').next().unwrap_or_default();
                words.push(name.to_owned());
                after(&rest[1..], "`")
            }
            '.' => {
                words.push(".".to_owned());
                &rest[1..]
            }
            letter if is_part(letter) => {
                let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
                words.push(rest[..end].to_owned());
                &rest[end..]
            }
            other => &rest[other.len_utf8()..],
        };
    }
    words
}

fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.find(end).map_or("", |at| &text[at + end.len()..])
}

/// What follows a quoted text.
fn text_end(text: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == quote => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statements_touch_the_tables_that_they_name() {
        use Effect::{Altered, Emptied, Unseen};
        for (statement, default, expected) in [
            ("ALTER TABLE illust ADD x INT", "shop", Some(Altered)),
            ("alter table `shop`.`illust` drop column x", "other", Some(Altered)),
            ("ALTER TABLE other.illust ADD x INT", "shop", None),
            ("ALTER TABLE illust ADD x INT", "other", None),
            ("ALTER TABLE illustrations ADD x INT", "shop", None),
            ("/* by hand */ ALTER ONLINE TABLE illust ADD x INT", "shop", Some(Altered)),
            ("RENAME TABLE illust TO a, b TO shop.illust", "shop", Some(Altered)),
            ("TRUNCATE illust", "shop", Some(Emptied)),
            ("TRUNCATE TABLE `illust`", "shop", Some(Emptied)),
            ("TRUNCATE TABLE other.illust", "shop", None),
            ("TRUNCATE TABLE x /* illust */", "shop", None),
            (
                "DROP TABLE IF EXISTS a, `shop`.`illust` /* generated by server */",
                "x",
                Some(Emptied),
            ),
            ("DROP VIEW illust", "shop", None),
            ("DROP TEMPORARY TABLE illust", "shop", None),
            ("DROP INDEX i ON illust", "shop", Some(Altered)),
            ("DROP DATABASE IF EXISTS shop", "", Some(Emptied)),
            ("DROP DATABASE other", "shop", None),
            ("CREATE OR REPLACE TABLE illust (a INT)", "shop", Some(Emptied)),
            ("CREATE TEMPORARY TABLE illust (a INT)", "shop", None),
            ("ALTER TABLE illust DROP PARTITION p1", "shop", Some(Emptied)),
            (
                "ALTER TABLE illust ADD PARTITION (PARTITION p2 VALUES IN (2))",
                "shop",
                Some(Altered),
            ),
            ("ALTER TABLE illust IMPORT TABLESPACE", "shop", Some(Emptied)),
            ("SET STATEMENT max_statement_time=1 FOR TRUNCATE illust", "shop", Some(Emptied)),
            ("SET @a = 'illust'", "shop", None),
            ("WITH a AS (SELECT 1) DELETE FROM illust", "shop", Some(Unseen)),
            ("CREATE UNIQUE INDEX i ON illust (a)", "shop", Some(Altered)),
            ("INSERT INTO illust VALUES ('x')", "shop", Some(Unseen)),
            ("INSERT INTO log VALUES ('illust')", "shop", None),
            ("GRANT SELECT ON illust TO x", "shop", None),
            ("ALTER TABLE x COMMENT 'it''s illust \\' illust'", "shop", None),
        ] {
            assert_eq!(effect(statement, default, "shop", "illust"), expected, "{statement}");
        }
    }

    proptest! {
        #[test]
        fn no_statement_panics(statement in "[ -~é`'\"/*#.!-]{0,80}") {
            effect(&statement, "shop", "shop", "illust");
        }
    }
}
