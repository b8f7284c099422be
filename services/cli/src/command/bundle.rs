use serde::Serialize;
use tributary_bundle::{Forced, Standing, Store, Summary};
use tributary_domain::BundleId;

use crate::{
    CliError,
    arguments::{BundleCommand, BundleOptions, PublishOptions},
    output::{Output, table},
};

/// Lists, publishes or rolls back bundles of a store.
pub(crate) fn bundle(options: BundleOptions, output: &Output) -> Result<(), CliError> {
    let store = Store::at(&options.store);
    match options.command {
        BundleCommand::List => list(&store, output),
        BundleCommand::Publish(PublishOptions { id, by, reason, .. }) => {
            let id = BundleId::from(id);
            match (by, reason) {
                (Some(by), Some(reason)) => store.publish_forced(&id, &Forced { by, reason })?,
                _ => store.publish(&id)?,
            }
            say_current(&id, output);
            Ok(())
        }
        BundleCommand::Rollback => {
            say_current(&store.rollback()?, output);
            Ok(())
        }
    }
}

#[derive(Debug, Serialize)]
struct Current<'a> {
    current: &'a str,
}

fn say_current(id: &BundleId, output: &Output) {
    output.show(&Current { current: id.as_str() }, |_| {
        format!("{id} is published; the services pick it up by themselves")
    });
}

#[derive(Debug, Serialize)]
struct Line {
    id: String,
    state: &'static str,
    created_ms: Option<i64>,
    data: String,
    models: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<Standing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
}

fn list(store: &Store, output: &Output) -> Result<(), CliError> {
    let lines: Vec<Line> = store.list()?.into_iter().map(Line::from).collect();
    output.show(&lines, |lines| {
        if lines.is_empty() {
            return format!("no bundles in {}: `trainer run` makes one", store.folder().display());
        }
        let mut rows = table(["bundle", "state", "gate", "created", "data", "models"]);
        for line in lines {
            rows.add_row([
                line.id.clone(),
                line.state.to_owned(),
                line.gate.as_ref().map_or_else(|| "not asked".to_owned(), verdict),
                line.created_ms.map_or_else(String::new, moment),
                line.data.clone(),
                line.damage.clone().unwrap_or_else(|| line.models.join(", ")),
            ]);
        }
        rows.to_string()
    });
    Ok(())
}

/// The verdict with the reasons of a blocked bundle, one a line, or with who forced it.
fn verdict(standing: &Standing) -> String {
    let Standing { judgement, forced } = standing;
    let word = judgement.verdict.as_str();
    let mut lines = vec![match forced {
        Some(Forced { by, reason }) => format!("{word}, forced by {by}: {reason}"),
        None => word.to_owned(),
    }];
    lines.extend(judgement.reasons.iter().map(|reason| format!("- {reason}")));
    lines.join("\n")
}

fn moment(unix_ms: i64) -> String {
    let since = std::time::Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

impl From<Summary> for Line {
    fn from(summary: Summary) -> Self {
        let state = match (summary.current, summary.published_before) {
            (true, _) => "current",
            (false, true) => "previous",
            (false, false) => "",
        };
        let (id, gate) = (summary.id.to_string(), summary.standing);
        match summary.manifest {
            Ok(manifest) => Self {
                id,
                state,
                created_ms: Some(manifest.created_ms),
                data: manifest.data_fingerprint.chars().take(12).collect(),
                models: manifest.models.into_iter().map(|model| model.name).collect(),
                gate,
                damage: None,
            },
            Err(error) => Self {
                id,
                state,
                created_ms: None,
                data: String::new(),
                models: Vec::new(),
                gate,
                damage: Some(error.to_string()),
            },
        }
    }
}
