//! Do kubectl's flags and variables choose cluster, user and patience, as kubectl's users expect?

use super::{Cluster, command, ctl, ctl_with, run, write};
use crate::support::bed::bed;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The administrator's kubeconfig, with a cluster that is not there and a user that nobody knows beside.
fn crowded(kubeconfig: &str) -> Value {
    let text = std::fs::read_to_string(kubeconfig).expect("the control plane's own");
    let mut file: Value = serde_json::from_str(&text).expect("JSON");
    let more = |list: &mut Value, entry: Value| list.as_array_mut().expect("a list").push(entry);
    more(&mut file["clusters"], json!({"name": "gone", "cluster": {"server": "https://127.0.0.1:1"}}));
    more(&mut file["users"], json!({"name": "nobody", "user": {"token": "unknown"}}));
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_and_user_are_chosen_by_name() {
    let bed = bed().await;
    let namespace = bed.namespace("flags").await;
    let cluster = Cluster::of(&bed, &namespace);
    cluster.create(&bed, "erp").await;
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let file = crowded(&cluster.kubeconfig);
    let (known, user) = (file["clusters"][0]["name"].clone(), file["users"][0]["name"].clone());
    let (known, user) = (known.as_str().expect("a name"), user.as_str().expect("a name"));
    let crowded = Cluster { kubeconfig: write(directory.path(), "crowded", &file.to_string()), namespace };
    for (flags, code, said) in [
        (["--cluster", known, "--user", user], 0, "\nerp "),
        (["--cluster", "gone", "--user", user], 1, "the API server is unavailable: the connection is refused"),
        (["--cluster", "gone", "--user", user], 1, "it was sought at https://127.0.0.1:1\n"),
        (["--cluster", known, "--user", "nobody"], 1, "not authenticated (401)"),
        (["--cluster", "nope", "--user", user], 1, "kubeconfig has no cluster nope"),
        (["--cluster", known, "--user", "nope"], 1, "kubeconfig has no user nope"),
        (["--context", "nope", "--user", user], 1, "no complete context nope"),
    ] {
        let run = crowded.ctl(&[&["list"], &flags[..]].concat()).ended(code);
        assert!(run.all().contains(said), "{flags:?}: {}", run.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_variable_are_merged_and_absent_ones_passed_over() {
    let bed = bed().await;
    let namespace = bed.namespace("merged").await;
    let cluster = Cluster::of(&bed, &namespace);
    cluster.create(&bed, "erp").await;
    let listed = format!("/nonexistent:{}", cluster.kubeconfig);
    let run = ctl_with(&["list", "-n", &namespace], "", &[("KUBECONFIG", &listed)]).ended(0);
    assert!(run.out.contains("\nerp "), "{}", run.all());
    let run = ctl_with(&["list"], "", &[("KUBECONFIG", "/nonexistent")]).ended(1);
    assert!(run.err.contains("cannot read kubeconfig /nonexistent: there is no such file"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acts_as_somebody_else_has_their_rights() {
    let bed = bed().await;
    let namespace = bed.namespace("acting").await;
    let cluster = Cluster::of(&bed, &namespace);
    cluster.create(&bed, "erp").await;
    let run = cluster.ctl(&["list", "--as", "nobody", "--as-group", "staff"]).ended(1);
    let helps = run.err.contains("you lack the right") && run.err.contains(" --as nobody --as-group staff\n");
    assert!(helps, "{}", run.err);
    let run = cluster.ctl(&["list", "--as", "nobody", "--as-group", "staff", "--as-group", "system:masters"]).ended(0);
    assert!(run.out.contains("\nerp "), "{}", run.out);
    cluster.ctl(&["list", "--as-group", "system:masters"]).ended(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_selected_and_wrong_ones_explained() {
    let bed = bed().await;
    let namespace = bed.namespace("fields").await;
    let cluster = Cluster::of(&bed, &namespace);
    cluster.create(&bed, "erp").await;
    let select = |fields: &str| cluster.ctl(&["list", "-o", "name", "--field-selector", fields]);
    assert!(select("spec.keySecretRef.name=erp-key").ended(0).out.ends_with("/erp\n"));
    assert_eq!(select("spec.keySecretRef.name=other").ended(0).out, "");
    let none = cluster.ctl(&["list", "--field-selector", "status.provider=zenflow"]).ended(0);
    assert!(none.err.starts_with("None of the 1 ConnectorCredentials in namespace "), "{}", none.err);
    assert!(none.err.contains("status.provider is one of InFlow, Flowlu, ZenFlow, Flow, Aventri\n"), "{}", none.err);
    let none = cluster.ctl(&["list", "-l", "team=erp"]).ended(0);
    assert!(
        none.err.contains("matches -l 'team=erp'.") && none.err.contains("connectorctl list -A -l "),
        "{}",
        none.err
    );
    let none = cluster.ctl(&["list", "-A", "-l", "team=nobody"]).ended(0);
    assert!(none.err.contains("in the cluster matches") && !none.err.contains("list -A"), "{}", none.err);
    let run = select("spec.description=x").ended(1);
    assert!(run.err.contains("metadata.name, spec.keySecretRef.name, spec.suspend, status.provider"), "{}", run.err);
}

/// A kubeconfig of a server of ours.
fn kubeconfig_of(listener: &TcpListener, directory: &Path) -> String {
    let server = format!("http://{}", listener.local_addr().expect("an address"));
    let file = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a", "users": [],
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": ""}}],
    });
    write(directory, "kubeconfig", &file.to_string())
}

/// A kubeconfig of a server that takes connections and never answers.
fn silent(directory: &Path) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let kubeconfig = kubeconfig_of(&listener, directory);
    (listener, kubeconfig)
}

#[test]
fn a_cluster_without_the_definition_is_told_what_to_install() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let (listener, kubeconfig) = silent(directory.path());
    // What the API server says of a kind that it does not know. The thread ends with the test process.
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 8192];
            drop(connection.read(&mut request));
            let body = "404 page not found\n";
            let head = "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\nconnection: close";
            drop(connection.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()));
        }
    });
    for command in
        [&["list"][..], &["status", "erp"], &["suspend", "erp"], &["reconcile", "erp", "--wait"], &["report"]]
    {
        let run = ctl(&[command, &["--kubeconfig", &kubeconfig]].concat()).ended(1);
        let helps = run.err.contains("the cluster does not know ConnectorCredentials")
            && run.err.contains("hint: connectorctl crd | kubectl apply --server-side -f -\n");
        assert!(helps && !run.err.contains("page"), "{command:?}: {}", run.all());
    }
}

