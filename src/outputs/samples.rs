//! What do tests make outputs of? One credential of each provider, as the documentation's examples have it.

use super::{Material, Unrenderable, render};
use crate::api::{Format, Output};
use crate::providers::{Variable, Variables};
use std::collections::BTreeMap;

pub(super) const UUID: &str = "00000000-0000-4000-8000-000000000000";

/// An output without prefix and template.
pub(super) fn output(format: Format) -> Output {
    Output { secret_name: "erp-auth".to_owned(), format: Some(format), env_prefix: None, template: None }
}

/// A Template output of one file.
pub(super) fn template(text: &str) -> Output {
    let files = BTreeMap::from([("file".to_owned(), text.to_owned())]);
    Output { template: Some(files), ..output(Format::Template) }
}

/// What is rendered, as text.
pub(super) fn rendered(output: &Output, material: &Material) -> Result<BTreeMap<String, String>, Unrenderable> {
    let data = render(output, material)?.data;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("all outputs are UTF-8");
    Ok(data.iter().map(|(key, bytes)| (key.clone(), text(bytes))).collect())
}

/// The one file of a format that has only one.
pub(super) fn only(output: &Output, material: &Material) -> String {
    let mut files = rendered(output, material).expect("renders");
    assert_eq!(files.len(), 1);
    files.pop_first().map(|(_, text)| text).unwrap_or_default()
}

pub(super) fn material(provider: &'static str, values: &[(Variable, &str)]) -> Material {
    let variables = values.iter().fold(Variables::default(), |all, (variable, text)| all.with(*variable, *text));
    let variables = variables.with(Variable::Provider, provider);
    Material { title: "data/erp".to_owned(), description: None, provider, variables, test_url: None }
}

pub(super) fn inflow() -> Material {
    let base = format!("https://cloudapi.inflowinventory.com/{UUID}");
    let mut made = material(
        "inflow",
        &[
            (Variable::BaseUrl, &base),
            (Variable::Host, "cloudapi.inflowinventory.com"),
            (Variable::ApiKey, "inflow-EXAMPLE"),
            (Variable::HeaderName, "Authorization"),
            (Variable::HeaderValue, "Bearer inflow-EXAMPLE"),
            (Variable::Authorization, "Bearer inflow-EXAMPLE"),
            (Variable::Accept, "application/json;version=2025-06-24"),
            (Variable::CompanyId, UUID),
        ],
    );
    made.test_url = Some(format!("{base}/categories?count=1"));
    made
}

pub(super) fn flowlu() -> Material {
    let mut made = material(
        "flowlu",
        &[
            (Variable::BaseUrl, "https://mycompany.flowlu.com/api/v1/module"),
            (Variable::Host, "mycompany.flowlu.com"),
            (Variable::ApiKey, "flowlu+EXAMPLE"),
            (Variable::QueryName, "api_key"),
            (Variable::QueryValue, "flowlu%2BEXAMPLE"),
            (Variable::Accept, "application/json"),
            (Variable::Account, "mycompany"),
        ],
    );
    made.test_url = Some("https://mycompany.flowlu.com/api/v1/module/core/user/list?limit=1".to_owned());
    made
}

pub(super) fn zenflow() -> Material {
    let mut made = material(
        "zenflow",
        &[
            (Variable::BaseUrl, "https://api.zenflow.com.ar/api/v1"),
            (Variable::Host, "api.zenflow.com.ar"),
            (Variable::ApiKey, "zenflow_live_EXAMPLE"),
            (Variable::HeaderName, "X-API-Key"),
            (Variable::HeaderValue, "zenflow_live_EXAMPLE"),
            (Variable::Accept, "application/json"),
            (Variable::Environment, "Live"),
            (Variable::Scopes, "read:orders,write:orders"),
        ],
    );
    made.description = Some("ERP sync key, production".to_owned());
    made.test_url = Some("https://api.zenflow.com.ar/api/v1/orders?page=1&limit=1".to_owned());
    made
}

const FLOW: [(Variable, &str); 7] = [
    (Variable::ApiKey, "flow-EXAMPLE"),
    (Variable::Purpose, "ImportMembers"),
    (Variable::Reference, "Leisure centre sync"),
    (Variable::LogoUrl, "https://cdn.example.com/logo.png"),
    (Variable::PrimaryColor, "#112233"),
    (Variable::SecondaryColor, "#445566"),
    (Variable::ExpiresAt, "2027-01-31T00:00:00Z"),
];

/// FLOW without an endpoint.
pub(super) fn flow_unconfigured() -> Material {
    material("flow", &FLOW)
}

pub(super) fn flow() -> Material {
    let mut made = material(
        "flow",
        &[
            &FLOW[..],
            &[
                (Variable::BaseUrl, "https://flow.example.com/api"),
                (Variable::Host, "flow.example.com"),
                (Variable::HeaderName, "Authorization"),
                (Variable::HeaderValue, "Bearer flow-EXAMPLE"),
                (Variable::Authorization, "Bearer flow-EXAMPLE"),
                (Variable::Accept, "application/json"),
            ],
        ]
        .concat(),
    );
    made.test_url = Some("https://flow.example.com/api/members?limit=1".to_owned());
    made
}

const AVENTRI: [(Variable, &str); 6] = [
    (Variable::BaseUrl, "https://api-na.eventscloud.com/api/v2"),
    (Variable::Host, "api-na.eventscloud.com"),
    (Variable::ApiKey, "aventri-EXAMPLE"),
    (Variable::Accept, "application/json"),
    (Variable::AccountId, "12345"),
    (Variable::Region, "NorthAmerica"),
];

/// Aventri in Local mode.
pub(super) fn aventri_without_token() -> Material {
    let names = [(Variable::HeaderName, "Authorization"), (Variable::QueryName, "accesstoken")];
    material("aventri", &[&AVENTRI[..], &names].concat())
}

/// Aventri with this token, encoded here by rules of its own.
pub(super) fn aventri_with(token: &str) -> Material {
    let encoded: String = token
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    let bearer = format!("Bearer {token}");
    let mut made = material(
        "aventri",
        &[
            &AVENTRI[..],
            &[
                (Variable::AccessToken, token),
                (Variable::HeaderName, "Authorization"),
                (Variable::HeaderValue, &bearer),
                (Variable::Authorization, &bearer),
                (Variable::QueryName, "accesstoken"),
                (Variable::QueryValue, &encoded),
            ],
        ]
        .concat(),
    );
    made.test_url = Some("https://api-na.eventscloud.com/api/v2/global/listEvents.json?limit=1".to_owned());
    made
}

pub(super) fn aventri() -> Material {
    aventri_with("EXAMPLE+to/ken==")
}
