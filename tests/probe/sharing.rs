//! Who asks the same shares an answer; who asks too much, or while others are asking, comes back later.

use super::*;
use connector_operator::providers::Scope;
use futures::future::join_all;
use simulator::{Fault, Misbehaviour, Switches};
use std::collections::BTreeSet;

#[tokio::test]
async fn five_credentials_with_one_key_cost_one_call_an_interval() {
    let bed = Bed::new().await;
    for product in PRODUCTS {
        let (key, settings) = bed.credential(product);
        let before = bed.rows().len();
        let mut shared = vec![];
        for _interval in 0..3 {
            let since = bed.clock.now();
            for namespace in ["a", "b", "c", "d", "e"] {
                bed.clock.advance(Duration::from_secs(60));
                let options = CheckOptions { since, namespace: namespace.to_owned(), ..bed.options() };
                match bed.try_check(settings.as_ref(), &key.key, &options).await {
                    Outcome::Checked { checked, shared: was_shared } => {
                        assert!(told(&checked.verdict).starts_with("accepted") && checked.asked_at >= since);
                        shared.push(was_shared);
                    }
                    other => panic!("{product:?}: {other:?}"),
                }
            }
        }
        assert_eq!(shared.iter().filter(|shared| !**shared).count(), 3, "{product:?}");
        assert_eq!(bed.rows().len(), before + 3, "{product:?}");
    }
}

#[tokio::test]
async fn those_who_ask_the_same_at_once_do_not_wait_inside() {
    let bed = Bed::new().await;
    let (key, settings) = bed.credential(Product::ZenFlow);
    bed.simulator.set_fault(Fault::of(Misbehaviour::Latency { ms: 200 }));
    let options = bed.options();
    let checks = (0..5).map(|_| bed.try_check(settings.as_ref(), &key.key, &options));
    let outcomes = join_all(checks).await;
    let asked = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Checked { shared: false, .. })).count();
    let later = |outcome: &&Outcome| matches!(outcome, Outcome::Later { why: Wait::SameQuestion, .. });
    assert_eq!((asked, outcomes.iter().filter(later).count()), (1, 4));
    let again = bed.try_check(settings.as_ref(), &key.key, &options).await;
    assert!(matches!(again, Outcome::Checked { shared: true, .. }));
    assert_eq!(bed.rows().len(), 1);
}

#[tokio::test]
async fn a19_different_questions_are_not_mixed() {
    let bed = Bed::new().await;
    let (key, _) = bed.credential(Product::ZenFlow);
    let declares = |scopes: &[Scope]| ZenFlow { scopes: Some(scopes.to_vec()), ..ZenFlow::default() };
    let options = bed.options();
    for (settings, expected) in [
        (declares(&[Scope::ReadOrders]), "accepted Verified"),
        (declares(&[Scope::ReadStock]), "accepted MissingScopes([ReadStock])"),
        (declares(&[Scope::ReadOrders, Scope::WriteOrders]), "accepted Verified unverifiable=[WriteOrders]"),
    ] {
        bed.clock.advance(Duration::from_secs(120));
        let Outcome::Checked { checked, shared } = bed.try_check(&settings, &key.key, &options).await else {
            panic!("asked nobody")
        };
        assert_eq!((told(&checked.verdict).as_str(), shared), (expected, false));
    }
}

#[tokio::test]
async fn a19_two_hundred_keys_are_never_mixed() {
    let patient = Duration::from_secs(30);
    let bed = Bed::with(Limits {
        slots: 1000,
        connect: patient,
        read: patient,
        total: patient,
        conversation: patient,
        ..limits()
    })
    .await;
    bed.simulator.set_switches(Switches { limits: false, ..Switches::default() });
    let good = |n: usize| n.is_multiple_of(3);
    let keys: Vec<String> = (0..200)
        .map(|n| {
            let key = format!("zenflow_live_EXAMPLE_{n}");
            if good(n) {
                bed.simulator.add_key(NewKey {
                    key: Some(key.clone()),
                    scopes: vec!["read:orders".to_owned()],
                    ..NewKey::of(Product::ZenFlow, "")
                });
            }
            key
        })
        .collect();
    bed.simulator.set_fault(Fault::of(Misbehaviour::Latency { ms: 30 }));
    let settings = ZenFlow { scopes: Some(vec![Scope::ReadOrders]), ..ZenFlow::default() };
    for _round in 0..3 {
        bed.clock.advance(Duration::from_secs(120));
        // A tenant each: of one whose keys are refused the next ones wait.
        let tenants: Vec<_> =
            (0..keys.len()).map(|n| CheckOptions { namespace: format!("tenant-{n}"), ..bed.options() }).collect();
        let checks = keys.iter().zip(&tenants).map(|(key, options)| bed.try_check(&settings, key, options));
        let outcomes = join_all(checks).await;
        for (n, outcome) in outcomes.iter().enumerate() {
            let Outcome::Checked { checked, shared: false } = outcome else { panic!("asked nobody: {outcome:?}") };
            assert_eq!(told(&checked.verdict), if good(n) { "accepted Verified" } else { "rejected Key" });
        }
    }
    let hashes: BTreeSet<_> = bed.rows().into_iter().filter_map(|row| row.key_hash).collect();
    assert_eq!((hashes.len(), bed.rows().len()), (200, 600));
}

