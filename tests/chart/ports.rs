//! Does the real process listen and dial where its network policy lets it, and nowhere else? No network plugin runs here:
//! what a cluster enforces is its own, what the process needs is seen.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;

use connector_operator::api::{ConditionType, ConnectorCredential};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::rendering::{documents, of_kind, rendered};
use crate::controller::cast;
use crate::support::around::{Around, Sockets};
use crate::support::await_object::await_object;
use crate::support::bed::{Bed, bed};
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::stage::{SOON, get, is};
use crate::tools::Helm;

/// Where every name leads here: to the Internet, which nobody reaches.
const PUBLIC: &str = "8.8.8.8";

/// A port that nobody listens at.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

/// What the chart makes of settings.
struct Installed {
    policy: Value,
    args: Vec<String>,
    config: Option<String>,
}

impl Installed {
    fn with(settings: &[String]) -> Self {
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let documents = documents(&rendered(Helm::Three, "ops", &settings));
        let args = &of_kind(&documents, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["args"];
        let args = args.as_array().expect("flags").iter().filter_map(Value::as_str).map(str::to_owned);
        let config = of_kind(&documents, "ConfigMap").first().map(|map| map["data"]["config.yaml"].clone());
        Self {
            policy: of_kind(&documents, "NetworkPolicy")[0]["spec"].clone(),
            args: args.collect(),
            config: config.and_then(|text| text.as_str().map(str::to_owned)),
        }
    }

    /// The process of the Deployment, outside of a Pod.
    fn start(&self, (bed, kubeconfig): (&Bed, &Path), around: &Around, directory: &Path) -> Operator {
        let config = directory.join("config.yaml");
        if let Some(text) = &self.config {
            std::fs::write(&config, text).expect("it can be written to");
        }
        let placed = |flag: &String| match flag.strip_prefix("--config=") {
            Some(_) => format!("--config={}", config.display()),
            None => flag.clone(),
        };
        let mut args: Vec<_> = self.args.iter().map(placed).collect();
        args.push(format!("--kubeconfig={}", kubeconfig.display()));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let environment = around.variables().into_iter().map(owned).collect();
        Operator::spawn(bed, &OperatorOptions { args, environment }).expect("the binary was built")
    }

    fn rules(&self, direction: &str) -> Vec<Value> {
        self.policy[direction].as_array().expect("rules").clone()
    }
}

fn ports(rule: &Value) -> BTreeSet<u16> {
    let tcp = rule["ports"].as_array().expect("ports").iter().filter(|port| port["protocol"] == "TCP");
    tcp.filter_map(|port| u16::try_from(port["port"].as_u64()?).ok()).collect()
}

/// Whether a rule lets through to this address and port.
fn lets(rule: &Value, address: IpAddr, port: u16) -> bool {
    let block = |value: &Value| value.as_str().expect("a range").parse::<IpNet>().expect("a range");
    let within = |peer: &Value| {
        let except = peer["ipBlock"]["except"].as_array().into_iter().flatten();
        block(&peer["ipBlock"]["cidr"]).contains(&address)
            && !except.into_iter().any(|range| block(range).contains(&address))
    };
    ports(rule).contains(&port) && rule["to"].as_array().is_none_or(|peers| peers.iter().any(within))
}

/// Declares a credential of each provider that has an endpoint, and waits until each was dialled for in vain.
async fn dialled_for(bed: &Bed, namespace: &str) {
    let (secrets, credentials): (Api<Secret>, Api<ConnectorCredential>) = (bed.api(namespace), bed.api(namespace));
    let acts = [cast::inflow(), cast::flowlu(), cast::zenflow(), cast::aventri()];
    for act in &acts {
        let prefix = if act.name == cast::zenflow().name { "zenflow_live_" } else { "" };
        let secret = json!({"metadata": {"name": act.source()}, "stringData": {"api-key": format!("{prefix}EXAMPLE")}});
        let secret = serde_json::from_value(secret).expect("a Secret");
        secrets.create(&PostParams::default(), &secret).await.expect("it is admitted");
        let credential = json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "metadata": {"name": act.name}, "spec": act.spec(),
        });
        let credential = serde_json::from_value(credential).expect("a credential");
        credentials.create(&PostParams::default(), &credential).await.expect("it is admitted");
    }
    for act in &acts {
        let tried =
            |object: &ConnectorCredential| is(object, ConditionType::Authenticated, ("Unknown", "ProviderUnavailable"));
        await_object(&credentials, act.name, SOON, tried).await.expect("it is tried");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a37_the_process_listens_and_dials_where_its_policy_lets_it_and_nowhere_else() {
    let bed = bed().await;
    let plane = bed.plane;
    tokio::task::spawn_blocking(|| plane.install_rights()).await.expect("no panic").expect("granted");
    let kubeconfig = plane.operator_kubeconfig().await.expect("the account exists");
    let server: u16 = plane.url().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    for proxy in [None, Some(free_port())] {
        let namespace = bed.namespace("ports").await;
        let (health, metrics) = (free_port(), free_port());
        let mut settings = vec![
            "crds.enabled=false".to_owned(),
            "networkPolicy.enabled=true".to_owned(),
            "replicas=1".to_owned(),
            "leaderElection.enabled=false".to_owned(),
            format!("watchNamespaces={{{namespace}}}"),
            format!("networkPolicy.apiServer.ports={{{server}}}"),
            format!("health.port={health}"),
            format!("metrics.port={metrics}"),
        ];
        settings.extend(proxy.map(|port| format!("config.proxy=http://127.0.0.1:{port}")));
        let installed = Installed::with(&settings);
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let record = directory.path().join("sockets");
        let around = Around::nothing().sockets(&record).names(PUBLIC);
        let mut operator = installed.start((&bed, &kubeconfig), &around, directory.path());
        dialled_for(&bed, &namespace).await;
        assert_eq!(get(&format!("http://127.0.0.1:{health}/livez")).await, "ok\n");
        assert!(get(&format!("http://127.0.0.1:{metrics}/metrics")).await.contains("# TYPE "));
        let ended = tokio::task::block_in_place(|| operator.stop(SOON)).expect("it ends when told to");
        assert!(ended.success(), "{}", operator.log());

        let seen = Sockets::read(&record);
        let opened: BTreeSet<u16> = installed.rules("ingress").iter().flat_map(ports).collect();
        assert_eq!(seen.listens.iter().map(std::net::SocketAddr::port).collect::<BTreeSet<_>>(), opened);
        let (names, ways): (Vec<_>, Vec<_>) =
            installed.rules("egress").into_iter().partition(|rule| ports(rule) == BTreeSet::from([53]));
        for to in &seen.dials {
            assert!(ways.iter().any(|way| lets(way, to.ip(), to.port())), "{to} is dialled, and not let through");
        }
        for way in &ways {
            assert!(seen.dials.iter().any(|to| lets(way, to.ip(), to.port())), "nobody needs {way}");
        }
        // The proxy looks names up itself.
        assert_eq!((names.len(), seen.asks.is_empty()), (1, proxy.is_some()), "{:?}", seen.asks);
    }
}
