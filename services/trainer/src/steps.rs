//! The steps of a training. They hand on through a work folder, so that each also runs alone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tributary_bundle::{Draft, Golden, ManifestParts, Store};
use tributary_domain::{BundleId, Event, Timestamp};
use tributary_features::{
    Specification,
    ranking::{Statistics, specification},
};
use tributary_inference::{InferenceConfig, Runtime, Session, verify_golden};
use tributary_slate::Fusion;

use crate::{
    artifacts::{
        Artifacts, COLLABORATIVE, ITEM_STATISTICS, ITEM_TOWER, ITEMS, PARAMETERS, RANKER,
        USER_TOWER, golden_file, model_file, specification_file,
    },
    candidates::{Catalogue, questions},
    channels::{CHANNELS, Channels},
    config::Config,
    data::{self, DataSet, Source, Summary},
    error::TrainerError,
    evaluate::{self, Evaluation, lists::Judge},
    models::{ModelError, collaborative, ranker, two_tower},
    progress::Step,
    split::{self, Cuts, Period},
    work::{self, Work},
};

/// What an exported network may differ from its trained forward pass.
const TOLERANCE: f32 = 1e-4;

/// Reads a data set and writes it, normalised, to a folder.
pub fn prepare(source: &Source, folder: &Path) -> Result<(DataSet, Summary), TrainerError> {
    let _step = Step::start("reading the data set");
    let data = data::read(source)?;
    let summary = data.write(folder)?;
    Ok((data, summary))
}

/// What the bundle's manifest says beside files and metrics.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    fusion: Fusion,
    channels: Vec<String>,
}

/// Trains all models on the prepared data.
pub fn train(work: &Work, config: &Config) -> Result<(), TrainerError> {
    let (data, _) = DataSet::open(&work.dataset())?;
    let runtime = runtime()?;
    let specifications = Specifications::load(config)?;
    let training = Training { data: &data, config, specifications: &specifications };
    let cuts = Cuts::at_shares(&data.events, config.split.window, config.split.test);
    let (ranker, parameters) = training.ranker(&cuts, &runtime)?;
    let finish = |mut files: Artifacts, before: Option<Timestamp>| {
        files.extend(&ranker);
        training.add_tables(&mut files, before, &parameters)?;
        Ok::<_, TrainerError>(files)
    };
    let evaluated =
        finish(training.recall("before the test period", Some(cuts.test))?, Some(cuts.test))?;
    evaluated.write(&work.evaluated())?;
    match config.refit {
        true => finish(training.recall("on all data", None)?, None)?.write(&work.final_models()),
        false => evaluated.write(&work.final_models()),
    }
}

/// The exported models on ONNX Runtime; where it is comes from the environment.
fn runtime() -> Result<Runtime, TrainerError> {
    Runtime::load(&InferenceConfig::default()).map_err(TrainerError::Runtime)
}

struct Specifications {
    user: Specification,
    item: Specification,
    ranker: Specification,
}

impl Specifications {
    fn load(config: &Config) -> Result<Self, TrainerError> {
        let paths = &config.specifications;
        Ok(Self {
            user: read_specification(paths.user_tower.as_ref(), specification::user_tower)?,
            item: read_specification(paths.item_tower.as_ref(), specification::item_tower)?,
            ranker: read_specification(paths.ranker.as_ref(), specification::ranker)?,
        })
    }
}

fn read_specification(
    path: Option<&PathBuf>,
    built_in: fn() -> Specification,
) -> Result<Specification, TrainerError> {
    let Some(path) = path else { return Ok(built_in()) };
    let text = std::fs::read_to_string(path).map_err(TrainerError::file("read", path))?;
    let read = Specification::from_toml(&text)
        .and_then(|specification| specification.check_fields().map(|()| specification));
    read.map_err(|source| TrainerError::Specification { path: path.clone(), source })
}

struct Training<'a> {
    data: &'a DataSet,
    config: &'a Config,
    specifications: &'a Specifications,
}

