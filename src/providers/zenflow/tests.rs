//! Does every row of ZenFlow's table read as it should, and is each scope asked about as documented?

use super::super::scope::READ_SCOPES;
use super::super::tests::{asked, assert_table, key, pairs, reply, site, verdict, verdict_deep};
use super::*;

fn scopes(scopes: &[Scope]) -> ZenFlow {
    ZenFlow { scopes: Some(scopes.to_vec()), ..ZenFlow::default() }
}

fn ok() -> Reply {
    reply(200, r#"{"success":true,"data":{"orders":[]}}"#)
}

fn error(status: u16, code: &str) -> Reply {
    reply(status, &format!(r#"{{"success":false,"error":{{"code":"{code}","message":"x","details":{{}}}}}}"#))
}

#[test]
fn every_row_of_the_table_holds() {
    const INVALID: &str = r#"{"success":false,"error":{"code":"invalid_api_key"}}"#;
    assert_table(
        &scopes(&[Scope::ReadOrders]),
        "zenflow",
        &[
            (200, r#"{"success":true,"data":{}}"#, "accepted Verified"),
            (200, r#"{"success":true}"#, "accepted Verified"),
            (200, r#"{"success":"true"}"#, "inconclusive Unexpected"),
            (200, r#"{"success":true,"error":{"code":"invalid_api_key"}}"#, "inconclusive Unexpected"),
            (200, r#"{"data":{}}"#, "inconclusive Unexpected"),
            (200, "[]", "inconclusive Unexpected"),
            (200, "", "inconclusive Unexpected"),
            (201, r#"{"success":true}"#, "inconclusive Unexpected"),
            (200, INVALID, "rejected Key"),
            (401, INVALID, "rejected Key"),
            (403, INVALID, "inconclusive Unexpected"),
            (401, "", "inconclusive Unexpected"),
            (401, r#"{"error":"invalid_api_key"}"#, "inconclusive Unexpected"),
            (403, r#"{"success":false}"#, "inconclusive Unexpected"),
            (404, "{}", "inconclusive Unexpected"),
            (400, "{}", "inconclusive Unexpected"),
        ],
    );
    for (status, code, expected) in [
        (200, "expired_api_key", "rejected Expired"),
        (401, "expired_api_key", "rejected Expired"),
        (403, "expired_api_key", "rejected Expired"),
        (400, "expired_api_key", "inconclusive Unexpected"),
        (200, "revoked_api_key", "rejected Revoked"),
        (401, "revoked_api_key", "rejected Revoked"),
        (403, "revoked_api_key", "rejected Revoked"),
        (404, "revoked_api_key", "inconclusive Unexpected"),
        (200, "insufficient_scope", "accepted MissingScopes([ReadOrders])"),
        (403, "insufficient_scope", "accepted MissingScopes([ReadOrders])"),
        (401, "insufficient_scope", "inconclusive Unexpected"),
        (200, "ip_not_allowed", "accepted IpNotAllowed"),
        (401, "ip_not_allowed", "accepted IpNotAllowed"),
        (403, "ip_not_allowed", "accepted IpNotAllowed"),
        (401, "missing_api_key", "inconclusive Unexpected"),
        (403, "rate_limit_exceeded", "inconclusive Unexpected"),
        (200, "x", "inconclusive Unexpected"),
    ] {
        assert_eq!(verdict(&scopes(&[Scope::ReadOrders]), &[error(status, code)]), expected, "{status} {code}");
    }
}

#[test]
fn every_declared_read_scope_is_asked_once() {
    let settings = ZenFlow { scope_preset: Some(ScopePreset::ERPSync), ..ZenFlow::default() };
    for (heard, path) in [(0, "/orders?page=1&limit=1"), (1, "/products?page=1&limit=1"), (2, "/stock?page=1&limit=1")]
    {
        let heard: Vec<Reply> = (0..heard).map(|_| ok()).collect();
        assert_eq!(asked(&settings, &heard), format!("Get {path} accept=application/json header X-API-Key"));
    }
    assert_eq!(verdict(&settings, &[ok(), ok(), ok()]), "accepted Verified unverifiable=[WriteOrders, WriteStock]");
    let missing = [ok(), error(403, "insufficient_scope"), error(403, "insufficient_scope")];
    assert_eq!(
        verdict(&settings, &missing),
        "accepted MissingScopes([ReadProducts, ReadStock]) unverifiable=[WriteOrders, WriteStock]"
    );
    let repeated = scopes(&[Scope::ReadStock, Scope::ReadStock]);
    assert_eq!(verdict(&repeated, &[ok()]), "accepted Verified");
}

#[test]
fn a_conversation_stops_at_the_first_rejection_or_doubt() {
    let settings = scopes(&[Scope::ReadOrders, Scope::ReadStock]);
    for (reply, expected) in [
        (error(401, "invalid_api_key"), "rejected Key"),
        (error(401, "ip_not_allowed"), "accepted IpNotAllowed"),
        (reply(403, "no"), "inconclusive Unexpected"),
    ] {
        assert_eq!(verdict(&settings, &[reply]), expected);
    }
    assert_eq!(verdict(&settings, &[ok(), error(401, "revoked_api_key")]), "rejected Revoked");
}

#[test]
fn an_absent_call_leaves_its_scope_open_once_the_key_is_proved() {
    let settings = scopes(&[Scope::ReadOrders, Scope::ReadWebhooks]);
    assert_eq!(verdict(&settings, &[ok(), reply(404, "")]), "accepted Verified unverifiable=[ReadWebhooks]");
    assert_eq!(verdict(&settings, &[ok(), error(400, "x")]), "accepted Verified unverifiable=[ReadWebhooks]");
    let missing = error(403, "insufficient_scope");
    assert_eq!(
        verdict(&settings, &[missing, reply(404, "{}")]),
        "accepted MissingScopes([ReadOrders]) unverifiable=[ReadWebhooks]"
    );
    assert_eq!(verdict(&settings, &[reply(404, "{}")]), "inconclusive Unexpected");
}

#[test]
fn without_read_scopes_one_call_proves_the_key() {
    let orders = "Get /orders?page=1&limit=1 accept=application/json header X-API-Key";
    let stock = "Get /stock?page=1&limit=1 accept=application/json header X-API-Key";
    let writes = scopes(&[Scope::WriteStock, Scope::WriteOrders]);
    for (settings, path, rest) in [
        (ZenFlow::default(), orders, ""),
        (scopes(&[]), orders, ""),
        (writes, stock, " unverifiable=[WriteStock, WriteOrders]"),
    ] {
        assert_eq!(asked(&settings, &[]), path);
        for reply in [ok(), error(403, "insufficient_scope")] {
            assert_eq!(verdict(&settings, &[reply]), format!("accepted NotVerifiable{rest}"));
        }
        assert_eq!(verdict(&settings, &[reply(404, "{}")]), "inconclusive Unexpected");
    }
}

#[test]
fn admin_is_asked_for_as_all_four() {
    let settings = ZenFlow { scope_preset: Some(ScopePreset::FullAccess), ..ZenFlow::default() };
    assert_eq!(verdict(&settings, &[ok(), ok(), ok(), ok()]), "accepted Verified unverifiable=[Admin]");
    assert_eq!(verdict_deep(&settings, &[ok(), ok(), ok(), ok()]), "accepted Verified unverifiable=[Admin]");
}

#[test]
fn least_privilege_also_asks_what_is_neither_declared_nor_implied() {
    let settings = scopes(&[Scope::ReadOrders, Scope::WriteStock]);
    let lacks = || error(403, "insufficient_scope");
    assert_eq!(
        verdict_deep(&settings, &[ok(), ok(), lacks()]),
        "accepted Verified unverifiable=[WriteStock] undeclared=[ReadProducts]"
    );
    assert_eq!(
        verdict_deep(&settings, &[ok(), lacks(), reply(404, "")]),
        "accepted Verified unverifiable=[WriteStock] undeclared=[]"
    );
    assert_eq!(verdict_deep(&ZenFlow::default(), &[ok()]), "accepted NotVerifiable");
}

#[test]
fn no_course_is_longer_than_the_profile_says() {
    for bits in 0..512_u32 {
        let all = [
            READ_SCOPES.as_slice(),
            &[Scope::WriteOrders, Scope::WriteStock, Scope::WriteProducts, Scope::WriteWebhooks, Scope::Admin],
        ]
        .concat();
        let chosen: Vec<Scope> =
            all.iter().enumerate().filter(|(i, _)| bits & (1 << i) != 0).map(|(_, s)| *s).collect();
        for depth in [Depth::Declared, Depth::LeastPrivilege] {
            let length = scopes(&chosen).course(depth).len();
            assert!((1..=4).contains(&length), "{chosen:?} {depth:?}: {length}");
        }
    }
}

#[test]
fn a09_the_prefix_must_match_the_environment() {
    let test = ZenFlow { environment: Some(Environment::Test), ..ZenFlow::default() };
    for (settings, text, expected) in [
        (&ZenFlow::default(), "zenflow_live_x", Ok(())),
        (&ZenFlow::default(), "zenflow_live_", Err(Malformed::WrongPrefix)),
        (&ZenFlow::default(), "zenflow_test_x", Err(Malformed::WrongPrefix)),
        (&ZenFlow::default(), "x", Err(Malformed::WrongPrefix)),
        (&test, "zenflow_test_x", Ok(())),
        (&test, "zenflow_live_x", Err(Malformed::WrongPrefix)),
    ] {
        assert_eq!(settings.inspect(&key(text)), expected, "{text}");
    }
}

#[test]
fn variables_are_those_of_the_table() {
    let settings = scopes(&[Scope::ReadOrders, Scope::WriteOrders]);
    assert_eq!(
        pairs(&settings.variables(&key("zenflow_live_EXAMPLE"), &site(), None)),
        [
            "provider=zenflow",
            "baseURL=https://api.zenflow.com.ar/api/v1",
            "host=api.zenflow.com.ar",
            "apiKey=zenflow_live_EXAMPLE",
            "headerName=X-API-Key",
            "headerValue=zenflow_live_EXAMPLE",
            "accept=application/json",
            "environment=Live",
            "scopes=read:orders,write:orders",
        ]
    );
    let variables = ZenFlow::default().variables(&key("zenflow_live_EXAMPLE"), &site(), None);
    assert_eq!(variables.get(Variable::Scopes), None);
}
