//! What does the network policy let through?

use serde_json::{Value, json};

use super::rendering::{documents, of_kind, rendered};
use crate::tools::Helm;

fn policy(settings: &[&str]) -> Value {
    let settings = [&["crds.enabled=false", "networkPolicy.enabled=true"], settings].concat();
    let documents = documents(&rendered(Helm::Three, "ops", &settings));
    let policies = of_kind(&documents, "NetworkPolicy");
    assert_eq!(policies.len(), 1);
    let deployment = of_kind(&documents, "Deployment")[0];
    assert_eq!(policies[0]["spec"]["podSelector"], deployment["spec"]["selector"], "it is the operator's");
    policies[0]["spec"].clone()
}

/// The ports of each rule, with the ranges that they lead to.
fn ways(rules: &Value) -> Vec<(Vec<i64>, Vec<String>)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let way = |rule: &Value| {
        let ports = list(&rule["ports"]).iter().filter_map(|port| port["port"].as_i64()).collect();
        let block = |peer: &Value| {
            let except = list(&peer["ipBlock"]["except"]);
            format!("{} but {}", peer["ipBlock"]["cidr"].as_str().unwrap_or_default(), except.len())
        };
        (ports, list(&rule["to"]).iter().map(block).collect())
    };
    list(rules).iter().map(way).collect()
}

#[test]
fn a37_in_come_probes_and_scrapes_only() {
    assert_eq!(ways(&policy(&[])["ingress"]), [(vec![8081, 8080], vec![])]);
    assert_eq!(ways(&policy(&["metrics.enabled=false"])["ingress"]), [(vec![8081], vec![])]);
    assert_eq!(policy(&[])["policyTypes"], json!(["Ingress", "Egress"]));
}

#[test]
fn a37_out_go_names_the_api_server_and_providers_only() {
    let anywhere = || vec!["0.0.0.0/0 but 1".to_owned(), "::/0 but 1".to_owned()];
    let public = || vec!["0.0.0.0/0 but 6".to_owned(), "::/0 but 2".to_owned()];
    let dns = || (vec![53, 53], vec![]);
    let server = || (vec![443, 6443], anywhere());
    assert_eq!(ways(&policy(&[])["egress"]), [dns(), server(), (vec![443], public())]);
    let named = policy(&["networkPolicy.apiServer.cidrs={10.0.0.1/32}", "networkPolicy.apiServer.ports={6443}"]);
    assert_eq!(ways(&named["egress"])[1], (vec![6443], vec!["10.0.0.1/32 but 0".to_owned()]));
    let private = policy(&["config.allowPrivateEndpoints=true"]);
    assert_eq!(ways(&private["egress"])[2], (vec![443], anywhere()));
    // Everything goes through the proxy, so nothing else is needed.
    for (proxy, port) in
        [("http://egress.example:3128", 3128), ("http://egress.example", 80), ("https://[fd00::1]", 443)]
    {
        let proxied = policy(&[&format!("config.proxy={proxy}")]);
        assert_eq!(ways(&proxied["egress"]), [dns(), server(), (vec![port], vec![])], "{proxy}");
    }
    let more = policy(&["networkPolicy.extraEgress[0].ports[0].port=8443"]);
    assert_eq!(ways(&more["egress"]).last(), Some(&(vec![8443], vec![])));
}