impl Training<'_> {
    fn events(&self, before: Option<Timestamp>) -> &[Event] {
        before.map_or(&self.data.events, |cut| split::before(&self.data.events, cut))
    }

    /// Trains the recall models on the events before a cut.
    fn recall(&self, what: &str, before: Option<Timestamp>) -> Result<Artifacts, TrainerError> {
        let (config, catalogue) = (self.config, self.data.catalogue(before));
        let step = Step::counted(&format!("two-tower {what}"), config.two_tower.epochs);
        let plan = two_tower::Plan {
            data: self.data,
            events: self.events(before),
            catalogue: &catalogue,
            user_specification: &self.specifications.user,
            item_specification: &self.specifications.item,
            examples: &config.examples,
            network: &config.two_tower,
        };
        let mut files = two_tower::train(&plan, &mut |progress| {
            step.at(progress.epoch, format!("loss {:.4}", progress.loss));
        })?;
        drop(step);
        let _step = Step::start(&format!("neighbours {what}"));
        let tables = collaborative::tables(self.events(before), &config.ease, &config.item_knn)?;
        files.add(COLLABORATIVE, tables.to_bytes());
        Ok(files)
    }

    /// Trains the ranker on the window, over recall models that saw nothing of it.
    fn ranker(
        &self,
        cuts: &Cuts,
        runtime: &Runtime,
    ) -> Result<(Artifacts, Parameters), TrainerError> {
        let config = self.config;
        let recall = self.recall("before the window", Some(cuts.window))?;
        let catalogue = self.data.catalogue(Some(cuts.window));
        let ask_after = &config.split.sample_after;
        let period = Period { from: cuts.window, until: Some(cuts.test), ask_after };
        let cases = split::cases(self.data, &period);
        if cases.is_empty() {
            let reason = "the window between split.window and split.test has no usable case: \
                          give more data or move split.window earlier";
            return Err(ModelError::Shape { model: RANKER, reason: reason.into() }.into());
        }
        let step = Step::start("recalling for the ranker");
        let mut channels = Channels::open(&recall, &catalogue, config, runtime)?;
        let recalled = channels.recall(self.data, &cases, config.merge.recall_size)?;
        let questions = questions(self.data, &cases, &recalled, &config.merge);
        drop(step);
        let step = Step::counted("ranker", config.ranker.epochs);
        let plan = ranker::Plan {
            questions: &questions,
            catalogue: &Catalogue::of(&catalogue),
            judge: &Judge::new(&catalogue),
            specification: &self.specifications.ranker,
            samples: &config.samples,
            network: &config.ranker,
            fusion: &config.fusion,
            seed: config.seed,
        };
        let (files, fusion) = ranker::train(&plan, &mut |progress| {
            let loss = progress.validation_loss.unwrap_or(progress.loss);
            step.at(progress.epoch, format!("loss {loss:.4}"));
        })?;
        let channels = CHANNELS.map(str::to_owned).to_vec();
        Ok((files, Parameters { fusion, channels }))
    }

    /// Adds what is as of the cut: items, their statistics, and the parameters.
    fn add_tables(
        &self,
        files: &mut Artifacts,
        before: Option<Timestamp>,
        parameters: &Parameters,
    ) -> Result<(), TrainerError> {
        let mut statistics = Statistics::new();
        self.events(before).iter().for_each(|event| statistics.record(event));
        files.add(ITEM_STATISTICS, statistics.to_bytes());
        files.add(ITEMS, data::to_lines(&self.data.catalogue(before)));
        files.add(PARAMETERS, serde_json::to_vec(parameters).map_err(damaged(PARAMETERS))?);
        Ok(())
    }
}

fn damaged(path: &str) -> impl FnOnce(serde_json::Error) -> TrainerError {
    move |source| TrainerError::Damaged { path: path.into(), source }
}

fn parameters(files: &Artifacts) -> Result<Parameters, TrainerError> {
    serde_json::from_slice(files.get(PARAMETERS)?).map_err(damaged(PARAMETERS))
}

/// Measures the evaluated models on the test period.
pub fn evaluate(work: &Work, config: &Config) -> Result<Evaluation, TrainerError> {
    let (data, _) = DataSet::open(&work.dataset())?;
    let files = Artifacts::read(&work.evaluated())?;
    let fusion = parameters(&files)?.fusion;
    let evaluation = evaluate::evaluate(&data, &files, &fusion, config, &runtime()?)?;
    work::write_json(&work.evaluation(), &evaluation)?;
    Ok(evaluation)
}

/// Checks the final models on ONNX Runtime and writes them as a bundle; `publish` makes it the
/// current one. Nothing is left in the store where a check fails.
pub fn bundle(work: &Work, store: &Store, publish: bool) -> Result<BundleId, TrainerError> {
    let _step = Step::start("checking and writing the bundle");
    let summary: Summary = data::summary(&work.dataset())?;
    let evaluation: Evaluation = work::read_json(&work.evaluation(), "evaluate")?;
    let files = Artifacts::read(&work.final_models())?;
    verify(&files)?;
    let parameters = parameters(&files)?;
    let mut draft = Draft::new(store)?;
    for (name, bytes) in files.files().filter(|(name, _)| *name != PARAMETERS) {
        draft.write(name, bytes)?;
    }
    let models = [USER_TOWER, ITEM_TOWER, RANKER];
    let entries: Result<_, TrainerError> =
        models.iter().map(|name| files.model_entry(name)).collect();
    let id = draft.finish(ManifestParts {
        data_fingerprint: summary.fingerprint,
        models: entries?,
        specifications: models
            .iter()
            .map(|name| ((*name).to_owned(), specification_file(name)))
            .collect(),
        metrics: evaluation.metrics(),
        parameters: [
            ("fusion".to_owned(), json!(parameters.fusion)),
            ("channels".to_owned(), json!(parameters.channels)),
            ("protocol".to_owned(), json!(evaluation.protocol)),
        ]
        .into_iter()
        .collect(),
        gate: None,
    })?;
    if publish {
        store.publish(&id)?;
    }
    Ok(id)
}

/// Runs every exported network on its golden inputs and compares with the trained forward pass.
fn verify(files: &Artifacts) -> Result<(), TrainerError> {
    let runtime = runtime()?;
    for model in [USER_TOWER, ITEM_TOWER, RANKER] {
        let golden = Golden::from_bytes(files.get(&golden_file(model))?)?;
        let bytes = files.get(&model_file(model))?;
        Session::load(&runtime, bytes, &InferenceConfig::default())
            .and_then(|mut session| verify_golden(&mut session, &golden, TOLERANCE))
            .map_err(|source| TrainerError::Golden { model: model.into(), source })?;
    }
    Ok(())
}
