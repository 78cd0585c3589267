//! `spec.provider`: exactly one, and what each knows of itself.

use super::{Row, accepted, base, refused, with, without};
use serde_json::{Value, json};

const ONE: &str = "exactly one provider must be set: inflow, flowlu, zenflow, flow, aventri";

pub(super) fn rows() -> Vec<Row> {
    [union(), inflow(), flowlu(), zenflow(), flow(), aventri()].into_iter().flatten().collect()
}

/// The base of a provider with one of its settings changed.
fn set(provider: &str, field: &str, value: Value) -> Value {
    with(base(provider), &format!("spec.provider.{provider}.{field}"), value)
}

fn union() -> Vec<Row> {
    let mut rows = vec![
        refused("no provider field", without(base("zenflow"), "spec.provider"), &["spec.provider", "Required value"]),
        refused("an empty provider", with(base("zenflow"), "spec.provider", json!({})), &["spec.provider", ONE]),
        refused(
            "two providers",
            with(base("zenflow"), "spec.provider.flowlu", json!({"account": "a"})),
            &["spec.provider", ONE],
        ),
        refused(
            "an unknown provider",
            with(base("zenflow"), "spec.provider.acme", json!({})),
            &["unknown field \"spec.provider.acme\""],
        ),
        refused(
            "a provider that is a text",
            with(base("zenflow"), "spec.provider", json!("zenflow")),
            &["spec.provider", "must be of type object"],
        ),
        accepted("a null beside the provider", with(base("zenflow"), "spec.provider.inflow", Value::Null)),
        refused(
            "only a null provider",
            with(base("zenflow"), "spec.provider.zenflow", Value::Null),
            &["spec.provider", ONE],
        ),
    ];
    for provider in ["inflow", "flowlu", "zenflow", "flow", "aventri"] {
        rows.push(accepted(&format!("the smallest {provider}"), base(provider)));
        let field = format!("spec.provider.{provider}.host");
        let object = with(base(provider), &field, json!("evil.example"));
        rows.push(refused(&format!("a host for {provider}"), object, &[&format!("unknown field {field:?}")]));
    }
    rows
}

fn inflow() -> Vec<Row> {
    let company = "spec.provider.inflow.companyID";
    let version = "spec.provider.inflow.apiVersion";
    let refuses = |name, value, says: &[&str]| refused(name, set("inflow", "companyID", value), says);
    vec![
        refused("inflow without companyID", without(base("inflow"), company), &[company, "Required value"]),
        refuses("a companyID without dashes", json!("3f0c8a527d1e4b969a435e2f6c7d8b90"), &[company, "should match"]),
        refuses("a companyID of letters", json!("3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b9g"), &[company, "should match"]),
        refuses("a companyID in braces", json!("{3f0c8a52-7d1e-4b96-9a43-5e2f6c7d8b90}"), &[company, "Too long"]),
        refuses("an empty companyID", json!(""), &[company, "should match"]),
        accepted("a companyID in capitals", set("inflow", "companyID", json!("3F0C8A52-7D1E-4B96-9A43-5E2F6C7D8B90"))),
        accepted("an apiVersion", set("inflow", "apiVersion", json!("2026-07-10"))),
        refused("an apiVersion v1", set("inflow", "apiVersion", json!("v1")), &[version, "should match"]),
        refused(
            "an apiVersion and more",
            set("inflow", "apiVersion", json!("2025-06-24; q=1")),
            &[version, "Too long"],
        ),
        refused("an apiVersion number", set("inflow", "apiVersion", json!(2025)), &[version, "must be of type string"]),
    ]
}

fn flowlu() -> Vec<Row> {
    let account = "spec.provider.flowlu.account";
    vec![
        refused("flowlu without account", without(base("flowlu"), account), &[account, "Required value"]),
        refused(
            "the account www",
            set("flowlu", "account", json!("www")),
            &[account, "`account` must be a workspace of yours: www is Flowlu's own site"],
        ),
        refused("an account in capitals", set("flowlu", "account", json!("MyCompany")), &[account, "should match"]),
        refused("an account of 64 letters", set("flowlu", "account", json!("a".repeat(64))), &[account, "Too long"]),
        accepted("an account of 63 letters", set("flowlu", "account", json!("a".repeat(63)))),
        accepted("an account of one digit", set("flowlu", "account", json!("7"))),
        accepted("an account with dashes", set("flowlu", "account", json!("my--company-2"))),
    ]
}

