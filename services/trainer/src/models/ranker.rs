//! The ranker: its samples from what the channels recalled, its training and its files.

mod calibration;

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array2, Axis, concatenate};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tributary_bundle::Tensors;
use tributary_domain::{Timestamp, UserId};
use tributary_features::{Batch, Encoder, FeatureError, Fitter, Rows, Side, Specification};
use tributary_network::{
    AttentionConfig, Labelled, NetworkError, Progress, Ranker, RankerConfig, Source,
};
use tributary_slate::Fusion;

use super::{ModelError, two_tower::spread};
use crate::{
    artifacts::{Artifacts, RANKER},
    candidates::{Catalogue, Question},
    config::{FusionConfig, SamplesConfig},
    encoding::{EndToEnd, Packed, Watched, input_layout, tensors},
    error::TrainerError,
    evaluate::{fuse, lists::Judge},
    number::{float, float32, floor},
    progress::Step,
    split::Target,
};

/// The user liked the item.
pub(crate) const LIKED: &str = "liked";
/// The user engaged with the item in any way.
pub(crate) const WATCHED: &str = "watched";

/// Questions that are encoded between two packings.
const AT_ONCE: usize = 256;

/// The network's settings where nothing else is configured, for the built-in specification.
pub(crate) fn network() -> RankerConfig {
    RankerConfig {
        attention: vec![AttentionConfig::new("history", "item")],
        embedding_regularisation: 1e-3,
        ..RankerConfig::default()
    }
}

/// What the ranker learns from and how.
pub(crate) struct Plan<'a> {
    pub(crate) questions: &'a [Question<'a>],
    /// Answers that were served: learned from beside the questions, where there are any. What stops
    /// the training, calibrates it and chooses the fusion are the questions alone, since the ranker
    /// scores all that the channels find.
    pub(crate) served: &'a [Question<'a>],
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) judge: &'a Judge,
    pub(crate) specification: &'a Specification,
    pub(crate) samples: &'a SamplesConfig,
    pub(crate) network: &'a RankerConfig,
    pub(crate) fusion: &'a FusionConfig,
    pub(crate) seed: u64,
    /// The state of an interrupted training of the same plan.
    pub(crate) checkpoint: Option<&'a [u8]>,
    /// Told of the rows that were looked at.
    pub(crate) step: &'a Step,
}

/// Trains the ranker and chooses the fusion; gives the ranker's files and the fusion.
pub(crate) fn train(
    plan: &Plan<'_>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(Artifacts, Fusion), TrainerError> {
    let (fitted, validation) = divide(plan.questions, plan.samples.validation);
    let chosen: Vec<Chosen> = fitted
        .iter()
        .zip(plan.seed..)
        .map(|(question, seed)| Chosen::sample(question, plan.samples.negatives, seed))
        .collect();
    let served: Vec<&Question<'_>> = plan.served.iter().collect();
    let shown: Vec<Chosen> = served.iter().map(|question| Chosen::all(question)).collect();
    let encoder = fit(plan, [(&fitted[..], &chosen[..]), (&served, &shown)])?;
    let rows = encode(plan, &encoder, &fitted, &chosen)?;
    let whole: Vec<Chosen> = validation.iter().map(|question| Chosen::all(question)).collect();
    let held_out = encode(plan, &encoder, &validation, &whole)?;
    let mut network =
        Ranker::new(input_layout(encoder.layout()), plan.network.clone()).map_err(failed)?;
    plan.checkpoint.map_or(Ok(()), |state| network.resume(state)).map_err(failed)?;
    let stop = (held_out.inputs.rows() > 0).then(|| held_out.labelled());
    let shown = encode(plan, &encoder, &served, &shown)?;
    let learned = rows.with(&shown);
    let watched = Watched::new(&learned.inputs, plan.step, plan.network.epochs);
    let watching = &mut watched.watching(on_progress);
    network.train(learned.labelled(&watched), stop, watching).map_err(failed)?;
    calibration::calibrate(&mut network, &rows, &held_out).map_err(failed)?;
    let fusion = choose_fusion(plan, &network, &validation, &held_out)?;
    Ok((files(plan, &encoder, &network, &rows)?, fusion))
}

fn failed(source: NetworkError) -> ModelError {
    ModelError::Network { model: "the ranker", source: source.into() }
}

fn unfit(source: FeatureError) -> ModelError {
    ModelError::Features { encoder: RANKER, source: source.into() }
}