#[test]
fn where_it_cannot_be_counted_how_many_there_are_nobody_says_that_there_are_none() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let (listener, kubeconfig) = silent(directory.path());
    // Nothing matches, and the question without the selector is refused.
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 8192];
            let length = connection.read(&mut request).unwrap_or_default();
            let matching = String::from_utf8_lossy(&request[..length]).contains("labelSelector=");
            let (code, body) = if matching {
                ("200 OK", json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}))
            } else {
                ("403 Forbidden", json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403}))
            };
            let (head, body) = (format!("HTTP/1.1 {code}\r\nconnection: close"), body.to_string());
            drop(connection.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()));
        }
    });
    let run = ctl(&["list", "-l", "team=data", "--kubeconfig", &kubeconfig]).ended(1);
    assert!(
        run.err.contains("cannot count ConnectorCredentials") && !run.all().contains("No Connector"),
        "{}",
        run.all()
    );
}

#[test]
fn a_request_takes_no_longer_than_it_may() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let (_listener, kubeconfig) = silent(directory.path());
    let started = Instant::now();
    let run = ctl(&["list", "--kubeconfig", &kubeconfig, "--request-timeout", "1"]).ended(1);
    assert!(run.err.contains("no answer in time"), "{}", run.err);
    assert!(started.elapsed() >= Duration::from_secs(1) && started.elapsed() < Duration::from_secs(15));
    ctl(&["list", "--kubeconfig", &kubeconfig, "--request-timeout", "soon"]).ended(2);
}

#[test]
fn ctrl_c_ends_a_command_as_a_shell_expects() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let (listener, kubeconfig) = silent(directory.path());
    // Whoever runs the tests in the background may have them ignore it, and `connectorctl` as well.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_connectorctl")]);
    command.args(["list", "--kubeconfig", &kubeconfig, "--request-timeout", "0"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary was built");
    let _asked = listener.accept().expect("it waits for an answer");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let status = child.wait().expect("it ends");
    // A shell says 130 of it, and ends its own loops.
    assert_eq!(status.signal(), Some(2), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_follow_flag_variables_and_terminal() {
    let bed = bed().await;
    let namespace = bed.namespace("colours").await;
    let cluster = Cluster::of(&bed, &namespace);
    cluster.create(&bed, "erp").await;
    let place = ["list", "--kubeconfig", &cluster.kubeconfig, "-n", &namespace];
    let coloured = |more: &[&str], variables: &[(&str, &str)]| {
        ctl_with(&[&place[..], more].concat(), "", variables).ended(0).out.contains('\u{1b}')
    };
    assert!(!coloured(&[], &[]), "a pipe is no terminal");
    assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]), "the flag wins");
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!coloured(&["--color=never"], &[("CLICOLOR_FORCE", "1")]));
    let mut errors = command();
    errors.args(["list", "--color=always"]);
    assert!(run(errors, "").ended(1).err.starts_with("\u{1b}[31merror: "));
}
