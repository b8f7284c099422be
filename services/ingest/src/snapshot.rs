//! Reading whole tables, in parts by key, resumable after each part.
//!
//! Each part is a query of its own and sees another moment. That is right in the end because the
//! binlog is followed from a position before the first part: every row that changed meanwhile comes
//! once more, and writing a row's state twice is as writing it once.

mod progress;

use std::sync::Arc;

use mysql_async::{Conn, Params, Row as QueryRow, Value, prelude::Queryable};
use tributary_domain::FieldError;

use crate::{
    batch::Batch,
    cell::Cell,
    error::{IngestError, SourceError},
    layout::Layout,
    metrics,
    position::{KeyPart, Position, SnapshotProgress},
    reader::Row,
    schema::Kind,
    session::Session,
    source::quoted,
};
use progress::Progress;

/// Reads what is left of the snapshot, and returns the position after it.
pub(crate) async fn run(
    session: &mut Session<'_>,
    mut position: Position,
) -> Result<Position, IngestError> {
    while let Some(progress) = position.snapshot.take() {
        position = table(session, position, progress).await?;
    }
    tracing::info!(binlog = %position.binlog, "the snapshot is done: following the binlog from here");
    Ok(position)
}

/// Reads the first of the tables left, and stores that it is read.
async fn table(
    session: &mut Session<'_>,
    mut position: Position,
    mut state: SnapshotProgress,
) -> Result<Position, IngestError> {
    let Some(name) = state.tables.first().cloned() else {
        session.write(&mut Batch::default(), Some(&position)).await?;
        return Ok(position);
    };
    let Some(layout) = session.tables.layout(&name) else {
        // Stopped, or no longer mapped.
        state = next_table(state);
        position.snapshot = Some(state);
        return Ok(position);
    };
    let estimate = estimate(&mut session.conn, &name).await?;
    let mut progress = Progress::begin(&name, state.rows, estimate);
    loop {
        let limit = session.config.snapshot.chunk;
        let rows = part(&mut session.conn, &layout, state.after.as_deref(), limit).await?;
        let count = rows.len();
        let mut batch = Batch::default();
        for (row, key) in rows {
            metrics::row(&name, "snapshot");
            let outcome = layout.appeared(&row);
            batch.add(&layout, &row, outcome, "snapshot");
            state.after = Some(key);
        }
        state.rows += u64::try_from(count).unwrap_or(u64::MAX);
        progress.advance(state.rows);
        let done = count < limit;
        if done {
            state = next_table(state);
        }
        position.snapshot = (!state.tables.is_empty()).then(|| state.clone());
        session.write(&mut batch, Some(&position)).await?;
        session.keep_alive().await?;
        if done {
            progress.finish();
            return Ok(position);
        }
    }
}

/// Reads a whole table in parts and hands over its rows. In a transaction all of them are those of
/// one moment.
pub(crate) async fn every_row(
    conn: &mut Conn,
    layout: &Arc<Layout>,
    chunk: usize,
    mut take: impl FnMut(&Row) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let name = &layout.table.name;
    let mut progress = Progress::begin(name, 0, estimate(conn, name).await?);
    let (mut after, mut read): (Option<Vec<KeyPart>>, u64) = (None, 0);
    loop {
        let rows = part(conn, layout, after.as_deref(), chunk).await?;
        let count = rows.len();
        for (row, key) in rows {
            take(&row)?;
            after = Some(key);
        }
        read += u64::try_from(count).unwrap_or(u64::MAX);
        progress.advance(read);
        if count < chunk {
            progress.finish();
            return Ok(());
        }
    }
}

fn next_table(state: SnapshotProgress) -> SnapshotProgress {
    let tables = state.tables.into_iter().skip(1).collect();
    SnapshotProgress { tables, after: None, rows: 0 }
}

async fn estimate(conn: &mut Conn, table: &str) -> Result<u64, SourceError> {
    let rows: Option<Option<u64>> = conn
        .exec_first(
            "SELECT TABLE_ROWS FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
            (table,),
        )
        .await?;
    Ok(rows.flatten().unwrap_or(0))
}

/// The next rows after that key, each with its own key, in the order of the key.
async fn part(
    conn: &mut Conn,
    layout: &Arc<Layout>,
    after: Option<&[KeyPart]>,
    limit: usize,
) -> Result<Vec<(Row, Vec<KeyPart>)>, IngestError> {
    let (query, values) = query(layout, after, limit);
    let rows: Vec<QueryRow> = conn.exec(query, Params::Positional(values)).await?;
    rows.into_iter().map(|row| Ok(read(layout, row))).collect()
}