fn zenflow() -> Vec<Row> {
    let at = "spec.provider.zenflow";
    let everything = json!({
        "environment": "Test", "scopes": ["read:orders", "write:orders", "read:stock", "write:stock", "read:products",
        "write:products", "read:webhooks", "write:webhooks", "admin"], "leastPrivilege": "Warn",
        "allowedCIDRs": ["203.0.113.7", "198.51.100.0/24", "2001:db8::1", "2001:db8::/32"],
    });
    let scopes = |value| set("zenflow", "scopes", value);
    let cidrs = |value| set("zenflow", "allowedCIDRs", value);
    let many: Vec<_> = (0..65).map(|number| format!("203.0.113.{number}")).collect();
    let word = "`allowedCIDRs` must be IP addresses such as 203.0.113.7 or CIDRs such as 198.51.100.0/24";
    let in_cidrs = format!("{at}.allowedCIDRs");
    let in_scopes = format!("{at}.scopes");
    vec![
        accepted("zenflow with everything", with(base("zenflow"), at, everything)),
        accepted("a scope preset", set("zenflow", "scopePreset", json!("ERPSync"))),
        refused(
            "scopes and a preset",
            with(base("zenflow"), at, json!({"scopePreset": "ReadOnly", "scopes": ["read:orders"]})),
            &["spec.provider.zenflow.scopes", "at most one of `scopePreset` and `scopes` must be set"],
        ),
        refused(
            "an unknown preset",
            set("zenflow", "scopePreset", json!("Everything")),
            &["spec.provider.zenflow.scopePreset", "Unsupported value", "ReadOnly"],
        ),
        refused(
            "an unknown scope",
            scopes(json!(["read:customers"])),
            &[&format!("{in_scopes}[0]"), "Unsupported value"],
        ),
        refused("no scopes", scopes(json!([])), &[&in_scopes, "should have at least 1 items"]),
        refused("a scope twice", scopes(json!(["admin", "admin"])), &[&format!("{in_scopes}[1]"), "Duplicate value"]),
        refused("ten scopes", scopes(json!(vec!["admin"; 10])), &[&in_scopes, "must have at most 9 items"]),
        refused("scopes as a text", scopes(json!("admin")), &[&in_scopes, "must be of type array"]),
        refused(
            "the environment production",
            set("zenflow", "environment", json!("production")),
            &["spec.provider.zenflow.environment", "Unsupported value", "Live"],
        ),
        refused(
            "least privilege enforced",
            set("zenflow", "leastPrivilege", json!("Enforce")),
            &["spec.provider.zenflow.leastPrivilege", "Unsupported value"],
        ),
        refused("an address that is none", cidrs(json!(["203.0.113.256"])), &[&in_cidrs, word]),
        refused("a network too narrow", cidrs(json!(["203.0.113.0/33"])), &[&in_cidrs, word]),
        refused("a host name as address", cidrs(json!(["office.example"])), &[&in_cidrs, word]),
        refused("a range of addresses", cidrs(json!(["10.0.0.1-10.0.0.9"])), &[&in_cidrs, word]),
        refused("an empty address", cidrs(json!([""])), &[&in_cidrs, word]),
        refused("an address of 44 letters", cidrs(json!(["1".repeat(44)])), &[&format!("{in_cidrs}[0]"), "Too long"]),
        refused("no addresses", cidrs(json!([])), &[&in_cidrs, "should have at least 1 items"]),
        refused("65 addresses", cidrs(json!(many)), &[&in_cidrs, "must have at most 64 items"]),
        accepted("64 addresses", cidrs(json!(many[..64]))),
        refused("an address twice", cidrs(json!(["::1", "::1"])), &[&format!("{in_cidrs}[1]"), "Duplicate value"]),
    ]
}

