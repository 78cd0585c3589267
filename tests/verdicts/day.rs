//! What does a day cost? The controller's own visits for 24 hours on a clock that is set, at their own times and at
//! least every ten minutes; the simulator's ledger counts the calls.

use super::api_server::Counts;
use super::world::{DAY, HOUR, MINUTE, World, providers};
use crate::simulator::{Fault, IssuedKey, Misbehaviour, NewKey, Provider as Product, RetryAfter};
use connector_operator::api::ConditionType;
use connector_operator::config::Settings;
use connector_operator::probe::Limits;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// One line of the table.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) situation: &'static str,
    pub(super) disturbed: &'static str,
    pub(super) calls: usize,
    pub(super) at_least: usize,
    pub(super) at_most: usize,
    pub(super) counts: Counts,
    visits: usize,
    /// Requests of one check.
    requests: usize,
    mints: bool,
    credentials: usize,
}

/// What happens to the operator and the Secret meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbed {
    Not,
    /// The process ends and another takes over, twenty times.
    Restarts,
    /// The Secret is written again with the same bytes, a hundred times.
    Reapplied,
    /// Twenty times: first the one, then the other.
    ReappliedThenRestarted,
}

use Disturbed::{Not, Reapplied, ReappliedThenRestarted, Restarts};

impl Disturbed {
    const fn name(self) -> &'static str {
        match self {
            Not => "",
            Restarts => "20 restarts",
            Reapplied => "re-applied 100 times",
            ReappliedThenRestarted => "re-applied and restarted 20 times",
        }
    }
}

/// Credentials that reference one Secret, and what the provider does.
struct Scene {
    situation: &'static str,
    product: Product,
    spec: Value,
    scopes: &'static [&'static str],
    /// How many credentials.
    credentials: usize,
    /// Whether each has a Secret of its own, with the same key.
    own_secrets: bool,
    /// Whether the key is accepted and published before the day begins.
    accepted: bool,
    /// What the provider does all day; nothing: it accepts the key.
    fault: Option<Misbehaviour>,
    /// Whether the simulator knows the key.
    genuine: bool,
    /// Requests of one check.
    requests: usize,
    calls: (usize, usize),
}

fn zenflow(situation: &'static str, calls: (usize, usize)) -> Scene {
    Scene {
        situation,
        product: Product::ZenFlow,
        spec: json!({"provider": {"zenflow": {"scopes": ["read:orders"]}}}),
        scopes: &["read:orders", "read:stock", "read:products", "read:webhooks"],
        credentials: 1,
        own_secrets: false,
        accepted: false,
        fault: None,
        genuine: true,
        requests: 1,
        calls,
    }
}

fn aventri(situation: &'static str, calls: (usize, usize)) -> Scene {
    let spec = json!({"provider": {"aventri": {"accountID": "12345", "region": "NorthAmerica"}}});
    Scene { product: Product::Aventri, spec, scopes: &[], ..zenflow(situation, calls) }
}

/// Deadlines that no reply on loopback misses, however busy the machine is.
fn patient() -> Limits {
    Limits::for_concurrency(64)
}

struct Played {
    world: World,
    keys: IssuedKey,
    names: Vec<String>,
}

impl Scene {
    async fn set(&self) -> Played {
        let account = if self.product == Product::Aventri { "12345@na" } else { "" };
        let scopes = self.scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let mut world = World::new(providers().await, patient());
        let mut keys = world.simulator.add_key(NewKey { scopes, ..NewKey::of(self.product, account) });
        if !self.genuine {
            world.simulator.revoke_key(&keys.id);
        }
        let names: Vec<_> = (0..self.credentials).map(|n| format!("erp-{n}")).collect();
        for (n, name) in names.iter().enumerate() {
            let source = if self.own_secrets { format!("source-{n}") } else { "source".to_owned() };
            world.put_secret(&source, &keys.key);
            let mut spec = self.spec.clone();
            spec["keySecretRef"] = json!({"name": source});
            world.declare(name, &spec);
            // They do not all come at once.
            world.run_for(Duration::from_secs(20)).await;
        }
        if self.accepted {
            world.run_for(HOUR * 3).await;
        }
        if let Some(fault) = &self.fault {
            world.simulator.set_fault(Fault::of(fault.clone()));
        }
        keys.id.clear();
        Played { world, keys, names }
    }

