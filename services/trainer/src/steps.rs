//! The steps of a training. They hand on through a work folder, so that each also runs alone.

use std::path::Path;

use serde_json::json;
use tributary_bundle::{Draft, Golden, ManifestParts, Store};
use tributary_inference::{InferenceConfig, Runtime, Session, verify_golden};

use crate::{
    artifacts::{
        Artifacts, ITEM_TOWER, MULTI_INTEREST_ITEM, MULTI_INTEREST_USER, PARAMETERS, RANKER,
        USER_TOWER, golden_file, model_file, specification_file,
    },
    config::Config,
    data::{self, DataSet, Source, Summary},
    error::TrainerError,
    evaluate::{self, Evaluation},
    gate::{
        GateConfig,
        passage::{self, Judged, Publication},
        record::Candidate,
    },
    progress::Step,
    protocol::{self, Protocol, Round},
    training::{Model, Specifications, Training, parameters},
    work::{self, Work},
};

/// The networks of a bundle.
const MODELS: [&str; 5] =
    [USER_TOWER, ITEM_TOWER, MULTI_INTEREST_USER, MULTI_INTEREST_ITEM, RANKER];
/// What an exported network may differ from its trained forward pass.
const TOLERANCE: f32 = 1e-4;

/// Reads a data set and writes it, normalised, to a folder.
pub fn prepare(source: &Source, folder: &Path) -> Result<(DataSet, Summary), TrainerError> {
    let _step = Step::start("reading the data set");
    let data = data::read(source)?;
    let summary = data.write(folder)?;
    Ok((data, summary))
}

/// Trains all models on the prepared data. What an earlier call with the same data and settings
/// finished is taken from the work folder; a network that it was training goes on after its last
/// epoch.
pub fn train(work: &Work, config: &Config) -> Result<(), TrainerError> {
    with_training(work, config, |training, protocol| {
        let (ranker, parameters) = training.ranker(protocol)?;
        let finish = |round: &Round<'_>| {
            let mut files = training.recall(round)?;
            files.extend(&ranker);
            training.add_tables(&mut files, round, &parameters)?;
            Ok::<_, TrainerError>(files)
        };
        let evaluated = finish(&protocol.test)?;
        evaluated.write(&work.evaluated())?;
        match config.refit {
            true => finish(&protocol::everything(training.data))?.write(&work.final_models()),
            false => evaluated.write(&work.final_models()),
        }
    })
}

/// Trains one model in all rounds that need it, as [`train`] does, which then finds it done.
/// Gives how many interactions it learned from, over all rounds.
pub fn train_model(work: &Work, config: &Config, model: Model) -> Result<usize, TrainerError> {
    with_training(work, config, |training, protocol| {
        let last = config.refit.then(|| protocol::everything(training.data));
        let rounds = || protocol.rehearsals.iter().chain([&protocol.test]).chain(&last);
        let Model::Recall(model) = model else {
            training.ranker(protocol)?;
            return Ok(protocol.rehearsals.iter().map(|round| round.learned.len()).sum());
        };
        for round in rounds() {
            training.recall_model(model, round, &training.data.catalogue(round.before))?;
        }
        Ok(rounds().map(|round| round.learned.len()).sum())
    })
}

fn with_training<T>(
    work: &Work,
    config: &Config,
    act: impl FnOnce(&Training<'_>, &Protocol<'_>) -> Result<T, TrainerError>,
) -> Result<T, TrainerError> {
    let (data, summary) = DataSet::open(&work.dataset())?;
    let protocol = Protocol::of(&data, &config.split, config.seed)?;
    let training = Training {
        data: &data,
        data_fingerprint: &summary.fingerprint,
        config,
        specifications: &Specifications::load(config)?,
        runtime: &runtime()?,
        work,
    };
    act(&training, &protocol)
}

/// The exported models on ONNX Runtime; where it is comes from the environment.
fn runtime() -> Result<Runtime, TrainerError> {
    Runtime::load(&InferenceConfig::default()).map_err(TrainerError::Runtime)
}

/// Measures the evaluated models on the test period.
pub fn evaluate(work: &Work, config: &Config) -> Result<Evaluation, TrainerError> {
    let (data, _) = DataSet::open(&work.dataset())?;
    let files = Artifacts::read(&work.evaluated())?;
    let fusion = parameters(&files)?.fusion;
    let protocol = Protocol::of(&data, &config.split, config.seed)?;
    let evaluation = evaluate::evaluate(&data, &protocol, &files, &fusion, config, &runtime()?)?;
    work::write_json(&work.evaluation(), &evaluation)?;
    Ok(evaluation)
}

/// Measures the baselines alone on the test period: nothing need be trained before.
pub fn evaluate_baselines(work: &Work, config: &Config) -> Result<Evaluation, TrainerError> {
    let (data, _) = DataSet::open(&work.dataset())?;
    let protocol = Protocol::of(&data, &config.split, config.seed)?;
    evaluate::evaluate_baselines(&data, &protocol, config)
}

/// Checks the final models on ONNX Runtime, writes them as a bundle and lets the gate judge it;
/// publishes it where that is wanted and allowed. Nothing is left in the store where a check fails.
pub fn bundle(
    work: &Work,
    store: &Store,
    gate: &GateConfig,
    publication: &Publication,
) -> Result<Judged, TrainerError> {
    let _step = Step::start("checking and writing the bundle");
    let summary: Summary = data::summary(&work.dataset())?;
    let evaluation: Evaluation = work::read_json(&work.evaluation(), "evaluate")?;
    let files = Artifacts::read(&work.final_models())?;
    verify(&files)?;
    let parameters = parameters(&files)?;
    let metrics = evaluation.metrics();
    let candidate = Candidate {
        dataset: &evaluation.dataset,
        protocol: &evaluation.protocol,
        metrics: &metrics,
    };
    let judgement = candidate.judge(store, None, gate)?;
    let mut draft = Draft::new(store)?;
    for (name, bytes) in files.files().filter(|(name, _)| *name != PARAMETERS) {
        draft.write(name, bytes)?;
    }
    let entries: Result<_, TrainerError> =
        MODELS.iter().map(|name| files.model_entry(name)).collect();
    let id = draft.finish(ManifestParts {
        data_fingerprint: summary.fingerprint,
        models: entries?,
        specifications: MODELS
            .iter()
            .map(|name| ((*name).to_owned(), specification_file(name)))
            .collect(),
        metrics: metrics.clone().into_iter().filter(|(_, value)| value.is_finite()).collect(),
        parameters: [
            ("fusion".to_owned(), json!(parameters.fusion)),
            ("channels".to_owned(), json!(parameters.channels)),
            ("dataset".to_owned(), json!(evaluation.dataset)),
            ("protocol".to_owned(), json!(evaluation.protocol)),
        ]
        .into_iter()
        .collect(),
        gate: Some(judgement.clone()),
    })?;
    passage::pass(store, id, &candidate, judgement, gate, publication)
}

/// Runs every exported network on its golden inputs and compares with the trained forward pass.
fn verify(files: &Artifacts) -> Result<(), TrainerError> {
    let runtime = runtime()?;
    for model in MODELS {
        let golden = Golden::from_bytes(files.get(&golden_file(model))?)?;
        let bytes = files.get(&model_file(model))?;
        Session::load(&runtime, bytes, &InferenceConfig::default())
            .and_then(|mut session| verify_golden(&mut session, &golden, TOLERANCE))
            .map_err(|source| TrainerError::Golden { model: model.into(), source })?;
    }
    Ok(())
}
