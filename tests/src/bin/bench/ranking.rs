//! `ranking` against the bare call of ONNX Runtime on a batch of the same size.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context, Result};
use ndarray::{ArrayD, Axis, concatenate};
use tributary_bundle::{Bundle, Golden, Store, Tensor, Tensors};
use tributary_e2e::Mesh;
use tributary_inference::{InferenceConfig, Runtime, Session};
use tributary_proto::{
    feature::v1::{GetUserContextRequest, WatchItemsRequest},
    ranking::v1::{RankRequest, ranking_service_client::RankingServiceClient},
};

use crate::{processor, report::Report};

const CANDIDATES: usize = 500;
const CALLS: u32 = 300;

/// Adds processor time and latency of both.
pub(crate) async fn measure(mesh: &Mesh, report: &mut Report) -> Result<()> {
    let bare = bare(mesh)?;
    let served = served(mesh).await?;
    let ratio =
        |one: f64, other: f64| format!("bare ONNX Runtime {other:.2} ms: {:.2} ×", one / other);
    let size = format!("{CANDIDATES} candidates, {CALLS} calls");
    report.add(
        "ranking, processor time a call",
        &size,
        format!("{:.2} ms", served.processor_ms),
        ratio(served.processor_ms, bare.processor_ms),
        "≤ 1.2 ×",
    );
    report.add(
        "ranking, wall time a call",
        size,
        format!("{:.2} ms", served.wall_ms),
        ratio(served.wall_ms, bare.wall_ms),
        "",
    );
    Ok(())
}

/// Means over the calls.
struct Cost {
    processor_ms: f64,
    wall_ms: f64,
}

/// The model alone, in this process, on the golden rows repeated to the batch's size.
fn bare(mesh: &Mesh) -> Result<Cost> {
    let store = Store::at(mesh.home().join("store"));
    let id = store.current()?.context("no bundle is published")?;
    let bundle = store.open(&id)?;
    let config = InferenceConfig::default();
    let runtime = Runtime::load(&config)?;
    let mut session = Session::load(&runtime, &bundle.read("models/ranker.onnx")?, &config)?;
    let inputs = batch(&bundle)?;
    session.run(&inputs)?;
    let pid = std::process::id();
    let (before, start) = (processor::used(pid)?, Instant::now());
    for _ in 0..CALLS {
        std::hint::black_box(session.run(&inputs)?);
    }
    Ok(cost(processor::used(pid)? - before, start))
}

fn cost(used: std::time::Duration, start: Instant) -> Cost {
    let calls = f64::from(CALLS);
    let (processor, wall) = (used.as_secs_f64(), start.elapsed().as_secs_f64());
    Cost { processor_ms: processor * 1e3 / calls, wall_ms: wall * 1e3 / calls }
}

fn batch(bundle: &Bundle) -> Result<Tensors> {
    let golden = Golden::from_bytes(&bundle.read("golden/ranker.safetensors")?)?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in golden.inputs {
        let repeated = match tensor {
            Tensor::F32(rows) => Tensor::F32(repeat(&rows)?),
            Tensor::I64(rows) => Tensor::I64(repeat(&rows)?),
        };
        tensors.insert(name, repeated);
    }
    Ok(tensors)
}

fn repeat<T: Clone>(rows: &ArrayD<T>) -> Result<ArrayD<T>> {
    let times = CANDIDATES.div_ceil(rows.len_of(Axis(0)));
    let whole = concatenate(Axis(0), &vec![rows.view(); times])?;
    Ok(whole.slice_axis(Axis(0), (0..CANDIDATES).into()).to_owned())
}

/// The service over gRPC, one client.
async fn served(mesh: &Mesh) -> Result<Cost> {
    let mut ranking = RankingServiceClient::connect(mesh.address("ranking")).await?;
    let mut feature = mesh.feature().await?;
    let context = feature.get_user_context(GetUserContextRequest { user_id: 196 }).await?;
    let mut changes = feature.watch_items(WatchItemsRequest { after: 0 }).await?.into_inner();
    let mut item_ids = Vec::new();
    while item_ids.len() < CANDIDATES {
        let batch = changes.message().await?.context("the log of items ended")?.changes;
        item_ids.extend(batch.into_iter().filter_map(|change| match change.change? {
            tributary_proto::feature::v1::item_change::Change::Upserted(item) => Some(item.item_id),
            tributary_proto::feature::v1::item_change::Change::DeletedItemId(_) => None,
        }));
    }
    item_ids.truncate(CANDIDATES);
    let request = RankRequest {
        context: context.into_inner().context,
        item_ids,
        evidence: Vec::new(),
        with_tasks: false,
    };
    ranking.rank(request.clone()).await?;
    let pid = mesh.status()?["ranking"].pid;
    let (before, start) = (processor::used(pid)?, Instant::now());
    for _ in 0..CALLS {
        ranking.rank(request.clone()).await?;
    }
    Ok(cost(processor::used(pid)? - before, start))
}
