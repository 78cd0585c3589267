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

/// The keys of each format for ZenFlow, as docs/outputs.md lists them.
fn listed(act: &cast::Act) -> Vec<(&'static str, &'static str, Vec<String>)> {
    let env =
        ["ACCEPT", "API_KEY", "BASE_URL", "ENVIRONMENT", "HEADER_NAME", "HEADER_VALUE", "HOST", "PROVIDER", "SCOPES"];
    let plain = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    vec![
        ("Binding", "servicebinding.io/connector", act.keys.iter().map(|key| (*key).to_owned()).collect()),
        ("Env", "Opaque", env.iter().map(|name| format!("ZENFLOW_{name}")).collect()),
        ("Dotenv", "Opaque", plain(&[".env"])),
        ("HTTP", "Opaque", plain(&["base-url", "headers", "query"])),
        ("Curl", "Opaque", plain(&["curlrc"])),
        ("Nexla", "Opaque", plain(&["credential.json"])),
    ]
}

fn marks() -> Value {
    HOSTILE.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect::<serde_json::Map<_, _>>().into()
}

/// Labels, annotations and finalizers of the credential are its own.
#[tokio::test(flavor = "multi_thread")]
async fn a08_nothing_of_a_credentials_metadata_reaches_its_outputs() {
    let stage = Stage::set("hostile-labels").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    let name = |format: &str| format!("out-{}", format.to_lowercase());
    let formats = listed(&act);
    let outputs: Vec<_> =
        formats.iter().map(|(format, ..)| json!({"secretName": name(format), "format": format})).collect();
    stage.declare(act.name, act.spec_with("outputs", json!(outputs))).await;
    let patch = json!({"metadata": {"labels": marks(), "annotations": marks()}});
    let source = PatchParams::default();
    stage.credentials().patch(act.name, &source, &Patch::Merge(&patch)).await.expect("it is there");
    stage.secrets().patch(&act.source(), &source, &Patch::Merge(&patch)).await.expect("it is there");
    let ready = stage.until_ready(act.name).await;
    // Written again, now that everything hostile is there.
    for (format, ..) in &formats {
        stage.delete_secret(&name(format)).await;
    }
    for (format, kind, listed) in &formats {
        let secret = stage.until_secret(&name(format), |_| true).await;
        let meta = &secret.metadata;
        let constant = [
            ("app.kubernetes.io/managed-by".to_owned(), "connector-operator".to_owned()),
            ("connector-operator.io/credential".to_owned(), act.name.to_owned()),
        ];
        assert_eq!(meta.labels, Some(BTreeMap::from(constant)), "{format}");
        assert_eq!((&meta.annotations, &meta.finalizers, &meta.generate_name), (&None, &None, &None), "{format}");
        let owners = meta.owner_references.as_deref().unwrap_or_default();
        assert_eq!(owners.len(), 1, "{format}");
        assert_eq!((Some(&owners[0].uid), owners[0].controller), (ready.metadata.uid.as_ref(), Some(true)));
        assert_eq!((secret.type_.as_deref(), secret.immutable), (Some(*kind), None), "{format}");
        assert_eq!(keys(&secret), listed.iter().map(String::as_str).collect::<Vec<_>>(), "{format}");
    }
    let binding = stage.secret("out-binding").await.expect("it is there");
    assert_eq!(value(&binding, "api-key").as_deref(), Some(issued.key.as_str()));
    stage.finish().await;
}
