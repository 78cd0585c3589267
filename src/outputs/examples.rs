//! Are outputs what the documentation shows? Its examples, byte by byte: five providers, seven formats.

use super::samples::{
    UUID, aventri, aventri_without_token, flow, flow_unconfigured, flowlu, inflow, material, only, output, rendered,
    template, zenflow,
};
use super::{Material, Unrenderable, render};
use crate::api::{Format, Output};
use crate::providers::{Variable, Variables};
use serde_json::{Value, json};

struct Example {
    material: Material,
    binding: &'static [(&'static str, &'static str)],
    env: &'static [(&'static str, &'static str)],
    dotenv: &'static str,
    headers: &'static str,
    query: &'static str,
    curlrc: &'static str,
    template: (&'static str, &'static str),
}

fn examples() -> [Example; 5] {
    [
        Example {
            material: inflow(),
            binding: &[
                ("type", "connector"),
                ("provider", "inflow"),
                ("uri", "https://cloudapi.inflowinventory.com/00000000-0000-4000-8000-000000000000"),
                ("company-id", UUID),
                ("api-key", "inflow-EXAMPLE"),
            ],
            env: &[("INFLOW_COMPANY_ID", UUID), ("INFLOW_AUTHORIZATION", "Bearer inflow-EXAMPLE")],
            dotenv: "INFLOW_API_KEY='inflow-EXAMPLE'",
            headers: "Authorization: Bearer inflow-EXAMPLE\nAccept: application/json;version=2025-06-24",
            query: "",
            curlrc: "header = \"Authorization: Bearer inflow-EXAMPLE\"\n\
                     header = \"Accept: application/json;version=2025-06-24\"",
            template: (
                "key=$(apiKey) company=$(companyID)",
                "key=inflow-EXAMPLE company=00000000-0000-4000-8000-000000000000",
            ),
        },
        Example {
            material: flowlu(),
            binding: &[
                ("provider", "flowlu"),
                ("uri", "https://mycompany.flowlu.com/api/v1/module"),
                ("account", "mycompany"),
                ("api-key", "flowlu+EXAMPLE"),
            ],
            env: &[
                ("FLOWLU_API_KEY", "flowlu+EXAMPLE"),
                ("FLOWLU_QUERY_NAME", "api_key"),
                ("FLOWLU_QUERY_VALUE", "flowlu%2BEXAMPLE"),
            ],
            dotenv: "FLOWLU_API_KEY='flowlu+EXAMPLE'",
            headers: "Accept: application/json",
            query: "api_key=flowlu%2BEXAMPLE",
            curlrc: "url-query = \"api_key=flowlu+EXAMPLE\"\nheader = \"Accept: application/json\"",
            template: (
                "$(baseURL)/crm/lead/list?$(queryName)=$(queryValue)",
                "https://mycompany.flowlu.com/api/v1/module/crm/lead/list?api_key=flowlu%2BEXAMPLE",
            ),
        },
        Example {
            material: zenflow(),
            binding: &[
                ("provider", "zenflow"),
                ("uri", "https://api.zenflow.com.ar/api/v1"),
                ("api-key", "zenflow_live_EXAMPLE"),
                ("environment", "Live"),
            ],
            env: &[("ZENFLOW_API_KEY", "zenflow_live_EXAMPLE"), ("ZENFLOW_SCOPES", "read:orders,write:orders")],
            dotenv: "ZENFLOW_API_KEY='zenflow_live_EXAMPLE'",
            headers: "X-API-Key: zenflow_live_EXAMPLE\nAccept: application/json",
            query: "",
            curlrc: "header = \"X-API-Key: zenflow_live_EXAMPLE\"\nheader = \"Accept: application/json\"",
            template: ("[zenflow]\nkey = $(apiKey)\n", "[zenflow]\nkey = zenflow_live_EXAMPLE\n"),
        },
        Example {
            material: flow(),
            binding: &[
                ("provider", "flow"),
                ("uri", "https://flow.example.com/api"),
                ("api-key", "flow-EXAMPLE"),
                ("purpose", "ImportMembers"),
                ("logo-url", "https://cdn.example.com/logo.png"),
            ],
            env: &[("FLOW_PRIMARY_COLOR", "#112233"), ("FLOW_EXPIRES_AT", "2027-01-31T00:00:00Z")],
            dotenv: "FLOW_REFERENCE='Leisure centre sync'",
            headers: "Authorization: Bearer flow-EXAMPLE\nAccept: application/json",
            query: "",
            curlrc: "header = \"Authorization: Bearer flow-EXAMPLE\"\nheader = \"Accept: application/json\"",
            template: ("key=$(apiKey) until=$(expiresAt)", "key=flow-EXAMPLE until=2027-01-31T00:00:00Z"),
        },
        Example {
            material: aventri(),
            binding: &[
                ("provider", "aventri"),
                ("uri", "https://api-na.eventscloud.com/api/v2"),
                ("base-url", "https://api-na.eventscloud.com/api/v2"),
                ("host", "api-na.eventscloud.com"),
                ("account-id", "12345"),
                ("access-token", "EXAMPLE+to/ken=="),
            ],
            env: &[
                ("AVENTRI_ACCESS_TOKEN", "EXAMPLE+to/ken=="),
                ("AVENTRI_REGION", "NorthAmerica"),
                ("AVENTRI_API_KEY", "aventri-EXAMPLE"),
            ],
            dotenv: "AVENTRI_QUERY_VALUE='EXAMPLE%2Bto%2Fken%3D%3D'",
            headers: "Authorization: Bearer EXAMPLE+to/ken==\nAccept: application/json",
            query: "accesstoken=EXAMPLE%2Bto%2Fken%3D%3D",
            curlrc: "url-query = \"accesstoken=EXAMPLE+to/ken==\"\n\
                     header = \"Authorization: Bearer EXAMPLE+to/ken==\"\nheader = \"Accept: application/json\"",
            template: (
                "$(baseURL)/global/listEvents.json?limit=1&$(queryName)=$(queryValue)",
                "https://api-na.eventscloud.com/api/v2/global/listEvents.json?limit=1&accesstoken=EXAMPLE%2Bto%2Fken%3D%3D",
            ),
        },
    ]
}

