//! `tributary export`: what `feature` holds as Parquet files, for training and analysis.
//!
//! Every impression comes with how it was served, every event with the version that its user had
//! after it: so a reader can tell what serving knew.

mod log;

use std::{collections::BTreeSet, path::Path};

use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tributary_dataset::{EventRow, Events, Items, Users};
use tributary_domain::UserProfile;
use tributary_proto::feature::v1::{
    GetUserContextRequest, feature_service_client::FeatureServiceClient,
};

use self::log::Logged;
use crate::{
    CliError,
    arguments::{ExportOptions, MeshAddresses},
    connection::Connection,
    output::Output,
};

/// Users asked for at once.
const CALLS: usize = 16;

#[derive(Debug, Serialize)]
struct Exported {
    events: usize,
    items: usize,
    users: usize,
    /// The log has dropped events that came before.
    truncated: bool,
}

/// Writes `events.parquet`, `items.parquet` and `users.parquet`.
pub(crate) async fn run(
    mesh: &MeshAddresses,
    options: ExportOptions,
    output: &Output,
) -> Result<(), CliError> {
    let folder = &options.out;
    std::fs::create_dir_all(folder).map_err(CliError::file(folder))?;
    let feature = Connection::new("feature", &mesh.feature, mesh.timeout)?;
    let mut known = BTreeSet::new();
    // The events last: they mark the folder as complete, and readers look for them. But they are
    // read first, so that every item they name that still exists is among the items.
    let mut file = Events::create(folder)?;
    let progress = bar("events");
    let truncated = log::events(&feature, |logged, head| {
        progress.set_length(head);
        progress.set_position(logged.sequence);
        known.insert(logged.event.user);
        let Logged { sequence, event, served, user_version } = &logged;
        let (sequence, user_version) = (Some(*sequence), Some(*user_version));
        Ok(file.put(EventRow { event, sequence, user_version, served: served.as_ref() })?)
    })
    .await?;
    progress.finish_and_clear();
    let items = items(&feature, folder).await?;
    let users = users(&feature, folder, known.into_iter().map(|user| user.0)).await?;
    let events = file.finish()?;
    output.show(&Exported { events, items, users, truncated }, |exported| {
        let Exported { events, items, users, truncated } = exported;
        let cut = if *truncated { " (the log has dropped older ones)" } else { "" };
        let folder = folder.display();
        format!("{events} events{cut}, {items} items, {users} users in {folder}")
    });
    Ok(())
}

fn bar(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}, {eta} left");
    let style = style.expect("the template names what indicatif knows");
    ProgressBar::new(0).with_style(style).with_message(what)
}

async fn items(feature: &Connection, folder: &Path) -> Result<usize, CliError> {
    let mut file = Items::create(folder)?;
    log::items(feature, |item| Ok(file.put(&item)?)).await?;
    Ok(file.finish()?)
}

/// The profiles of users, those without one left out.
async fn users(
    feature: &Connection,
    folder: &Path,
    ids: impl ExactSizeIterator<Item = u64>,
) -> Result<usize, CliError> {
    let mut file = Users::create(folder)?;
    let progress = bar("users");
    progress.set_length(ids.len() as u64);
    let mut profiles = stream::iter(ids).map(|user| profile(feature, user)).buffered(CALLS);
    while let Some(profile) = profiles.try_next().await? {
        progress.inc(1);
        if let Some(profile) = profile {
            file.put(&profile)?;
        }
    }
    progress.finish_and_clear();
    Ok(file.finish()?)
}

async fn profile(feature: &Connection, user_id: u64) -> Result<Option<UserProfile>, CliError> {
    let mut client = FeatureServiceClient::new(feature.client());
    let request = feature.request(GetUserContextRequest { user_id });
    let context = feature.answer(client.get_user_context(request).await)?.context;
    let profile = context.and_then(|context| context.profile);
    let profile = profile.map(UserProfile::try_from).transpose();
    profile.map_err(|error| CliError::Data(format!("feature sent an invalid profile: {error}")))
}
