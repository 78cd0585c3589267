//! What is read, and what is refused.

use super::*;
use crate::providers::{Authentication, FlowProbe};

fn refused(yaml: &str) -> String {
    Settings::parse(yaml).map_or_else(|why| why.to_string(), |_| "accepted".to_owned())
}

fn endpoint(provider: &str, endpoint: &str, allow: bool) -> String {
    refused(&format!("allowPrivateEndpoints: {allow}\nproviders: {{{provider}: {{endpoint: '{endpoint}'}}}}"))
}

#[test]
fn nothing_configured_means_the_built_in_endpoints() {
    for yaml in ["", "\n", "# nothing\n", "{}", "providers:\n", "providers: {}", "providers: {zenflow: }"] {
        assert_eq!(Settings::parse(yaml), Ok(Settings::default()), "{yaml:?}");
    }
    let settings = Settings::default();
    assert_eq!(settings.site(ProviderKind::Flowlu).endpoint.as_deref(), Some("https://{account}.flowlu.com"));
    assert_eq!(settings.site(ProviderKind::Flow).endpoint, None);
    for (kind, site) in &settings.sites {
        let rules = Rules { placeholder: kind.profile().placeholder, allow_private: false, by_proxy: false };
        if let Some(endpoint) = &site.endpoint {
            assert_eq!(endpoint::check(endpoint, rules), Ok(()), "{kind:?}");
        }
    }
}

