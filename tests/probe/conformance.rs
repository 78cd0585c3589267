//! Each provider's table, through the real client.

use super::*;
use connector_operator::providers::{Environment, Scope, ScopePreset};
use simulator::{AventriSwitches, ErrorBody, FlowluSwitches, InFlowSwitches, Placement, Switches, UnknownAccount};

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// What each request looked like: nothing more than documented is sent.
fn assert_request(row: &Row, path: &str, placement: Placement, names: (&[&str], &[&str])) {
    assert_eq!((row.path.as_str(), row.placement), (path, placement));
    assert_eq!(row.query_names, names.1, "{path}");
    let mut headers = row.header_names.clone();
    headers.sort();
    assert_eq!(headers, names.0, "{path}");
    assert_eq!(row.user_agent.as_deref(), Some(concat!("connector-operator/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn inflow() {
    let bed = Bed::new().await;
    let (key, settings) = bed.credential(Product::InFlow);
    assert_eq!(bed.told(settings.as_ref(), &key.key).await, "accepted Verified");
    let row = bed.rows().pop().unwrap();
    let path = format!("/inflow/{COMPANY}/categories");
    assert_request(&row, &path, Placement::Header, (&["accept", "authorization", "host", "user-agent"], &["count"]));
    assert_eq!(row.accept.as_deref(), Some("application/json;version=2025-06-24"));
    let limited = bed.simulator.add_key(NewKey { granted: Some(owned(&[])), ..NewKey::of(Product::InFlow, COMPANY) });
    let foreign = bed.simulator.add_key(NewKey::of(Product::InFlow, "11111111-0000-4000-8000-000000000000"));
    for (body, denied) in [
        (ErrorBody::Message, "accepted Denied"),
        (ErrorBody::Text, "inconclusive Unexpected"),
        (ErrorBody::Empty, "inconclusive Unexpected"),
    ] {
        for (foreign_company_status, expected) in
            [(401, "rejected Key"), (403, denied), (404, "inconclusive Unexpected")]
        {
            let inflow = InFlowSwitches { error_body: body, foreign_company_status, ..InFlowSwitches::default() };
            bed.simulator.set_switches(Switches { inflow, ..Switches::default() });
            assert_eq!(bed.told(settings.as_ref(), "inflow-unknown-EXAMPLE").await, "rejected Key", "{body:?}");
            assert_eq!(bed.told(settings.as_ref(), &limited.key).await, denied, "{body:?}");
            assert_eq!(bed.told(settings.as_ref(), &foreign.key).await, expected, "{body:?} {foreign_company_status}");
        }
    }
}

#[tokio::test]
async fn flowlu() {
    let bed = Bed::new().await;
    let (key, settings) = bed.credential(Product::Flowlu);
    assert_eq!(bed.told(settings.as_ref(), &key.key).await, "accepted Verified");
    let row = bed.rows().pop().unwrap();
    let path = format!("/flowlu/{ACCOUNT}/api/v1/module/core/user/list");
    assert_request(&row, &path, Placement::Query, (&["accept", "host", "user-agent"], &["limit", "api_key"]));
    let add = |methods: &[&str]| {
        bed.simulator.add_key(NewKey { granted: Some(owned(methods)), ..NewKey::of(Product::Flowlu, ACCOUNT) })
    };
    let (tasks, none) = (add(&["task/tasks/list"]), add(&[]));
    for (denied_status, denied_code) in [(200, 22), (403, 22), (200, 30), (403, 30)] {
        for code_as_text in [false, true] {
            let flowlu = FlowluSwitches { denied_status, denied_code, code_as_text, ..FlowluSwitches::default() };
            bed.simulator.set_switches(Switches { flowlu, limits: false, ..Switches::default() });
            let before = bed.rows().len();
            assert_eq!(
                bed.told(settings.as_ref(), &tasks.key).await,
                "accepted Verified",
                "{denied_status} {denied_code}"
            );
            assert_eq!(
                bed.told(settings.as_ref(), &none.key).await,
                "accepted NotVerifiable",
                "{denied_status} {denied_code}"
            );
            assert_eq!(bed.rows().len(), before + 4);
        }
    }
    for bad_key_status in [200, 401] {
        let flowlu = FlowluSwitches { bad_key_status, ..FlowluSwitches::default() };
        bed.simulator.set_switches(Switches { flowlu, limits: false, ..Switches::default() });
        assert_eq!(bed.told(settings.as_ref(), "flowlu-unknown-EXAMPLE").await, "rejected Key");
    }
    let elsewhere = Flowlu { account: "nobody".to_owned() };
    for (unknown_account, expected) in [
        (UnknownAccount::Code11, "rejected Key"),
        (UnknownAccount::Redirect, "inconclusive Unexpected"),
        (UnknownAccount::Page, "inconclusive Unexpected"),
    ] {
        let flowlu = FlowluSwitches { unknown_account, ..FlowluSwitches::default() };
        bed.simulator.set_switches(Switches { flowlu, limits: false, ..Switches::default() });
        assert_eq!(bed.told(&elsewhere, &key.key).await, expected, "{unknown_account:?}");
    }
    assert_eq!(bed.simulator.decoy_hits(), 0);
}

#[tokio::test]
async fn zenflow() {
    let bed = Bed::new().await;
    let add =
        |scopes: &[&str]| bed.simulator.add_key(NewKey { scopes: owned(scopes), ..NewKey::of(Product::ZenFlow, "") });
    let declares = |scopes: &[Scope]| ZenFlow { scopes: Some(scopes.to_vec()), ..ZenFlow::default() };
    let orders = add(&["read:orders", "write:orders"]);
    assert_eq!(bed.told(&ZenFlow::default(), &orders.key).await, "accepted NotVerifiable");
    let row = bed.rows().pop().unwrap();
    let headers: &[&str] = &["accept", "host", "user-agent", "x-api-key"];
    assert_request(&row, "/zenflow/api/v1/orders", Placement::Header, (headers, &["page", "limit"]));
    for (settings, expected) in [
        (declares(&[Scope::ReadOrders]), "accepted Verified"),
        (declares(&[Scope::ReadStock, Scope::ReadOrders]), "accepted MissingScopes([ReadStock])"),
        (declares(&[Scope::WriteOrders]), "accepted NotVerifiable unverifiable=[WriteOrders]"),
        (declares(&[Scope::WriteStock]), "accepted NotVerifiable unverifiable=[WriteStock]"),
        (
            ZenFlow { scope_preset: Some(ScopePreset::ERPSync), ..ZenFlow::default() },
            "accepted MissingScopes([ReadProducts, ReadStock]) unverifiable=[WriteOrders, WriteStock]",
        ),
        (ZenFlow { environment: Some(Environment::Test), ..declares(&[Scope::ReadOrders]) }, "accepted Verified"),
    ] {
        assert_eq!(bed.told(&settings, &orders.key).await, expected);
    }
    let admin = ZenFlow { scope_preset: Some(ScopePreset::FullAccess), ..ZenFlow::default() };
    assert_eq!(bed.told(&admin, &add(&["admin"]).key).await, "accepted Verified unverifiable=[Admin]");
    assert_eq!(
        bed.told(&admin, &orders.key).await,
        "accepted MissingScopes([ReadStock, ReadProducts, ReadWebhooks]) unverifiable=[Admin]"
    );
    bed.clock.advance(Duration::from_secs(3600));
    let deep = CheckOptions { depth: Depth::LeastPrivilege, ..bed.options() };
    let too_much = add(&["read:orders", "read:stock"]);
    let Outcome::Checked { checked, .. } = bed.try_check(&declares(&[Scope::ReadOrders]), &too_much.key, &deep).await
    else {
        panic!("asked nobody")
    };
    assert_eq!((told(&checked.verdict).as_str(), checked.requests), ("accepted Verified undeclared=[ReadStock]", 4));
    assert_eq!(bed.told(&ZenFlow::default(), "zenflow_live_unknown_EXAMPLE").await, "rejected Key");
    let allowed_cidrs = vec!["203.0.113.0/24".parse().unwrap()];
    let elsewhere = bed.simulator.add_key(NewKey { allowed_cidrs, ..NewKey::of(Product::ZenFlow, "") });
    assert_eq!(bed.told(&ZenFlow::default(), &elsewhere.key).await, "accepted IpNotAllowed");
    assert!(bed.simulator.expire_key(&too_much.id) && bed.simulator.revoke_key(&orders.id));
    assert_eq!(bed.told(&ZenFlow::default(), &too_much.key).await, "rejected Expired");
    assert_eq!(bed.told(&ZenFlow::default(), &orders.key).await, "rejected Revoked");
}

#[tokio::test]
async fn flow() {
    let bed = Bed::new().await;
    let (key, settings) = bed.credential(Product::Flow);
    assert_eq!(bed.told(settings.as_ref(), &key.key).await, "accepted Verified");
    let row = bed.rows().pop().unwrap();
    let headers: &[&str] = &["accept", "authorization", "host", "user-agent"];
    assert_request(&row, "/flow/api/members", Placement::Header, (headers, &["limit"]));
    let limited = bed.simulator.add_key(NewKey { granted: Some(owned(&[])), ..NewKey::of(Product::Flow, "") });
    assert_eq!(bed.told(settings.as_ref(), &limited.key).await, "accepted Denied");
    assert_eq!(bed.told(settings.as_ref(), "flow-unknown-EXAMPLE").await, "rejected Key");
}

#[tokio::test]
async fn flow_without_an_endpoint_is_not_asked() {
    let clock = Arc::new(Shifted::default());
    let prober = Prober::new(Arc::new(Settings::default()), clock.clone(), limits()).unwrap();
    let options = CheckOptions {
        depth: Depth::Declared,
        proved: false,
        asked_before: None,
        namespace: String::new(),
        since: clock.now(),
    };
    let outcome = prober.check(&super::flow(), &Key::parse(b"flow-EXAMPLE").unwrap(), &options).await;
    assert!(matches!(outcome, Outcome::NotAsked(_)), "{outcome:?}");
}

#[tokio::test]
async fn aventri() {
    let bed = Bed::new().await;
    let (key, settings) = bed.credential(Product::Aventri);
    let before = bed.clock.now();
    let checked = bed.checked(settings.as_ref(), &key.key).await;
    assert_eq!(told(&checked.verdict), "accepted NotVerifiable token");
    assert!(checked.asked_at > before && checked.requests == 1);
    let row = bed.rows().pop().unwrap();
    let headers: &[&str] = &["accept", "content-length", "content-type", "host", "user-agent"];
    assert_request(&row, "/aventri/na/api/v2/global/authorize.json", Placement::Form, (headers, &[]));
    assert_eq!(row.method, "POST");
    for error_status in [200, 400, 401, 403] {
        for error_as_message in [false, true] {
            let aventri = AventriSwitches { error_status, error_as_message, ..AventriSwitches::default() };
            bed.simulator.set_switches(Switches { aventri, ..Switches::default() });
            assert_eq!(bed.told(settings.as_ref(), "aventri-unknown-EXAMPLE").await, "rejected Key", "{error_status}");
            let other = super::aventri(Region::EMEA);
            assert_eq!(bed.told(&other, &key.key).await, "rejected Key", "{error_status}");
        }
    }
}