    async fn play(self, disturbed: Disturbed) -> Line {
        let Played { mut world, keys, names } = self.set().await;
        // The first day of a key begins with its first check.
        let (calls, counts, visits) =
            if self.accepted { (world.calls(), world.server.counts(), world.visits) } else { Default::default() };
        let parts = if disturbed == Reapplied { 100 } else { 20 };
        for _part in 0..parts {
            world.run_for(DAY / parts).await;
            if matches!(disturbed, Reapplied | ReappliedThenRestarted) {
                for n in 0..self.credentials {
                    let source = if self.own_secrets { format!("source-{n}") } else { "source".to_owned() };
                    world.put_secret(&source, &keys.key);
                }
                world.settle().await;
            }
            if matches!(disturbed, Restarts | ReappliedThenRestarted) {
                world.restart();
            }
        }
        drop(names);
        let now = world.server.counts();
        Line {
            situation: self.situation,
            disturbed: disturbed.name(),
            calls: world.calls() - calls,
            at_least: self.calls.0,
            at_most: self.calls.1,
            counts: Counts {
                reads: now.reads - counts.reads,
                statuses: now.statuses - counts.statuses,
                secrets: now.secrets - counts.secrets,
            },
            visits: world.visits - visits,
            requests: self.requests,
            mints: self.product == Product::Aventri,
            credentials: self.credentials,
        }
    }
}

type Playing = Pin<Box<dyn Future<Output = Line> + Send>>;

/// All lines of the table.
pub(super) async fn run() -> Vec<Line> {
    let playing: Vec<_> = scenes().into_iter().map(tokio::spawn).collect();
    let mut lines = Vec::new();
    for line in playing {
        lines.push(line.await.expect("a day passes"));
    }
    lines
}

fn scenes() -> Vec<Playing> {
    let mut scenes: Vec<Playing> = Vec::new();
    let mut add = |scene: fn() -> Scene, disturbed: &[Disturbed]| {
        for disturbed in disturbed {
            scenes.push(Box::pin(scene().play(*disturbed)));
        }
    };
    let undisturbed = &[Not][..];
    let all = &[Not, Restarts, Reapplied, ReappliedThenRestarted][..];
    let some = &[Not, Restarts][..];
    add(|| zenflow("healthy", (22, 27)), all);
    add(
        || Scene {
            spec: json!({"provider": {"zenflow": {"scopePreset": "ERPSync"}}}),
            requests: 3,
            ..zenflow("healthy, three read scopes", (66, 81))
        },
        undisturbed,
    );
    add(
        || Scene {
            spec: json!({
                "provider": {"zenflow": {"scopes": ["read:orders", "read:stock", "read:products", "read:webhooks"]}},
                "validation": {"interval": "5m"},
            }),
            requests: 4,
            ..zenflow("healthy, four read scopes, `interval: 5m`", (700, 1000))
        },
        undisturbed,
    );
    add(|| Scene { fault: Some(Misbehaviour::ScopeMissing), ..zenflow("denied", (22, 27)) }, some);
    add(|| Scene { genuine: false, ..zenflow("rejected", (4, 5)) }, all);
    add(
        || Scene {
            accepted: true,
            fault: Some(Misbehaviour::Revoked),
            ..zenflow("accepted before, now rejected", (4, 6))
        },
        all,
    );
    add(|| Scene { fault: Some(Misbehaviour::Reset), ..zenflow("unreachable", (100, 250)) }, some);
    add(
        || Scene {
            accepted: true,
            fault: Some(Misbehaviour::Reset),
            ..zenflow("accepted before, now unreachable", (100, 250))
        },
        undisturbed,
    );
    add_limits(&mut add);
    add(|| Scene { credentials: 5, ..zenflow("healthy, five on one Secret", (22, 27)) }, all);
    add(
        || Scene { credentials: 5, own_secrets: true, ..zenflow("healthy, five Secrets with one key", (22, 27)) },
        undisturbed,
    );
    add(|| Scene { credentials: 5, genuine: false, ..zenflow("rejected, five on one Secret", (4, 5)) }, some);
    add(
        || Scene {
            credentials: 5,
            fault: Some(Misbehaviour::Reset),
            ..zenflow("unreachable, five on one Secret", (100, 250))
        },
        some,
    );
    add(|| aventri("Aventri, healthy, `tokenLifetime: 10m`", (210, 217)), some);
    add(|| Scene { credentials: 5, ..aventri("Aventri, five on one Secret", (210, 217)) }, undisturbed);
    add(
        || Scene {
            accepted: true,
            genuine: true,
            fault: Some(Misbehaviour::Reset),
            ..aventri("Aventri, unreachable", (100, 250))
        },
        some,
    );
    add(|| Scene { genuine: false, ..aventri("Aventri, rejected", (4, 5)) }, some);
    let local = json!({"provider": {"zenflow": {}}, "validation": {"mode": "Local"}});
    scenes
        .push(Box::pin(async move { Scene { spec: local, ..zenflow("`mode: Local`", (0, 0)) }.play(Restarts).await }));
    scenes.push(Box::pin(flapping_provider()));
    scenes.push(Box::pin(flapping_secret()));
    scenes
}

