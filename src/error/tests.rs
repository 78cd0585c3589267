use super::*;
use kube::core::response::StatusDetails;

fn answer(reason: &str, code: u16) -> Failure {
    let status = Status::failure("Secret \"canary\" holds sk_live_canary", reason).with_code(code);
    Failure::new(Verb::Get, "secrets", &kube::Error::Api(status.boxed()))
}

#[test]
fn the_machine_reason_decides_before_the_code() {
    assert_eq!(answer("AlreadyExists", 409).class(), Class::AlreadyExists);
    assert_eq!(answer("Conflict", 409).class(), Class::Conflict);
    assert_eq!(answer("Expired", 410).class(), Class::Gone);
    assert_eq!(answer("ServerTimeout", 500).class(), Class::Timeout);
}

#[test]
fn the_code_decides_where_no_reason_is_known() {
    let classes =
        [404, 403, 401, 409, 410, 422, 429, 504, 503, 418].map(|code| answer("Failed to parse", code).class());
    let expected = [
        Class::NotFound,
        Class::Forbidden,
        Class::Unauthorized,
        Class::Conflict,
        Class::Gone,
        Class::Invalid,
        Class::Throttled(None),
        Class::Timeout,
        Class::Unavailable,
        Class::Unexpected,
    ];
    assert_eq!(classes, expected);
}

#[test]
fn the_servers_advice_to_wait_is_kept() {
    let details = StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: 7,
    };
    let status = Status::failure("", "TooManyRequests").with_code(429).with_details(details);
    let failure = Failure::new(Verb::List, "secrets", &kube::Error::Api(status.boxed()));
    assert_eq!(failure.class(), Class::Throttled(Some(Duration::from_secs(7))));
}

#[test]
fn a10_no_text_of_the_servers_is_repeated() {
    let failure = answer("sk_live_canary", 403);
    assert_eq!(failure.to_string(), "cannot get secrets: forbidden (403)");
    assert!(!format!("{failure:?}").contains("canary"), "nor in the debug form");
    assert_eq!(Failure::timeout(Verb::Update, "leases").to_string(), "cannot update leases: no answer in time");
}

#[test]
fn a_watch_names_its_list() {
    let status = Status::failure("", "Forbidden").with_code(403).boxed();
    let listed = watcher::Error::InitialListFailed(kube::Error::Api(status));
    assert_eq!(Failure::watch("secrets", &listed).to_string(), "cannot list secrets: forbidden (403)");
}
