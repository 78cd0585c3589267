//! The administrator's interface over HTTP.

use reqwest::Method;
use serde_json::json;

use super::*;

async fn order(simulator: &Simulator, method: Method, path: &str, body: Value) -> Heard {
    let url = format!("{}{path}", simulator.admin());
    ask(client().request(method, url).body(body.to_string())).await
}

async fn done(simulator: &Simulator, method: Method, path: &str, body: Value) {
    assert_eq!(order(simulator, method, path, body).await.status, 204);
}

async fn look(simulator: &Simulator, path: &str) -> Value {
    ask(get(&format!("{}{path}", simulator.admin()), None)).await.json()
}

#[tokio::test]
async fn a_key_lives_from_post_to_delete() {
    let simulator = simulator().await;
    let new = json!({"provider": "zenflow", "scopes": ["read:orders"],
        "expiresAt": "2100-01-01T00:00:00Z", "allowedCIDRs": ["127.0.0.1"]});
    let made = order(&simulator, Method::POST, "/keys", new).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    assert!(text("key").starts_with("zenflow_live_EXAMPLE"));
    assert_eq!(text("hash"), key_hash(&text("key")));
    let status = async || ask(orders(&simulator, &text("key"))).await.status;
    assert_eq!(status().await, 200);

    let path = format!("/keys/{}", text("id"));
    let change = json!({"scopes": []});
    done(&simulator, Method::PATCH, &path, change).await;
    assert_eq!(status().await, 403);
    let expire = format!("{path}/expire");
    done(&simulator, Method::POST, &expire, json!(null)).await;
    assert_eq!(status().await, 401);
    let back = json!({"scopes": ["admin"], "expiresAt": null, "granted": null});
    done(&simulator, Method::PATCH, &path, back).await;
    assert_eq!(status().await, 200);
    done(&simulator, Method::DELETE, &path, json!(null)).await;
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn mistakes_are_refused() {
    let simulator = simulator().await;
    for (method, path, body, status) in [
        (Method::POST, "/keys", json!({"provider": "zenflow", "colour": 1}), 400),
        (Method::POST, "/keys", json!({"provider": "none"}), 400),
        (Method::POST, "/keys", json!({"provider": "flow", "allowedCIDRs": ["x"]}), 400),
        (Method::DELETE, "/keys/key-9", json!(null), 404),
        (Method::PUT, "/faults", json!({"fault": "flood"}), 400),
        (Method::PUT, "/faults", json!({"fault": "hang", "keyhash": "x"}), 400),
        (Method::DELETE, "/faults/9", json!(null), 404),
        (Method::PUT, "/switches", json!({"limit": false}), 400),
        (Method::GET, "/ledger?provider=none", json!(null), 400),
        (Method::GET, "/ledger?wait=soon", json!(null), 400),
        (Method::GET, "/ca.pem", json!(null), 404),
        (Method::GET, "/elsewhere", json!(null), 404),
    ] {
        let heard = order(&simulator, method, path, body.clone()).await;
        assert_eq!(heard.status, status, "{path} {body}");
    }
}

#[tokio::test]
async fn faults_are_added_listed_and_cleared() {
    let simulator = simulator().await;
    let one = json!({"fault": {"latency": {"ms": 1}}, "provider": "flow", "times": 2});
    let several = json!([{"fault": "hang"}, {"fault": {"rateLimit": {"retryAfter": "banana"}}}]);
    assert_eq!(order(&simulator, Method::PUT, "/faults", one.clone()).await.json(), json!([1]));
    assert_eq!(order(&simulator, Method::PUT, "/faults", several).await.json(), json!([2, 3]));
    let mut listed = one;
    listed["id"] = json!(1);
    assert_eq!(look(&simulator, "/faults").await[0], listed);
    done(&simulator, Method::DELETE, "/faults/2", json!(null)).await;
    assert_eq!(look(&simulator, "/faults").await.as_array().map(Vec::len), Some(2));
    done(&simulator, Method::DELETE, "/faults", json!(null)).await;
    assert_eq!(look(&simulator, "/faults").await, json!([]));
}

#[tokio::test]
async fn switches_and_clock_are_set_and_reset() {
    let simulator = simulator().await;
    simulator.set_fault(Fault::of(Misbehaviour::Empty));
    let switches = json!({"limits": false, "aventri": {"tokenLifeSeconds": 60}});
    let now = order(&simulator, Method::PUT, "/switches", switches).await.json();
    assert_eq!((&now["limits"], &now["aventri"]["tokenLifeSeconds"]), (&json!(false), &json!(60)));
    let clock = json!({"now": "2031-01-01T00:00:00Z", "frozen": true, "advanceSeconds": -1});
    let now = order(&simulator, Method::PUT, "/clock", clock).await.json();
    assert_eq!(now, json!({"now": "2030-12-31T23:59:59Z"}));

    done(&simulator, Method::POST, "/reset", json!(null)).await;
    assert_eq!(look(&simulator, "/faults").await, json!([]));
    assert_eq!(look(&simulator, "/switches").await["limits"], true);
    assert!(simulator.now().duration_since(super::super::clock::real()).as_secs().abs() < 5);
}

#[tokio::test]
async fn the_ledger_has_every_member_and_no_key() {
    let simulator = simulator().await;
    let key = orders_key(&simulator);
    ask(orders(&simulator, &key.key).header("User-Agent", "EXAMPLE/1")).await;
    let path = format!("/ledger?provider=zenflow&keyHash={}", key.hash);
    let mut row = look(&simulator, &path).await[0].clone();
    while row["durationMs"].is_null() {
        row = look(&simulator, &path).await[0].clone();
    }
    for measured in ["time", "durationMs", "host", "headerNames", "port"] {
        assert!(row[measured].take() != Value::Null, "{measured}");
    }
    let expected = json!({"seq": 1, "time": null, "connection": 1, "port": null, "provider": "zenflow", "account": "",
        "method": "GET", "host": null, "sni": null, "path": "/zenflow/api/v1/orders",
        "queryNames": ["page", "limit"], "headerNames": null, "placement": "header",
        "keyHash": key.hash, "knownKey": true, "accept": "*/*", "userAgent": "EXAMPLE/1",
        "status": 200, "fault": null, "durationMs": null});
    assert_eq!(row, expected);
    let everything = look(&simulator, "/ledger").await.to_string();
    assert!(!everything.contains(&key.key));
    done(&simulator, Method::DELETE, "/ledger", json!(null)).await;
    assert_eq!(look(&simulator, "/ledger").await, json!([]));
}

#[tokio::test]
async fn waiting_for_a_row_ends_with_the_row() {
    let simulator = simulator().await;
    let key = orders_key(&simulator);
    ask(orders(&simulator, &key.key)).await;
    let filter = LedgerFilter { after: 1, provider: Some(Provider::ZenFlow), ..LedgerFilter::default() };
    let short = Duration::from_millis(20);
    assert_eq!(simulator.wait_for(&filter, short).await, None);
    assert_eq!(look(&simulator, "/ledger?after=1&wait=0.02").await, json!([]));
    let later = async {
        tokio::time::sleep(short).await;
        ask(orders(&simulator, &key.key)).await
    };
    let (typed, listed, _) = tokio::join!(
        simulator.wait_for(&filter, Duration::from_secs(4)),
        look(&simulator, "/ledger?provider=zenflow&after=1&wait=4"),
        later
    );
    assert_eq!(typed.map(|row| row.seq), Some(2));
    assert_eq!(listed[0]["seq"], 2);
}

#[tokio::test]
async fn the_operators_configuration_names_every_provider() {
    let simulator = simulator().await;
    let yaml = simulator.config_yaml();
    let read: Value = serde_saphyr::from_str(&yaml).expect("YAML");
    let base = simulator.base();
    let endpoint = |name: &str| read["providers"][name]["endpoint"].clone();
    assert_eq!(endpoint("inflow"), format!("{base}/inflow"));
    assert_eq!(endpoint("flowlu"), format!("{base}/flowlu/{{account}}"));
    assert_eq!(endpoint("zenflow"), format!("{base}/zenflow/api/v1"));
    assert_eq!(endpoint("aventri"), format!("{base}/aventri/{{region}}"));
    assert_eq!(read["providers"]["flow"]["probe"]["rejected"], json!([401]));
    let served = ask(get(&format!("{}/config", simulator.admin()), None)).await;
    assert_eq!(served.body, yaml.as_bytes());
}

#[tokio::test]
async fn dropping_the_simulator_closes_its_ports() {
    let simulator = simulator().await;
    let url = simulator.base();
    assert!(hear(get(&url, None)).await.is_ok());
    drop(simulator);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(hear(get(&url, None)).await.is_err());
}