fn add_limits(add: &mut impl FnMut(fn() -> Scene, &[Disturbed])) {
    fn limited(situation: &'static str, after: Option<RetryAfter>, calls: (usize, usize)) -> Scene {
        Scene { fault: Some(Misbehaviour::RateLimit { retry_after: after }), ..zenflow(situation, calls) }
    }
    let some = &[Not, Restarts][..];
    let undisturbed = &[Not][..];
    add(|| limited("429 without Retry-After", None, (100, 250)), undisturbed);
    add(|| limited("429, Retry-After 3600", Some(RetryAfter::Seconds(3600)), (20, 25)), some);
    add(
        || {
            let fault =
                Misbehaviour::Status { status: 503, retry_after: Some(RetryAfter::Seconds(3600)), bad_key_body: false };
            Scene { fault: Some(fault), ..zenflow("503, Retry-After 3600", (20, 25)) }
        },
        undisturbed,
    );
    add(
        || limited("429, Retry-After 1000000000000", Some(RetryAfter::Seconds(1_000_000_000_000)), (20, 25)),
        undisturbed,
    );
    add(|| limited("429, Retry-After -1", Some(RetryAfter::Seconds(-1)), (100, 250)), undisturbed);
    add(
        || limited("429, Retry-After a date that is past", Some(RetryAfter::Date { date_in: -90 }), (100, 250)),
        undisturbed,
    );
}

fn line(situation: &'static str, world: &World, calls: (usize, usize, usize)) -> Line {
    Line {
        situation,
        disturbed: "",
        calls: calls.0,
        at_least: calls.1,
        at_most: calls.2,
        counts: world.server.counts(),
        visits: world.visits,
        requests: 1,
        mints: false,
        credentials: 1,
    }
}

/// The provider is well for ten minutes and unreachable for ten.
async fn flapping_provider() -> Line {
    let mut world = zenflow("", (0, 0)).set().await.world;
    for ten_minutes in 0..144 {
        world.simulator.clear_faults();
        if ten_minutes % 2 == 1 {
            world.simulator.set_fault(Fault::of(Misbehaviour::Reset));
        }
        world.run_for(MINUTE * 10).await;
    }
    line("unreachable every other ten minutes", &world, (world.calls(), 22, 250))
}

/// Two good keys take turns in the Secret every two minutes.
async fn flapping_secret() -> Line {
    let Played { mut world, keys, .. } = zenflow("", (0, 0)).set().await;
    let scopes = vec!["read:orders".to_owned()];
    let other = world.simulator.add_key(NewKey { scopes, ..NewKey::of(Product::ZenFlow, "") });
    let mut last = 0;
    for n in 0..720_usize {
        world.put_secret("source", if n.is_multiple_of(2) { &other.key } else { &keys.key });
        world.run_for(MINUTE * 2).await;
        let calls = world.calls();
        assert!(calls - last <= 8, "{} calls in two minutes", calls - last);
        last = calls;
    }
    // The two values are known: they are asked about as often as two keys are, and nobody else.
    line("two good keys taking turns every two minutes", &world, (world.calls(), 2, 60))
}

