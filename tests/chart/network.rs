//! What does the network policy let through?

use std::net::IpAddr;

use connector_operator::config::Reach;
use serde_json::{Value, json};

use super::rendering::{documents, of_kind, rendered};
use crate::tools::Helm;

/// A rule's ports and peers; a rule without peers is for everybody.
type Way = (Vec<i64>, Vec<Value>);

fn policy(settings: &[&str]) -> Value {
    let settings = [&["crds.enabled=false", "networkPolicy.enabled=true"], settings].concat();
    let documents = documents(&rendered(Helm::Three, "ops", &settings));
    let policies = of_kind(&documents, "NetworkPolicy");
    assert_eq!(policies.len(), 1);
    let deployment = of_kind(&documents, "Deployment")[0];
    assert_eq!(policies[0]["spec"]["podSelector"], deployment["spec"]["selector"], "it is the operator's");
    policies[0]["spec"].clone()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The rules of one direction; `peers` is what that direction calls them.
fn ways(rules: &Value, peers: &str) -> Vec<Way> {
    let way = |rule: Value| {
        assert!(rule.as_object().expect("a rule").keys().all(|key| key == "ports" || key == peers), "{rule}");
        let ports = list(&rule["ports"]).iter().filter_map(|port| port["port"].as_i64()).collect();
        (ports, list(&rule[peers]))
    };
    list(rules).into_iter().map(way).collect()
}

fn ingress(settings: &[&str]) -> Vec<Way> {
    ways(&policy(settings)["ingress"], "from")
}

fn egress(settings: &[&str]) -> Vec<Way> {
    ways(&policy(settings)["egress"], "to")
}

/// Whether a range holds the address.
fn holds(range: &Value, address: IpAddr) -> bool {
    let (first, length) = range.as_str().and_then(|range| range.split_once('/')).expect("a range");
    let length: u32 = length.parse().expect("its length");
    match (first.parse().expect("an address"), address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            (first.to_bits() ^ address.to_bits()).checked_shr(32 - length).unwrap_or(0) == 0
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => {
            (first.to_bits() ^ address.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Whether peers that are ranges admit the address.
fn admit(peers: &[Value], address: IpAddr) -> bool {
    let admits = |peer: &Value| {
        let block = &peer["ipBlock"];
        holds(&block["cidr"], address) && !list(&block["except"]).iter().any(|range| holds(range, address))
    };
    peers.iter().any(admits)
}

#[test]
fn a37_in_come_probes_and_scrapes_only() {
    assert_eq!(ingress(&[]), [(vec![8081], vec![]), (vec![8080], vec![])]);
    assert_eq!(ingress(&["metrics.enabled=false"]), [(vec![8081], vec![])]);
    assert_eq!(policy(&[])["policyTypes"], json!(["Ingress", "Egress"]));
    let prometheus = json!({"namespaceSelector": {"matchLabels": {"team": "monitoring"}}});
    let nodes = json!({"ipBlock": {"cidr": "10.0.0.0/24"}});
    let closed = ingress(&[
        "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team=monitoring",
        "networkPolicy.healthFrom[0].ipBlock.cidr=10.0.0.0/24",
    ]);
    assert_eq!(closed, [(vec![8081], vec![nodes]), (vec![8080], vec![prometheus])]);
}

#[test]
fn a37_out_go_names_the_api_server_and_providers_only() {
    let usual = egress(&[]);
    let ports: Vec<_> = usual.iter().map(|(ports, _)| ports.as_slice()).collect();
    assert_eq!(ports, [&[53, 53][..], &[443, 6443], &[443]]);
    let (dns, anywhere) = (usual[0].clone(), usual[1].1.clone());
    let system = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}});
    assert_eq!(dns.1, [system]);
    let named = egress(&["networkPolicy.apiServer.cidrs={10.0.0.1/32}", "networkPolicy.apiServer.ports={6443}"]);
    assert_eq!(named[1], (vec![6443], vec![json!({"ipBlock": {"cidr": "10.0.0.1/32"}})]));
    assert_eq!(egress(&["networkPolicy.dnsTo=[]"])[0].1, Vec::<Value>::new());
    // Everything goes through the proxy, so nothing else is needed.
    for (proxy, port) in
        [("http://egress.example:3128", 3128), ("http://egress.example", 80), ("https://[fd00::1]", 443)]
    {
        let proxied = egress(&[&format!("config.proxy={proxy}")]);
        assert_eq!(proxied, [dns.clone(), usual[1].clone(), (vec![port], anywhere.clone())], "{proxy}");
    }
    let there =
        ["config.proxy=http://egress.example:3128", "networkPolicy.proxyTo[0].podSelector.matchLabels.app=proxy"];
    let there = egress(&there);
    assert_eq!(there[2], (vec![3128], vec![json!({"podSelector": {"matchLabels": {"app": "proxy"}}})]));
    let more = egress(&["networkPolicy.extraEgress[0].ports[0].port=8443"]);
    assert_eq!(more.last(), Some(&(vec![8443], vec![])));
}

/// One address of each network that the operator tells apart. Those that carry another one within are for it to judge.
const ADDRESSES: &[&str] = &[
    "8.8.8.8",
    "104.16.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "172.32.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.7",
    "240.0.0.1",
    "169.254.169.254",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "168.63.129.17",
    "100.100.100.200",
    "2606:4700::1111",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "2001:db8::1",
    "fe80::1",
    "febf::1",
    "ff02::1",
    "fd00:ec2::254",
];

#[test]
fn a37_the_ranges_that_are_closed_are_those_that_the_operator_does_not_call() {
    let usual = egress(&[]);
    let (anywhere, public) = (&usual[1].1, &usual[2].1);
    assert_eq!(&egress(&["config.allowPrivateEndpoints=true"])[2].1, anywhere);
    for text in ADDRESSES {
        let address: IpAddr = text.parse().expect("an address");
        let reach = Reach::of(address);
        assert_eq!(admit(anywhere, address), reach != Reach::Forbidden, "{text}, which is {reach:?}, and private ones");
        assert_eq!(admit(public, address), reach == Reach::Public, "{text}, which is {reach:?}");
    }
}
