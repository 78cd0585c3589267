//! `verify`: right verdicts without a cluster.

use super::{ctl, ctl_with, write};
use crate::simulator::{NewKey, Options, Provider, Simulator, Switches};
use crate::support::canary::{Canary, find};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
const COMPANY: &str = "3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b90";
const KEYS: [(Provider, &str, &str); 5] = [
    (Provider::InFlow, "inflow", COMPANY),
    (Provider::Flowlu, "flowlu", "mycompany"),
    (Provider::ZenFlow, "zenflow", ""),
    (Provider::Flow, "flow", ""),
    (Provider::Aventri, "aventri", "12345@na"),
];

/// A simulator that knows a key of each provider, and the examples with these keys.
struct Scene {
    simulator: Simulator,
    directory: tempfile::TempDir,
    keys: Vec<String>,
}

impl Scene {
    async fn set() -> Self {
        let simulator = Simulator::start(Options::default()).await.expect("loopback has free ports");
        simulator.set_switches(Switches { limits: false, ..Switches::default() });
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        write(directory.path(), "config.yaml", &simulator.config_yaml());
        let mut keys = Vec::new();
        for (provider, name, account) in KEYS {
            let scopes = ["read:orders", "read:products", "read:stock", "write:orders", "write:stock"];
            let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let key = simulator.add_key(NewKey { scopes, ..NewKey::of(provider, account) }).key;
            let example = std::fs::read_to_string(format!("{EXAMPLES}/{name}.yaml")).expect("an example");
            write(directory.path(), &format!("examples/{name}.yaml"), &example);
            write(directory.path(), &format!("examples/secrets/{name}.yaml"), &secret(&format!("{name}-key"), &key));
            keys.push(key);
        }
        Self { simulator, directory, keys }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn verify(&self, more: &[&str]) -> super::Run {
        let (config, examples) = (self.path("config.yaml"), self.path("examples"));
        ctl(&[&["verify", "-f", &examples, "--config", &config], more].concat())
    }

    fn no_key_in(&self, text: &str) {
        let canaries: Vec<_> = self.keys.iter().map(|key| Canary::new("key", key)).collect();
        let public =
            ["inflow-EXAMPLE-", "flowlu+EXAMPLE/", "zenflow_live_EXAMPLE_", "flow-EXAMPLE-", "aventri-EXAMPLE-"];
        let canaries: Vec<_> = canaries
            .into_iter()
            .zip(&self.keys)
            .map(|(canary, key)| match public.iter().find(|start| key.starts_with(**start)) {
                Some(start) => canary.with_public_prefix(start),
                None => canary,
            })
            .collect();
        assert_eq!(find(text.as_bytes(), &canaries), [], "{text}");
    }
}

fn secret(name: &str, key: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n  api-key: {key}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_proved_without_a_cluster() {
    let scene = Scene::set().await;
    let run = scene.verify(&[]).ended(0);
    for name in ["inventory", "crm", "erp", "leisure", "events"] {
        let line = run.out.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(line.contains("True") && line.ends_with("Ready"), "{name}: {}", run.out);
    }
    assert!(run.out.lines().all(|line| line.len() <= 80), "{}", run.out);
    scene.no_key_in(&run.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_key_is_one_line_that_says_what_to_do() {
    let scene = Scene::set().await;
    write(
        scene.directory.path(),
        "examples/secrets/flowlu.yaml",
        &secret("flowlu-key", "wrongEXAMPLE0123456789abcdef"),
    );
    let run = scene.verify(&[]).ended(1);
    let lines: Vec<_> = run.out.lines().filter(|line| line.contains("KeyRejected: ")).collect();
    let [line] = lines.as_slice() else { panic!("one line: {}", run.out) };
    assert!(
        line.starts_with(&format!(
            "{}:15: crm: KeyRejected: Flowlu refused the key.",
            scene.path("examples/flowlu.yaml")
        )),
        "{line}"
    );
    assert!(
        run.out.lines().filter(|line| line.ends_with("Ready") && line.contains("True")).count() == 4,
        "{}",
        run.out
    );
    assert!(!run.all().contains("wrongEXAMPLE"), "{}", run.all());
    assert!(run.out.contains("another and put it into the Secret."), "the remedy: {}", run.out);
    let run = scene.verify(&["-o", "github"]).ended(1);
    assert_eq!(run.out.lines().filter(|line| line.starts_with("::")).count(), 1, "only problems: {}", run.out);
    assert!(run.out.contains(",line=15,title=crm%3A KeyRejected::Flowlu refused the key."), "{}", run.out);
    let run = scene.verify(&["-o", "junit"]).ended(1);
    assert!(
        run.out.contains("tests=\"5\" failures=\"1\"") && run.out.contains("<failure type=\"KeyRejected\""),
        "{}",
        run.out
    );
    let run = scene.verify(&["-o", "json"]).ended(1);
    let all: Vec<Value> = serde_json::from_str(&run.out).expect("JSON");
    assert!(all.iter().any(|one| one["name"] == "crm" && one["ready"] == "False" && one["line"] == 15), "{}", run.out);
    scene.verify(&["-o", "yaml"]).ended(1);
    scene.verify(&["-o", "xml"]).ended(2);
    scene.no_key_in(&run.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_variables_and_manifests_from_standard_input() {
    let scene = Scene::set().await;
    let config = scene.path("config.yaml");
    let manifest = std::fs::read_to_string(format!("{EXAMPLES}/flowlu.yaml")).expect("an example");
    let verify = ["verify", "-f", "-", "--config", &config];
    let run = ctl_with(&verify, &manifest, &[]).ended(1);
    let helps = run.out.contains("stdin:15: crm: SecretNotFound: ") && run.out.contains("--key-from-env crm=VARIABLE");
    assert!(helps, "{}", run.out);
    let by_variable = [&verify[..], &["--key-from-env", "crm=CRM_KEY"]].concat();
    let run = ctl_with(&by_variable, &manifest, &[("CRM_KEY", &scene.keys[1])]).ended(0);
    scene.no_key_in(&run.all());
    for (variables, said) in [(&[][..], "CRM_KEY is not set"), (&[("CRM_KEY", "")], "CRM_KEY is empty")] {
        let run = ctl_with(&by_variable, &manifest, variables).ended(2);
        assert!(run.err.contains(said), "{}", run.err);
    }
    let mistyped = [&verify[..], &["--key-from-env", "crmm=CRM_KEY"]].concat();
    let run = ctl_with(&mistyped, &manifest, &[("CRM_KEY", &scene.keys[1])]).ended(2);
    assert!(run.err.contains("no ConnectorCredential crmm"), "{}", run.err);
    let list = format!("apiVersion: v1\nkind: List\nitems:\n- {}", manifest.replace('\n', "\n  "));
    ctl_with(&by_variable, &list, &[("CRM_KEY", &scene.keys[1])]).ended(0);
    let run = ctl_with(&verify, "kind: Deployment\n", &[]).ended(1);
    assert!(run.err.contains("there is no ConnectorCredential") && run.err.contains("kustomize"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_known_is_not_good() {
    let scene = Scene::set().await;
    drop(scene.simulator);
    let (config, examples) =
        (scene.directory.path().join("config.yaml"), scene.directory.path().join("examples/flowlu.yaml"));
    let secrets = scene.directory.path().join("examples/secrets/flowlu.yaml");
    let [config, examples, secrets]: [PathBuf; 3] = [config, examples, secrets];
    let paths = [config, examples, secrets].map(|path| path.display().to_string());
    let started = std::time::Instant::now();
    let run = ctl(&["verify", "-f", &paths[1], &paths[2], "--config", &paths[0]]).ended(1);
    assert!(run.out.contains("Unknown") && run.out.contains("ProviderUnavailable"), "{}", run.out);
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_read_matters_to_who_needs_it() {
    let scene = Scene::set().await;
    let (config, key) = (scene.path("config.yaml"), scene.keys[1].as_str());
    let manifest = std::fs::read_to_string(format!("{EXAMPLES}/flowlu.yaml")).expect("an example");
    let secret =
        |rest: &str| format!("{manifest}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: flowlu-key}}\n{rest}");
    let verify = ["verify", "-f", "-", "--config", &config];
    let by_variable = [&verify[..], &["--key-from-env", "crm=CRM_KEY"]].concat();
    let encrypted = "stringData: {api-key: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: x}\n";
    for (rest, said) in [("data: {api-key: '**'}\n", "must be base64"), (encrypted, "encrypted with SOPS")] {
        let calls = scene.simulator.ledger(&crate::simulator::LedgerFilter::default()).len();
        let run = ctl_with(&verify, &secret(rest), &[]).ended(1);
        assert!(run.out.contains("stdin:20: flowlu-key: ") && run.out.contains(said), "{}", run.out);
        let asked = scene.simulator.ledger(&crate::simulator::LedgerFilter::default()).len();
        assert_eq!(asked, calls, "what is no key is shown to nobody");
        ctl_with(&by_variable, &secret(rest), &[("CRM_KEY", key)]).ended(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_repository_is_read_and_each_key_is_asked_about_once() {
    let scene = Scene::set().await;
    let manifest = std::fs::read_to_string(format!("{EXAMPLES}/flowlu.yaml")).expect("an example");
    let many: String =
        (0..1200).map(|number| manifest.replace("name: crm", &format!("name: crm-{number}")) + "\n---\n").collect();
    let all = many + &secret("flowlu-key", &scene.keys[1]);
    let run = ctl_with(&["verify", "-f", "-", "--config", &scene.path("config.yaml")], &all, &[]).ended(0);
    assert_eq!(run.out.lines().filter(|line| line.ends_with("Ready")).count(), 1200, "{}", run.err);
    assert_eq!(scene.simulator.ledger(&crate::simulator::LedgerFilter::default()).len(), 1);
}

#[test]
fn what_is_not_there_is_said_so() {
    let run = ctl(&["verify", "-f", "/nonexistent"]).ended(1);
    assert!(
        run.err.starts_with("error: cannot read /nonexistent: there is no such file") && run.err.contains("hint: "),
        "{}",
        run.err
    );
    ctl(&["verify"]).ended(2);
    ctl(&["verify", "-f", "-", "--key-from-env", "x"]).ended(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_repeat_stand_beside_their_files() {
    let scene = Scene::set().await;
    assert!(!scene.verify(&[]).ended(0).out.contains("FILE"), "one of each name");
    let manifest = std::fs::read_to_string(format!("{EXAMPLES}/flowlu.yaml")).expect("an example");
    write(scene.directory.path(), "examples/variants/other.yaml", &manifest);
    let run = scene.verify(&[]).ended(0);
    let rows: Vec<_> = run.out.lines().filter(|line| line.starts_with("crm ")).collect();
    let both = [scene.path("examples/flowlu.yaml"), scene.path("examples/variants/other.yaml")];
    assert!(rows.iter().zip(&both).all(|(row, file)| row.ends_with(file)) && rows.len() == 2, "{}", run.out);
}
