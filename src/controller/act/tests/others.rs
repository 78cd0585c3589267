//! What is done about what others do to outputs: how often, how much of theirs is read, and what of it stays?

use super::super::super::fixtures::{Asked, owned_by, refusal, server};
use super::*;
use serde_json::Value;

/// A credential that is still what was decided about, and these Secrets.
fn with(secrets: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> (Context, Arc<Mutex<Vec<Asked>>>) {
    let (client, told) = server(move |asked| match asked.name.as_str() {
        "erp" => {
            (200, json!({"metadata": {"name": "erp", "namespace": "data", "uid": "erp", "generation": 1}, "spec": {}}))
        }
        _ => secrets(asked),
    });
    (context(client), told)
}

/// As one of the watch's visits finds it: no status lists it.
fn unlisted(mut seen: Observed) -> Observed {
    seen.object = Arc::new(declaring("erp", 0, &[OUTPUT]));
    seen
}

#[tokio::test]
async fn of_a_secret_that_came_first_only_the_metadata_is_asked_for() {
    for (uid, expected) in [("somebody", Some(Done::NotOwned)), ("erp", None)] {
        let (ctx, told) = with(move |asked| {
            if asked.method == Method::POST {
                return refusal(409, "AlreadyExists");
            }
            let owners = owned_by(uid);
            let meta = json!({
                "name": OUTPUT, "namespace": "data", "uid": "s", "resourceVersion": "9", "ownerReferences": owners,
            });
            (200, json!({"metadata": meta, "data": {"password": "dGhlaXJz"}}))
        });
        let seen = unlisted(seen(&ctx));
        let done = hand(&ctx, &seen).create(OUTPUT, rendered()).await;
        assert_eq!(done.ok(), expected, "owned by {uid}");
        let told = told.lock().unwrap();
        let reads: Vec<_> = told.iter().filter(|asked| asked.method == Method::GET && asked.name == OUTPUT).collect();
        assert!(reads.len() == 1 && reads[0].metadata, "{reads:?}");
    }
}
