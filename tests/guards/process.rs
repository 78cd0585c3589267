//! What does the process accept from around it, and what does it leave behind? The unmodified program, started wrongly
//! and in a hostile environment.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use rustix::process::Signal;

use crate::controller::cast;
use crate::simulator::LedgerFilter;
use crate::support::bed::bed;
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::stage::{SOON, Stage};

/// Where no key may go, and the words that say so.
const UNSAFE: [(&str, &str); 14] = [
    ("http://api.zenflow.com.ar", "must start with https://"),
    ("https://10.0.0.1", "is a private address"),
    ("https://192.168.1.1:8443/api", "is a private address"),
    ("https://[fd00::1]", "is a private address"),
    ("https://100.64.0.1", "is a private address"),
    ("https://169.254.169.254/latest/meta-data", "is a link-local"),
    ("https://2852039166", "is a link-local"),
    ("https://0xa9.0xfe.0xa9.0xfe", "is a link-local"),
    ("https://[::ffff:169.254.169.254]", "is an IPv4 address"),
    ("https://[fe80::1]", "is a link-local"),
    ("https://0.0.0.0", "is a link-local"),
    ("https://user:pass@api.zenflow.com.ar", "holds a user name"),
    ("https://api.zenflow.com.ar?q=1", "holds a query"),
    ("https://api.zenflow.com.ar/a/../b", "must be written plainly"),
];

/// How it ended, and what it said, with this configuration.
async fn started_with(directory: &Path, config: &str) -> (Option<i32>, String) {
    let bed = bed().await;
    let file = directory.join("config.yaml");
    std::fs::write(&file, config).expect("it can be written");
    let kubeconfig = bed.plane.kubeconfig();
    let args = vec![
        format!("--config={}", file.display()),
        format!("--kubeconfig={}", kubeconfig.display()),
        "--metrics-address=0".to_owned(),
        "--health-address=127.0.0.1:0".to_owned(),
    ];
    let mut operator = Operator::spawn(&bed, &OperatorOptions { args, environment: Vec::new() }).expect("it starts");
    let ended = tokio::task::block_in_place(|| operator.wait(SOON)).expect("it can be waited for");
    (ended.and_then(|status| status.code()), operator.log())
}

#[tokio::test(flavor = "multi_thread")]
async fn a04_an_unsafe_endpoint_is_refused_at_start() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    for (endpoint, says) in UNSAFE {
        let config = format!("providers:\n  zenflow: {{endpoint: '{endpoint}'}}\n");
        let (code, log) = started_with(directory.path(), &config).await;
        assert_eq!(code, Some(1), "{endpoint}: {log}");
        assert!(log.contains("providers.zenflow.endpoint") && log.contains(says), "{endpoint}: {log}");
        assert!(!log.contains("user:pass"), "{log}");
    }
}

/// Proxies, overrides and key logs that an environment may name: all lead to the decoy, or to a file.
#[tokio::test(flavor = "multi_thread")]
async fn a04_an_environment_full_of_decoys_is_not_read() {
    let mut stage = Stage::set("decoys").await;
    stage.operator.kill().expect("it can be killed");
    let decoy = stage.simulator.decoy();
    let address = decoy.trim_start_matches("http://").to_owned();
    let (host, port) = address.split_once(':').expect("host and port");
    let key_log = stage.directory().join("tls-keys").display().to_string();
    let mut environment = vec![
        ("KUBE_RS_DEBUG_OVERRIDE_URL", decoy.as_str()),
        ("KUBE_RS_DEBUG_IMPERSONATE_USER", "nobody"),
        ("KUBE_RS_DEBUG_IMPERSONATE_GROUP", "nobodies"),
        ("KUBERNETES_SERVICE_HOST", host),
        ("KUBERNETES_SERVICE_PORT", port),
        ("KUBECONFIG", "/nonexistent"),
        ("SSLKEYLOGFILE", &key_log),
        ("NO_PROXY", ""),
        ("RUST_LOG", "trace"),
    ];
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        environment.push((name, &decoy));
    }
    stage.operator = stage.another_operator_in(&environment, &[]).await;
    for act in cast::all() {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_ready(act.name).await;
    }
    assert_eq!(stage.simulator.decoy_hits(), 0, "somebody asked the decoy");
    assert!(!Path::new(&key_log).exists(), "the keys of TLS sessions were written down");
    let log = stage.operator.log();
    let mut others = log.lines().filter(|line| !line.contains("\"target\":\"connector_operator"));
    assert_eq!(others.next(), None, "the environment made a library speak");
    stage.finish().await;
}

/// Header names that a request of each provider has, and no others: no Referer, no Cookie, no credentials of Kubernetes'.
#[tokio::test(flavor = "multi_thread")]
async fn a03_a_request_carries_the_one_key_where_it_is_documented_and_nothing_else() {
    let stage = Stage::set("requests").await;
    for act in cast::all() {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_ready(act.name).await;
        let rows = stage.simulator.ledger(&LedgerFilter { provider: Some(act.provider), ..LedgerFilter::default() });
        assert!(!rows.is_empty());
        for row in rows {
            let carries = match act.name {
                "inventory" | "leisure" => "authorization",
                "erp" => "x-api-key",
                _ => "",
            };
            let mut names: Vec<_> = row.header_names.iter().map(String::as_str).collect();
            names.retain(|name| !["accept", "user-agent", "host", "content-type", "content-length"].contains(name));
            let expected: Vec<_> = Some(carries).filter(|name| !name.is_empty()).into_iter().collect();
            assert_eq!(names, expected, "{}: {row:?}", act.name);
            assert_eq!(row.key_hash.as_deref(), Some(issued.hash.as_str()), "another key: {row:?}");
            assert_eq!(row.user_agent.as_deref(), Some(concat!("connector-operator/", env!("CARGO_PKG_VERSION"))));
        }
    }
    stage.finish().await;
}

/// A key is in its memory; neither a core file nor another process may get at it.
#[tokio::test(flavor = "multi_thread")]
async fn a01_a_process_that_is_aborted_leaves_no_core() {
    let mut stage = Stage::set("core").await;
    let act = cast::zenflow();
    let issued = stage.issue(act.new_key());
    stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
    stage.declare(act.name, act.spec()).await;
    stage.until_ready(act.name).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", stage.operator.id())).expect("it runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("there is such a limit");
    let values: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(values, ["0", "0"], "{core}");
    stage.operator.signal(Signal::ABORT).expect("it runs");
    let status = tokio::task::block_in_place(|| stage.operator.wait(SOON)).expect("it can be waited for");
    let status = status.expect("it ends");
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
    stage.operator = stage.another_operator(&[]).await;
    stage.until_ready(act.name).await;
    stage.finish().await;
}
