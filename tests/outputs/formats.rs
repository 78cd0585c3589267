//! Each format of each provider opens the provider to a real client, and to no client once the key is revoked.

use super::clients::{self, Answer};
use crate::controller::cast::{self, Act};
use crate::simulator::{AventriSwitches, LedgerFilter, Provider, Switches};
use crate::support::stage::{Stage, value};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

const FORMATS: [&str; 7] = ["Binding", "Env", "Dotenv", "HTTP", "Curl", "Nexla", "Template"];

fn output_name(act: &Act, format: &str) -> String {
    format!("{}-{}", act.name, format.to_lowercase())
}

/// A template that is a configuration of curl, with the URL.
fn template(provider: Provider) -> Value {
    let base = format!("url = \"$(baseURL){}", clients::path(provider));
    let file = match provider {
        Provider::Flowlu | Provider::Aventri => format!("{base}&$(queryName)=$(queryValue)\"\n"),
        Provider::InFlow | Provider::ZenFlow | Provider::Flow => {
            format!("{base}\"\nheader = \"$(headerName): $(headerValue)\"\nheader = \"Accept: $(accept)\"\n")
        }
    };
    json!({"request.curl": file, "literal.txt": "$$(apiKey)"})
}

fn outputs(act: &Act) -> Value {
    FORMATS
        .iter()
        .map(|format| match *format {
            "Env" => json!({"secretName": output_name(act, format), "format": format, "envPrefix": "API_"}),
            "Template" => {
                json!({"secretName": output_name(act, format), "format": format, "template": template(act.provider)})
            }
            _ => json!({"secretName": output_name(act, format), "format": format}),
        })
        .collect()
}

fn member(act: &Act) -> String {
    act.settings.as_object().and_then(|settings| settings.keys().next()).expect("one member").clone()
}

/// Asks the provider with nothing but this output, and for curl the URL.
async fn ask(act: &Act, format: &str, secret: &Secret, base: &str) -> Answer {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let (at, path) = (directory.path(), clients::path(act.provider));
    let client = reqwest::Client::builder().build().expect("plain http needs no settings");
    let mounted = if format == "Binding" { at.join("bound") } else { at.to_owned() };
    clients::mount(secret, &mounted);
    let url = format!("{base}{path}");
    match format {
        "HTTP" => clients::http(&client, secret, path).await,
        "Nexla" => clients::nexla(&client, secret).await,
        _ => tokio::task::block_in_place(|| match format {
            "Binding" => clients::binding(path, at),
            "Env" => clients::env_from(secret, "API_", path, at),
            "Dotenv" => clients::dotenv(&format!("{}_", member(act).to_uppercase()), path, at),
            "Curl" => clients::curl("curlrc", Some(&url), at),
            "Template" => clients::curl("request.curl", None, at),
            _ => panic!("{format} is no format"),
        }),
    }
}

/// Whether each of the seven formats opens the provider. Says which do otherwise.
async fn hold(stage: &Stage, act: &Act, opens: bool) {
    let binding = stage.secret(&output_name(act, "Binding")).await.expect("it is published");
    let base = value(&binding, "uri").expect("a binding has a uri");
    for format in FORMATS {
        let secret = stage.secret(&output_name(act, format)).await.expect("it is published");
        let before = stage.simulator.ledger(&LedgerFilter::default()).last().map_or(0, |row| row.seq);
        let answer = ask(act, format, &secret, &base).await;
        assert_eq!(answer.is_success(act.provider), opens, "{format} of {:?}: {answer:?}", act.provider);
        let rows = stage.simulator.ledger(&LedgerFilter { after: before, ..LedgerFilter::default() });
        assert_eq!(rows.len(), 1, "one request: {rows:?}");
        let row = &rows[0];
        assert_eq!((row.provider, row.known_key), (Some(act.provider), true), "{format}: {row:?}");
        let accept = if act.provider == Provider::InFlow { "application/json;version=2025-06-24" } else { JSON };
        assert!(row.accept.as_deref() == Some(accept) || skips_accept(act, format), "{format}: {row:?}");
    }
}

const JSON: &str = "application/json";

/// The template's author left it out.
fn skips_accept(act: &Act, format: &str) -> bool {
    format == "Template" && matches!(act.provider, Provider::Flowlu | Provider::Aventri)
}

#[tokio::test(flavor = "multi_thread")]
async fn a35_each_format_of_each_provider_serves_a_real_client() {
    let stage = Stage::set("formats").await;
    for act in cast::all() {
        let issued = stage.issue(act.new_key());
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec_with("outputs", outputs(&act))).await;
        let ready = stage.until_ready(act.name).await.status.expect("a status");
        assert_eq!(ready.outputs.len(), FORMATS.len());
        assert_eq!(ready.binding.expect("a binding").name, output_name(&act, "Binding"));
        hold(&stage, &act, true).await;
        let literal = stage.secret(&output_name(&act, "Template")).await.expect("it is published");
        assert_eq!(value(&literal, "literal.txt").as_deref(), Some("$(apiKey)"));
        // The same clients are refused once the key is revoked: they do present it. A token outlives its key.
        stage.simulator.revoke_key(&issued.id);
        hold(&stage, &act, act.provider == Provider::Aventri).await;
    }
    // Aventri's token is also good as a header.
    let aventri = AventriSwitches { bearer_accepted: true, ..AventriSwitches::default() };
    stage.simulator.set_switches(Switches { limits: false, aventri, ..Switches::default() });
    let act = cast::aventri();
    let secret = stage.secret(&output_name(&act, "HTTP")).await.expect("it is published");
    let headers_only = Secret {
        data: secret.data.clone().map(|mut data| {
            data.insert("query".to_owned(), k8s_openapi::ByteString(Vec::new()));
            data
        }),
        ..secret
    };
    let client = reqwest::Client::builder().build().expect("plain http needs no settings");
    let answer = clients::http(&client, &headers_only, clients::path(act.provider)).await;
    assert!(answer.is_success(act.provider), "{answer:?}");
    stage.finish().await;
}