#[test]
fn outputs_are_as_documented() {
    for Example { material, binding, env, dotenv, headers, query, curlrc, template: (text, filled) } in examples() {
        let count = material.variables.iter().count();
        for (format, shown, expected) in [(Format::Binding, binding, count + 2), (Format::Env, env, count)] {
            let files = rendered(&output(format), &material).expect("renders");
            assert_eq!(files.len(), expected, "all variables; a binding also has type and uri");
            for (key, text) in shown {
                assert_eq!(files.get(*key).map(String::as_str), Some(*text), "{key} of {}", material.provider);
            }
        }
        let file = only(&output(Format::Dotenv), &material);
        assert_eq!(file.lines().count(), count);
        assert!(file.ends_with('\n') && file.lines().any(|line| line == dotenv), "{dotenv} is not in {file}");

        let files = rendered(&output(Format::HTTP), &material).expect("renders");
        let files: Vec<_> = files.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        let base = material.variables.get(Variable::BaseUrl).unwrap_or_default();
        assert_eq!(files, [("base-url", base), ("headers", headers), ("query", query)]);

        assert_eq!(only(&output(Format::Curl), &material), curlrc);
        assert_eq!(only(&template(text), &material), filled);
    }
}

#[test]
fn a_nexla_credential_is_as_documented() {
    let body = only(&output(Format::Nexla), &zenflow());
    let compact: String = body.lines().map(str::trim_start).collect::<String>().replace("\": ", "\":");
    assert_eq!(
        compact,
        concat!(
            r#"{"name":"data/erp","description":"ERP sync key, production","credentials_type":"rest","#,
            r#""credentials":{"auth.type":"API_KEY","api.key.include.mode":"HEADER","#,
            r#""api.key.auth.key":"X-API-Key","api.key.auth.value":"zenflow_live_EXAMPLE","#,
            r#""request.headers":"Accept:application/json","test.method":"GET","#,
            r#""test.content.type":"application/json","#,
            r#""test.url":"https://api.zenflow.com.ar/api/v1/orders?page=1&limit=1","#,
            r#""ignore.ssl.cert.validation":false,"jwt.enabled":false,"hmac.enabled":false}}"#,
        )
    );
    for (material, mode, key, value, headers) in [
        (flowlu(), "URL_PARAMETER", "api_key", "flowlu+EXAMPLE", "Accept:application/json"),
        (flow(), "HEADER", "Authorization", "Bearer flow-EXAMPLE", "Accept:application/json"),
        (inflow(), "HEADER", "Authorization", "Bearer inflow-EXAMPLE", "Accept:application/json;version=2025-06-24"),
        (
            aventri(),
            "URL_PARAMETER",
            "accesstoken",
            "EXAMPLE+to/ken==",
            "Accept:application/json,Authorization:Bearer EXAMPLE+to/ken==",
        ),
    ] {
        let body: Value = serde_json::from_str(&only(&output(Format::Nexla), &material)).expect("is JSON");
        assert_eq!(body.get("description"), None);
        let shown = &body["credentials"];
        let shown = ["api.key.include.mode", "api.key.auth.key", "api.key.auth.value", "request.headers", "test.url"]
            .map(|member| shown[member].clone());
        assert_eq!(shown, [json!(mode), json!(key), json!(value), json!(headers), json!(material.test_url)]);
    }
}