#[tokio::test]
async fn a20_an_account_is_asked_within_its_budget_whoever_asks() {
    let bed = Bed::new().await;
    let (_, settings) = bed.credential(Product::Flowlu);
    let (mut asked, mut later) = (0, BTreeSet::new());
    for n in 0..50 {
        match bed.try_check(settings.as_ref(), &format!("junk-EXAMPLE-{n}"), &bed.options()).await {
            Outcome::Checked { .. } => asked += 1,
            Outcome::Later { at, why: Wait::Budget } => {
                assert!(at > bed.clock.now());
                later.insert(at);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(asked, bed.rows().len());
    assert!((1..=6).contains(&asked) && later.len() > 20, "{asked} {}", later.len());
    let (key, _) = bed.credential(Product::Flowlu);
    let proved = CheckOptions { proved: true, ..bed.options() };
    assert!(matches!(bed.try_check(settings.as_ref(), &key.key, &proved).await, Outcome::Checked { .. }));
}

#[tokio::test]
async fn a20_a_namespace_whose_keys_are_refused_is_slowed_and_nobody_else() {
    let bed = Bed::new().await;
    let (genuine, settings) = bed.credential(Product::ZenFlow);
    let junk = CheckOptions { namespace: "junk".to_owned(), ..bed.options() };
    let mut later = BTreeSet::new();
    for n in 0..200 {
        match bed.try_check(settings.as_ref(), &format!("zenflow_live_junk_EXAMPLE_{n}"), &junk).await {
            Outcome::Checked { .. } => {}
            Outcome::Later { at, why: Wait::Refusals } => {
                assert!(at > bed.clock.now());
                later.insert(at);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bed.rows().len(), 30, "junk is asked about as fast as it comes");
    assert!(later.len() > 20, "they come back one by one: {later:?}");
    let (next, _) = bed.credential(Product::ZenFlow);
    let (known, _) = bed.credential(Product::ZenFlow);
    let before = Some(bed.clock.now() - Duration::from_secs(3600));
    for (key, options) in [
        (&genuine, bed.options()),
        (&next, CheckOptions { proved: true, ..junk.clone() }),
        (&known, CheckOptions { proved: true, asked_before: before, ..junk.clone() }),
    ] {
        let outcome = bed.try_check(settings.as_ref(), &key.key, &options).await;
        assert!(matches!(outcome, Outcome::Checked { .. }), "{options:?}: {outcome:?}");
    }
}

/// A firewall's page is no verdict on a key; but whoever draws it again and again gets everybody's address banned.
#[tokio::test]
async fn a20_a_namespace_that_a_firewall_turns_away_is_slowed_and_nobody_else() {
    let bed = Bed::new().await;
    let firewall = Misbehaviour::Html { status: 403, content_type: None };
    let wall = bed.simulator.set_fault(Fault::of(firewall));
    let (_, settings) = bed.credential(Product::ZenFlow);
    let junk = CheckOptions { namespace: "junk".to_owned(), ..bed.options() };
    for n in 0..100 {
        let outcome = bed.try_check(settings.as_ref(), &format!("zenflow_live_junk_EXAMPLE_{n}"), &junk).await;
        let waits = matches!(outcome, Outcome::Later { why: Wait::Refusals, .. });
        assert!(waits == (n >= 30), "{n}: {outcome:?}");
    }
    assert_eq!(bed.rows().len(), 30);
    bed.simulator.clear_fault(wall);
    let (good, _) = bed.credential(Product::ZenFlow);
    let outcome = bed.try_check(settings.as_ref(), &good.key, &bed.options()).await;
    assert!(matches!(outcome, Outcome::Checked { .. }), "{outcome:?}");
}

#[tokio::test]
async fn zenflows_last_tenth_is_left_to_its_users() {
    let bed = Bed::new().await;
    let (key, settings) = bed.credential(Product::ZenFlow);
    let url = format!("{}/zenflow/api/v1/orders?page=1&limit=1", bed.simulator.base());
    let traffic = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(no_tls()).build().unwrap();
    for _ in 0..56 {
        let reply = traffic.get(&url).header("X-API-Key", &key.key).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 200);
    }
    assert_eq!(bed.told(settings.as_ref(), &key.key).await, "accepted NotVerifiable");
    let again = bed.try_check(settings.as_ref(), &key.key, &bed.options()).await;
    assert!(matches!(again, Outcome::Later { why: Wait::Budget, .. }), "{again:?}");
    let (other, _) = bed.credential(Product::ZenFlow);
    assert_eq!(bed.told(settings.as_ref(), &other.key).await, "accepted NotVerifiable");
}

fn no_tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

#[tokio::test]
async fn a_hanging_namespace_leaves_slots_to_others() {
    let bed = Bed::with(short()).await;
    let (good, settings) = bed.credential(Product::ZenFlow);
    bed.simulator.set_switches(Switches { limits: false, ..Switches::default() });
    let hanging: Vec<_> = (0..100).map(|_| bed.credential(Product::ZenFlow).0).collect();
    for key in &hanging {
        bed.simulator.set_fault(Fault { key_hash: Some(key.hash.clone()), ..Fault::of(Misbehaviour::Hang) });
    }
    let greedy = CheckOptions { namespace: "greedy".to_owned(), ..bed.options() };
    let hang = join_all(hanging.iter().map(|key| bed.try_check(settings.as_ref(), &key.key, &greedy)));
    let good = async {
        tokio::task::yield_now().await;
        let (elsewhere, other) = bed.credential(Product::Flowlu);
        let options = bed.options();
        let here = bed.try_check(settings.as_ref(), &good.key, &options).await;
        let there = bed.try_check(other.as_ref(), &elsewhere.key, &greedy).await;
        (here, there)
    };
    let (outcomes, (here, there)) = tokio::join!(hang, good);
    assert!(matches!(here, Outcome::Checked { .. }) && matches!(there, Outcome::Checked { .. }), "{here:?} {there:?}");
    let asked = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Checked { .. })).count();
    let waiting = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Later { why: Wait::Slot, .. })).count();
    assert_eq!((asked, waiting), (2, 98));
}
