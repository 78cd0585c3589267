//! The exchange and its token.

use serde_json::json;

use super::*;

async fn exchange(simulator: &Simulator, region: &str, key: &str) -> Heard {
    let base = simulator.base();
    let url = format!("{base}/aventri/{region}/api/v2/global/authorize.json");
    let form = "application/x-www-form-urlencoded";
    let request = client().post(url).header("Content-Type", form);
    ask(request.body(format!("accountid=12345&key={key}"))).await
}

async fn events(simulator: &Simulator, token: &str, bearer: bool) -> Heard {
    let base = simulator.base();
    let url = format!("{base}/aventri/na/api/v2/global/listEvents.json");
    let request = client().get(url);
    ask(if bearer {
        request.header("Authorization", format!("Bearer {token}"))
    } else {
        request.query_pair("accesstoken", token)
    })
    .await
}

fn token(heard: &Heard) -> String {
    let body = heard.json();
    body["accesstoken"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn aventri_exchanges_a_pair_for_a_token_that_ends() {
    let simulator = simulator().await;
    let key = simulator.add_key(NewKey::of(Provider::Aventri, "12345@na"));
    let token = token(&exchange(&simulator, "na", &key.key).await);
    assert!(["EXAMPLE", "+", "/", "="].iter().all(|part| token.contains(part)));
    let row = last(&simulator);
    assert_eq!((row.account.as_str(), row.placement), ("12345@na", Placement::Form));
    assert_eq!(row.key_hash, Some(key.hash));

    assert!(events(&simulator, &token, false).await.json().is_array());
    let row = last(&simulator);
    assert_eq!((row.account.as_str(), row.placement), ("12345@na", Placement::Query));
    assert!(row.known_key && row.key_hash == Some(key_hash(&token)));

    let invalid = json!({"error": {"key": "invalid"}});
    assert_eq!(exchange(&simulator, "emea", &key.key).await.json(), invalid);
    assert_eq!(exchange(&simulator, "na", "aventri-EXAMPLE").await.json(), invalid);
    assert_eq!(events(&simulator, &token, true).await.json(), invalid);
    simulator.set_clock(&ClockChange { advance_seconds: 601, ..ClockChange::default() });
    let late = events(&simulator, &token, false).await;
    assert_eq!((late.status, late.json()), (200, invalid));
}

#[tokio::test]
async fn aventri_switches_choose_the_undocumented() {
    let simulator = simulator().await;
    let key = simulator.add_key(NewKey::of(Provider::Aventri, "12345@na"));
    let mut switches = Switches::default();
    switches.aventri.old_token_ends = true;
    switches.aventri.bearer_accepted = true;
    switches.aventri.error_as_message = true;
    switches.aventri.error_status = 401;
    simulator.set_switches(switches);
    let first = token(&exchange(&simulator, "na", &key.key).await);
    assert_eq!(events(&simulator, &first, true).await.status, 200);
    let second = token(&exchange(&simulator, "na", &key.key).await);
    assert_eq!(events(&simulator, &second, false).await.status, 200);
    let old = events(&simulator, &first, false).await;
    assert_eq!((old.status, old.json()["status"].clone()), (401, json!("error")));
    let base = simulator.base();
    let url = format!("{base}/aventri/na/api/v2/global/authorize.json?accountid=12345");
    let by_get = ask(client().get(url).query_pair("key", &key.key)).await;
    assert_eq!(by_get.status, 200);
    assert_eq!(last(&simulator).placement, Placement::Query);
}
