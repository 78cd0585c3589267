//! Real clients that know an output and nothing else: curl, a shell, an HTTP client, a reader of Nexla's body.

use crate::simulator::Provider;
use crate::support::stage::value;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a client got.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    /// Whether the provider took the key: its documented success, not a status alone.
    pub(crate) fn is_success(&self, provider: Provider) -> bool {
        let documented = match provider {
            Provider::InFlow | Provider::Aventri => self.body.is_array(),
            Provider::Flowlu => self.body["response"]["items"].is_array(),
            Provider::ZenFlow => self.body["success"] == true,
            Provider::Flow => self.body["items"].is_array(),
        };
        self.status == 200 && documented
    }
}

/// A path below the provider's base URL that its key opens.
pub(crate) fn path(provider: Provider) -> &'static str {
    match provider {
        Provider::InFlow => "/categories?count=1",
        Provider::Flowlu => "/core/user/list?limit=1",
        Provider::ZenFlow => "/orders?page=1&limit=1",
        Provider::Flow => "/members?limit=1",
        Provider::Aventri => "/global/listEvents.json?limit=1",
    }
}

fn text(secret: &Secret, key: &str) -> String {
    value(secret, key).unwrap_or_else(|| panic!("the output has no {key}"))
}

/// A generic client: sends what the format `HTTP` says, and adds a path.
pub(crate) async fn http(client: &reqwest::Client, secret: &Secret, path: &str) -> Answer {
    let query = text(secret, "query");
    let separator = if query.is_empty() { "" } else { "&" };
    let url = format!("{}{path}{separator}{query}", text(secret, "base-url"));
    let headers = text(secret, "headers");
    let headers = headers.lines().map(|line| line.split_once(": ").expect("Name: value"));
    send(headers.fold(client.get(url), |request, (name, value)| request.header(name, value))).await
}

/// A client that knows the Binding of a provider with its key or token in the query.
pub(crate) async fn bound(client: &reqwest::Client, secret: &Secret, path: &str) -> Answer {
    let entries = ["uri", "query-name", "query-value"].map(|entry| text(secret, entry));
    let [uri, name, encoded] = entries;
    send(client.get(format!("{uri}{path}&{name}={encoded}")).header("Accept", text(secret, "accept"))).await
}

/// Nexla: reads the JSON body and makes the test request that it describes.
pub(crate) async fn nexla(client: &reqwest::Client, secret: &Secret) -> Answer {
    let body: Value = serde_json::from_str(&text(secret, "credential.json")).expect("JSON");
    let shown = &body["credentials"];
    let member = |name: &str| shown[name].as_str().unwrap_or_default();
    assert_eq!((member("auth.type"), member("test.method")), ("API_KEY", "GET"));
    let mut url = url::Url::parse(member("test.url")).expect("a URL");
    let (name, key) = (member("api.key.auth.key"), member("api.key.auth.value"));
    let by_url = member("api.key.include.mode") == "URL_PARAMETER";
    if by_url {
        url.query_pairs_mut().append_pair(name, key);
    }
    let mut request = client.get(url);
    for (name, value) in member("request.headers").split(',').filter_map(|header| header.split_once(':')) {
        request = request.header(name, value);
    }
    send(if by_url { request } else { request.header(name, key) }).await
}

async fn send(request: reqwest::RequestBuilder) -> Answer {
    let mut response = request.send().await.expect("the simulator answers");
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.expect("the body arrives") {
        bytes.extend_from_slice(&chunk);
    }
    Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() }
}

/// Writes a Secret's data as a volume does: a file for each key.
pub(crate) fn mount(secret: &Secret, directory: &Path) {
    std::fs::create_dir_all(directory).expect("it can be made");
    for (name, bytes) in secret.data.iter().flatten() {
        std::fs::write(directory.join(name), &bytes.0).expect("it can be written to");
    }
}

/// A process as a container has it: nothing of the test's environment but the way to programs.
fn container(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.current_dir(directory).stdin(Stdio::null());
    command
}

/// Runs a client that prints the body and, on a line of its own, the status. Blocks.
fn run(mut command: Command) -> Answer {
    let output = command.output().expect("curl and sh are installed");
    let printed = String::from_utf8(output.stdout).expect("text");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let (body, status) = printed.rsplit_once('\n').unwrap_or_else(|| panic!("the client failed: {complaint}"));
    let status = status.parse().unwrap_or_else(|_| panic!("no status: {complaint}"));
    Answer { status, body: serde_json::from_str(body).unwrap_or_default() }
}

/// `curl --config` with the mounted file.
pub(crate) fn curl(file: &str, url: Option<&str>, directory: &Path) -> Answer {
    let mut command = container("curl", directory);
    command.args(["--disable", "--silent", "--show-error", "--write-out", "\n%{http_code}", "--config", file]);
    run({
        command.args(url);
        command
    })
}

/// A request with variables of the environment, as a script makes it: the key in the query where there is one.
const SCRIPT: &str = r#"
ask() { curl --disable --silent --show-error --write-out '\n%{http_code}' --header "Accept: $PREFIX_ACCEPT" "$@"; }
if [ -n "${PREFIX_QUERY_NAME:-}" ]
then ask "$PREFIX_BASE_URL$1&$PREFIX_QUERY_NAME=$PREFIX_QUERY_VALUE"
else ask --header "$PREFIX_HEADER_NAME: $PREFIX_HEADER_VALUE" "$PREFIX_BASE_URL$1"
fi
"#;

/// A shell that reads the mounted `.env` by itself.
pub(crate) fn dotenv(prefix: &str, path: &str, directory: &Path) -> Answer {
    let mut command = container("sh", directory);
    let script = format!("set -eu; . ./.env;{}", SCRIPT.replace("PREFIX_", prefix));
    command.args(["-c", &script, "sh", path]);
    run(command)
}

/// A process with the Secret as its environment, as `envFrom` gives it.
pub(crate) fn env_from(secret: &Secret, prefix: &str, path: &str, directory: &Path) -> Answer {
    let mut command = container("sh", directory);
    for key in secret.data.iter().flatten().map(|(key, _)| key) {
        command.env(key, text(secret, key));
    }
    command.args(["-c", &format!("set -eu;{}", SCRIPT.replace("PREFIX_", prefix)), "sh", path]);
    run(command)
}

/// A script that looks for a binding of type `connector` below `$SERVICE_BINDING_ROOT`.
const BOUND: &str = r#"set -eu
for binding in "$SERVICE_BINDING_ROOT"/*
do [ "$(cat "$binding/type")" = connector ] && break
done
entry() { cat "$binding/$1"; }
ask() { curl --disable --silent --show-error --write-out '\n%{http_code}' --header "Accept: $(entry accept)" "$@"; }
if [ -e "$binding/query-name" ]
then ask "$(entry uri)$1&$(entry query-name)=$(entry query-value)"
else ask --header "$(entry header-name): $(entry header-value)" "$(entry uri)$1"
fi
"#;

/// A workload that knows the Service Binding specification. `root` holds the mounted binding.
pub(crate) fn binding(path: &str, root: &Path) -> Answer {
    let mut command = container("sh", root);
    command.env("SERVICE_BINDING_ROOT", root).args(["-c", BOUND, "sh", path]);
    run(command)
}
