//! Each provider: its success, each of its errors, each of its switches.

use serde_json::json;

use super::*;

async fn categories(simulator: &Simulator, company: &str, key: &str) -> Heard {
    let url = format!("{}/inflow/{company}/categories?count=1", simulator.base());
    ask(get(&url, Some(("Authorization", &format!("Bearer {key}"))))).await
}

#[tokio::test]
async fn inflow_lists_categories_and_refuses_by_status() {
    let simulator = simulator().await;
    let key = simulator.add_key(NewKey::of(Provider::InFlow, COMPANY));
    let heard = categories(&simulator, COMPANY, &key.key).await;
    assert_eq!(heard.status, 200);
    assert_eq!(heard.json().as_array().map(Vec::len), Some(1));
    assert_eq!(heard.header("x-inflow-api-rate-limit"), Some("1/60"));
    assert_eq!(heard.header("x-ratelimit-limit"), Some("1/1000"));

    let bad = categories(&simulator, COMPANY, "inflow-EXAMPLE").await;
    assert_eq!((bad.status, bad.json()), (401, json!({"message": "Invalid API key"})));
    assert_eq!(categories(&simulator, "7", &key.key).await.status, 400);
    let change = ChangeKey { granted: Some(Some(Vec::new())), ..ChangeKey::default() };
    assert!(simulator.change_key(&key.id, change));
    assert_eq!(categories(&simulator, COMPANY, &key.key).await.status, 403);
}

#[tokio::test]
async fn inflow_switches_choose_the_undocumented() {
    let simulator = simulator().await;
    let key = simulator.add_key(NewKey::of(Provider::InFlow, COMPANY));
    let foreign = COMPANY.replace('4', "5");
    for status in [401, 403, 404] {
        simulator.set_switches(Switches {
            inflow: InFlowSwitches { foreign_company_status: status, error_body: ErrorBody::Empty, items: 0 },
            ..Switches::default()
        });
        let heard = categories(&simulator, &foreign, &key.key).await;
        assert_eq!((heard.status, heard.body.len()), (status, 0));
    }
    assert_eq!(categories(&simulator, COMPANY, &key.key).await.json(), json!([]));
}

async fn flowlu(simulator: &Simulator, account: &str, call: &str, key: &str) -> Heard {
    let base = simulator.base();
    let url = format!("{base}/flowlu/{account}/api/v1/module/{call}?limit=1");
    ask(client().get(url).query_pair("api_key", key)).await
}

#[tokio::test]
async fn flowlu_answers_200_with_codes() {
    let simulator = simulator().await;
    let granted = Some(vec!["task/tasks/list".to_owned()]);
    let new = NewKey::of(Provider::Flowlu, "mycompany");
    let key = simulator.add_key(NewKey { granted, ..new }).key;
    let items = flowlu(&simulator, "mycompany", "task/tasks/list", &key).await;
    assert_eq!(items.json()["response"]["items"], json!([{}]));
    for (account, call, key, code) in [
        ("mycompany", "core/user/list", key.as_str(), 22),
        ("mycompany", "core/user/list", "flowlu+EXAMPLE", 11),
        ("nobody", "core/user/list", key.as_str(), 11),
    ] {
        let heard = flowlu(&simulator, account, call, key).await;
        assert_eq!(heard.status, 200);
        assert_eq!(heard.json()["error"]["error_code"], code);
    }
    simulator.set_switches(unlimited());
    for (call, code) in [("core/user/none", 30), ("none/user/list", 31)] {
        let heard = flowlu(&simulator, "mycompany", call, &key).await;
        assert_eq!(heard.json()["error"]["error_code"], code);
    }
}

fn unlimited() -> Switches {
    Switches { limits: false, ..Switches::default() }
}

#[tokio::test]
async fn flowlu_switches_choose_the_undocumented() {
    let simulator = simulator().await;
    let new = NewKey::of(Provider::Flowlu, "mycompany");
    let granted = Some(Vec::new());
    let key = simulator.add_key(NewKey { granted, ..new }).key;
    let flowlu_switches = FlowluSwitches {
        bad_key_status: 401,
        denied_status: 403,
        denied_code: 30,
        code_as_text: true,
        unknown_account: UnknownAccount::Redirect,
        ..FlowluSwitches::default()
    };
    simulator.set_switches(Switches { flowlu: flowlu_switches, ..unlimited() });
    let denied = flowlu(&simulator, "mycompany", "core/user/list", &key).await;
    assert_eq!(denied.status, 403);
    assert_eq!(denied.json()["error"]["error_code"], "30");
    let bad = flowlu(&simulator, "mycompany", "core/user/list", "x").await;
    assert_eq!(bad.status, 401);
    let unknown = flowlu(&simulator, "nobody", "core/user/list", &key).await;
    assert_eq!(unknown.status, 302);
    assert!(unknown.header("location").is_some_and(|to| to.starts_with(&simulator.decoy())));
    assert_eq!(simulator.decoy_hits(), 0);
}

