//! What must come out of a reply, written by hand.

use super::*;

/// What must come out. The next check depends on the object's uid: a range.
pub(super) struct Expected {
    authenticated: String,
    authorized: String,
    published: &'static str,
    ready: String,
    beside: &'static str,
    output: &'static str,
    next: RangeInclusive<i64>,
}

const INTERVAL: RangeInclusive<i64> = 3240..=3960;
const HOUR: RangeInclusive<i64> = 3600..=3600;
const CONFIRMATION: RangeInclusive<i64> = 31..=45;

/// What a provider's success is: Aventri's says nothing about access, and its token is renewed after 6m40s.
fn success(product: Product) -> (&'static str, RangeInclusive<i64>) {
    match product {
        Product::Aventri => ("?NotVerifiable", 400..=400),
        _ => ("+AccessVerified", INTERVAL),
    }
}

/// Ready, with this access and this next check.
fn ready(authorized: &str, next: RangeInclusive<i64>) -> Expected {
    Expected {
        authenticated: "+KeyAccepted".to_owned(),
        authorized: authorized.to_owned(),
        published: "+Published",
        ready: "+Ready".to_owned(),
        beside: "",
        output: "this key",
        next,
    }
}

pub(super) fn expected(cell: &Cell, before: &Outcome) -> Expected {
    let was_published = cell.history != History::New;
    let (published, output) = match cell.history {
        History::New => ("-WaitingForVerification", "none"),
        History::Rotated => ("+LastKnownGood", "the former key"),
        _ => ("+LastKnownGood", "this key"),
    };
    let not_ready = |authenticated: String, authorized: String, reason: Reason, next| Expected {
        ready: format!("{}{}", authenticated.get(..1).filter(|sign| *sign == "?").unwrap_or("-"), reason.name()),
        authenticated,
        authorized,
        published,
        beside: if matches!(cell.says, Says::Doubt(_)) { "Reconciling" } else { "Stalled" },
        output,
        next,
    };
    let unchanged = |next| ready(&before.authorized, next);
    let first_time = was_published && cell.history == History::Once;
    match cell.says {
        Says::Verified => ready("+AccessVerified", success(cell.product).1),
        Says::NotVerifiable => ready("?NotVerifiable", success(cell.product).1),
        Says::Denied(_) if first_time => unchanged(CONFIRMATION),
        Says::Denied(reason) => {
            not_ready("+KeyAccepted".to_owned(), format!("-{}", reason.name()), reason, success(cell.product).1)
        }
        Says::Rejected(Reason::KeyExpired) if first_time => {
            not_ready("-KeyExpired".to_owned(), "?NotChecked".to_owned(), Reason::KeyExpired, HOUR)
        }
        Says::Rejected(_) if first_time => unchanged(CONFIRMATION),
        Says::Rejected(reason) => {
            let next = rejected_next(reason, cell.history);
            not_ready(format!("-{}", reason.name()), "?NotChecked".to_owned(), reason, next)
        }
        Says::Doubt(reason) => {
            let next = match (cell.waits, cell.history) {
                (Some(seconds), _) => seconds - 1..=seconds + 1,
                (None, History::New | History::Rotated | History::Once) => 1..=2,
                (None, History::Again) => 1..=4,
                (None, History::NextDay) => 1..=8,
            };
            // After an hour's wait the token has ended, and no new one was to be had.
            let ended = cell.product == Product::Aventri && cell.waits.is_some_and(|seconds| seconds > 600);
            match cell.history {
                History::Again if ended => Expected { published: "+LastKnownGood", ..unchanged(next) },
                History::Once | History::Again => unchanged(next),
                _ => not_ready(format!("?{}", reason.name()), "?NotChecked".to_owned(), reason, next),
            }
        }
    }
}

/// One hour after the first rejection that counts, two after the second, four after the third.
fn rejected_next(reason: Reason, history: History) -> RangeInclusive<i64> {
    let counted = match history {
        History::New | History::Rotated | History::Once => 1,
        History::Again => 1 + i64::from(reason == Reason::KeyExpired),
        History::NextDay => 2 + i64::from(reason == Reason::KeyExpired),
    };
    let hours = 1 << (counted - 1);
    hours * 3600..=hours * 3600
}

/// Every cell that is not as it must be.
pub(in crate::verdicts) fn wrong(matrix: &Matrix) -> Vec<String> {
    let mut wrong = Vec::new();
    for cell in &matrix.cells {
        let before = before(cell);
        let expected = expected(cell, &before);
        let found = &cell.outcome;
        let same = found.authenticated == expected.authenticated
            && found.authorized == expected.authorized
            && found.published == expected.published
            && found.ready == expected.ready
            && found.beside == expected.beside
            && found.output == expected.output
            && expected.next.contains(&found.next);
        if !same {
            wrong.push(format!(
                "{:?} {} ({:?}), {}: {found:?}",
                cell.product,
                cell.label,
                cell.says,
                cell.history.name()
            ));
        }
    }
    wrong
}

/// A key that was accepted and published, before the reply.
pub(super) fn before(cell: &Cell) -> Outcome {
    let scopes_differ = cell.label.contains("no scope declared") || cell.label.contains("only a write scope");
    let (authorized, _) = success(cell.product);
    let authorized = if scopes_differ { "?NotVerifiable" } else { authorized };
    Outcome {
        authenticated: "+KeyAccepted".to_owned(),
        authorized: authorized.to_owned(),
        published: "+Published".to_owned(),
        ready: "+Ready".to_owned(),
        beside: "",
        output: "this key",
        next: 0,
    }
}
