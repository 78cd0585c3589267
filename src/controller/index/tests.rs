//! Who hears of a Secret, and of a name that is given up?

use super::super::fixtures::{declaring, name};
use super::*;

fn present(version: &str) -> Sight {
    Sight::Present { uid: "s".to_owned(), version: version.to_owned() }
}

fn names(mut visits: Vec<Name>) -> Vec<String> {
    visits.sort();
    visits.into_iter().map(|name| name.name).collect()
}

/// `first` has written the output that `second` declares, too.
fn disputed() -> Index {
    let index = Index::default();
    assert_eq!(names(index.note(&declaring("first", 0, &["shared"]))), ["first"]);
    assert_eq!(names(index.note(&declaring("second", 1, &["shared", "own"]))), ["second"]);
    assert_eq!(names(index.saw(&name("shared"), &[], present("5"))), ["first"]);
    assert_eq!(index.claimed(&name("second")), BTreeSet::from(["shared".to_owned()]));
    assert!(index.claimed(&name("first")).is_empty());
    index
}

#[test]
fn what_stands_under_another_owner_is_owned_no_longer_and_its_former_owner_hears_of_it() {
    let index = disputed();
    let owner = |uid: &str| {
        let owner = serde_json::json!([{"apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential",
            "name": uid, "uid": uid, "controller": true}]);
        serde_json::from_value::<Vec<OwnerReference>>(owner).unwrap()
    };
    for ([before, later], others) in [(["6", "7"], Vec::new()), (["8", "9"], owner("stranger"))] {
        index.saw(&name("own"), &owner("second"), present(before));
        assert!(index.owns(&name("second"), "own"));
        assert_eq!(names(index.saw(&name("own"), &others, present(later))), ["second"]);
        assert!(!index.owns(&name("second"), "own"), "{others:?}");
    }
}

#[test]
fn a_name_that_is_given_up_wakes_whoever_waits_for_it() {
    let index = disputed();
    let mut other = declaring("first", 0, &["elsewhere"]);
    other.metadata.generation = Some(2);
    assert_eq!(names(index.note(&other)), ["first", "second"]);
    assert!(index.claimed(&name("second")).is_empty());
}

#[test]
fn a_credential_that_is_gone_wakes_whoever_waits_for_its_names() {
    let index = disputed();
    let (uid, visits) = index.forget(&name("first")).expect("it was known");
    assert_eq!((uid.as_str(), names(visits)), ("first", vec!["second".to_owned()]));
    assert!(index.claimed(&name("second")).is_empty());
}

#[test]
fn a_secret_that_we_delete_wakes_whoever_waits_for_its_name_and_else_nobody() {
    let index = disputed();
    let _visits = index.note(&declaring("first", 0, &["elsewhere"]));
    let _visits = index.note(&declaring("third", 2, &["shared"]));
    // Noted before the watch tells; what is noted is no news when it does.
    index.wrote(&name("shared"), Sight::Absent);
    let visits = index.gone(&name("shared"), |_| true);
    assert_eq!(names(visits), ["second"], "the deletion is news to whoever has the name now");
    index.saw(&name("own"), &[], present("6"));
    index.wrote(&name("own"), Sight::Absent);
    assert!(index.gone(&name("own"), |_| true).is_empty(), "nobody else cares");
}

#[test]
fn whoever_is_older_or_goes_or_is_spoilt_moves_the_name_and_no_third_one_hears_of_it() {
    let index = disputed();
    let _visits = index.note(&declaring("third", 3, &["shared"]));
    let mut deleting = declaring("first", 0, &["shared"]);
    deleting.metadata.deletion_timestamp = deleting.metadata.creation_timestamp.clone();
    assert_eq!(names(index.note(&deleting)), ["first", "second"]);
    assert!(index.claimed(&name("second")).is_empty() && index.claimed(&name("third")).len() == 1);
    assert_eq!(names(index.note(&declaring("eldest", 0, &["shared"]))), ["eldest", "second"]);
    let malformed = ObjectMeta { generation: Some(2), ..declaring("eldest", 0, &[]).metadata };
    assert_eq!(names(index.note_malformed(&malformed)), ["eldest", "second"]);
    assert!(index.note_malformed(&malformed).is_empty(), "that is no news");
}

#[test]
fn a_source_stays_ones_business_whoever_has_the_name() {
    let index = disputed();
    let mut object = declaring("third", 2, &["shared"]);
    object.spec.key_secret_ref.name = "shared".to_owned();
    let _visits = index.note(&object);
    assert_eq!(names(index.saw(&name("shared"), &[], present("6"))), ["first", "third"]);
}

/// Whatever two thousand do to each other's names.
#[test]
fn a_crowd_that_declares_one_name_is_woken_one_by_one() {
    let index = Index::default();
    let outputs = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let rival = |number: u16| format!("rival-{number:04}");
    for number in 0..2_000 {
        assert_eq!(names(index.note(&declaring(&rival(number), 0, &outputs))), [rival(number)]);
    }
    for number in 0..2_000 {
        let mut edited = declaring(&rival(number), 0, &outputs[1..]);
        edited.metadata.generation = Some(2);
        let mut expected = vec![rival(number)];
        // `a` goes to the next.
        expected.extend((number < 1_999).then(|| rival(number + 1)));
        assert_eq!(names(index.note(&edited)), expected);
        assert_eq!(index.claimed(&name(&rival(number))).len(), if number == 0 { 0 } else { 7 });
    }
    assert_eq!(names(index.saw(&name("b"), &[], present("7"))), [rival(0)]);
    let (_, visits) = index.forget(&name(&rival(0))).expect("it was known");
    assert_eq!(names(visits), [rival(1)]);
}
