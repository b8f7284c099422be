//! MySQL's form of rows: version 2 events and binary JSON, byte by byte as its source and manual
//! describe them ("Binlog Event", `sql-common/json_binary.h`). `make test-mysql` reads what a server
//! writes; these run where there is none.

use mysql_async::binlog::{
    BinlogVersion,
    events::{Event, EventData, FormatDescriptionEvent, TableMapEvent},
};

use super::*;
use crate::{
    layout::Mapped,
    mapping::{LabelFormat, Labels, Mapping},
    reader::State,
    schema::{Column, Kind, Table, TableImage},
};

const TABLE_MAP: u8 = 19;
const WRITE_ROWS_V2: u8 = 30;
const UPDATE_ROWS_V2: u8 = 31;

/// An event of that type with its header, without a checksum.
fn event(kind: u8, body: &[u8]) -> Event {
    let size = u32::try_from(19 + body.len()).unwrap();
    let mut bytes = vec![1, 0, 0, 0, kind, 1, 0, 0, 0];
    bytes.extend(size.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(body);
    Event::read(&FormatDescriptionEvent::new(BinlogVersion::Version4), &bytes[..]).unwrap()
}

/// `shop.illust (illust_id BIGINT UNSIGNED, tags JSON)`, as the table 7.
fn table_map() -> TableMapEvent<'static> {
    let mut body = vec![7, 0, 0, 0, 0, 0, 1, 0];
    body.extend(b"\x04shop\0\x06illust\0");
    // Two columns, LONGLONG and JSON; one byte of metadata: four bytes of length; JSON may be NULL.
    body.extend([2, 8, 245, 1, 4, 0b10]);
    let event = event(TABLE_MAP, &body);
    match event.read_data().unwrap().unwrap() {
        EventData::TableMapEvent(map) => map.into_owned(),
        other => panic!("{other:?}"),
    }
}

fn rows(kind: u8, bitmaps: &[u8], rows: &[u8]) -> RowsEventData<'static> {
    // Table 7, flags, two bytes of extra data (its own length), two columns.
    let mut body = vec![7, 0, 0, 0, 0, 0, 1, 0, 2, 0, 2];
    body.extend(bitmaps);
    body.extend(rows);
    let event = event(kind, &body);
    match event.read_data().unwrap().unwrap() {
        EventData::RowsEvent(rows) => rows.into_owned(),
        other => panic!("{other:?}"),
    }
}

/// A row: no NULL, the id, and the document with its length.
fn row(id: u64, json: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(id.to_le_bytes());
    bytes.extend(u32::try_from(json.len()).unwrap().to_le_bytes());
    bytes.extend(json);
    bytes
}

/// `[{"name": "猫"}]`: a small array of a small object of one text.
fn tags() -> Vec<u8> {
    let text = "猫".as_bytes();
    // The object: 1 member in 19 bytes; its key at 11, 4 long; a text at 15.
    let mut object = vec![1, 0, 19, 0, 11, 0, 4, 0, 0x0c, 15, 0];
    object.extend(b"name");
    object.push(u8::try_from(text.len()).unwrap());
    object.extend(text);
    assert_eq!(object.len(), 19);
    // The array: 1 element in 26 bytes; an object at 7.
    let mut array = vec![0x02, 1, 0, 26, 0, 0x00, 7, 0];
    array.extend(object);
    array
}

fn layout() -> Layout {
    let column = |name: &str, kind, declared: &str, nullable| Column {
        name: name.into(),
        kind,
        declared: declared.into(),
        nullable,
    };
    let id = Kind::Integer { bytes: 8, unsigned: true };
    let table = Table {
        name: "illust".into(),
        columns: vec![
            column("illust_id", id, "bigint unsigned", false),
            column("tags", Kind::Json, "json", true),
        ],
        unique: vec![vec!["illust_id".into()]],
        cascades: Vec::new(),
    };
    let mut items = Mapping::default().items.unwrap();
    let all =
        ["title", "artist_id", "width", "height", "total_bookmarks", "total_view", "create_time"];
    items.optional = all.map(str::to_owned).into();
    (items.minimum_age, items.hidden) = (Vec::new(), Vec::new());
    items.tags = Some(Labels {
        column: "tags".into(),
        format: LabelFormat::JsonObjects,
        name: "name".into(),
        translation: None,
        separator: ",".into(),
    });
    Layout::resolve(&Mapped::Items(&items), table).unwrap()
}

fn item(state: State) -> entity::Item {
    match state {
        State::Item(item) => *item,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_of_version_2_with_binary_json_are_items() {
    let (layout, map) = (layout(), table_map());
    assert!(TableImage::of(&map).unwrap().fits(&layout.table));
    let inserted = rows(WRITE_ROWS_V2, &[0b11], &row(u64::MAX, &tags()));
    let places = places(&layout, |_| true).unwrap();
    let mut all = inserted.rows(&map);
    let (before, after) = all.next().unwrap().unwrap();
    assert!(before.is_none() && all.next().is_none());
    let item = item(layout.state(&cells(&layout, after.unwrap(), &places)).unwrap());
    assert_eq!((item.item_id, item.tags), (u64::MAX, vec!["猫".to_owned()]));
}

#[test]
fn updates_have_both_rows() {
    let (layout, map) = (layout(), table_map());
    // The document of the manual's example, `{"a": 1}`, which is no array of tags.
    let other = [0x00, 1, 0, 12, 0, 11, 0, 1, 0, 0x05, 1, 0, b'a'];
    let both = [row(1, &tags()), row(2, &other)].concat();
    let updated = rows(UPDATE_ROWS_V2, &[0b11, 0b11], &both);
    let places = places(&layout, |_| true).unwrap();
    let (before, after) = updated.rows(&map).next().unwrap().unwrap();
    let before = cells(&layout, before.unwrap(), &places);
    let after = cells(&layout, after.unwrap(), &places);
    let outcome = layout.changed(&before, &after);
    assert_eq!(outcome.changes, [Change::DeleteItem(1)]);
    assert_eq!(after[1], Ok(Cell::Json(serde_json::json!({"a": 1}))));
    assert_eq!(outcome.bad.unwrap().reason, "is JSON, but not an array");
}

#[test]
fn another_table_of_the_same_name_does_not_fit() {
    let image = TableImage::of(&table_map()).unwrap();
    let mut table = layout().table;
    table.columns.swap(0, 1);
    assert!(!image.fits(&table));
    table.columns.pop();
    assert!(!image.fits(&table));
}