#[test]
fn flow_in_a_query_is_sent_as_configured() {
    let material = material(
        "flow",
        &[
            (Variable::BaseUrl, "https://flow.example.com/api"),
            (Variable::QueryName, "api key"),
            (Variable::QueryValue, "flow%26EXAMPLE"),
            (Variable::Accept, "application/json"),
        ],
    );
    let files = rendered(&output(Format::HTTP), &material).expect("renders");
    assert_eq!(files["query"], "api%20key=flow%26EXAMPLE");
    assert!(only(&output(Format::Curl), &material).starts_with("url-query = \"api%20key=flow&EXAMPLE\"\n"));
    let body: Value = serde_json::from_str(&only(&output(Format::Nexla), &material)).expect("is JSON");
    assert_eq!(body["credentials"]["api.key.auth.key"], "api key");
    assert_eq!(body["credentials"].get("test.url"), None);
}

#[test]
fn what_is_missing_is_named() {
    for format in [Format::HTTP, Format::Curl, Format::Nexla] {
        let render = |material: &Material| rendered(&output(format), material).err();
        let missing = |variable| Some(Unrenderable::MissingVariable(variable));
        assert_eq!(render(&flow_unconfigured()), missing(Variable::BaseUrl));
        assert_eq!(render(&aventri_without_token()), missing(Variable::AccessToken));
        let mut keyless = zenflow();
        keyless.variables = Variables::default().with(Variable::BaseUrl, "https://api.zenflow.com.ar/api/v1");
        assert_eq!(render(&keyless), missing(Variable::HeaderValue));
    }
    for format in [Format::Binding, Format::Env, Format::Dotenv] {
        assert!(render(&output(format), &flow_unconfigured()).is_ok());
        assert!(render(&output(format), &aventri_without_token()).is_ok());
    }
}

#[test]
fn a08_the_secret_type_is_one_of_two() {
    for (format, expected) in [
        (Format::Binding, "servicebinding.io/connector"),
        (Format::Env, "Opaque"),
        (Format::Dotenv, "Opaque"),
        (Format::HTTP, "Opaque"),
        (Format::Curl, "Opaque"),
        (Format::Nexla, "Opaque"),
    ] {
        assert_eq!(render(&output(format), &aventri()).map(|made| made.secret_type), Ok(expected));
    }
    assert_eq!(render(&template("x"), &aventri()).map(|made| made.secret_type), Ok("Opaque"));
    let unset = Output { format: None, ..output(Format::Env) };
    assert_eq!(render(&unset, &aventri()).map(|made| made.secret_type), Ok("servicebinding.io/connector"));
    let shown = format!("{:?}", render(&output(Format::Env), &aventri()));
    assert!(!shown.contains("EXAMPLE"), "{shown}");
}