fn flow() -> Vec<Row> {
    let theme = |field: &str, value| set("flow", "checkoutTheme", json!({field: value}));
    let url = "spec.provider.flow.checkoutTheme.logoURL";
    let word = "`logoURL` must be an https URL with a host";
    let reference = "spec.provider.flow.reference";
    let all =
        json!({"logoURL": "https://cdn.example/logo.svg?v=2", "primaryColor": "#112233", "secondaryColor": "#aaBBcc"});
    let colour = |field: &str, value: &str, says| {
        let path = format!("spec.provider.flow.checkoutTheme.{field}");
        refused(&format!("the {field} {value}"), theme(field, json!(value)), &[&path, says])
    };
    vec![
        accepted("a checkout theme", set("flow", "checkoutTheme", all)),
        accepted("an empty checkout theme", set("flow", "checkoutTheme", json!({}))),
        refused("a logo over http", theme("logoURL", json!("http://cdn.example/a.svg")), &[url, "should match"]),
        refused("a logo without a host", theme("logoURL", json!("https:///a.svg")), &[url, word]),
        refused("a logo with a port only", theme("logoURL", json!("https://:443/a.svg")), &[url, word]),
        refused("a logo with half an escape", theme("logoURL", json!("https://cdn.example/%zz")), &[url, word]),
        refused("a logo with a newline", theme("logoURL", json!("https://cdn.example/a\nb")), &[url, "should match"]),
        refused(
            "a logo of 2049 letters",
            theme("logoURL", json!(format!("https://{}", "a".repeat(2041)))),
            &[url, "Too long"],
        ),
        colour("primaryColor", "112233", "should match"),
        colour("primaryColor", "#1122334", "Too long"),
        colour("secondaryColor", "#12345g", "should match"),
        colour("secondaryColor", "cornflowerblue", "Too long"),
        refused(
            "flow without purpose",
            without(base("flow"), "spec.provider.flow.purpose"),
            &["spec.provider.flow.purpose", "Required value"],
        ),
        refused(
            "an unknown purpose",
            set("flow", "purpose", json!("Import")),
            &["spec.provider.flow.purpose", "Unsupported value"],
        ),
        accepted("a reference", set("flow", "reference", json!("Leisure centre sync – Köln"))),
        refused(
            "an empty reference",
            set("flow", "reference", json!("")),
            &[reference, "should be at least 1 chars long"],
        ),
        refused("a reference of two lines", set("flow", "reference", json!("a\nb")), &[reference, "should match"]),
        refused(
            "a reference of 257 letters",
            set("flow", "reference", json!("a".repeat(257))),
            &[reference, "Too long"],
        ),
    ]
}

fn aventri() -> Vec<Row> {
    let account = "spec.provider.aventri.accountID";
    let region = "spec.provider.aventri.region";
    let lifetime = "spec.provider.aventri.tokenLifetime";
    let word = "`tokenLifetime` must be a duration from one minute (1m) to twenty-four hours (24h)";
    let lives = |text: &str| set("aventri", "tokenLifetime", json!(text));
    vec![
        refused("aventri without accountID", without(base("aventri"), account), &[account, "Required value"]),
        refused("aventri without region", without(base("aventri"), region), &[region, "Required value"]),
        refused("an accountID number", set("aventri", "accountID", json!(12345)), &[account, "must be of type string"]),
        refused("an accountID of letters", set("aventri", "accountID", json!("acme")), &[account, "should match"]),
        refused(
            "an accountID of 21 digits",
            set("aventri", "accountID", json!("1".repeat(21))),
            &[account, "Too long"],
        ),
        accepted("an accountID of 20 digits", set("aventri", "accountID", json!("1".repeat(20)))),
        refused("the region EU", set("aventri", "region", json!("EU")), &[region, "Unsupported value", "EMEA"]),
        accepted("the region APAC", set("aventri", "region", json!("APAC"))),
        refused("a token of 59 seconds", lives("59s"), &[lifetime, word]),
        refused("a token of more than a day", lives("24h1ms"), &[lifetime, word]),
        refused("a token of days", lives("1d"), &[lifetime, "should match", word]),
        refused("a token in 33 letters", lives(&"1".repeat(33)), &[lifetime, "Too long"]),
        accepted("a token of a minute", lives("60s")),
        accepted("a token of a day", lives("23h59m60s")),
    ]
}
