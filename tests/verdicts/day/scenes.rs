//! The situations of the table.

use super::*;

pub(super) fn scenes() -> Vec<Playing> {
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
        some,
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
    // A key that comes back may have been revoked since: each time it is asked about, and once.
    line("two good keys taking turns every two minutes", &world, (world.calls(), 2, 722))
}
