use super::*;
use crate::clock::SystemClock;
use crate::error::{Class, Failure, Verb};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOKEN: &str = "sk_live_canary";

fn kubeconfig(cluster: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let path = directory.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: one\n\
         clusters: [{{name: one, cluster: {{{cluster}}}}}]\n\
         users: [{{name: one, user: {{token: {TOKEN}}}}}]\n\
         contexts: [{{name: one, context: {{cluster: one, user: one, namespace: team}}}}]\n"
    );
    std::fs::write(&path, text).expect("it can be written");
    (directory, path)
}

async fn refusal(path: &Path, context: Option<&str>) -> String {
    let error = config(Some(path), context).await.expect_err("it is refused");
    let text = format!("{error} {error:?}");
    assert!(!text.contains(TOKEN), "{text}");
    error.to_string()
}

#[tokio::test]
async fn the_given_file_is_read_and_nothing_else() {
    let (_directory, path) = kubeconfig("server: 'https://api.example:6443'");
    let config = config(Some(&path), None).await.expect("it is complete");
    assert_eq!(config.cluster_url, "https://api.example:6443");
    assert_eq!((config.default_namespace.as_str(), config.proxy_url), ("team", None));
    assert!(config.auth_info.impersonate.is_none() && config.auth_info.impersonate_groups.is_none());
}

/// Runs the test above once more, in an environment full of decoys.
#[test]
fn a04_the_environment_has_no_say() {
    let program = std::env::current_exe().expect("the test's own program");
    let mut again = Command::new(program);
    again.args(["--exact", "kubernetes::tests::the_given_file_is_read_and_nothing_else"]);
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "KUBE_RS_DEBUG_OVERRIDE_URL"] {
        again.env(name, "http://decoy.example:3128");
    }
    again.env("KUBE_RS_DEBUG_IMPERSONATE_USER", "decoy").env("KUBE_RS_DEBUG_IMPERSONATE_GROUP", "decoy");
    let output = again.output().expect("it can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_without_its_content() {
    let (directory, path) = kubeconfig("server: 'https://api.example', proxy-url: 'http://proxy.example'");
    assert_eq!(refusal(&path, None).await, "kubeconfig has a proxy-url, which is not supported");
    let (_unverified, path_of_unverified) = kubeconfig("server: 'https://api.example', insecure-skip-tls-verify: true");
    let said = refusal(&path_of_unverified, None).await;
    assert!(said.starts_with("kubeconfig has insecure-skip-tls-verify, which the operator does not accept"), "{said}");
    assert_eq!(refusal(&path, Some("two")).await, "kubeconfig has no complete context two");
    std::fs::write(&path, format!("token: [{TOKEN}")).expect("it can be written");
    assert_eq!(refusal(&path, None).await, format!("cannot parse kubeconfig {}, line 1", path.display()));
    let absent = directory.path().join("absent");
    assert!(refusal(&absent, None).await.ends_with("there is no such file"));
}

#[tokio::test]
async fn a_cluster_or_user_that_is_not_there_is_named() {
    let (directory, path) = kubeconfig("server: 'https://api.example'");
    let files = [directory.path().join("absent"), path];
    let choice = Choice { files: &files, ..Choice::default() };
    let found =
        chosen(Choice { cluster: Some("one"), user: Some("one"), ..choice }).await.expect("absent is passed over");
    assert_eq!(found.cluster_url, "https://api.example");
    for (choice, said) in [
        (Choice { cluster: Some("two"), ..choice }, "kubeconfig has no cluster two"),
        (Choice { user: Some("two"), ..choice }, "kubeconfig has no user two"),
        (Choice { files: &files[..1], ..choice }, "there is no such file"),
    ] {
        let error = chosen(choice).await.expect_err("it is refused");
        assert!(error.to_string().ends_with(said), "{error}");
    }
}

fn at(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("it has an address")
}

fn secrets(address: SocketAddr) -> Api<Secret> {
    secrets_at(&format!("http://{address}"))
}

fn secrets_at(url: &str) -> Api<Secret> {
    // Installed already by another test.
    rustls::crypto::ring::default_provider().install_default().ok();
    let url = url.parse().expect("a URL");
    let metrics = Arc::new(Metrics::new(Arc::new(SystemClock::new()), 1));
    Api::default_namespaced(client(Config::new(url), &metrics).expect("it can be built"))
}

async fn secret_of(address: SocketAddr) -> Failure {
    failure_at(&format!("http://{address}")).await
}