#[tokio::test]
async fn zenflow_names_every_error() {
    let simulator = simulator().await;
    let key = orders_key(&simulator);
    let heard = ask(orders(&simulator, &key.key)).await;
    assert_eq!(heard.status, 200);
    let pagination = json!({"total": 0, "page": 1, "limit": 1, "total_pages": 0});
    let data = json!({"orders": [], "pagination": pagination});
    assert_eq!(heard.json(), json!({"success": true, "data": data}));

    let code = |heard: Heard| {
        let code = heard.json()["error"]["code"].as_str().map(str::to_owned);
        (heard.status, code.expect("a code"))
    };
    let stock = format!("{}/zenflow/api/v1/stock", simulator.base());
    let none = ask(get(&stock, None)).await;
    assert_eq!(code(none), (401, "missing_api_key".to_owned()));
    let scope = ask(get(&stock, Some(("X-API-Key", &key.key)))).await;
    assert_eq!(code(scope), (403, "insufficient_scope".to_owned()));
    let bad = ask(orders(&simulator, "zenflow_live_EXAMPLE")).await;
    assert_eq!(code(bad), (401, "invalid_api_key".to_owned()));
    let allowed =
        ChangeKey { allowed_cidrs: Some(vec!["192.0.2.0/24".parse().expect("a network")]), ..ChangeKey::default() };
    assert!(simulator.change_key(&key.id, allowed));
    let address = ask(orders(&simulator, &key.key)).await;
    assert_eq!(code(address), (403, "ip_not_allowed".to_owned()));
    assert!(simulator.expire_key(&key.id));
    let expired = ask(orders(&simulator, &key.key)).await;
    assert_eq!(code(expired), (401, "expired_api_key".to_owned()));
    assert!(simulator.revoke_key(&key.id));
    let revoked = ask(orders(&simulator, &key.key)).await;
    assert_eq!(code(revoked), (401, "revoked_api_key".to_owned()));
}

#[tokio::test]
async fn zenflow_admin_reads_all_and_writing_is_not_reading() {
    let simulator = simulator().await;
    for (scope, switch, status) in [
        ("admin", false, 200),
        ("read:webhooks", false, 200),
        ("write:webhooks", false, 403),
        ("write:webhooks", true, 200),
    ] {
        let mut switches = Switches::default();
        switches.zenflow.write_implies_read = switch;
        simulator.set_switches(switches);
        let key = simulator.add_key(NewKey { scopes: vec![scope.to_owned()], ..NewKey::of(Provider::ZenFlow, "") });
        let url = format!("{}/zenflow/api/v1/webhooks", simulator.base());
        let heard = ask(get(&url, Some(("X-API-Key", &key.key)))).await;
        assert_eq!(heard.status, status, "{scope} {switch}");
    }
}

#[tokio::test]
async fn flow_takes_a_key_in_each_usual_place() {
    let simulator = simulator().await;
    let end: Timestamp = "2030-01-31T00:00:00Z".parse().expect("a time");
    let key = simulator.add_key(NewKey { expires_at: Some(end), ..NewKey::of(Provider::Flow, "") });
    let url = format!("{}/flow/api/members?limit=1", simulator.base());
    let bearer = format!("Bearer {}", key.key);
    for (header, status, placement) in [
        (Some(("Authorization", bearer.as_str())), 200, Placement::Header),
        (Some(("X-API-Key", key.key.as_str())), 200, Placement::Header),
        (Some(("Authorization", "Bearer flow-EXAMPLE")), 401, Placement::Header),
        (None, 401, Placement::None),
    ] {
        assert_eq!(ask(get(&url, header)).await.status, status);
        assert_eq!(last(&simulator).placement, placement);
    }
    let change = ClockChange { now: Some(end), ..ClockChange::default() };
    simulator.set_clock(&change);
    let heard = ask(get(&url, Some(("Authorization", &bearer)))).await;
    assert_eq!(heard.json(), json!({"error": "The key has expired"}));
    let date = heard.header("date").expect("a Date");
    assert!(date.starts_with("Thu, 31 Jan 2030"), "{date}");
}

#[tokio::test]
async fn a_key_belongs_to_one_provider_and_a_misplaced_one_is_noticed() {
    let simulator = simulator().await;
    let key = orders_key(&simulator);
    let foreign = categories(&simulator, COMPANY, &key.key).await;
    assert_eq!(foreign.status, 401);
    let url = format!("{}/zenflow/api/v1/orders", simulator.base());
    let misplaced = ask(client().get(url).query_pair("q", &key.key)).await;
    assert_eq!(misplaced.json()["error"]["code"], "missing_api_key");
    let row = last(&simulator);
    assert_eq!((row.placement, row.known_key), (Placement::Query, true));
    assert_eq!(row.key_hash, Some(key.hash));
    let strayed = format!("{}/x/{1}?{1}&q={1}", simulator.base(), key.key);
    assert_eq!(ask(get(&strayed, None)).await.status, 404);
    let row = last(&simulator);
    assert_eq!((row.provider, row.path.as_str()), (None, "/x/(key)"));
    assert_eq!(row.query_names, ["(key)", "q"]);
    assert_eq!((row.placement, row.known_key), (Placement::Query, true));
}

#[tokio::test]
async fn every_provider_has_words_for_every_refusal() {
    let simulator = simulator().await;
    let base = simulator.base();
    let inflow = format!("{base}/inflow/{COMPANY}/categories");
    let flowlu = format!("{base}/flowlu/a/api/v1/module/core/user/list");
    let flow = format!("{base}/flow/api/members");
    let aventri = format!("{base}/aventri/na/api/v2/global/authorize.json");
    for (fault, statuses) in [
        (Misbehaviour::ErrorIn200, [200, 200, 200, 200]),
        (Misbehaviour::Expired, [401, 200, 401, 200]),
        (Misbehaviour::Revoked, [401, 200, 401, 200]),
        (Misbehaviour::ScopeMissing, [403, 200, 403, 403]),
        (Misbehaviour::IpNotAllowed, [403, 200, 403, 403]),
        (Misbehaviour::Denied, [403, 200, 403, 403]),
    ] {
        simulator.clear_faults();
        simulator.set_fault(Fault::of(fault));
        for (url, status) in [&inflow, &flowlu, &flow, &aventri].into_iter().zip(statuses) {
            let heard = ask(get(url, None)).await;
            assert_eq!(heard.status, status, "{url}");
            assert!(heard.json().is_object(), "{url}");
        }
    }
}
