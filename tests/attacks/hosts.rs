//! To whom does the operator speak? To each provider under its own name, and to nobody whose certificate is in doubt.

use super::pass;
use crate::controller::cast;
use crate::simulator::{Certificate, Fault, LedgerFilter, Misbehaviour, Options, Provider, Simulator};
use crate::support::stage::{Stage, is};
use connector_operator::api::{ConditionType, ConnectorCredential};
use std::time::Duration;

async fn encrypted(certificate: Certificate) -> Simulator {
    let options = Options { tls: true, certificate, ..Options::default() };
    Simulator::start(options).await.expect("loopback has free ports")
}

/// A file with these authorities.
fn bundle(simulators: &[&Simulator]) -> tempfile::NamedTempFile {
    let pems: String = simulators.iter().filter_map(|simulator| simulator.ca_pem()).collect();
    let file = tempfile::NamedTempFile::new().expect("there is a temporary directory");
    std::fs::write(file.path(), pems).expect("it can be written to");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a03_each_provider_is_asked_at_its_own_host_and_gets_nothing_of_the_cluster() {
    let mut stage = Stage::set("hosts").await;
    let world = encrypted(Certificate::Good).await;
    let ca = bundle(&[&world]);
    let proxy = world.proxy().expect("it serves TLS");
    stage.configure(&format!("proxy: {proxy}\ncaBundleFile: {}\n", ca.path().display()));
    stage.operator.kill().expect("it runs");
    stage.operator = stage.another_operator(&[]).await;
    for (act, host) in [
        (cast::inflow(), "cloudapi.inflowinventory.com"),
        (cast::flowlu(), "mycompany.flowlu.com"),
        (cast::zenflow(), "api.zenflow.com.ar"),
        (cast::aventri(), "api-na.eventscloud.com"),
    ] {
        let issued = world.add_key(act.new_key());
        stage.watch_for(&issued.key);
        stage.put_secret(&act.source(), &[("api-key", &issued.key)]).await;
        stage.declare(act.name, act.spec()).await;
        stage.until_ready(act.name).await;
        let rows = world.ledger(&LedgerFilter { provider: Some(act.provider), ..LedgerFilter::default() });
        assert!(!rows.is_empty());
        for row in rows {
            assert_eq!((row.host.as_str(), row.sni.as_deref()), (host, Some(host)), "{}", act.name);
            assert_eq!(row.key_hash.as_deref(), Some(issued.hash.as_str()), "{}: its own key", act.name);
            let headers: Vec<_> = row.header_names.iter().map(String::as_str).collect();
            let bearer = act.provider == Provider::InFlow;
            assert_eq!(headers.contains(&"authorization"), bearer, "{}: {headers:?}", act.name);
            assert!(!headers.iter().any(|name| name.starts_with("proxy-")), "{headers:?}");
        }
    }
    // From TLS to plain text, and to the same host: neither is followed.
    let (away, home) = (Misbehaviour::Redirect { status: 301 }, Misbehaviour::RedirectHome { status: 302 });
    for (fault, acts) in [(away, [cast::inflow(), cast::zenflow()]), (home, [cast::flowlu(), cast::aventri()])] {
        let asked = fault.name().to_owned();
        let fault = world.set_fault(Fault::of(fault));
        for act in acts {
            stage.annotate(act.name, "connector-operator.io/reconcile-at", &asked).await;
            let handled = |object: &ConnectorCredential| {
                object.status.as_ref().is_some_and(|status| status.last_handled_request.as_ref() == Some(&asked))
            };
            let object = stage.until(act.name, handled).await;
            assert!(is(&object, ConditionType::Ready, ("True", "Ready")), "{}: nothing is concluded", act.name);
        }
        world.clear_fault(fault);
    }
    let rows = world.ledger(&LedgerFilter::default());
    let met = |name: &str| rows.iter().filter(|row| row.fault.as_deref() == Some(name)).count();
    assert!(met("redirect") >= 2 && met("redirectHome") >= 2, "each was redirected");
    let followed = rows.iter().filter(|row| row.query_names.iter().any(|name| name == "redirected")).count();
    assert_eq!(followed, 0, "nobody followed");
    assert!(stage.simulator.ledger(&LedgerFilter::default()).is_empty(), "nobody else was asked");
    assert_eq!(world.decoy_hits() + stage.simulator.decoy_hits(), 0);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_a_certificate_in_doubt_gets_no_request_says_nothing_of_the_key_and_no_session_keys_are_logged() {
    let mut stage = Stage::set("certificates").await;
    let expired = encrypted(Certificate::Expired).await;
    let other_host = encrypted(Certificate::OtherHost).await;
    let other_authority = encrypted(Certificate::OtherAuthority).await;
    let old_version = encrypted(Certificate::OldVersion).await;
    let good = encrypted(Certificate::Good).await;
    let ca = bundle(&[&expired, &other_host, &other_authority, &old_version, &good]);
    stage.configure(&format!(
        r#"providers:
  inflow: {{endpoint: "{}/inflow"}}
  flowlu: {{endpoint: "{}/flowlu/{{account}}"}}
  zenflow: {{endpoint: "{}/zenflow/api/v1"}}
  aventri: {{endpoint: "{}/aventri/{{region}}"}}
  flow:
    endpoint: "{}/flow/api"
    authentication: {{header: Authorization, scheme: Bearer}}
    probe: {{path: "/members?limit=1", accepted: [200], rejected: [401], denied: [403]}}
caBundleFile: {}
"#,
        expired.base(),
        other_host.base(),
        other_authority.base(),
        old_version.base(),
        good.base(),
        ca.path().display(),
    ));
    stage.operator.kill().expect("it runs");
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let keys = directory.path().join("session-keys");
    let log = keys.to_str().expect("a plain name");
    stage.operator = stage.another_operator_in(&[("SSLKEYLOGFILE", log)], &[]).await;
    for act in cast::all() {
        let key = good.add_key(act.new_key());
        stage.watch_for(&key.key);
        stage.put_secret(&act.source(), &[("api-key", &key.key)]).await;
        stage.declare(act.name, act.spec()).await;
    }
    stage.until_ready(cast::flow().name).await;
    assert_eq!(good.ledger(&LedgerFilter::default()).len(), 1, "a good certificate gets its request");
    let doubtful = [
        (cast::inflow(), expired),
        (cast::flowlu(), other_host),
        (cast::zenflow(), other_authority),
        (cast::aventri(), old_version),
    ];
    for (act, _) in &doubtful {
        let told = stage.until_is(act.name, ConditionType::Authenticated, ("Unknown", "ProviderUnavailable")).await;
        assert!(is(&told, ConditionType::Reconciling, ("True", "ProviderUnavailable")));
        assert!(stage.secret(&act.output()).await.is_none(), "{}: nothing unproved is published", act.name);
    }
    // They are tried again, to the same effect.
    pass(Duration::from_secs(3)).await;
    for (act, simulator) in &doubtful {
        assert_eq!(simulator.ledger(&LedgerFilter::default()), [], "{}: a request went out", act.name);
    }
    assert!(!keys.exists(), "session keys were logged");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a04_no_variable_makes_anybody_a_certificate_authority() {
    let mut stage = Stage::set("authorities").await;
    let (trusted, named) = (encrypted(Certificate::Good).await, encrypted(Certificate::Good).await);
    let ca = bundle(&[&trusted]);
    stage.configure(&format!(
        "providers:\n  inflow: {{endpoint: '{}/inflow'}}\n  zenflow: {{endpoint: '{}/zenflow/api/v1'}}\ncaBundleFile: {}\n",
        trusted.base(),
        named.base(),
        ca.path().display(),
    ));
    stage.operator.kill().expect("it runs");
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let decoy = directory.path().join("decoy.pem");
    std::fs::write(&decoy, named.ca_pem().expect("it serves TLS")).expect("it can be written to");
    let environment = [("SSL_CERT_FILE", &decoy), ("SSL_CERT_DIR", &directory.path().to_owned())]
        .map(|(name, path)| (name, path.to_str().expect("a plain name").to_owned()));
    let environment = environment.each_ref().map(|(name, path)| (*name, path.as_str()));
    stage.operator = stage.another_operator_in(&environment, &[]).await;
    for (act, provider) in [(cast::inflow(), &trusted), (cast::zenflow(), &named)] {
        let key = provider.add_key(act.new_key());
        stage.watch_for(&key.key);
        stage.put_secret(&act.source(), &[("api-key", &key.key)]).await;
        stage.declare(act.name, act.spec()).await;
    }
    stage.until_ready(cast::inflow().name).await;
    let told = ("Unknown", "ProviderUnavailable");
    stage.until_is(cast::zenflow().name, ConditionType::Authenticated, told).await;
    assert_eq!(named.ledger(&LedgerFilter::default()), [], "a request went to whom the environment trusts");
    stage.finish().await;
}
