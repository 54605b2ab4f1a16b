//! Numbers for whoever watches, in the format of Prometheus.

use std::{sync::OnceLock, time::Duration};

use axum::{Router, middleware::from_fn_with_state};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use stomp_server::http::{AdminAccess, admin_only, metrics_routes};
use tokio_util::sync::CancellationToken;

/// How often the samples of histograms are put together; until then each is kept.
const UPKEEP: Duration = Duration::from_secs(5);

/// All metrics of the process. There is one recorder a process, however many servers it runs.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// The process's metrics; none where the program around has a recorder of its own.
    pub(crate) fn open() -> Option<Self> {
        static OPENED: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let open = || {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).ok().map(|()| handle)
        };
        OPENED.get_or_init(open).clone().map(Self)
    }

    /// Keeps the memory of histograms bounded, also when nobody asks for them.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.0.run_upkeep();
        }
    }

    /// `/metrics`, for those who may administrate.
    pub(super) fn routes(self, access: AdminAccess) -> Router {
        metrics_routes(move || self.0.render()).layer(from_fn_with_state(access, admin_only))
    }
}
