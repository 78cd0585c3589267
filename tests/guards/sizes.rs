//! Does everything fit? The longest names and the largest Secrets that Kubernetes admits; and a schema that changes
//! and changes back.

use connector_operator::api::ConnectorCredential;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::{Value, json};

use crate::controller::cast;
use crate::simulator::LedgerFilter;
use crate::support::bed::private_bed;
use crate::support::stage::{SOON, Stage};

/// A name as long as Kubernetes has them.
fn longest(start: &str) -> String {
    format!("{start}{}", "n".repeat(253 - start.len()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a38_the_longest_names_and_the_largest_secrets_are_no_trouble() {
    let stage = Stage::set("sizes").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    // Beside the key: what fills a Secret to its mebibyte.
    let data = [
        ("api-key".to_owned(), ByteString(issued.key.clone().into_bytes())),
        ("x".repeat(253), ByteString(vec![b'x'; (1 << 20) - 1024])),
    ];
    let name = longest("source-");
    let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
    let secret = Secret { metadata, data: Some(data.into()), ..Secret::default() };
    stage.secrets().create(&PostParams::default(), &secret).await.expect("it just fits");
    let output = longest("output-");
    let credential = longest("credential-");
    let spec = json!({
        "provider": act.settings, "keySecretRef": {"name": name},
        "description": "d".repeat(256), "outputs": [{"secretName": output}],
    });
    stage.declare(&credential, spec).await;
    stage.until_ready(&credential).await;
    let written = stage.secret(&output).await.expect("it is published");
    let labels = written.metadata.labels.expect("labels");
    assert!(labels.values().all(|label| label.len() <= 63), "{labels:?}");
    // Another with the same first 60 letters is told apart.
    let other = format!("{}m", &credential[..252]);
    let spec = json!({
        "provider": act.settings, "keySecretRef": {"name": name}, "outputs": [{"secretName": longest("second-")}],
    });
    stage.declare(&other, spec).await;
    stage.until_ready(&other).await;
    let second = stage.secret(&longest("second-")).await.expect("it is published").metadata.labels.expect("labels");
    assert_ne!(labels.get("connector-operator.io/credential"), second.get("connector-operator.io/credential"));
    for name in [&credential, &other] {
        for (_, note) in stage.events(name).await {
            assert!(note.len() <= 1024, "{note}");
        }
    }
    stage.finish().await;
}

/// The next release's schema has one more field; then the administrator rolls back.
#[tokio::test(flavor = "multi_thread")]
async fn a38_stored_objects_survive_a_new_schema_and_the_old_one_again() {
    let mut stage = Stage::set_on(private_bed().await, "schemas", &[]).await;
    let mut versions = Vec::new();
    for act in cast::all() {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
        let ready = stage.until_ready(act.name).await;
        versions.push((act.name, ready.metadata.resource_version));
    }
    let asked = stage.simulator.ledger(&LedgerFilter::default()).len();
    let crds: Api<CustomResourceDefinition> = Api::all(stage.bed.client.clone());
    let name = "connectorcredentials.connector-operator.io";
    let stored = crds.get(name).await.expect("it is installed");
    let mut newer = serde_json::to_value(&stored).expect("JSON");
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    newer.pointer_mut(spec).expect("a schema")["novelty"] = json!({"type": "string", "maxLength": 64});
    let newer = serde_json::from_value(newer).expect("a CRD");
    crds.replace(name, &Default::default(), &newer).await.expect("it is admitted");
    let act = cast::zenflow();
    let novel = || json!({"spec": {"novelty": "x"}});
    until_stored(&stage, act.name, &novel(), Some("x")).await;
    // The running process need not be told of the field: a new one lists it, and visits once more.
    stage.restart().await;
    let described = json!({"spec": {"description": "under the new schema"}});
    until_stored(&stage, act.name, &described, Some("x")).await;
    same_verdicts(&stage, &versions, act.name).await;
    // Back: what the old schema does not know is no reason to fail, to ask, or to write.
    let mut older = stored.clone();
    older.metadata.resource_version = crds.get(name).await.expect("it is installed").metadata.resource_version;
    crds.replace(name, &Default::default(), &older).await.expect("it is admitted");
    until_stored(&stage, act.name, &json!({"metadata": {"labels": {"touched": "yes"}}}), None).await;
    same_verdicts(&stage, &versions, act.name).await;
    assert_eq!(stage.simulator.ledger(&LedgerFilter::default()).len(), asked, "nobody was asked again");
    stage.declare(act.name, act.spec_with("description", json!("still at work"))).await;
    stage.until_ready(act.name).await;
    stage.finish().await;
}

/// Patches until the API server, which takes a moment to serve a schema, stores the field as wanted.
async fn until_stored(stage: &Stage, name: &str, patch: &Value, wanted: Option<&str>) {
    let wait = async {
        loop {
            let patched = stage.untyped().patch(name, &Default::default(), &kube::api::Patch::Merge(patch)).await;
            let patched = patched.expect("the administrator may patch");
            if patched.data.pointer("/spec/novelty").and_then(Value::as_str) == wanted {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("the schema is served");
}

/// All are as ready as before; nobody but the one that was patched was written.
async fn same_verdicts(stage: &Stage, versions: &[(&str, Option<String>)], patched: &str) {
    for (name, version) in versions {
        let ready: ConnectorCredential = stage.until_ready(name).await;
        assert!(*name == patched || ready.metadata.resource_version == *version, "{name} was written");
    }
}

/// A spec with so many letters in its templates, which the definition admits up to eight mebibytes.
fn spec_of(letters: usize) -> Value {
    let file = |nth: usize, size: usize| (format!("file-{nth:03}"), json!("x".repeat(size)));
    let files: Vec<_> = (0..letters.div_ceil(FILE)).map(|nth| file(nth, FILE.min(letters - nth * FILE))).collect();
    let output = |(nth, files): (usize, &[(String, Value)])| {
        let template: serde_json::Map<_, _> = files.iter().cloned().collect();
        json!({"secretName": format!("large-{nth}"), "format": "Template", "template": template})
    };
    let outputs: Vec<_> = files.chunks(10).enumerate().map(output).collect();
    let mut spec = cast::zenflow().spec();
    spec["outputs"] = json!(outputs);
    spec
}

/// Letters of a file of a template.
const FILE: usize = 65_536;

/// The largest templates that etcd takes in one object.
async fn most_letters(stage: &Stage) -> usize {
    let kind = kube::api::ApiResource::erase::<ConnectorCredential>(&());
    // As long a name as the story's own, and nobody looks.
    let namespace = stage.bed.namespace("brim").await;
    let elsewhere: Api<kube::api::DynamicObject> = Api::namespaced_with(stage.bed.client.clone(), &namespace, &kind);
    let (mut fits, mut does_not) = (1_300_000, 1_600_000);
    while does_not - fits > 64 {
        let letters = usize::midpoint(fits, does_not);
        let object = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {"name": "large"}, "spec": spec_of(letters),
        });
        let params = kube::api::PatchParams::apply("user").force();
        match elsewhere.patch("large", &params, &kube::api::Patch::Apply(object)).await {
            Ok(_) => {
                fits = letters;
                elsewhere.delete("large", &Default::default()).await.expect("it is there");
            }
            Err(kube::Error::Api(_)) => does_not = letters,
            Err(error) => panic!("{error}"),
        }
    }
    fits
}

/// An object that etcd just takes has no room for its status: nobody is asked again and again for that, nobody else
/// waits, and the object comes to itself when its spec is cut.
#[tokio::test(flavor = "multi_thread")]
async fn a38_a_spec_that_leaves_no_room_for_its_status_costs_little_and_heals() {
    let stage = Stage::set_with("brim", &["--log-level=info"]).await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let letters = most_letters(&stage).await;
    stage.declare("large", spec_of(letters - 64)).await;
    let failures = |log: &str| log.lines().filter(|line| line.contains("visit failed")).count();
    let failed = async {
        while failures(&stage.operator.log()) < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, failed).await.expect("its status is refused");
    let third = std::time::Instant::now();
    let neighbour = cast::flowlu();
    let other = stage.issue(neighbour.new_key());
    stage.put_secret(&neighbour.source(), &[("api-key", &other.key)]).await;
    stage.declare(neighbour.name, neighbour.spec()).await;
    stage.until_ready(neighbour.name).await;
    tokio::time::sleep(std::time::Duration::from_secs(8).saturating_sub(third.elapsed())).await;
    let tried = failures(&stage.operator.log()) - 3;
    assert!(tried <= 4, "{tried} more visits failed in {:?}", third.elapsed());
    let asked = LedgerFilter { key_hash: Some(issued.hash.clone()), ..LedgerFilter::default() };
    let asked = stage.simulator.ledger(&asked).len();
    assert!(asked <= 3, "{asked} requests, where a check has three");
    // A tenth less.
    stage.declare("large", spec_of(letters / 10 * 9)).await;
    stage.until_ready("large").await;
    stage.finish().await;
}
