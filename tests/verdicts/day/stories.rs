//! What a day costs when somebody is busy: corrected keys, flapping, many credentials at once.

use super::*;
use crate::support::full_length;

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
        assert_eq!(
            crate::verdicts::world::shown(&world.status("erp-0"), ConditionType::Ready).as_deref(),
            Some("+Ready")
        );
        world.simulator.revoke_key(&right.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a16_a_secret_that_flips_ten_times_a_second_costs_four_calls_a_minute_and_one_for_the_last_value() {
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
async fn a16_requests_by_annotation_come_from_a_bucket_of_two() {
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
async fn a15_a_new_process_with_a_thousand_healthy_credentials_asks_nobody_writes_nothing_and_reads_no_secret() {
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
async fn a15_without_an_endpoint_flow_is_not_asked() {
    let simulator = providers().await;
    let mut world = World::configured(simulator, patient(), Settings::default());
    world.put_secret("source", "flow-EXAMPLE-unproved");
    let spec = json!({
        "provider": {"flow": {"purpose": "FLOWAPI"}}, "keySecretRef": {"name": "source"},
        "expiresAt": "2099-01-01T00:00:00Z", "outputs": [{"secretName": "out", "format": "Binding"}],
    });
    world.declare("leisure", &spec);
    world.run_for(DAY).await;
    let ready = crate::verdicts::world::shown(&world.status("leisure"), ConditionType::Ready);
    // The simulator's ledger sees only calls that lead to it; the status would tell of any.
    let checked = world.status("leisure").validation.and_then(|validation| validation.last_check_time);
    assert_eq!((world.calls(), checked, ready.as_deref()), (0, None, Some("+EndpointNotConfigured")));
    assert!(world.published("out").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a15_many_on_one_secret_and_a_restart_each_minute_cost_what_one_undisturbed_credential_does() {
    let credentials = if full_length() { 1000 } else { 5 };
    let mut world = World::new(providers().await, patient());
    let scopes = vec!["read:orders".to_owned()];
    let key = world.simulator.add_key(NewKey { scopes, ..NewKey::of(Product::ZenFlow, "") });
    world.put_secret("source", &key.key);
    for n in 0..credentials {
        let spec = json!({"provider": {"zenflow": {"scopes": ["read:orders"]}}, "keySecretRef": {"name": "source"}});
        world.declare(&format!("erp-{n}"), &spec);
    }
    for _minute in 0..24 * 60 {
        world.run_for(MINUTE).await;
        // A restart, or another one that leads: neither knows what the former did.
        world.restart();
    }
    let calls = world.calls();
    assert!((22..=27).contains(&calls), "{credentials} cost {calls} calls");
    for n in 0..credentials {
        let ready = crate::verdicts::world::shown(&world.status(&format!("erp-{n}")), ConditionType::Ready);
        assert_eq!(ready.as_deref(), Some("+Ready"));
    }
}
