//! Are the examples what a user may apply as they are?

use super::admission::create;
use crate::support::bed::bed;
use connector_operator::api::ConnectorCredential;
use connector_operator::providers::ProviderKind;
use k8s_openapi::api::core::v1::Secret;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
}

/// What stands in `examples/` under these names: text by provider.
fn files(folder: &str) -> BTreeMap<String, String> {
    let read = |kind: &ProviderKind| {
        let file = directory().join(folder).join(format!("{}.yaml", kind.member()));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (kind.member().to_owned(), text)
    };
    ProviderKind::ALL.iter().map(read).collect()
}

#[test]
fn each_example_is_of_its_provider_and_finds_its_key() {
    let secrets = files("secrets");
    for (provider, text) in files("") {
        let example: ConnectorCredential = serde_saphyr::from_str(&text).expect("a ConnectorCredential");
        let secret: Secret = serde_saphyr::from_str(&secrets[&provider]).expect("a Secret");
        let chosen = example.spec.provider.chosen().expect("one provider");
        assert_eq!(chosen.profile().member, provider);
        assert_eq!((example.metadata.namespace, secret.metadata.namespace), (None, None), "{provider}");
        assert_eq!(secret.metadata.name, Some(example.spec.key_secret_ref.name), "{provider}");
        let data = secret.string_data.expect("stringData");
        let key = &data[example.spec.key_secret_ref.key.as_deref().unwrap_or("api-key")];
        assert!(key.contains("EXAMPLE"), "{provider}: a placeholder must be plain to see");
        assert!(text.starts_with("# ") && secrets[&provider].starts_with("# "), "{provider}: a header explains");
    }
}

#[tokio::test]
async fn the_examples_are_accepted() {
    let bed = bed().await;
    let namespace = bed.namespace("examples").await;
    for (provider, text) in files("") {
        let manifest = serde_saphyr::from_str(&text).expect("YAML");
        if let Err((code, message)) = create(&bed.client, &namespace, &manifest).await {
            panic!("{provider} is refused with {code}: {message}");
        }
    }
    let (plane, folder) = (bed.plane, directory().join("secrets"));
    let apply =
        ["apply", "--validate=strict", "--namespace", &namespace, "--filename", folder.to_str().expect("UTF-8")];
    let output = plane.kubectl(&apply).expect("kubectl can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
