//! The training of all models, round by round.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tributary_domain::Item;
use tributary_features::{
    Specification,
    ranking::{Statistics, specification},
};
use tributary_inference::Runtime;
use tributary_network::Progress;
use tributary_retrieval::affinity::Affinities;
use tributary_slate::Fusion;

use crate::{
    artifacts::{
        AUDIENCE, Artifacts, COLLABORATIVE, FACTORS, GENRES, GRAPH_VECTORS, ITEM_STATISTICS, ITEMS,
        PARAMETERS,
    },
    candidates::{self, Catalogue, Question, affinities, questions},
    channels::{CHANNELS, Channels, Recalled},
    config::Config,
    data::{self, DataSet},
    error::TrainerError,
    evaluate::lists::Judge,
    models::{audience, collaborative, factors, genres, graph, multi_interest, ranker, two_tower},
    pieces::Piece,
    progress::Step,
    protocol::{Protocol, ProtocolKind, Round},
    served::{self, Answer},
    work::Work,
};

/// What the bundle's manifest says beside files and metrics.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    pub(crate) fusion: Fusion,
    pub(crate) channels: Vec<String>,
}

/// The feature specifications of all models.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Specifications {
    user: Specification,
    item: Specification,
    multi_interest_user: Specification,
    multi_interest_item: Specification,
    ranker: Specification,
}

impl Specifications {
    /// The built-in ones, or those that the configuration names.
    pub(crate) fn load(config: &Config) -> Result<Self, TrainerError> {
        let paths = &config.specifications;
        let read = read_specification;
        Ok(Self {
            user: read(paths.user_tower.as_ref(), specification::user_tower)?,
            item: read(paths.item_tower.as_ref(), specification::item_tower)?,
            multi_interest_user: read(
                paths.multi_interest_user.as_ref(),
                specification::multi_interest_user,
            )?,
            multi_interest_item: read(
                paths.multi_interest_item.as_ref(),
                specification::multi_interest_item,
            )?,
            ranker: read(paths.ranker.as_ref(), specification::ranker)?,
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

/// A model that a training makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    Recall(RecallModel),
    Ranker,
}

/// A model that a recall channel serves, or that the ranker asks about candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecallModel {
    TwoTower,
    MultiInterest,
    Graph,
    Collaborative,
    Factors,
    Genres,
    Audience,
}

impl Model {
    /// In the order of a training.
    pub const ALL: [Self; 8] = [
        Self::Recall(RecallModel::TwoTower),
        Self::Recall(RecallModel::MultiInterest),
        Self::Recall(RecallModel::Graph),
        Self::Recall(RecallModel::Collaborative),
        Self::Recall(RecallModel::Factors),
        Self::Recall(RecallModel::Genres),
        Self::Recall(RecallModel::Audience),
        Self::Ranker,
    ];

    /// The channel's name, or "ranker".
    pub fn name(self) -> &'static str {
        match self {
            Self::Recall(model) => model.name(),
            Self::Ranker => "ranker",
        }
    }
}

impl RecallModel {
    fn name(self) -> &'static str {
        match self {
            Self::TwoTower => "two-tower",
            Self::MultiInterest => "multi-interest",
            Self::Graph => "graph",
            Self::Collaborative => "collaborative",
            Self::Factors => "factors",
            Self::Genres => "genres",
            Self::Audience => "audience",
        }
    }
}

/// Everything that the rounds have in common.
pub(crate) struct Training<'a> {
    pub(crate) data: &'a DataSet,
    pub(crate) data_fingerprint: &'a str,
    pub(crate) config: &'a Config,
    pub(crate) specifications: &'a Specifications,
    pub(crate) runtime: &'a Runtime,
    pub(crate) work: &'a Work,
}

