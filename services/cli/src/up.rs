//! `tributary up`: the whole mesh on one machine.
//!
//! Trains where nothing is published yet, starts every process, waits until all are healthy,
//! loads the data set into `feature`, shows one user's list, and stops everything on Ctrl-C. A
//! process that ends is reported and stays ended until `tributary restart` starts it again.

mod configuration;
pub(crate) mod control;
mod health;
mod home;
mod listing;
mod process;
mod seed;
mod service;
mod signals;
mod supervisor;

use std::path::PathBuf;

use tributary_bundle::Store;

use crate::{
    CliError,
    arguments::{MeshAddresses, OverrideOptions, RecommendOptions, UpOptions},
    command,
    output::Output,
};
use home::Home;
use service::Ports;
use signals::Signals;
use supervisor::Supervisor;

/// Runs until Ctrl-C or SIGTERM, then drains every process; a second signal ends them at once.
pub(crate) async fn run(options: UpOptions, output: Output) -> Result<(), CliError> {
    // Before anything is started: from here on a signal cannot end us without our children.
    let mut signals = Signals::listen()?;
    let place = Place::choose(options)?;
    let Some(data) = signals.unless_stopped(prepare(&place, &output)).await else {
        return Ok(());
    };
    let data = data?;
    let mut supervisor =
        Supervisor::start(&place.home, &place.binaries, &place.ports, &place.options).await?;
    let outcome = signals.unless_stopped(serve(&mut supervisor, &data, &place, &output)).await;
    if signals.unless_stopped(supervisor.stop(&output)).await.is_none() {
        output.remark("stopped without draining");
    }
    outcome.unwrap_or(Ok(()))
}

/// Where a mesh runs, and from what.
struct Place {
    options: UpOptions,
    home: Home,
    binaries: PathBuf,
    ports: Ports,
}

impl Place {
    fn choose(options: UpOptions) -> Result<Self, CliError> {
        let home = Home::create(&options)?;
        let binaries = binaries(&options)?;
        let ports = Ports::choose(options.port)?;
        Ok(Self { options, home, binaries, ports })
    }
}

/// Reads the data set, and trains where nothing is published.
async fn prepare(place: &Place, output: &Output) -> Result<seed::Data, CliError> {
    let data = seed::prepare(&place.options.data, &place.home, &place.binaries).await?;
    train_where_needed(place, &data, output).await?;
    Ok(data)
}

/// What happens while the processes run.
async fn serve(
    supervisor: &mut Supervisor,
    data: &seed::Data,
    place: &Place,
    output: &Output,
) -> Result<(), CliError> {
    let mesh = place.ports.addresses();
    supervisor.wait_healthy(place.options.patience, output).await?;
    if !place.options.no_load {
        seed::load(data, &place.home, &mesh, output).await?;
    }
    output.show(&supervisor.processes(), |processes| listing::text(processes));
    command::recommend(&mesh, first_list(data.user), output).await?;
    if !place.options.once {
        output.remark(hints(&mesh, &place.home, data.user));
        supervisor.supervise(output).await;
    }
    Ok(())
}

fn first_list(user: u64) -> RecommendOptions {
    RecommendOptions {
        user,
        size: 10,
        scene: "home".into(),
        page_token: String::new(),
        explain: false,
        overrides: OverrideOptions {
            channels: Vec::new(),
            theta: None,
            skip_ranking: false,
            skip_rerank: false,
            skip_impressions: true,
        },
    }
}

fn hints(mesh: &MeshAddresses, home: &Home, user: u64) -> String {
    let authority = mesh.gateway.trim_start_matches("http://");
    let (gateway, home_option) = (&mesh.gateway, home.root().display());
    format!(
        "\ntry:  tributary recommend --user {user} --explain --gateway {gateway}\n      \
         grpcurl -plaintext -d '{{\"user_id\": {user}, \"size\": 10}}' {authority} \
         tributary.gateway.v1.GatewayService/Recommend\n      \
         tributary status --home {home_option}\n\
         logs: {}\nCtrl-C stops all processes.",
        home.logs().display(),
    )
}

/// The folder of the service binaries: named, or where this program lies.
fn binaries(options: &UpOptions) -> Result<PathBuf, CliError> {
    if let Some(folder) = &options.binaries {
        return Ok(folder.clone());
    }
    let program = std::env::current_exe().map_err(CliError::file("/proc/self/exe"))?;
    Ok(program.parent().map_or_else(|| PathBuf::from("."), PathBuf::from))
}

async fn train_where_needed(
    place: &Place,
    data: &seed::Data,
    output: &Output,
) -> Result<(), CliError> {
    let Place { options, home, binaries, .. } = place;
    let store = Store::at(home.store());
    if let (Some(id), false) = (store.current()?, options.retrain) {
        let trained_on = store.open(&id)?.manifest().data_fingerprint.clone();
        if trained_on != data.fingerprint {
            return Err(CliError::OtherData { home: home.root().into(), what: "bundle" });
        }
        output.remark(format!("serving bundle {id} (train again with --retrain)"));
        return Ok(());
    }
    let mut trainer = process::trainer(binaries);
    trainer.args(["run", "--publish", "--data"]).arg(&options.data);
    trainer.arg("--store").arg(home.store());
    if let Some(config) = &options.trainer_config {
        trainer.arg("--config").arg(config);
    }
    process::run_to_end(trainer).await
}
