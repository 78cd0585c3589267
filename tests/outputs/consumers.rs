//! Are the Deployments that the documents show accepted by the API server, and the same as the files?

use crate::controller::cast;
use crate::support::stage::{Stage, keys};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FORMATS: [&str; 7] = ["binding", "env", "dotenv", "http", "curl", "nexla", "template"];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn example(name: &str) -> String {
    text(&format!("examples/consumers/{name}.yaml"))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&example(name)).expect("it is YAML")
}

#[test]
fn the_documents_show_the_files() {
    let (outputs, readme) = (text("docs/outputs.md"), text("README.md"));
    for name in FORMATS.iter().chain(&["credential"]) {
        assert!(outputs.contains(&format!("```yaml\n{}```\n", example(name))), "docs/outputs.md shows {name}.yaml");
    }
    assert!(readme.contains(&format!("```yaml\n{}```\n", example("together/all"))), "README.md shows all.yaml");
    for name in FORMATS {
        assert!(readme.contains(&format!("(examples/consumers/{name}.yaml)")), "README.md links {name}.yaml");
    }
}

/// Names of Secrets, and of the files in them, that a Deployment expects.
fn consumed(deployment: &Value) -> BTreeSet<String> {
    let pod = &deployment["spec"]["template"]["spec"];
    let volumes = pod["volumes"].as_array().into_iter().flatten().map(|volume| &volume["secret"]["secretName"]);
    let containers = pod["containers"].as_array().expect("containers");
    let sources = containers.iter().flat_map(|container| container["envFrom"].as_array().into_iter().flatten());
    let names = volumes.chain(sources.map(|source| &source["secretRef"]["name"]));
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_has_a_deployment_that_consumes_what_is_published() {
    let stage = Stage::set("consumers").await;
    let act = cast::zenflow();
    let credential = yaml("credential");
    let issued = stage.issue(act.new_key());
    stage.put_secret("zenflow-key", &[("api-key", &issued.key)]).await;
    let folder = repository("examples/consumers").display().to_string();
    let (bed, namespace) = (stage.bed.clone(), stage.namespace.clone());
    let together = format!("{folder}/together");
    let arguments = ["--namespace", &namespace, "apply", "--dry-run=server", "--validate=strict", "-f", &folder];
    let arguments = [&arguments[..], &["-f", &together]].concat();
    let output = tokio::task::block_in_place(|| bed.plane.kubectl(&arguments)).expect("kubectl runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{complaint}");
    let accepted = String::from_utf8_lossy(&output.stdout);
    assert_eq!(accepted.lines().filter(|line| line.starts_with("deployment.apps/")).count(), 8, "{accepted}");
    let beside = std::fs::read_dir(&folder).expect("it is there").flatten();
    let beside = beside.filter(|entry| entry.path().is_file()).count();
    assert_eq!(beside, 8, "who applies the folder gets each workload once: seven, and the credential");

    stage.declare("erp", credential["spec"].clone()).await;
    stage.until_ready("erp").await;
    let mut published = BTreeMap::new();
    for format in FORMATS {
        let secret = stage.secret(&format!("erp-{format}")).await.expect("it is published");
        published.insert(format!("erp-{format}"), keys(&secret).join(" "));
    }
    for format in FORMATS {
        let consumed = consumed(&yaml(format));
        assert!(consumed.contains(&format!("erp-{format}")), "{format}.yaml consumes its format: {consumed:?}");
        let others = consumed.iter().filter(|name| *name != "nexla-session");
        assert!(others.clone().all(|name| published.contains_key(name)), "{format}.yaml: {consumed:?}");
    }
    let all = consumed(&yaml("together/all"));
    assert!(published.keys().all(|name| all.contains(name)), "all.yaml consumes each format: {all:?}");
    // Files that the examples name are in the Secrets that they mount.
    for (format, file) in
        [("dotenv", ".env"), ("curl", "curlrc"), ("nexla", "credential.json"), ("template", "app.ini")]
    {
        assert!(example(format).contains(&format!("/etc/erp/{file}")), "{format}.yaml names {file}");
        assert_eq!(published[&format!("erp-{format}")], file);
    }
    assert_eq!(published["erp-http"], "base-url headers query");
    stage.finish().await;
}