/// What is not as promised.
pub(super) fn wrong(lines: &[Line]) -> Vec<String> {
    let beyond = |line: &&Line| {
        let checks = line.calls / line.requests;
        // A check costs one write, an exchange two; what else is written is the first visit's and each new version's.
        let writes = checks * line.credentials * (1 + usize::from(line.mints));
        let extra = line.credentials * if line.disturbed.contains("re-applied") { 110 } else { 10 };
        let keys_take_turns = line.situation.contains("taking turns");
        !(line.at_least..=line.at_most).contains(&line.calls)
            || (line.counts.statuses > writes + extra && !keys_take_turns)
            || line.visits > 20_000
    };
    lines.iter().filter(beyond).map(|line| format!("{line:?}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_costs_what_is_promised() {
    let lines = super::document::days().await;
    let wrong = wrong(lines);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sharers_and_restarts_cost_what_one_undisturbed_credential_costs() {
    let lines = super::document::days().await;
    let calls = |situation: &str, disturbed: &str| {
        let found = lines.iter().find(|line| line.situation == situation && line.disturbed == disturbed);
        found.unwrap_or_else(|| panic!("no line {situation} {disturbed}")).calls
    };
    for situation in ["healthy", "rejected", "accepted before, now rejected"] {
        for disturbed in [Restarts, Reapplied, ReappliedThenRestarted] {
            let (alone, disturbed) = (calls(situation, ""), calls(situation, disturbed.name()));
            assert!(disturbed <= alone, "{situation}: {disturbed} instead of {alone}");
        }
    }
    for (five, one) in [("healthy, five on one Secret", "healthy"), ("rejected, five on one Secret", "rejected")] {
        for disturbed in [Not, Restarts] {
            assert!(calls(five, disturbed.name()) <= calls(one, "") + 2, "{five} {disturbed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_key_is_published_at_once_however_long_the_wrong_one_was_refused() {
    let Played { mut world, .. } = Scene { genuine: false, ..zenflow("", (0, 0)) }.set().await;
    for restart in [false, true] {
        world.run_for(DAY).await;
        if restart {
            world.restart();
            world.settle().await;
        }
        let scopes = vec!["read:orders".to_owned()];
        let right = world.simulator.add_key(NewKey { scopes, ..NewKey::of(Product::ZenFlow, "") });
        world.put_secret("source", &right.key);
        world.run_for(Duration::from_secs(5)).await;
        assert_eq!(world.published("erp-0-auth").as_deref(), Some(right.key.as_str()));
        assert_eq!(super::world::shown(&world.status("erp-0"), ConditionType::Ready).as_deref(), Some("+Ready"));
        world.simulator.revoke_key(&right.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_flips_ten_times_a_second_costs_four_calls_a_minute_and_one_for_the_last_value() {
    let Played { mut world, .. } = zenflow("", (0, 0)).set().await;
    world.run_for(HOUR * 2).await;
    let scopes = vec!["read:orders".to_owned()];
    let new = || world.simulator.add_key(NewKey { scopes: scopes.clone(), ..NewKey::of(Product::ZenFlow, "") });
    let keys: Vec<_> = (0..600).map(|_| new()).collect();
    let before = world.calls();
    for key in &keys {
        world.put_secret("source", &key.key);
        world.run_for(Duration::from_millis(100)).await;
    }
    let meanwhile = world.calls() - before;
    assert!((2..=4).contains(&meanwhile), "{meanwhile} calls in a minute");
    world.run_for(Duration::from_secs(35)).await;
    assert!(world.calls() - before <= meanwhile + 1, "one more for the last value");
    assert_eq!(
        world.published("erp-0-auth").as_deref(),
        keys.last().map(|key| key.key.as_str()),
        "the last value wins"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_by_annotation_come_from_a_bucket_of_two() {
    let Played { mut world, .. } = zenflow("", (0, 0)).set().await;
    world.run_for(MINUTE * 5).await;
    let before = world.calls();
    for second in 0..60 {
        world.ask_for("erp-0", &second.to_string());
        world.run_for(Duration::from_secs(1)).await;
    }
    assert!(world.calls() - before <= 4, "{}", world.calls() - before);
    world.run_for(Duration::from_secs(35)).await;
    assert_eq!(world.status("erp-0").last_handled_request.as_deref(), Some("59"));
    assert!(world.calls() - before <= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_with_a_thousand_healthy_credentials_asks_nobody_writes_nothing_and_reads_no_secret() {
    let mut world = World::new(providers().await, patient());
    let scopes = vec!["read:orders".to_owned()];
    for n in 0..1000 {
        let key = world.simulator.add_key(NewKey { scopes: scopes.clone(), ..NewKey::of(Product::ZenFlow, "") });
        world.put_secret(&format!("source-{n}"), &key.key);
        let source = format!("source-{n}");
        let spec = json!({"provider": {"zenflow": {"scopes": ["read:orders"]}}, "keySecretRef": {"name": source}});
        world.declare(&format!("erp-{n}"), &spec);
    }
    world.run_for(MINUTE).await;
    assert_eq!(world.calls(), 1000);
    let counts = world.server.counts();
    for _restart in 0..3 {
        world.restart();
        let visits = world.visits;
        world.run_for(MINUTE).await;
        assert!(world.visits - visits >= 1000, "everybody is looked at");
    }
    assert_eq!((world.calls(), world.server.counts()), (1000, counts));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_flow_is_not_asked() {
    let simulator = providers().await;
    let mut world = World::configured(simulator, patient(), Settings::default());
    world.put_secret("source", "flow-EXAMPLE-unproved");
    let spec = json!({
        "provider": {"flow": {"purpose": "FLOWAPI"}}, "keySecretRef": {"name": "source"},
        "expiresAt": "2099-01-01T00:00:00Z", "outputs": [{"secretName": "out", "format": "Binding"}],
    });
    world.declare("leisure", &spec);
    world.run_for(DAY).await;
    let ready = super::world::shown(&world.status("leisure"), ConditionType::Ready);
    assert_eq!((world.calls(), ready.as_deref()), (0, Some("+EndpointNotConfigured")));
    assert!(world.published("out").is_some());
}
