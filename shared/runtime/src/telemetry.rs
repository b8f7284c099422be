//! Logs to standard error, and traces by OTLP where an endpoint is configured.

use std::{io, time::Duration};

use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::{LogFormat, TelemetryConfig, metrics};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const COMMIT: &str = match option_env!("TRIBUTARY_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Without a collector an exporter waits for its time-out: that must not hold up the end.
const EXPORT_TIMEOUT: Duration = Duration::from_millis(500);

/// Telemetry that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("telemetry.log is not a filter")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    #[error("no traces can be sent to telemetry.otlp_endpoint")]
    Exporter(#[source] ExporterBuildError),
    #[error("logs are set up already")]
    Subscriber(#[source] tracing_subscriber::util::TryInitError),
}

/// Ends the export of traces when the process does.
pub(crate) struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Sets up the logs of a command, which ends by itself: no traces, no metrics.
pub fn start_logs(config: &TelemetryConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.log).map_err(TelemetryError::Filter)?;
    let layer = logs(config.format).with_filter(filter);
    tracing_subscriber::registry().with(layer).try_init().map_err(TelemetryError::Subscriber)
}

/// Sets up logs, traces and metrics of the process, and names the build in all of them. Needs the
/// runtime of the process.
pub(crate) fn start(
    service: &'static str,
    config: &TelemetryConfig,
) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(&config.log).map_err(TelemetryError::Filter)?;
    let provider = config.otlp_endpoint.as_deref().map(|to| exporter(service, to)).transpose()?;
    let mut layers: Vec<BoxedLayer> = vec![logs(config.format)];
    if let Some(provider) = &provider {
        global::set_text_map_propagator(TraceContextPropagator::new());
        layers.push(tracing_opentelemetry::layer().with_tracer(provider.tracer(service)).boxed());
    }
    tracing_subscriber::registry()
        .with(layers.with_filter(filter))
        .try_init()
        .map_err(TelemetryError::Subscriber)?;
    metrics::recorder();
    metrics::build(service, VERSION, COMMIT);
    tracing::info!(service, version = VERSION, commit = COMMIT, "starting");
    Ok(Telemetry { provider })
}

fn logs(format: LogFormat) -> BoxedLayer {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => layer.with_ansi(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn exporter(service: &'static str, endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(TelemetryError::Exporter)?;
    let resource = Resource::builder().with_service_name(service).build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
    Ok(provider.with_resource(resource).build())
}

impl Telemetry {
    /// Sends the traces that are left.
    pub(crate) fn finish(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown_with_timeout(EXPORT_TIMEOUT)
        {
            tracing::debug!(%error, "the last traces are lost");
        }
    }
}
