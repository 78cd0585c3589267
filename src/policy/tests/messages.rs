//! Every sentence fits an Event, is plain, and says what to do next.

use crate::api::Reason;
use crate::credential::Malformed;
use crate::policy::fixtures::*;
use crate::policy::message::{self, moment};
use crate::policy::recall::Pending;
use crate::policy::source::Unresolved;
use crate::providers::{Access, ProviderKind, Scope};
use serde_json::json;

const SCOPES: [Scope; 9] = [
    Scope::ReadOrders,
    Scope::WriteOrders,
    Scope::ReadStock,
    Scope::WriteStock,
    Scope::ReadProducts,
    Scope::WriteProducts,
    Scope::ReadWebhooks,
    Scope::WriteWebhooks,
    Scope::Admin,
];

fn longest_spec() -> crate::api::ConnectorCredentialSpec {
    let long = "n".repeat(253);
    let cidr = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128";
    serde_json::from_value(json!({
        "provider": {"zenflow": {"allowedCIDRs": vec![cidr; 64]}},
        "keySecretRef": {"name": long, "key": long, "expirationKey": long},
    }))
    .unwrap()
}

fn all() -> Vec<String> {
    let (spec, long) = (longest_spec(), "n".repeat(253));
    let mut all: Vec<String> = [
        message::NO_PROVIDER,
        message::MALFORMED_OBJECT,
        message::ACCEPTED,
        message::READY,
        message::READY_UNPUBLISHED,
        message::SUSPENDED,
        message::NOT_CHECKED,
        message::NO_KEY,
        message::NOT_ASKED,
        message::ACCESS_NOT_CHECKED,
        message::LOCAL_ONLY,
        message::PUBLISHED,
        message::LAST_KNOWN_GOOD,
        message::LAST_TOKEN,
        message::WAITING,
        message::WAITING_FOR_TOKEN,
        message::WITHDRAWN,
    ]
    .map(str::to_owned)
    .into();
    let end = jiff::Timestamp::MAX;
    all.extend([
        message::output_conflict(&long),
        message::ambiguous_output(&long),
        message::not_owned(&long),
        message::write_failed(&long),
        message::lost(&long),
        message::resolved(&spec),
        message::expired_unproved(end),
        message::expiring(&end),
        message::expired(&end, true),
        message::expired(&end, false),
        message::too_old("99999h99999m99999s99999ms"),
        message::over_privileged(&SCOPES),
    ]);
    let malformed = [Malformed::Empty, Malformed::TooLong, Malformed::ForbiddenByte, Malformed::WrongPrefix];
    let unresolved = [
        Unresolved::NotFound,
        Unresolved::Denied,
        Unresolved::ForbiddenType("bootstrap.kubernetes.io/token"),
        Unresolved::NoKey(long.clone()),
        Unresolved::MalformedExpiry(long.clone()),
    ];
    let unresolved = unresolved.into_iter().chain(malformed.into_iter().map(Unresolved::Malformed));
    all.extend(unresolved.map(|why| message::unresolved(&spec, &why)));
    for kind in ProviderKind::ALL {
        let profile = kind.profile();
        all.extend([
            message::bad_field(profile.member, "companyID"),
            message::no_expiry(profile),
            message::accepted(profile, false, None),
            message::accepted(profile, true, None),
            message::accepted(profile, true, Some(Pending::Rejection)),
            message::accepted(profile, false, Some(Pending::Denial)),
        ]);
        let accesses = [
            Access::Verified,
            Access::NotVerifiable,
            Access::MissingScopes(SCOPES.into()),
            Access::Denied,
            Access::IpNotAllowed,
        ];
        for access in accesses {
            all.extend([
                message::access(profile, &spec, &access, &[]),
                message::access(profile, &spec, &access, &SCOPES),
            ]);
        }
        for reason in [
            Reason::KeyRejected,
            Reason::KeyRevoked,
            Reason::KeyExpired,
            Reason::ProviderUnavailable,
            Reason::RateLimited,
            Reason::UnexpectedResponse,
            Reason::EndpointNotConfigured,
        ] {
            all.push(message::not_accepted(profile, reason));
        }
    }
    all
}

#[test]
fn a38_every_message_fits_an_event_and_is_whole_sentences() {
    for text in all() {
        assert!(text.len() <= 1000, "{} bytes: {text}", text.len());
        assert!(text.ends_with('.') && !text.contains("  ") && !text.contains(".."), "{text}");
        assert!(text.is_ascii() || text.contains('…'), "{text}");
        assert!(!text.contains(|one: char| one.is_control()), "{text}");
        let first = text.chars().next().unwrap();
        assert!(
            first.is_uppercase() || ["validation", "spec.", "inFlow"].iter().any(|word| text.starts_with(word)),
            "{text}"
        );
    }
}

#[test]
fn what_needs_a_person_says_what_to_do() {
    let asks = [
        "Check", "Make", "Put", "put ", "Create", "Grant", "Add", "Correct", "Delete", "Choose", "Set", "Write",
        "Change",
    ];
    let profile = ProviderKind::ZenFlow.profile();
    let spec = longest_spec();
    for text in [
        message::not_accepted(profile, Reason::KeyRejected),
        message::not_accepted(profile, Reason::KeyRevoked),
        message::not_accepted(profile, Reason::KeyExpired),
        message::access(profile, &spec, &Access::Denied, &[]),
        message::access(profile, &spec, &Access::IpNotAllowed, &[]),
        message::access(profile, &spec, &Access::MissingScopes(SCOPES.into()), &[]),
        message::unresolved(&spec, &Unresolved::NotFound),
        message::unresolved(&spec, &Unresolved::Denied),
        message::unresolved(&spec, &Unresolved::Malformed(Malformed::ForbiddenByte)),
        message::unresolved(&spec, &Unresolved::Malformed(Malformed::WrongPrefix)),
        message::output_conflict("o"),
        message::not_owned("o"),
        message::bad_field("inflow", "companyID"),
        message::no_expiry(profile),
        message::too_old("1h"),
    ] {
        assert!(asks.iter().any(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn the_longest_template_mistake_fits() {
    let mut world = World::new();
    let name = "o".repeat(253);
    let template = format!("$({})", "\u{1F600}".repeat(300));
    world.edit(
        json!({"outputs": [{"secretName": name, "format": "Template", "template": {"f".repeat(253): template}}]}),
    );
    world.visit();
    world.expect("InvalidSpec!/WaitingForVerification");
    let text = &world.status().conditions[0].message;
    assert!(text.len() <= 1000 && text.ends_with("spec.outputs."), "{text}");
}

#[test]
fn the_allow_list_is_named_in_full_when_it_fits() {
    let mut world = World::new();
    world.says = WrongAddress;
    world.edit(json!({"provider": {"zenflow": {"allowedCIDRs": ["203.0.113.7", "198.51.100.0/24"]}}}));
    world.visit();
    let ready = world.status().conditions.last().unwrap();
    assert!(ready.message.contains("203.0.113.7, 198.51.100.0/24"), "{}", ready.message);
}

#[test]
fn a_moment_is_written_as_rfc_3339() {
    assert_eq!(moment("2027-01-31T00:00:00.5Z".parse().unwrap()), "2027-01-31T00:00:00Z");
}