async fn failure_at(url: &str) -> Failure {
    let error = secrets_at(url).get("key").await.expect_err("it fails");
    Failure::new(Verb::Get, "secrets", &error)
}

#[tokio::test]
async fn nothing_is_tried_again_behind_our_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let asked = AtomicU32::new(0);
    let server = async {
        loop {
            let (mut connection, _) = listener.accept().await.expect("a connection");
            let read = connection.read(&mut [0; 4096]).await.expect("a request");
            asked.fetch_add(u32::from(read > 0), Ordering::Relaxed);
            let busy = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
            connection.write_all(busy.as_bytes()).await.expect("it is read");
        }
    };
    let failure = tokio::select! {
        failure = secret_of(at(&listener)) => failure,
        () = server => unreachable!("it serves for ever"),
    };
    assert_eq!(failure.class(), Class::Throttled(None));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_costs_half_a_minute() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    assert_eq!(secret_of(at(&silent)).await.class(), Class::Timeout);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = at(&listener);
    drop(listener);
    let failure = secret_of(address).await;
    assert_eq!(failure.class(), Class::Unavailable);
    assert_eq!(failure.cause().to_string(), "the API server is unavailable: the connection is refused");
}

#[tokio::test]
async fn what_stands_in_the_way_of_an_answer_is_told_in_our_words() {
    let unknown = failure_at("https://no-such-host.invalid").await.cause().to_string();
    assert_eq!(unknown, "the API server is unavailable: its name has no address");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = at(&listener);
    let server = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let _hello = connection.read(&mut [0; 4096]).await;
        let _told = connection.write_all(b"HTTP/1.1 400 sk_live_canary\r\n\r\n").await;
    });
    let plain = failure_at(&format!("https://{address}")).await.cause().to_string();
    assert_eq!(plain, "the API server is unavailable: its certificate is not trusted, or TLS failed");
    server.await.expect("it was asked");
}

#[test]
fn an_address_is_scheme_host_and_port_alone() {
    let url = "https://admin:sk_live_canary@api.example:6443/clusters/one".parse().expect("a URL");
    assert_eq!(super::address(&Config::new(url)), "https://api.example:6443");
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_in_ten_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let secrets = secrets(at(&listener));
    let server = async {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let read = connection.read(&mut [0; 4096]).await.expect("a request");
        assert!(read > 0);
        let body = r#"{"metadata": {"name": "key"}}"#;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        connection.write_all(answer.as_bytes()).await.expect("it is read");
        connection
    };
    let (answer, mut connection) = tokio::join!(secrets.get("key"), server);
    assert!(answer.is_ok());
    tokio::time::pause();
    let mut rest = [0; 1];
    let mut closed = async |within| {
        let read = tokio::time::timeout(Duration::from_secs(within), connection.read(&mut rest)).await;
        read.is_ok_and(|read| read.expect("it ends") == 0)
    };
    assert!(!closed(4).await, "the next request finds it open");
    assert!(closed(7).await);
}

/// Lists from a server that sends headers, then the body in two pieces, with a silence before each.
async fn list_with(silences: [u64; 2]) -> Option<Class> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let secrets = secrets(at(&listener));
    let server = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        assert!(connection.read(&mut [0; 4096]).await.expect("a request") > 0);
        let pieces = [r#"{"metadata": {}, "#, r#""items": []}"#];
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        connection.write_all(head.as_bytes()).await.expect("it is read");
        for (piece, silence) in pieces.into_iter().zip(silences) {
            let closed = tokio::time::timeout(Duration::from_secs(silence), connection.read(&mut [0; 1])).await;
            if closed.is_ok() {
                return;
            }
            connection.write_all(piece.as_bytes()).await.expect("it is read");
        }
    });
    let params = kube::api::ListParams::default();
    let listed = tokio::time::timeout(Duration::from_secs(130), secrets.list(&params)).await.expect("it ends");
    server.await.expect("it sees the end");
    listed.err().map(|error| Failure::new(Verb::List, "secrets", &error).class())
}

#[tokio::test(start_paused = true)]
async fn a_list_that_makes_progress_may_take_long() {
    assert_eq!(list_with([55, 55]).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_stalls_is_given_up() {
    assert_eq!(list_with([10, 62]).await, Some(Class::Unavailable));
    assert_eq!(list_with([62, 0]).await, Some(Class::Unavailable));
}