/// The query of a part. Written out as `a > ? OR (a = ? AND b > ?)`, with a bound of the first
/// column before it, because servers do not use an index for a comparison of rows.
fn query(layout: &Layout, after: Option<&[KeyPart]>, limit: usize) -> (String, Vec<Value>) {
    let columns: Vec<String> = layout.columns().map(|column| quoted(&column.name)).collect();
    let key: Vec<&String> = layout.key.iter().map(|place| &columns[*place]).collect();
    let kinds: Vec<&Kind> = layout.columns().map(|column| &column.kind).collect();
    let marks: Vec<String> = layout.key.iter().map(|place| mark(kinds[*place])).collect();
    let mut values = Vec::new();
    let condition = after.map_or_else(String::new, |after| {
        let parts: Vec<Value> = after.iter().map(to_value).collect();
        let mut ways = Vec::new();
        values.extend(parts.first().cloned());
        for last in 0..key.len() {
            let equal = key.iter().zip(&marks).take(last);
            let mut way: Vec<String> =
                equal.map(|(name, mark)| format!("{name} = {mark}")).collect();
            way.push(format!("{} > {}", key[last], marks[last]));
            ways.push(format!("({})", way.join(" AND ")));
            values.extend(parts[..=last].iter().cloned());
        }
        format!(" WHERE {} >= {} AND ({})", key[0], marks[0], ways.join(" OR "))
    });
    let order: Vec<&str> = key.iter().map(|name| name.as_str()).collect();
    let query = format!(
        "SELECT {} FROM {}{condition} ORDER BY {} LIMIT {limit}",
        columns.join(", "),
        quoted(&layout.table.name),
        order.join(", "),
    );
    (query, values)
}

/// The place of a key's value. A DECIMAL comes as text, with which it would be compared as a floating
/// point number: keys of more than fifteen digits would be passed over.
fn mark(kind: &Kind) -> String {
    match kind {
        Kind::Decimal { precision, scale } => format!("CAST(? AS DECIMAL({precision}, {scale}))"),
        _ => "?".to_owned(),
    }
}

/// A row of a query as cells, and its key.
pub(crate) fn read(layout: &Layout, row: QueryRow) -> (Row, Vec<KeyPart>) {
    let values = row.unwrap();
    let key = layout.key.iter().map(|place| from_value(&values[*place])).collect();
    let cells = values.into_iter().zip(layout.columns());
    (cells.map(|(value, column)| Cell::from_query(value, &column.kind)).collect(), key)
}

fn to_value(part: &KeyPart) -> Value {
    match part {
        KeyPart::Integer(number) => Value::Int(*number),
        KeyPart::Unsigned(number) => Value::UInt(*number),
        KeyPart::Text(text) => Value::Bytes(text.clone().into_bytes()),
        KeyPart::Bytes(bytes) => Value::Bytes(bytes.clone()),
    }
}

fn from_value(value: &Value) -> KeyPart {
    match value {
        Value::Int(number) => KeyPart::Integer(*number),
        Value::UInt(number) => KeyPart::Unsigned(*number),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => KeyPart::Text(text.to_owned()),
            Err(_) => KeyPart::Bytes(bytes.clone()),
        },
        // Dates; a key has no NULL, and floats are refused as keys.
        other => KeyPart::Text(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

/// The row with that key as it is now.
pub(crate) async fn row_of(
    conn: &mut Conn,
    layout: &Layout,
    key: &serde_json::Map<String, serde_json::Value>,
) -> Result<Option<Row>, IngestError> {
    let columns: Vec<String> = layout.columns().map(|column| quoted(&column.name)).collect();
    let conditions: Vec<String> = key.keys().map(|name| format!("{} = ?", quoted(name))).collect();
    let value = |(name, value): (&String, &serde_json::Value)| {
        let kind = layout.table.column(name).map(|(_, column)| &column.kind);
        json_value(value, kind)
            .ok_or_else(|| FieldError::new(format!("key.{name}"), format!("{value} is no time")))
    };
    let values = key.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    let query = format!(
        "SELECT {} FROM {} WHERE {} LIMIT 1",
        columns.join(", "),
        quoted(&layout.table.name),
        conditions.join(" AND "),
    );
    let row: Option<QueryRow> = conn.exec_first(query, Params::Positional(values)).await?;
    Ok(row.map(|row| read(layout, row).0))
}

/// A value of a letter's key for a query; `None` for a TIMESTAMP that is none.
fn json_value(value: &serde_json::Value, kind: Option<&Kind>) -> Option<Value> {
    Some(match (value, kind) {
        (serde_json::Value::Number(number), Some(Kind::Timestamp(_))) => {
            let moment = jiff::Timestamp::from_millisecond(number.as_i64()?).ok()?;
            Value::Bytes(moment.strftime("%Y-%m-%d %H:%M:%S%.f").to_string().into_bytes())
        }
        (serde_json::Value::Number(number), _) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::UInt(number),
            (None, None) => Value::Bytes(number.to_string().into_bytes()),
        },
        (serde_json::Value::String(text), _) => Value::Bytes(text.clone().into_bytes()),
        (other, _) => Value::Bytes(other.to_string().into_bytes()),
    })
}
