use std::path::Path;

use tributary_domain::{Event, Served};

use crate::{DatasetError, sheet::Sheet};

const SCHEMA: &str = "message events {
    required int64 user_id (UINT_64);
    required int64 item_id (UINT_64);
    required binary action (STRING);
    required int64 time (TIMESTAMP(MILLIS, true));
    required int32 dwell_ms (UINT_32);
    optional int64 sequence (UINT_64);
    optional int64 user_version (UINT_64);
    optional binary request_id (STRING);
    optional binary scene (STRING);
    optional int32 position (UINT_32);
    optional float score;
    optional binary ranking_bundle_id (STRING);
    optional int64 context_version (UINT_64);
    optional boolean exploration;
    required group channels (LIST) { repeated group list { required binary element (STRING); } }
    required group channel_positions (LIST) {
        repeated group list { required int32 element (UINT_32); } }
    required group channel_scores (LIST) { repeated group list { required float element; } }
}";

/// `events.parquet` in the making.
pub struct Events(Sheet);

/// An event with what is known of it beside.
#[derive(Debug, Clone, Copy)]
pub struct EventRow<'a> {
    pub event: &'a Event,
    /// Its number in the event log, where it comes from one.
    pub sequence: Option<u64>,
    /// The version of the user's context after it, where it comes from an event log.
    pub user_version: Option<u64>,
    /// How its item came to be shown, where that is known.
    pub served: Option<&'a Served>,
}

impl Events {
    pub fn create(folder: &Path) -> Result<Self, DatasetError> {
        Sheet::create(&folder.join("events.parquet"), SCHEMA).map(Self)
    }

    pub fn put(&mut self, row: EventRow<'_>) -> Result<(), DatasetError> {
        let EventRow { event: Event { user, behaviour }, sequence, user_version, served } = row;
        let sheet = &mut self.0;
        sheet.wide(Some(user.0));
        sheet.wide(Some(behaviour.item.0));
        sheet.text(Some(behaviour.action.as_str()));
        sheet.moment(Some(behaviour.time));
        sheet.narrow(Some(behaviour.dwell_ms));
        sheet.wide(sequence);
        sheet.wide(user_version);
        how(sheet, served);
        sheet.end_row()
    }

    /// Completes the file and gives the number of its rows.
    pub fn finish(self) -> Result<usize, DatasetError> {
        self.0.finish()
    }
}

fn how(sheet: &mut Sheet, served: Option<&Served>) {
    let bundle = served.and_then(|served| served.ranking_bundle.as_ref());
    let channels = served.map_or(&[][..], |served| &served.channels);
    sheet.text(served.map(|served| served.request_id.as_str()));
    sheet.text(served.map(|served| served.scene.as_str()));
    sheet.narrow(served.map(|served| served.position));
    sheet.float(served.map(|served| served.score));
    sheet.text(bundle.map(|bundle| bundle.as_str()));
    sheet.wide(served.map(|served| served.context_version));
    sheet.flag(served.map(|served| served.exploration));
    sheet.texts(channels.iter().map(|one| one.channel.as_str()));
    sheet.narrows(channels.iter().map(|one| one.position));
    sheet.floats(channels.iter().map(|one| one.score));
}
