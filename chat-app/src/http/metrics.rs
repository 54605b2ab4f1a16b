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

    /// What the numbers are now, as whoever scrapes them reads them.
    pub(super) fn read(&self) -> Readings {
        Readings(self.0.render())
    }

    /// `/metrics`, for those who may administrate.
    pub(super) fn routes(self, access: AdminAccess) -> Router {
        metrics_routes(move || self.0.render()).layer(from_fn_with_state(access, admin_only))
    }
}

/// The numbers of one moment.
pub(super) struct Readings(String);

impl Readings {
    /// A counter over all its labels; 0 if nothing was counted.
    pub(super) fn sum(&self, name: &str) -> u64 {
        self.series(name).map(|(_, value)| value).sum()
    }

    /// A counter by the value of one label.
    pub(super) fn by_label<'a>(
        &'a self,
        name: &'a str,
        label: &'a str,
    ) -> impl Iterator<Item = (String, u64)> + 'a {
        self.series(name).filter_map(move |(labels, value)| {
            let (_, rest) = labels.split_once(&format!("{label}=\""))?;
            Some((rest.split_once('"')?.0.to_owned(), value))
        })
    }

    /// Labels and value of each line of this name.
    fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, u64)> + 'a {
        self.0.lines().filter_map(move |line| {
            let (series, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
            let is_whole_name = series.is_empty() || series.starts_with('{');
            is_whole_name.then_some((series, value.parse().ok()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read_by_its_whole_name_and_by_label() {
        let text = "# HELP hits_total of caches\n# TYPE hits_total counter\n\
                    hits_total{cache=\"a\"} 3\nhits_total{cache=\"b c\"} 4\n\
                    hits_total_more 9\nalone 5\n";
        let readings = Readings(text.to_owned());
        assert_eq!(readings.sum("hits_total"), 7);
        assert_eq!(readings.sum("alone"), 5);
        assert_eq!(readings.sum("nothing"), 0);
        let by_cache: Vec<_> = readings.by_label("hits_total", "cache").collect();
        assert_eq!(by_cache, [("a".to_owned(), 3), ("b c".to_owned(), 4)]);
    }
}