impl Training<'_> {
    /// Trains the recall models of a round.
    pub(crate) fn recall(&self, round: &Round<'_>) -> Result<Artifacts, TrainerError> {
        let catalogue = self.data.catalogue(round.before);
        let mut files = Artifacts::default();
        for model in Model::ALL {
            if let Model::Recall(model) = model {
                files.extend(&self.recall_model(model, round, &catalogue)?);
            }
        }
        Ok(files)
    }

    /// Trains one recall model of a round; the catalogue is as of the round.
    pub(crate) fn recall_model(
        &self,
        model: RecallModel,
        round: &Round<'_>,
        catalogue: &[Item],
    ) -> Result<Artifacts, TrainerError> {
        match model {
            RecallModel::TwoTower => self.two_tower(round, catalogue),
            RecallModel::MultiInterest => self.multi_interest(round, catalogue),
            RecallModel::Graph => self.graph(round, catalogue),
            RecallModel::Collaborative => self.collaborative(round),
            RecallModel::Factors => self.factors(round),
            RecallModel::Genres => self.genres(round, catalogue),
            RecallModel::Audience => self.audience(round),
        }
    }

    fn graph(&self, round: &Round<'_>, items: &[Item]) -> Result<Artifacts, TrainerError> {
        let (config, seed) = (&self.config.graph, self.config.seed);
        self.table(round, RecallModel::Graph, &(config, seed), |step| {
            let vectors = graph::train(&round.learned, items, config, seed, step)?;
            Ok((GRAPH_VECTORS, vectors.to_bytes()))
        })
    }

    fn collaborative(&self, round: &Round<'_>) -> Result<Artifacts, TrainerError> {
        let (ease, cosine) = (&self.config.ease, &self.config.item_knn);
        self.table(round, RecallModel::Collaborative, &(ease, cosine), |step| {
            let tables = collaborative::tables(&round.learned, ease, cosine, step)?;
            Ok((COLLABORATIVE, tables.to_bytes()))
        })
    }

    fn genres(&self, round: &Round<'_>, items: &[Item]) -> Result<Artifacts, TrainerError> {
        self.table(round, RecallModel::Genres, &(), |_| {
            Ok((GENRES, genres::table(&round.learned, items).to_bytes()))
        })
    }

    fn audience(&self, round: &Round<'_>) -> Result<Artifacts, TrainerError> {
        self.table(round, RecallModel::Audience, &(), |_| {
            Ok((AUDIENCE, audience::table(&round.learned, self.data).to_bytes()))
        })
    }

    fn factors(&self, round: &Round<'_>) -> Result<Artifacts, TrainerError> {
        let (config, seed) = (&self.config.factors, self.config.seed);
        self.table(round, RecallModel::Factors, &(config, seed), |_| {
            let factors = factors::train(&round.learned, config, seed)?;
            Ok((FACTORS, factors.to_bytes()))
        })
    }

    fn two_tower(&self, round: &Round<'_>, items: &[Item]) -> Result<Artifacts, TrainerError> {
        let Specifications { user, item, .. } = self.specifications;
        let (examples, network) = (&self.config.examples, &self.config.two_tower);
        let settings = (user, item, examples, network);
        self.network(round, RecallModel::TwoTower, &settings, &mut |checkpoint, step, report| {
            let plan = two_tower::Plan {
                data: self.data,
                events: &round.learned,
                catalogue: items,
                user_specification: user,
                item_specification: item,
                examples,
                network,
                checkpoint,
                step,
            };
            two_tower::train(&plan, report)
        })
    }

    fn multi_interest(&self, round: &Round<'_>, items: &[Item]) -> Result<Artifacts, TrainerError> {
        let Specifications { multi_interest_user: user, multi_interest_item: item, .. } =
            self.specifications;
        let (examples, network) = (&self.config.examples, &self.config.multi_interest);
        let (model, settings) = (RecallModel::MultiInterest, (user, item, examples, network));
        self.network(round, model, &settings, &mut |checkpoint, step, report| {
            let plan = multi_interest::Plan {
                data: self.data,
                events: &round.learned,
                catalogue: items,
                user_specification: user,
                item_specification: item,
                examples,
                network,
                checkpoint,
                step,
            };
            multi_interest::train(&plan, report)
        })
    }

    /// A model that trains in epochs.
    fn network(
        &self,
        round: &Round<'_>,
        model: RecallModel,
        settings: &impl Serialize,
        train: TrainNetwork<'_>,
    ) -> Result<Artifacts, TrainerError> {
        let piece = self.piece(round, model, settings)?;
        piece.files(|checkpoint| {
            let step = Step::start(&format!("{} ({})", model.name(), round.name));
            let mut report = Report::new(&piece, &step);
            let files = train(checkpoint, &step, &mut |progress| report.note(progress))?;
            report.end()?;
            Ok(files)
        })
    }

    /// A model that is one table.
    fn table(
        &self,
        round: &Round<'_>,
        model: RecallModel,
        settings: &impl Serialize,
        make: impl FnOnce(&Step) -> Result<(&'static str, Vec<u8>), TrainerError>,
    ) -> Result<Artifacts, TrainerError> {
        self.piece(round, model, settings)?.files(|_| {
            let step = Step::start(&format!("{} ({})", model.name(), round.name));
            let (file, bytes) = make(&step)?;
            let mut files = Artifacts::default();
            files.add(file, bytes);
            Ok(files)
        })
    }

    fn piece(
        &self,
        round: &Round<'_>,
        model: RecallModel,
        settings: &impl Serialize,
    ) -> Result<Piece, TrainerError> {
        let folder = self.work.round(&round.name).join(model.name());
        Piece::new(folder, &round.learned, &(self.data_fingerprint, settings))
    }

    /// Trains the ranker on what the recall models of the rehearsals find.
    pub(crate) fn ranker(
        &self,
        protocol: &Protocol<'_>,
    ) -> Result<(Artifacts, Parameters), TrainerError> {
        let folder = self.work.round(Model::Ranker.name());
        let settings = (self.data_fingerprint, self.config, self.specifications);
        let piece = Piece::new(folder, &self.data.events, &settings)?;
        let mut files = piece.files(|checkpoint| self.fit_ranker(protocol, &piece, checkpoint))?;
        let parameters = parameters(&files)?;
        files.remove(PARAMETERS);
        Ok((files, parameters))
    }

    fn fit_ranker(
        &self,
        protocol: &Protocol<'_>,
        piece: &Piece,
        checkpoint: Option<&[u8]>,
    ) -> Result<Artifacts, TrainerError> {
        let (config, rehearsals) = (self.config, &protocol.rehearsals);
        let mut asked: Vec<Question<'_>> = Vec::new();
        let mut tables = Vec::with_capacity(rehearsals.len());
        for round in rehearsals {
            let (recalled, affinities) = self.rehearse(round)?;
            let (stream, cases) = (&round.stream, &round.cases);
            asked.extend(questions(stream, cases, &recalled, &affinities, &config.merge));
            tables.push(affinities);
        }
        let answers = self.answers(protocol);
        let begin = rehearsals.first().and_then(|round| round.before);
        let affinities = tables.into_iter().next().unwrap_or_default();
        // The tables learned from what is before the window, and with it what came of earlier
        // answers.
        let fair = |answer: &&Answer| {
            affinities.is_empty() || begin.is_some_and(|begin| answer.case.as_of >= begin)
        };
        let shown = answers.iter().filter(fair);
        let shown = shown.map(|answer| (&answer.case, answer.shown.clone()));
        let served = candidates::asked(&self.data.events, shown, &affinities);
        let catalogue = self.data.catalogue(rehearsals.first().and_then(|round| round.before));
        let step = Step::start(Model::Ranker.name());
        let plan = ranker::Plan {
            questions: &asked,
            served: &served,
            catalogue: &Catalogue::of(&catalogue),
            judge: &Judge::new(&catalogue),
            specification: &self.specifications.ranker,
            samples: &config.samples,
            network: &config.ranker,
            fusion: &config.fusion,
            seed: config.seed,
            checkpoint,
            step: &step,
        };
        let mut report = Report::new(piece, &step);
        let (mut files, fusion) = ranker::train(&plan, &mut |progress| report.note(progress))?;
        report.end()?;
        let parameters = Parameters { fusion, channels: CHANNELS.map(str::to_owned).to_vec() };
        files.add(PARAMETERS, serde_json::to_vec(&parameters).map_err(damaged(PARAMETERS))?);
        Ok(files)
    }

    /// The answers that were served before the test period. Under another split the outcome of an
    /// answer may be among what is asked for: there is none then.
    fn answers(&self, protocol: &Protocol<'_>) -> Vec<Answer> {
        let Some(before) = protocol.test.before.filter(|_| protocol.kind == ProtocolKind::Time)
        else {
            return Vec::new();
        };
        served::answers(self.data, before, self.config.split.context, &self.config.served)
    }

    /// What the channels find for the cases of a rehearsal, and the tables that the ranker asks.
    fn rehearse(
        &self,
        round: &Round<'_>,
    ) -> Result<(Vec<Recalled>, Arc<Affinities>), TrainerError> {
        let files = self.recall(round)?;
        let step = Step::start(&format!("recalling ({})", round.name));
        let catalogue = self.data.catalogue(round.before);
        let mut channels = Channels::open(&files, &catalogue, self.config, self.runtime)?;
        let size = self.config.merge.recall_size;
        let recalled = channels.recall(self.data, &round.stream, &round.cases, size, &step)?;
        Ok((recalled, affinities(&files, &self.specifications.ranker)?))
    }

    /// Adds what a round knows beside its models: items, their statistics, and the parameters.
    pub(crate) fn add_tables(
        &self,
        files: &mut Artifacts,
        round: &Round<'_>,
        parameters: &Parameters,
    ) -> Result<(), TrainerError> {
        let mut statistics = Statistics::new();
        round.learned.iter().for_each(|event| statistics.record(event));
        files.add(ITEM_STATISTICS, statistics.to_bytes());
        files.add(ITEMS, data::to_lines(&self.data.catalogue(round.before)));
        files.add(PARAMETERS, serde_json::to_vec(parameters).map_err(damaged(PARAMETERS))?);
        Ok(())
    }
}