/// Parts by user, so that nobody is on both sides: the users whose questions begin last are held
/// out.
fn divide<'q, 'a>(
    questions: &'q [Question<'a>],
    share: f64,
) -> (Vec<&'q Question<'a>>, Vec<&'q Question<'a>>) {
    let mut begins: HashMap<UserId, Timestamp> = HashMap::new();
    for question in questions {
        begins.entry(question.case.context.user).or_insert(question.case.as_of);
    }
    let mut order: Vec<(Timestamp, UserId)> =
        begins.iter().map(|(user, begin)| (*begin, *user)).collect();
    order.sort_unstable();
    let cut = order.len() - floor(float(order.len()) * share.clamp(0.0, 0.9));
    let fitted: std::collections::HashSet<UserId> =
        order[..cut].iter().map(|(_, user)| *user).collect();
    questions.iter().partition(|question| fitted.contains(&question.case.context.user))
}

/// Candidates of one question that are used, with their weights.
struct Chosen {
    candidates: Vec<usize>,
    weights: Vec<f32>,
}

impl Chosen {
    fn all(question: &Question<'_>) -> Self {
        let count = question.candidates.len();
        Self { candidates: (0..count).collect(), weights: vec![1.0; count] }
    }

    /// All that the user engaged with, and `negatives` of the others, which count for all of them.
    fn sample(question: &Question<'_>, negatives: usize, seed: u64) -> Self {
        let (positive, mut negative): (Vec<usize>, Vec<usize>) = (0..question.candidates.len())
            .partition(|candidate| question.outcome(*candidate).is_some());
        let all = negative.len();
        negative.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        negative.truncate(negatives);
        let weight = float32(all) / float32(negative.len().max(1));
        let mut weights = vec![1.0; positive.len()];
        weights.resize(positive.len() + negative.len(), weight);
        Self { candidates: [positive, negative].concat(), weights }
    }
}

fn fit(plan: &Plan<'_>, parts: [(&[&Question<'_>], &[Chosen]); 2]) -> Result<Encoder, ModelError> {
    let mut fitter = Fitter::new(plan.specification).map_err(unfit)?;
    let parts = parts.into_iter().flat_map(|(questions, chosen)| questions.iter().zip(chosen));
    for (question, rows) in parts {
        question
            .visit(plan.catalogue, &rows.candidates, |record| fitter.observe(record))
            .map_err(unfit)?;
    }
    fitter.finish().map_err(unfit)
}

struct Encoded {
    inputs: Packed,
    labels: Array2<f32>,
    weights: Vec<f32>,
    /// Numbers of the questions that the rows are candidates of.
    questions: Vec<u32>,
    /// The user of each question.
    users: Vec<UserId>,
}

/// The rows of two encodings, those of the second after those of the first.
struct Both<'e> {
    inputs: EndToEnd<'e>,
    labels: Array2<f32>,
    weights: Vec<f32>,
    questions: Vec<u32>,
}

impl Both<'_> {
    /// The labels of these rows.
    fn labelled<'a>(&'a self, inputs: &'a dyn Source) -> Labelled<'a> {
        let Self { labels, weights, questions, .. } = self;
        Labelled { inputs, labels, weights: Some(weights), groups: Some(questions) }
    }
}

impl Encoded {
    /// Both, the questions of the other numbered on.
    fn with<'e>(&'e self, other: &'e Self) -> Both<'e> {
        let first = u32::try_from(self.users.len()).expect("the questions are numbered by u32");
        let numbers = other.questions.iter().map(|number| number + first);
        Both {
            inputs: EndToEnd(&self.inputs, &other.inputs),
            labels: concatenate(Axis(0), &[self.labels.view(), other.labels.view()])
                .expect("the tasks are the same"),
            weights: [&self.weights[..], &other.weights].concat(),
            questions: self.questions.iter().copied().chain(numbers).collect(),
        }
    }

    fn labelled(&self) -> Labelled<'_> {
        let Self { inputs, labels, weights, questions, .. } = self;
        Labelled { inputs, labels, weights: Some(weights), groups: Some(questions) }
    }
}

