//! What is done about what others do to outputs: how often, how much of theirs is read, and what of it stays?

use super::super::super::fixtures::{Asked, owned_by, recording, refusal};
use super::*;
use serde_json::Value;
use tokio::sync::{Mutex as Room, MutexGuard as InRoom};
use zeroize::Zeroizing;

/// A credential that is still what was decided about, and these Secrets.
fn with(secrets: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> (Context, Arc<Mutex<Vec<Asked>>>) {
    let (client, told) = recording(move |asked| match asked.name.as_str() {
        "erp" => {
            (200, json!({"metadata": {"name": "erp", "namespace": "data", "uid": "erp", "generation": 1}, "spec": {}}))
        }
        _ => secrets(asked),
    });
    (context(client), told)
}

fn count(told: &Mutex<Vec<Asked>>, method: &Method) -> usize {
    told.lock().unwrap().iter().filter(|asked| asked.method == *method).count()
}

fn withdrawal() -> OutputPlan {
    OutputPlan { name: OUTPUT.to_owned(), format: Format::Env, action: Move::Withdraw }
}

/// As one of the watch's visits finds it: no status lists it.
fn unlisted(mut seen: Observed) -> Observed {
    seen.object = Arc::new(declaring("erp", 0, &[OUTPUT]));
    seen
}

fn no_longer_declared(mut seen: Observed) -> Observed {
    seen.dropped = std::mem::take(&mut seen.targets);
    seen
}

#[tokio::test]
async fn what_is_made_anew_as_often_as_it_is_deleted_is_deleted_ten_times_at_once_and_then_once_a_second() {
    for withdrawn in [true, false] {
        let (ctx, told) = with(|_| (200, json!({"kind": "Status", "status": "Success"})));
        let mut waited = 0;
        for _ in 0..100 {
            // Each visit has a hand of its own.
            let seen = unlisted(seen(&ctx));
            let failure = if withdrawn {
                hand(&ctx, &seen).make(&mut withdrawal()).await.err()
            } else {
                let seen = no_longer_declared(seen);
                hand(&ctx, &seen).let_go(OUTPUT).await.err()
            };
            assert!(failure.is_none_or(|failure| failure.is_paced()), "{failure:?}");
            waited += usize::from(failure.is_some());
        }
        let deleted = count(&told, &Method::DELETE);
        assert!((10..30).contains(&deleted) && deleted + waited == 100, "withdrawn: {withdrawn}: {deleted}, {waited}");
        // What the status lists goes at once, however often others were at it.
        let listed = seen(&ctx);
        assert_eq!(hand(&ctx, &listed).make(&mut withdrawal()).await, Ok(Done::Withdrawn));
        assert_eq!(hand(&ctx, &no_longer_declared(listed)).let_go(OUTPUT).await, Ok(true));
    }
}

#[tokio::test]
async fn who_changes_one_output_all_the_time_does_not_keep_another_from_being_repaired() {
    let answer = json!({"metadata": {"name": OUTPUT, "namespace": "data", "uid": "s", "resourceVersion": "6"}});
    let (ctx, _) = with(move |_| (200, answer.clone()));
    let mut seen = seen(&ctx);
    let mut object = declaring("erp", 0, &["attacked", OUTPUT]);
    let output = |name: &str| json!({"secretName": name, "format": "Env", "resourceVersion": "4"});
    object.status = serde_json::from_value(json!({"outputs": [output("attacked"), output(OUTPUT)]})).unwrap();
    seen.object = Arc::new(object);
    let mut attacked = seen.targets[0].secret.clone().unwrap();
    attacked.metadata.name = Some("attacked".to_owned());
    seen.targets.push(Target { name: "attacked".to_owned(), secret: Some(attacked), cut: false });
    // One more visit may undo what others did.
    for _ in 0..9 {
        ctx.memory.take_turn("erp", ctx.now()).unwrap();
    }
    let hand = hand(&ctx, &seen);
    for name in ["attacked", OUTPUT] {
        let mut plan = OutputPlan { name: name.to_owned(), format: Format::Env, action: Move::Replace(rendered()) };
        assert!(matches!(hand.make(&mut plan).await, Ok(Done::Written(_))), "{name}");
    }
}

#[tokio::test]
async fn of_a_secret_that_came_first_only_the_metadata_is_asked_for() {
    for (uid, expected) in [("somebody", Some(Done::NotOwned)), ("erp", None)] {
        let (ctx, told) = with(move |asked| {
            if asked.method == Method::POST {
                return refusal(409, "AlreadyExists");
            }
            let owners = owned_by(uid);
            let meta = json!({
                "name": OUTPUT, "namespace": "data", "uid": "s", "resourceVersion": "9", "ownerReferences": owners,
            });
            (200, json!({"metadata": meta, "data": {"password": "dGhlaXJz"}}))
        });
        let seen = unlisted(seen(&ctx));
        let done = hand(&ctx, &seen).create(OUTPUT, rendered()).await;
        assert_eq!(done.ok(), expected, "owned by {uid}");
        let told = told.lock().unwrap();
        let reads: Vec<_> = told.iter().filter(|asked| asked.method == Method::GET && asked.name == OUTPUT).collect();
        assert!(reads.len() == 1 && reads[0].metadata, "{reads:?}");
    }
}

/// The output as it was written last; perhaps no status lists it, perhaps the status says that somebody else's is in the way.
fn told_of(ctx: &Context, listed: bool, blocked: bool) -> Observed {
    let mut seen = seen(ctx);
    let status = Arc::make_mut(&mut seen.object).status.as_mut().expect("it has one");
    if !listed {
        status.outputs.clear();
    }
    if blocked {
        let condition = json!({"type": "Published", "status": "False", "reason": "TargetNotOwned", "message": "",
            "lastTransitionTime": "2026-03-01T00:00:00Z"});
        status.conditions.push(serde_json::from_value(condition).unwrap());
    }
    seen
}

#[tokio::test]
async fn a_first_publication_a_rotation_and_a_withdrawal_wait_for_nobody_and_all_else_takes_its_turn() {
    let listed = true;
    let blocked = true;
    for (action, listed, blocked, waits) in [
        (Move::Create(rendered()), !listed, !blocked, false),
        (Move::Create(rendered()), !listed, blocked, true),
        (Move::Create(rendered()), listed, !blocked, true),
        (Move::Replace(rendered()), listed, !blocked, false),
        (Move::Replace(rendered()), listed, blocked, false),
        (Move::Replace(rendered()), !listed, !blocked, true),
        (Move::TakeOver(rendered()), !listed, !blocked, true),
        (Move::Recreate(rendered()), !listed, !blocked, true),
        (Move::Recreate(rendered()), listed, !blocked, true),
        (Move::Withdraw, listed, blocked, false),
        (Move::Withdraw, !listed, !blocked, true),
    ] {
        let (ctx, told) = with(|_| (200, written_on("6")));
        let mut seen = told_of(&ctx, listed, blocked);
        if matches!(action, Move::Create(_)) {
            seen.targets[0].secret = None;
        }
        no_turn_is_left(&ctx);
        let place = format!("{:?}, listed: {listed}, blocked: {blocked}", std::mem::discriminant(&action));
        let mut plan = OutputPlan { name: OUTPUT.to_owned(), format: Format::Env, action };
        let made = hand(&ctx, &seen).make(&mut plan).await;
        assert_eq!(made.is_err_and(|failure| failure.is_paced()), waits, "{place}");
        assert_eq!(told.lock().unwrap().iter().all(|asked| asked.method == Method::GET), waits, "{place}");
    }
}

/// The tests that need the room, which the process has once, come one after the other.
async fn with_the_room_free() -> InRoom<'static, ()> {
    static TESTS: Room<()> = Room::const_new(());
    TESTS.lock().await
}

