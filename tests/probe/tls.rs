//! Keys travel under certificates that the system or the administrator trusts, to the hosts they belong to.

use super::*;
use connector_operator::probe::Unprepared;
use simulator::{Fault, Misbehaviour};
use std::io::Write;

async fn encrypted() -> Simulator {
    Simulator::start(Options { tls: true, ..Options::default() }).await.unwrap()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn prober(yaml: &str) -> Result<Prober, Unprepared> {
    let settings = Settings::parse(yaml).unwrap();
    Prober::new(Arc::new(settings), Arc::new(SystemClock::new()), limits())
}

async fn said(prober: &Prober, product: Product, key: &str) -> String {
    let (_, settings) = settings(product);
    let clock = SystemClock::new();
    let options = CheckOptions {
        depth: Depth::Declared,
        proved: true,
        asked_before: None,
        namespace: String::new(),
        since: clock.now(),
    };
    match prober.check(settings.as_ref(), &Key::parse(key.as_bytes()).unwrap(), &options).await {
        Outcome::Checked { checked, .. } => told(&checked.verdict),
        other => panic!("asked nobody: {other:?}"),
    }
}

#[tokio::test]
async fn a11_only_a_trusted_certificate_gets_a_request() {
    let simulator = encrypted().await;
    let ca = file(simulator.ca_pem().unwrap());
    let trusting = prober(&format!("{}caBundleFile: {}\n", simulator.config_yaml(), ca.path().display())).unwrap();
    let key = simulator.add_key(NewKey::of(Product::InFlow, COMPANY)).key;
    assert_eq!(said(&trusting, Product::InFlow, &key).await, "accepted Verified");
    assert_eq!(simulator.ledger(&LedgerFilter::default()).len(), 1);
    simulator.set_fault(Fault { times: Some(1), ..Fault::of(Misbehaviour::BadTls) });
    assert_eq!(said(&trusting, Product::InFlow, &key).await, "inconclusive Unavailable");
    simulator.clear_ledger();
    if let Ok(wary) = prober(&simulator.config_yaml()) {
        assert_eq!(said(&wary, Product::InFlow, &key).await, "inconclusive Unavailable");
    }
    let by_address = simulator.config_yaml().replace("localhost", "127.0.0.1");
    let misnamed = prober(&format!("{by_address}caBundleFile: {}\n", ca.path().display())).unwrap();
    let said = said(&misnamed, Product::InFlow, &key).await;
    let rows = simulator.ledger(&LedgerFilter::default());
    assert!(said == "inconclusive Unavailable" || rows.iter().all(|row| row.host.starts_with("127.0.0.1")), "{said}");
    assert!(rows.iter().all(|row| row.sni.is_none()), "an untrusting client sent a request");
}

#[tokio::test]
async fn through_the_proxy_each_provider_is_asked_at_its_own_host() {
    let simulator = encrypted().await;
    let ca = file(simulator.ca_pem().unwrap());
    let proxy = simulator.proxy().unwrap();
    let prober = prober(&format!("proxy: {proxy}\ncaBundleFile: {}\n", ca.path().display())).unwrap();
    for (product, host) in [
        (Product::InFlow, "cloudapi.inflowinventory.com"),
        (Product::Flowlu, "mycompany.flowlu.com"),
        (Product::ZenFlow, "api.zenflow.com.ar"),
        (Product::Aventri, "api-na.eventscloud.com"),
    ] {
        let (account, _) = settings(product);
        let key = simulator.add_key(NewKey { scopes: vec!["read:orders".to_owned()], ..NewKey::of(product, &account) });
        let said = said(&prober, product, &key.key).await;
        assert!(said.starts_with("accepted"), "{product:?}: {said}");
        let row = simulator.ledger(&LedgerFilter::default()).pop().unwrap();
        assert_eq!((row.host.as_str(), row.sni.as_deref()), (host, Some(host)));
        assert!(row.key_hash == Some(key.hash) && !row.header_names.iter().any(|name| name.starts_with("proxy-")));
    }
}

#[tokio::test]
async fn a_bundle_without_certificates_is_refused_at_start() {
    for text in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n",
    ] {
        let bundle = file(text);
        let refused = prober(&format!("caBundleFile: {}\n", bundle.path().display())).err();
        assert_eq!(refused, Some(Unprepared::BadBundle), "{text}");
    }
    assert_eq!(prober("caBundleFile: /nonexistent/ca.pem").err(), Some(Unprepared::BadBundle));
}
