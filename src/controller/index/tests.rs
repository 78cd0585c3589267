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
    assert_eq!(names(index.note(&declaring("second", 1, &["shared", "own"]))), ["first", "second"]);
    assert_eq!(names(index.saw(&name("shared"), &[], present("5"))), ["first", "second"]);
    assert_eq!(index.claimed(&name("second")), BTreeSet::from(["shared".to_owned()]));
    assert!(index.claimed(&name("first")).is_empty());
    index
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
    // Noted before the watch tells; what is noted is no news when it does.
    index.wrote(&name("shared"), Sight::Absent);
    let visits = index.gone(&name("shared"), |_| true);
    assert_eq!(names(visits), ["first", "second"], "the deletion is news to another one");
    index.saw(&name("own"), &[], present("6"));
    index.wrote(&name("own"), Sight::Absent);
    assert!(index.gone(&name("own"), |_| true).is_empty(), "nobody else cares");
}
