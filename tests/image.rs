//! Is the image what its script promises? Layout, contents, user, labels; two builds, one digest. `image/check` builds the
//! real programs, which takes minutes, and starts them; with them the test that is left out here goes on.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use connector_operator::api::ConditionType;
use serde_json::{Value, json};

use crate::controller::cast;
use crate::simulator::{self, Certificate, LedgerFilter, Simulator};
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::stage::Stage;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs the script with stand-ins for the programs; the digest that it prints.
fn build(directory: &Path, layout: &str, platforms: &[&str]) -> String {
    for program in ["connector-operator", "connectorctl"] {
        fs::write(directory.join(program), format!("stands for {program}")).expect("writable");
    }
    fs::write(directory.join("roots.pem"), "-----BEGIN CERTIFICATE-----\n").expect("writable");
    let mut command = Command::new(repository("image/build"));
    command.arg("--output").arg(directory.join(layout)).arg("--certificates").arg(directory.join("roots.pem"));
    for platform in platforms {
        command.arg("--binaries").arg(format!("{platform}={}", directory.display()));
    }
    let output = command.env("SOURCE_DATE_EPOCH", "1700000000").output().expect("there is a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// A blob, whose name must be its digest.
fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let name = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest");
    let bytes = fs::read(layout.join("blobs/sha256").join(name)).expect("every descriptor has its blob");
    assert_eq!(descriptor["size"], bytes.len());
    assert_eq!(sha256(&bytes), name);
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn json_blob(layout: &Path, descriptor: &Value) -> Value {
    serde_json::from_slice(&blob(layout, descriptor)).expect("JSON")
}

fn tar(layout: &Path, descriptor: &Value, arguments: &[&str]) -> Vec<u8> {
    let name = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest");
    let output = Command::new("tar").args(arguments).arg(layout.join("blobs/sha256").join(name)).output();
    let output = output.expect("there is tar");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a41_the_layout_holds_what_it_names_and_nothing_else() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let digest = build(directory.path(), "layout", &["amd64", "arm64"]);
    let layout = directory.path().join("layout");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(layout.join(name)).expect("it is there")).expect("JSON")
    };
    assert_eq!(read("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}));
    let top = read("index.json");
    assert_eq!(top["manifests"][0]["digest"], digest);
    assert_eq!(top["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], env!("CARGO_PKG_VERSION"));
    let index = json_blob(&layout, &top["manifests"][0]);
    let manifests = index["manifests"].as_array().expect("manifests");
    let mut blobs = 1;
    for (entry, architecture) in manifests.iter().zip(["amd64", "arm64"]) {
        assert_eq!(entry["platform"], json!({"architecture": architecture, "os": "linux"}));
        let manifest = json_blob(&layout, entry);
        let config = json_blob(&layout, &manifest["config"]);
        let labels = &config["config"]["Labels"];
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Entrypoint"], json!(["/connector-operator"]));
        assert_eq!(config["architecture"], architecture);
        assert_eq!(config["created"], "2023-11-14T22:13:20Z");
        for label in ["title", "description", "source", "documentation", "version", "revision", "licenses", "created"] {
            assert!(labels[format!("org.opencontainers.image.{label}")].is_string(), "no label {label}");
        }
        let layers = manifest["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 1);
        blob(&layout, &layers[0]);
        let unpacked = tar(&layout, &layers[0], &["--to-stdout", "--extract", "--gzip", "--file"]);
        assert!(String::from_utf8_lossy(&unpacked).contains("stands for connectorctl"));
        let listing =
            tar(&layout, &layers[0], &["--list", "--verbose", "--numeric-owner", "--utc", "--gzip", "--file"]);
        let listing = String::from_utf8(listing).expect("text");
        let entries: Vec<Vec<&str>> = listing.lines().map(|line| line.split_whitespace().collect()).collect();
        let found: Vec<_> = entries.iter().map(|entry| (entry[0], entry[1], entry[5])).collect();
        let (readable, directory) = ("-r--r--r--", "drwxr-xr-x");
        let wanted = [
            ("-r-xr-xr-x", "0/0", "connector-operator"),
            ("-r-xr-xr-x", "0/0", "connectorctl"),
            (directory, "0/0", "etc/"),
            (readable, "0/0", "etc/group"),
            (readable, "0/0", "etc/passwd"),
            (directory, "0/0", "etc/ssl/"),
            (directory, "0/0", "etc/ssl/certs/"),
            (readable, "0/0", "etc/ssl/certs/ca-certificates.crt"),
        ];
        assert_eq!(found, wanted);
        assert!(entries.iter().all(|entry| entry[3] == "2023-11-14"), "{listing}");
        blobs += 2;
    }
    // The layer is the same for both, as the stand-ins are.
    let stored = fs::read_dir(layout.join("blobs/sha256")).expect("blobs").count();
    assert_eq!(stored, blobs + 1);
}

#[test]
fn two_builds_have_one_digest() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().expect("there is a temporary directory"));
    let digest = build(one.path(), "layout", &["amd64"]);
    assert_eq!(digest, build(other.path(), "elsewhere", &["amd64"]));
}

/// Everybody else's way makes the same image.
#[test]
fn the_dockerfile_says_the_same() {
    let file = fs::read_to_string(repository("Dockerfile")).expect("there is a Dockerfile");
    let (_, last) = file.rsplit_once("\nFROM ").expect("stages");
    assert!(last.starts_with("scratch\n"), "{last}");
    let path =
        ["/connector-operator", "/connectorctl", "/etc/ssl/certs/ca-certificates.crt", "/etc/passwd", "/etc/group"];
    for path in path {
        assert!(last.contains(&format!(" {path}\n")), "{path} is not copied");
    }
    assert!(
        last.contains("\nUSER 65532:65532\n") && last.contains("\nENTRYPOINT [\"/connector-operator\"]\n"),
        "{last}"
    );
}

/// Unpacks the image that `image/check` left.
fn unpack(root: &Path) {
    let layout = repository("target/image");
    let read = |name: &str| fs::read(layout.join(name)).expect("image/check leaves an image in target/image");
    let top: Value = serde_json::from_slice(&read("index.json")).expect("JSON");
    let index = json_blob(&layout, &top["manifests"][0]);
    let manifest = json_blob(&layout, &index["manifests"][0]);
    let to = root.to_str().expect("UTF-8");
    tar(&layout, &manifest["layers"][0], &["--directory", to, "--extract", "--same-permissions", "--gzip", "--file"]);
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// Puts a file into the unpacked image, as the kubelet mounts one.
fn mount(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    // What the image has may be read only.
    let _absent = fs::remove_file(&path);
    fs::write(&path, text).expect("it can be written to");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("it is ours");
}

async fn provider() -> Simulator {
    let options = simulator::Options { tls: true, certificate: Certificate::Good, ..simulator::Options::default() };
    Simulator::start(options).await.expect("loopback has free ports")
}

const ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, and the image that image/check builds; .ci/run"]
async fn a41_the_operator_of_the_image_trusts_its_own_roots_the_configured_ones_and_nobody_else() {
    let image = tempfile::tempdir().expect("there is a temporary directory");
    let root = image.path();
    unpack(root);
    let roots = fs::read_to_string(root.join(ROOTS)).expect("the image has roots");
    assert!(roots.matches("BEGIN CERTIFICATE").count() > 100, "the image has few roots");
    let (known, configured, unknown) = (provider().await, provider().await, provider().await);
    let pem = |simulator: &Simulator| simulator.ca_pem().expect("it serves TLS").to_owned();
    // One root more, behind all others: it is found where the image has them.
    mount(root, ROOTS, &format!("{roots}\n{}", pem(&known)));
    mount(root, "ca.pem", &pem(&configured));
    mount(root, "etc/hosts", "127.0.0.1 localhost\n");
    let config = format!(
        "providers:\n  inflow: {{endpoint: '{}/inflow'}}\n  zenflow: {{endpoint: '{}/zenflow/api/v1'}}\n  \
         flowlu: {{endpoint: '{}/flowlu/{{account}}'}}\ncaBundleFile: /ca.pem\n",
        known.base(),
        configured.base(),
        unknown.base(),
    );
    mount(root, "config.yaml", &config);
    let mut stage = Stage::set("image").await;
    stage.operator.kill().expect("it runs");
    mount(root, "kubeconfig", &fs::read_to_string(stage.directory().join("kubeconfig")).expect("it is ours"));
    let mut args =
        ["--kubeconfig=/kubeconfig", "--config=/config.yaml", "--log-format=json"].map(str::to_owned).to_vec();
    args.extend(["--metrics-address=127.0.0.1:0", "--health-address=127.0.0.1:0"].map(str::to_owned));
    args.push(format!("--watch-namespace={}", stage.namespace));
    let options = OperatorOptions { args, environment: Vec::new() };
    stage.operator = Operator::spawn_in_image(&stage.bed, root, &options).expect("there is chroot");
    for (act, provider) in [(cast::inflow(), &known), (cast::zenflow(), &configured), (cast::flowlu(), &unknown)] {
        let key = provider.add_key(act.new_key());
        stage.watch_for(&key.key);
        stage.put_secret(&act.source(), &[("api-key", &key.key)]).await;
        stage.declare(act.name, act.spec()).await;
    }
    stage.until_ready(cast::inflow().name).await;
    stage.until_ready(cast::zenflow().name).await;
    let refused = ("Unknown", "ProviderUnavailable");
    stage.until_is(cast::flowlu().name, ConditionType::Authenticated, refused).await;
    assert_eq!(unknown.ledger(&LedgerFilter::default()), [], "a request went to somebody whom nobody vouches for");
    stage.finish().await;
}
