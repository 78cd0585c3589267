//! Do outputs hold what the documentation lists, and nothing that a credential's author slipped in?

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::controller::cast;
use crate::support::stage::{Stage, keys, value};

/// Labels and annotations that mean something to somebody.
const HOSTILE: [(&str, &str); 20] = [
    ("app.kubernetes.io/managed-by", "somebody-else"),
    ("app.kubernetes.io/instance", "prod"),
    ("app.kubernetes.io/part-of", "prod"),
    ("connector-operator.io/credential", "another"),
    ("argocd.argoproj.io/instance", "prod"),
    ("argocd.argoproj.io/secret-type", "cluster"),
    ("kustomize.toolkit.fluxcd.io/name", "prod"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("helm.toolkit.fluxcd.io/name", "prod"),
    ("helm.sh/chart", "chart"),
    ("kubernetes.io/service-account.name", "default"),
    ("kubernetes.io/metadata.name", "kube-system"),
    ("pod-security.kubernetes.io/enforce", "privileged"),
    ("cert-manager.io/certificate-name", "tls"),
    ("external-secrets.io/managed", "true"),
    ("reflector.v1.k8s.emberstack.com/reflection-allowed", "true"),
    ("replicator.v1.mittwald.de/replicate-to", "all"),
    ("vault.hashicorp.com/agent-inject", "true"),
    ("secret.reloader.stakater.com/match", "true"),
    ("owner", "root"),
];

/// Type and keys of each format, as docs/outputs.md lists them: those of Binding and Env follow from the provider's.
fn listed(act: &cast::Act) -> Vec<(&'static str, &'static str, Vec<String>)> {
    let member = act.settings.as_object().and_then(|settings| settings.keys().next()).expect("one member");
    let prefix = member.to_uppercase();
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    // What Binding calls `type` and `uri` is no variable.
    let variables = act.keys.iter().filter(|key| !["type", "uri"].contains(key));
    let mut env: Vec<_> = variables.map(|key| format!("{prefix}_{}", key.replace('-', "_").to_uppercase())).collect();
    env.sort_unstable();
    vec![
        ("Binding", "servicebinding.io/connector", own(act.keys)),
        ("Env", "Opaque", env),
        ("Dotenv", "Opaque", own(&[".env"])),
        ("HTTP", "Opaque", own(&["base-url", "headers", "query"])),
        ("Curl", "Opaque", own(&["curlrc"])),
        ("Nexla", "Opaque", own(&["credential.json"])),
        ("Template", "Opaque", own(&["file"])),
    ]
}

fn marks() -> Value {
    HOSTILE.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect::<serde_json::Map<_, _>>().into()
}

/// Labels, annotations and finalizers of the credential and of its source are theirs, of whatever provider.
#[tokio::test(flavor = "multi_thread")]
async fn a08_nothing_of_a_credentials_metadata_reaches_its_outputs() {
    let stage = Stage::set("hostile-labels").await;
    futures::future::join_all(cast::all().map(|act| keeps_to_itself(&stage, act))).await;
    stage.finish().await;
}

async fn keeps_to_itself(stage: &Stage, act: cast::Act) {
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let name = |format: &str| format!("{}-{}", act.name, format.to_lowercase());
    let formats = listed(&act);
    let output = |format: &str| match format {
        "Template" => json!({"secretName": name(format), "format": format, "template": {"file": "$(apiKey)"}}),
        _ => json!({"secretName": name(format), "format": format}),
    };
    let outputs: Vec<_> = formats.iter().map(|(format, ..)| output(format)).collect();
    stage.declare(act.name, act.spec_with("outputs", json!(outputs))).await;
    let mut patch = json!({"metadata": {"labels": marks(), "annotations": marks()}});
    let merge = PatchParams::default();
    stage.secrets().patch(&act.source(), &merge, &Patch::Merge(&patch)).await.expect("it is there");
    patch["metadata"]["finalizers"] = json!(["example.com/stays"]);
    stage.credentials().patch(act.name, &merge, &Patch::Merge(&patch)).await.expect("it is there");
    let ready = stage.until_ready(act.name).await;
    // Written again, now that everything hostile is there.
    for (format, ..) in &formats {
        stage.delete_secret(&name(format)).await;
    }
    for (format, kind, listed) in &formats {
        let place = format!("{} {format}", act.name);
        let secret = stage.until_secret(&name(format), |_| true).await;
        let meta = &secret.metadata;
        let constant = [
            ("app.kubernetes.io/managed-by".to_owned(), "connector-operator".to_owned()),
            ("connector-operator.io/credential".to_owned(), act.name.to_owned()),
        ];
        assert_eq!(meta.labels, Some(BTreeMap::from(constant)), "{place}");
        assert_eq!((&meta.annotations, &meta.finalizers, &meta.generate_name), (&None, &None, &None), "{place}");
        let owners = meta.owner_references.as_deref().unwrap_or_default();
        assert_eq!(owners.len(), 1, "{place}");
        assert_eq!((Some(&owners[0].uid), owners[0].controller), (ready.metadata.uid.as_ref(), Some(true)), "{place}");
        assert_eq!(owners[0].block_owner_deletion, None, "{place}: its owner's finalizers hold up nobody else");
        assert_eq!((secret.type_.as_deref(), secret.immutable), (Some(*kind), None), "{place}");
        assert_eq!(keys(&secret), listed.iter().map(String::as_str).collect::<Vec<_>>(), "{place}");
    }
    let binding = stage.secret(&name("binding")).await.expect("it is there");
    assert_eq!(value(&binding, "api-key").as_deref(), Some(issued.key.as_str()));
    let free = json!({"metadata": {"finalizers": null}});
    stage.credentials().patch(act.name, &merge, &Patch::Merge(&free)).await.expect("it is there");
}
