//! The provider port over https, and as a proxy to the real hosts.

use super::*;

async fn encrypted() -> Simulator {
    let options = Options { tls: true, ..Options::default() };
    Simulator::start(options).await.expect("loopback has free ports")
}

/// A client that trusts the simulator's authority only.
fn trusting(simulator: &Simulator, proxy: bool) -> Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    let pem = simulator.ca_pem().expect("served with TLS");
    let ca = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    let builder = Client::builder().tls_certs_only([ca]).timeout(Duration::from_secs(60)).no_proxy();
    let builder = match simulator.proxy().filter(|_| proxy) {
        Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy).expect("a URL")),
        None => builder,
    };
    builder.build().expect("a client with one authority")
}

#[tokio::test]
async fn https_carries_the_name_into_the_ledger() {
    let simulator = encrypted().await;
    let key = orders_key(&simulator).key;
    let url = format!("{}/zenflow/api/v1/orders", simulator.base());
    assert!(url.starts_with("https://localhost:"));
    let request = trusting(&simulator, false).get(&url);
    let heard = ask(request.header("X-API-Key", &key)).await;
    assert_eq!(heard.status, 200);
    assert_eq!(last(&simulator).sni.as_deref(), Some("localhost"));
    let served = ask(get(&format!("{}/ca.pem", simulator.admin()), None)).await;
    assert_eq!(Some(served.body.as_slice()), simulator.ca_pem().map(str::as_bytes));
}

#[tokio::test]
async fn a_handshake_or_a_record_is_spoilt() {
    let simulator = encrypted().await;
    let url = format!("{}/zenflow/api/v1/orders", simulator.base());
    let fault = || Fault { times: Some(1), ..Fault::of(Misbehaviour::BadTls) };
    simulator.set_fault(fault());
    assert!(hear(trusting(&simulator, false).get(&url)).await.is_err());
    let row = last(&simulator);
    assert_eq!((row.method.as_str(), row.fault.as_deref()), ("", Some("badTLS")));
    simulator.set_fault(Fault { path: Some("/orders".into()), ..fault() });
    assert!(hear(trusting(&simulator, false).get(&url)).await.is_err());
    assert_eq!(last(&simulator).method, "GET");
    assert_eq!(ask(trusting(&simulator, false).get(&url)).await.status, 401);
}

#[tokio::test]
async fn the_proxy_leads_to_the_real_hosts() {
    let simulator = encrypted().await;
    let client = trusting(&simulator, true);
    for (url, provider, account) in [
        ("https://api.zenflow.com.ar/api/v1/orders", Provider::ZenFlow, ""),
        ("https://mycompany.flowlu.com/api/v1/module/core/user/list", Provider::Flowlu, "mycompany"),
        ("https://cloudapi.inflowinventory.com/7/categories", Provider::InFlow, "7"),
        ("https://api-na.eventscloud.com/api/v2/global/authorize.json", Provider::Aventri, "@na"),
    ] {
        ask(client.get(url)).await;
        let row = last(&simulator);
        let host = url.split('/').nth(2);
        assert_eq!((row.provider, row.account.as_str()), (Some(provider), account));
        assert_eq!((row.sni.as_deref(), Some(row.host.as_str())), (host, host));
    }
}
