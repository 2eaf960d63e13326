//! Follows what the models of each product read of `attributes` while the process runs: packages and routes that come, change or go are
//! read again. Knows no stream, so that it never depends on what is in force: every route of the folder counts.

use crate::settings::Settings;
use catalog::{Kind, places};
use runtime::service::ServiceContext;
use runtime::task::WorkerHandle;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Between two looks into the folders.
const LOOKS_EVERY: Duration = Duration::from_secs(5);
/// The task's name.
const NAME: &str = "attributes-watch";

/// Files with length and time, by which a change is told.
type Print = BTreeMap<PathBuf, Option<(u64, SystemTime)>>;

/// Starts to look; what is found is seen by every worker of these settings.
pub(crate) fn follow(settings: &Settings, service: &ServiceContext) -> WorkerHandle {
    let (settings, shutdown) = (settings.clone(), service.shutdown.clone());
    WorkerHandle::task(NAME, async move {
        // Read again once: something may have changed since the workers started.
        let mut known = Print::new();
        while !shutdown.is_cancelled() {
            let (again, before) = (settings.clone(), known.clone());
            if let Ok(now) = tokio::task::spawn_blocking(move || look(&again, &before)).await {
                known = now;
            }
            if tokio::time::timeout(LOOKS_EVERY, shutdown.cancelled()).await.is_ok() {
                break;
            }
        }
        Ok::<(), Infallible>(())
    })
}

/// Reads the contracts again where a file has changed; gives the files as they are now.
fn look(settings: &Settings, known: &Print) -> Print {
    let now = print(&settings.scorer.models_dir, &settings.scorer.routes_dir);
    if now == *known {
        return now;
    }
    match settings.attributes() {
        Ok(attributes) => {
            let products = attributes.get().documents.len();
            tracing::info!(products, "what the models read of attributes was read");
            now
        }
        Err(error) => {
            tracing::warn!(error = crate::say::told(&error), "what the models read of attributes stays what it was");
            known.clone()
        }
    }
}

fn print(models: &Path, routes: &Path) -> Print {
    let manifests =
        places(Kind::Model, models).unwrap_or_default().into_iter().map(|(_, path)| path.join("manifest.toml"));
    let routes = places(Kind::Route, routes).unwrap_or_default().into_iter().map(|(_, path)| path);
    let of = |path: &Path| {
        let data = std::fs::metadata(path).ok()?;
        Some((data.len(), data.modified().ok()?))
    };
    manifests.chain(routes).map(|path| (path.clone(), of(&path))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ROUTE: &str =
        "name = \"r\"\nversion = \"1.0.0\"\n[[entry]]\nid = \"a\"\nproduct = \"credit_card\"\nchampion = \"m@1.0.0\"\n";

    #[test]
    fn a_package_and_a_route_that_come_are_read_and_nothing_is_read_twice() {
        let (models, routes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut settings = Settings::default();
        settings.scorer.models_dir = models.path().to_owned();
        settings.scorer.routes_dir = routes.path().to_owned();
        let seen = settings.ingest.attributes.clone();
        let knows = |name: &str| seen.get().attributes.of("credit_card", "demo").map(|of| of.get(name).is_some());
        let mut known = look(&settings, &Print::new());
        assert_eq!(knows("payment_amount_1"), None, "no route names the product");
        std::fs::create_dir_all(routes.path().join("r")).unwrap();
        std::fs::write(routes.path().join("r/1.0.0.toml"), ROUTE).unwrap();
        known = look(&settings, &known);
        assert_eq!(knows("payment_amount_1"), Some(false), "its package is not here");
        assert!(seen.get().attributes.of("credit_card", "demo").unwrap().is_open);
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/taiwan-scorecard/1.0.0/manifest.toml");
        std::fs::create_dir_all(models.path().join("m/1.0.0")).unwrap();
        std::fs::copy(shipped, models.path().join("m/1.0.0/manifest.toml")).unwrap();
        known = look(&settings, &known);
        assert_eq!(knows("payment_amount_1"), Some(true));
        let before = seen.get();
        assert_eq!(look(&settings, &known), known);
        assert!(std::sync::Arc::ptr_eq(&before, &seen.get()), "nothing has changed");
    }
}