/// The output with more written on it than is kept, at this version.
fn written_on(version: &str) -> Value {
    json!({
        "metadata": {
            "name": OUTPUT, "namespace": "data", "uid": "s", "resourceVersion": version,
            "ownerReferences": owned_by("erp"), "annotations": {"theirs": "x".repeat(200_000)},
            "labels": {"team": "data"}, "finalizers": ["example.com/stays"],
        },
        "data": {"junk": "anVuaw=="},
    })
}

#[tokio::test]
async fn what_others_wrote_on_an_output_stays_however_much_it_is() {
    let _free = with_the_room_free().await;
    let (ctx, told) = with(|_| (200, written_on("5")));
    let mut seen = seen(&ctx);
    seen.targets[0].cut = true;
    let proved =
        Rendered { data: BTreeMap::from([("KEY".to_owned(), Zeroizing::new(b"proved".to_vec()))]), ..rendered() };
    let done = hand(&ctx, &seen).replace(OUTPUT, proved).await;
    assert!(matches!(done, Ok(Done::Written(_))), "{done:?}");
    let told = told.lock().unwrap();
    let written: Vec<_> = told.iter().filter(|asked| asked.method != Method::GET).collect();
    assert_eq!(written.iter().map(|asked| &asked.method).collect::<Vec<_>>(), [Method::PUT]);
    let mut expected = written_on("5")["metadata"].clone();
    for (label, value) in labels("erp") {
        expected["labels"][label] = json!(value);
    }
    assert_eq!(written[0].body["metadata"], expected);
    assert_eq!(written[0].body["data"], json!({"KEY": "cHJvdmVk"}), "what is published, and nothing else");
}

#[tokio::test]
async fn who_finds_another_at_such_an_output_asks_nothing_and_comes_again_in_a_second() {
    let _free = with_the_room_free().await;
    let (ctx, told) = with(|_| (200, written_on("5")));
    let mut seen = seen(&ctx);
    seen.targets[0].cut = true;
    let hand = hand(&ctx, &seen);
    let another = reread(&hand.secrets, hand.existing(OUTPUT).unwrap()).await.expect("the room is free");
    told.lock().unwrap().clear();
    let made = tokio::time::timeout(Duration::from_secs(5), hand.replace(OUTPUT, rendered())).await;
    assert_eq!(made.expect("it does not wait").err(), Some(Failure::paced(Duration::from_secs(1))));
    assert!(told.lock().unwrap().is_empty(), "nothing is asked");
    drop(another);
    assert!(matches!(hand.replace(OUTPUT, rendered()).await, Ok(Done::Written(_))));
}

#[tokio::test]
async fn what_has_changed_since_it_was_looked_at_is_not_written_over() {
    let _free = with_the_room_free().await;
    let (ctx, told) = with(|_| (200, written_on("6")));
    let mut seen = seen(&ctx);
    seen.targets[0].cut = true;
    let failure = hand(&ctx, &seen).replace(OUTPUT, rendered()).await.expect_err("it has changed");
    assert_eq!(failure.class(), Class::Conflict);
    assert_eq!(count(&told, &Method::PUT), 0);
}
