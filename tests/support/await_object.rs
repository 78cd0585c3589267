//! Waiting for an object to reach a state, by watching it: no sleeps, no polling.
//!
//! Only the status is shown when time runs out, never data: it may be a Secret.

use std::fmt;
use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The object did not get there in time.
pub(crate) struct TimedOut {
    name: String,
    limit: Duration,
    last: String,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, limit, last } = self;
        write!(f, "{name} did not get there within {limit:?}; last seen: {last}")
    }
}

/// `Debug` is the sentence, since `expect` shows it.
impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TimedOut {}

/// Waits until `reached` holds of the object, and returns it.
pub(crate) async fn await_object<K>(
    api: &Api<K>,
    name: &str,
    limit: Duration,
    reached: impl Fn(&K) -> bool,
) -> Result<K, TimedOut>
where
    K: Resource + Clone + DeserializeOwned + Serialize + fmt::Debug + Send + 'static,
{
    watch_until(api, name, limit, |object| object.filter(|object| reached(object))).await
}

/// Waits until the object is gone.
pub(crate) async fn await_gone<K>(api: &Api<K>, name: &str, limit: Duration) -> Result<(), TimedOut>
where
    K: Resource + Clone + DeserializeOwned + Serialize + fmt::Debug + Send + 'static,
{
    watch_until(api, name, limit, |object| object.is_none().then_some(())).await
}

async fn watch_until<K, T>(
    api: &Api<K>,
    name: &str,
    limit: Duration,
    reached: impl Fn(Option<K>) -> Option<T>,
) -> Result<T, TimedOut>
where
    K: Resource + Clone + DeserializeOwned + Serialize + fmt::Debug + Send + 'static,
{
    let mut last = "nothing yet".to_owned();
    let watch = async {
        // Errors are outages here: the watch goes on when the server is back.
        let states = watcher::watch_object(api.clone(), name).default_backoff();
        pin_mut!(states);
        while let Some(state) = states.next().await {
            let Ok(object) = state else {
                "the watch failed".clone_into(&mut last);
                continue;
            };
            last = object.as_ref().map_or("no such object".to_owned(), status);
            if let Some(value) = reached(object) {
                return Some(value);
            }
        }
        None
    };
    let outcome = tokio::time::timeout(limit, watch).await;
    outcome.ok().flatten().ok_or_else(|| TimedOut { name: name.to_owned(), limit, last })
}

fn status<K: Serialize>(object: &K) -> String {
    let object = serde_json::to_value(object).unwrap_or_default();
    let generation = &object["metadata"]["generation"];
    format!("generation {generation}, status {}", object["status"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;

    #[test]
    fn data_is_never_shown() {
        let secret =
            Secret { data: Some([("key".to_owned(), ByteString(b"hidden".to_vec()))].into()), ..Secret::default() };
        assert_eq!(status(&secret), "generation null, status null");
    }
}