fn encode(
    plan: &Plan<'_>,
    encoder: &Encoder,
    questions: &[&Question<'_>],
    chosen: &[Chosen],
) -> Result<Encoded, ModelError> {
    let mut inputs = Packed::default();
    for (questions, chosen) in questions.chunks(AT_ONCE).zip(chosen.chunks(AT_ONCE)) {
        let batches: Vec<Batch> = questions
            .par_iter()
            .zip(chosen)
            .map(|(question, rows)| batch(encoder, plan.catalogue, question, &rows.candidates))
            .collect();
        batches.iter().for_each(|batch| inputs.push(batch));
    }
    let tasks = &plan.network.tasks;
    let mut labels = Vec::new();
    for (question, rows) in questions.iter().zip(chosen) {
        for candidate in &rows.candidates {
            let outcome = question.outcome(*candidate);
            for task in tasks {
                labels.push(if happened(task, outcome)? { 1.0 } else { 0.0 });
            }
        }
    }
    let labels = Array2::from_shape_vec((inputs.rows(), tasks.len()), labels);
    let labels = labels.expect("one label a row and task");
    let weights = chosen.iter().flat_map(|rows| rows.weights.iter().copied()).collect();
    let numbers = (0u32..).zip(chosen);
    let numbers = numbers.flat_map(|(number, rows)| rows.candidates.iter().map(move |_| number));
    let questions_of_rows = numbers.collect();
    let users = questions.iter().map(|question| question.case.context.user).collect();
    Ok(Encoded { inputs, labels, weights, questions: questions_of_rows, users })
}

/// Encoded rows of some candidates of a question.
pub(crate) fn batch(
    encoder: &Encoder,
    catalogue: &Catalogue,
    question: &Question<'_>,
    candidates: &[usize],
) -> Batch {
    let mut rows = None;
    let encoded: Result<(), std::convert::Infallible> =
        question.visit(catalogue, candidates, |record| {
            // The user's side is the same for all candidates, and encoded once.
            let rows = rows.get_or_insert_with(|| encoder.rows(record));
            rows.push(&encoder.part(Side::Item, record), record);
            Ok(())
        });
    match encoded {
        Ok(()) => rows.map_or_else(|| encoder.batch(), Rows::finish),
    }
}

/// Whether what a task predicts came about.
pub(crate) fn happened(task: &str, outcome: Option<&Target>) -> Result<bool, ModelError> {
    match task {
        LIKED => Ok(outcome.is_some_and(|target| target.liked)),
        WATCHED => Ok(outcome.is_some()),
        _ => Err(ModelError::Shape {
            model: RANKER,
            reason: format!("no label for task {task}: use {LIKED} and {WATCHED}"),
        }),
    }
}

/// Takes the exponents with the best mix of NDCG@10 over engaged and over liked items.
fn choose_fusion(
    plan: &Plan<'_>,
    network: &Ranker,
    questions: &[&Question<'_>],
    encoded: &Encoded,
) -> Result<Fusion, ModelError> {
    let fusions: Vec<Fusion> =
        plan.fusion.liked_exponents.iter().map(|liked| exponents(*liked)).collect();
    if encoded.inputs.rows() == 0 {
        return Ok(fusions.into_iter().next().unwrap_or_else(|| exponents(0.0)));
    }
    let probabilities = network.predict(&encoded.inputs).map_err(failed)?;
    let mut best: Option<(f64, Fusion)> = None;
    for fusion in fusions {
        let goal = quality(plan, &probabilities, questions, &fusion)?;
        if best.as_ref().is_none_or(|(known, _)| goal > *known) {
            best = Some((goal, fusion));
        }
    }
    Ok(best.map_or_else(|| exponents(0.0), |(_, fusion)| fusion))
}

fn exponents(liked: f32) -> Fusion {
    Fusion { exponents: BTreeMap::from([(LIKED.into(), liked), (WATCHED.into(), 1.0 - liked)]) }
}

fn quality(
    plan: &Plan<'_>,
    probabilities: &Array2<f32>,
    questions: &[&Question<'_>],
    fusion: &Fusion,
) -> Result<f64, ModelError> {
    let mut start = 0;
    let mut cases = Vec::new();
    let mut lists = Vec::new();
    for question in questions {
        let end = start + question.candidates.len();
        let rows = probabilities.slice(ndarray::s![start..end, ..]);
        let ranked = fuse::ranked(question, rows, &plan.network.tasks, fusion)?;
        lists.push(ranked.iter().map(|scored| scored.item).collect());
        cases.push(question.case.clone());
        start = end;
    }
    let row = plan.judge.measure(&cases, &lists);
    let liked_share = plan.fusion.liked_share;
    Ok((1.0 - liked_share) * row.ndcg_at_10 + liked_share * row.liked_ndcg_at_10)
}

fn files(
    plan: &Plan<'_>,
    encoder: &Encoder,
    network: &Ranker,
    rows: &Encoded,
) -> Result<Artifacts, TrainerError> {
    let mut files = Artifacts::default();
    files.add_encoder(RANKER, encoder);
    let golden = rows.inputs.select(&spread(rows.inputs.rows()));
    let probabilities = network.predict(&golden).map_err(failed)?;
    let outputs: Tensors = plan
        .network
        .tasks
        .iter()
        .zip(probabilities.columns())
        .map(|(task, column)| (task.clone(), column.to_owned().into_dyn().into()))
        .collect();
    let onnx = network.export().map_err(failed)?;
    files.add_model(RANKER, onnx, tensors(encoder, &golden), outputs)?;
    Ok(files)
}