#[test]
fn the_documented_file_is_read() {
    let settings = Settings::parse(
        r#"
providers:
  zenflow: {endpoint: https://api.zenflow.com.ar/api/v1}          # each endpoint below is the built-in default
  inflow:  {endpoint: https://cloudapi.inflowinventory.com}
  flowlu:  {endpoint: "https://{account}.flowlu.com"}
  aventri: {endpoint: "https://api-{region}.eventscloud.com"}     # region: na, emea, apac
  flow:                                                           # no default
    endpoint: https://flow.example.com/api
    authentication: {header: Authorization, scheme: Bearer}
    probe: {path: /members?limit=1, accepted: [200], rejected: [401], denied: [403]}
    probesByPurpose: {ImportMembers: {path: /import, accepted: [204]}}
caBundleFile: /etc/ssl/custom.pem     # optional, added to the system's roots
proxy: http://egress.example:3128     # optional; the environment's proxy variables are not read
allowPrivateEndpoints: false          # true lets an endpoint resolve to private addresses
"#,
    )
    .unwrap();
    let flow = settings.site(ProviderKind::Flow).flow.clone().unwrap();
    assert_eq!(
        flow.authentication,
        Authentication::Header { name: "Authorization".to_owned(), scheme: Some("Bearer".to_owned()) }
    );
    assert_eq!(
        flow.probe,
        FlowProbe { path: "/members?limit=1".to_owned(), accepted: vec![200], rejected: vec![401], denied: vec![403] }
    );
    assert_eq!(flow.probes_by_purpose["ImportMembers"].accepted, [204]);
    assert_eq!(settings.ca_bundle_file, Some(PathBuf::from("/etc/ssl/custom.pem")));
    assert_eq!(settings.proxy.as_ref().map(Url::as_str), Some("http://egress.example:3128/"));
    let mut plain = Settings::default();
    plain.sites.insert(ProviderKind::Flow, settings.site(ProviderKind::Flow).clone());
    assert_eq!(settings.sites, plain.sites);
}

#[test]
fn what_is_not_known_is_refused_with_its_place() {
    for (yaml, expected) in [
        (
            "provders: {}",
            "line 1, column 1: the field provders is not known here; use providers, caBundleFile, proxy or allowPrivateEndpoints",
        ),
        (
            "providers:\n  zenflow: {endpiont: x}",
            "line 2, column 13: the field endpiont is not known here; use endpoint",
        ),
        (
            "providers:\n  acme: {}",
            "line 2, column 3: the field acme is not known here; use inflow, flowlu, zenflow, flow or aventri",
        ),
        ("providers:\n  zenflow: {probe: {}}", "line 2, column 13: the field probe is not known here; use endpoint"),
        (
            "hunter2-9: 1",
            "line 1, column 1: a field is not known here; use providers, caBundleFile, proxy or allowPrivateEndpoints",
        ),
        ("allowPrivateEndpoints: maybe", "line 1, column 24: the value is of the wrong type"),
        ("proxy: [a]", "line 1, column 8: "),
        ("providers: [1]", "line 1, column 12: "),
        ("providers: {", "line "),
        ("proxy: a\nproxy: b", "line 2, column 1: a field stands twice; remove one"),
        ("providers: {flow: {probe: {accepted: [200]}}}", "line 1, column 28: the field path is missing; add it"),
        ("providers: {flow: {probe: {path: /, accepted: [sesame]}}}", "line 1, column 48: "),
        ("providers: {flow: {probe: {path: /, accepted: [70000]}}}", "line 1, column 48: "),
    ] {
        let said = refused(yaml);
        assert!(said.starts_with(expected), "{yaml}\n{said}");
        assert!(!said.contains("hunter2") && !said.contains("maybe") && !said.contains("sesame"), "{said}");
    }
}

#[test]
fn a04_an_endpoint_leads_only_where_keys_may_go() {
    let accepted = "accepted";
    let at = |what: &str| format!("providers.zenflow.endpoint (line 2, column 33) {what}");
    for (text, without, with) in [
        ("https://api.example.com", "", ""),
        ("https://api.example.com:8443/a/b/", "", ""),
        ("https://8.8.8.8/x", "", ""),
        ("http://127.0.0.1:8080/zenflow", "", ""),
        ("http://[::1]:8080", "", ""),
        ("http://localhost:8080", "", ""),
        ("https://127.0.0.1", "", ""),
        ("http://api.example.com", "must start with https://", ""),
        ("http://8.8.8.8", "must start with https://", "must start with https://"),
        ("https://10.0.0.1", "is a private address", ""),
        ("http://192.168.0.1:8080", "is a private address", ""),
        ("https://[fd00::1]", "is a private address", ""),
        ("https://169.254.169.254", "is a link-local", "is a link-local"),
        ("http://169.254.169.254", "is a link-local", "is a link-local"),
        ("https://2852039166", "is a link-local", "is a link-local"),
        ("https://0xa9.0xfe.0xa9.0xfe", "is a link-local", "is a link-local"),
        ("https://[fe80::1]", "is a link-local", "is a link-local"),
        ("https://[::ffff:169.254.169.254]", "is an IPv4 address", "is an IPv4 address"),
        ("https://[::ffff:8.8.8.8]", "is an IPv4 address", "is an IPv4 address"),
        ("https://0.0.0.0", "is a link-local", "is a link-local"),
        ("https://user:pass@api.example.com", "holds a user name", "holds a user name"),
        ("https://@api.example.com", "holds a user name", "holds a user name"),
        ("https://api.example.com?x=1", "holds a query", "holds a query"),
        ("https://api.example.com/#", "holds a query", "holds a query"),
        ("https://api.example.com/a/../b", "must be written plainly", "must be written plainly"),
        ("https://127.1", "must be written plainly", "must be written plainly"),
        ("https://api.example.com/%2e", "holds a character", "holds a character"),
        ("https://api.example.com:0", "holds a character", "holds a character"),
        ("https:\\\\api.example.com", "must be a URL", "must be a URL"),
        ("https:api.example.com", "must be a URL", "must be a URL"),
        ("ftp://api.example.com", "must be a URL", "must be a URL"),
        ("api.example.com", "must be a URL", "must be a URL"),
        ("", "must be a URL", "must be a URL"),
        ("https://", "must be a URL", "must be a URL"),
        ("https://{account}.example.com", "holds a placeholder", "holds a placeholder"),
        ("https://api.example.com/{", "holds a placeholder", "holds a placeholder"),
    ] {
        for (allow, expected) in [(false, without), (true, with)] {
            let said = endpoint("zenflow", text, allow);
            let expected = if expected.is_empty() { accepted.to_owned() } else { at(expected) };
            assert!(said.starts_with(&expected), "{text} {allow}\n{said}");
            assert!(!said.contains(":pass") && !said.contains("169"), "{said}");
        }
    }
}

#[test]
fn placeholders_stand_in_host_or_path_and_are_the_providers_own() {
    for (provider, text, expected) in [
        ("flowlu", "https://{account}.example.com", "accepted"),
        ("flowlu", "http://127.0.0.1:8080/flowlu/{account}", "accepted"),
        ("flowlu", "https://api.example.com", "accepted"),
        ("flowlu", "https://{region}.example.com", "providers.flowlu.endpoint (line 2, column 32) holds a placeholder"),
        ("flowlu", "https://api.example.com:{account}/", "providers.flowlu.endpoint (line 2, column 32) must be a URL"),
        ("flowlu", "{account}://api.example.com/", "providers.flowlu.endpoint (line 2, column 32) must be a URL"),
        ("aventri", "https://api-{region}.example.com", "accepted"),
        ("aventri", "http://127.0.0.1:8080/aventri/{region}", "accepted"),
    ] {
        let said = endpoint(provider, text, false);
        assert!(said.starts_with(expected), "{text}\n{said}");
    }
}

#[test]
fn the_proxy_is_a_plain_address() {
    for (text, expected) in [
        ("http://egress.example:3128", "accepted"),
        ("https://10.0.0.1:3128/", "accepted"),
        ("http://169.254.1.1", "proxy (line 1, column 8) is a link-local"),
        ("http://user:pass@egress.example", "proxy (line 1, column 8) holds a user name"),
        ("socks5://egress.example", "proxy (line 1, column 8) must be a URL"),
        ("http://egress.example/path", "proxy (line 1, column 8) has a path"),
    ] {
        let said = refused(&format!("proxy: {text}"));
        assert!(said.starts_with(expected), "{text}\n{said}");
    }
    for (endpoint, expected) in [
        ("https://api.example.com", "accepted"),
        ("http://localhost:8080", "providers.zenflow.endpoint (line 3, column 33) must start with https:// where"),
        ("http://10.0.0.1", "providers.zenflow.endpoint (line 3, column 33) must start with https:// where"),
    ] {
        let settings = format!(
            "proxy: http://egress.example:3128\nallowPrivateEndpoints: true\nproviders: {{zenflow: {{endpoint: '{endpoint}'}}}}"
        );
        let said = refused(&settings);
        assert!(said.starts_with(expected), "{endpoint}\n{said}");
    }
    assert!(refused("caBundleFile: ''").starts_with("caBundleFile (line 1, column 15) is empty"));
}

#[test]
fn flow_is_configured_whole_or_not_at_all() {
    const AUTH: &str = "authentication: {header: X-API-Key}";
    const PROBE: &str = "probe: {path: /x, accepted: [200], rejected: [401], denied: [403]}";
    const END: &str = "endpoint: https://flow.example.com";
    let probe = |probe: &str| format!("{END}, {AUTH}, probe: {probe}");
    let auth = |auth: &str| format!("{END}, {PROBE}, authentication: {auth}");
    for (flow, expected) in [
        (String::new(), "accepted"),
        (format!("{END}, {AUTH}, {PROBE}"), "accepted"),
        (auth("{query: api_key}"), "accepted"),
        (END.to_owned(), "providers.flow.authentication is missing"),
        (format!("{END}, {AUTH}"), "providers.flow.probe is missing"),
        (format!("{AUTH}, {PROBE}"), "providers.flow.endpoint is missing"),
        (auth("{}"), "providers.flow.authentication (line 1, column 140) has neither"),
        (auth("{header: A, query: b}"), "providers.flow.authentication (line 1, column 140) has both"),
        (
            auth("{query: b, scheme: Bearer}"),
            "providers.flow.authentication.scheme (line 1, column 140) belongs to header",
        ),
        (auth("{header: 'a b'}"), "providers.flow.authentication.header (line 1, column 140) is not a header name"),
        (auth("{header: Host}"), "providers.flow.authentication.header (line 1, column 140) is a header that"),
        (auth("{header: user-agent}"), "providers.flow.authentication.header (line 1, column 140) is a header that"),
        (
            auth("{header: Proxy-Authorization}"),
            "providers.flow.authentication.header (line 1, column 140) is a header that",
        ),
        (
            auth("{header: A, scheme: 'Be arer'}"),
            "providers.flow.authentication.scheme (line 1, column 140) is not one word",
        ),
        (auth("{query: 'a&b'}"), "providers.flow.authentication.query (line 1, column 140) is not a parameter"),
        (probe("{path: x, accepted: [200]}"), "providers.flow.probe.path (line 1, column 100) is not a plain path"),
        (probe("{path: //x, accepted: [200]}"), "providers.flow.probe.path (line 1, column 100) is not a plain path"),
        (
            probe("{path: /a/../b, accepted: [200]}"),
            "providers.flow.probe.path (line 1, column 100) is not a plain path",
        ),
        (
            probe("{path: '/a#b', accepted: [200]}"),
            "providers.flow.probe.path (line 1, column 100) is not a plain path",
        ),
        (probe("{path: /, accepted: []}"), "providers.flow.probe.accepted (line 1, column 100) must list"),
        (probe("{path: /, accepted: [401]}"), "providers.flow.probe.accepted (line 1, column 100) must list"),
        (probe("{path: /, accepted: [301]}"), "providers.flow.probe.accepted (line 1, column 100) must list"),
        (
            probe("{path: /, accepted: [200], rejected: [429]}"),
            "providers.flow.probe.rejected (line 1, column 100) may list",
        ),
        (
            probe("{path: /, accepted: [200], denied: [503]}"),
            "providers.flow.probe.denied (line 1, column 100) may list",
        ),
        (
            probe("{path: /, accepted: [200], rejected: [302]}"),
            "providers.flow.probe.rejected (line 1, column 100) may list",
        ),
        (
            probe("{path: /, accepted: [200], rejected: [401], denied: [401]}"),
            "providers.flow.probe (line 1, column 100) lists",
        ),
        (probe("{path: /, accepted: [200, 200]}"), "providers.flow.probe (line 1, column 100) lists"),
        (
            format!("{END}, {AUTH}, {PROBE}, probesByPurpose: {{Other: {{path: /, accepted: [200]}}}}"),
            "providers.flow.probesByPurpose has an unknown purpose",
        ),
        (
            format!("{END}, {AUTH}, {PROBE}, probesByPurpose: {{FLOWAPI: {{path: /, accepted: []}}}}"),
            "providers.flow.probesByPurpose.FLOWAPI.accepted (line 1, column",
        ),
    ] {
        let said = refused(&format!("providers: {{flow: {{{flow}}}}}"));
        assert!(said.starts_with(expected), "{flow}\n{said}");
    }
}

proptest::proptest! {
    #[test]
    fn no_endpoint_that_is_accepted_leads_elsewhere_than_it_says(text in "https?://\\PC{0,30}|https?://[a-z0-9.@:/\\[\\]{}%-]{0,20}") {
        let rules = Rules { placeholder: Some("{account}"), allow_private: false, by_proxy: false };
        if endpoint::check(&text, rules).is_ok() {
            let url = Url::parse(&text.replace("{account}", "x")).unwrap();
            let wanted = format!("{}://{}", url.scheme(), url.host_str().unwrap());
            let leads_there = text.replace("{account}", "x").to_lowercase().starts_with(&wanted);
            proptest::prop_assert!(leads_there, "{}", text);
        }
    }

    #[test]
    fn no_text_is_quoted_or_panics(key in "[a-zA-Z]{1,12}", value in "hunter2\\PC{0,20}") {
        for yaml in [format!("{key}: {value}"), format!("providers: {{{key}: '{value}'}}"), format!("providers: {{zenflow: {{endpoint: '{value}'}}}}"), value.clone()] {
            if let Err(why) = Settings::parse(&yaml) {
                proptest::prop_assert!(!why.to_string().contains("hunter2"), "{}", why);
            }
        }
    }
}