/// Trains from a checkpoint, or anew, and reports after each epoch.
type TrainNetwork<'t> = &'t mut dyn FnMut(
    Option<&[u8]>,
    &Step,
    &mut dyn FnMut(Progress<'_>),
) -> Result<Artifacts, TrainerError>;

/// Shows how far a network has come, and keeps it for the case of an interruption.
struct Report<'p> {
    piece: &'p Piece,
    step: &'p Step,
    kept: Result<(), TrainerError>,
    begun: Instant,
    spent: Duration,
}

impl<'p> Report<'p> {
    fn new(piece: &'p Piece, step: &'p Step) -> Self {
        Self { piece, step, kept: Ok(()), begun: Instant::now(), spent: Duration::ZERO }
    }

    fn note(&mut self, progress: Progress<'_>) {
        let loss = progress.validation_loss.unwrap_or(progress.loss);
        self.step.say(format!("epoch {} of {}: loss {loss:.4}", progress.epoch, progress.epochs));
        if self.is_due() && self.kept.is_ok() {
            let started = Instant::now();
            self.kept = self.piece.keep(&progress.checkpoint());
            self.spent += started.elapsed();
        }
    }

    /// Keeping takes at most a twentieth of the time.
    fn is_due(&self) -> bool {
        self.spent * 20 <= self.begun.elapsed()
    }

    /// Gives the first failure to keep the state.
    fn end(self) -> Result<(), TrainerError> {
        self.kept
    }
}

/// The parameters among a round's files.
pub(crate) fn parameters(files: &Artifacts) -> Result<Parameters, TrainerError> {
    serde_json::from_slice(files.get(PARAMETERS)?).map_err(damaged(PARAMETERS))
}

fn damaged(path: &str) -> impl FnOnce(serde_json::Error) -> TrainerError {
    move |source| TrainerError::Damaged { path: path.into(), source }
}
