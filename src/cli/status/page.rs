//! One credential as a screen that a person understands without documentation. Pure.

use super::{Around, time};
use crate::api::{ConditionType, Conditions, ConnectorCredential, OutputStatus, PublishPolicy, Reason, Status};
use crate::cli::Shown;
use crate::cli::consumers::Consumer;
use crate::cli::object::{self, condition, warnings};
use crate::cli::page::{Page, Tone, WIDTH, Word, cut, span};
use crate::cli::remedy;
use crate::policy::{declared_outputs, message::moment};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use std::collections::BTreeSet;

/// The column that text beside labels begins in.
const INDENT: usize = 12;
/// Events that are shown.
const RECENT: usize = 5;

pub(super) fn page(object: &ConnectorCredential, around: &Around, shown: &Shown, now: Timestamp) -> Page {
    let mut page = Page::default();
    headline(&mut page, object, now);
    advice(&mut page, object, shown);
    page.gap();
    conditions(&mut page, object, now);
    page.gap();
    facts(&mut page, object, around, now);
    events(&mut page, around, now);
    page
}

fn headline(page: &mut Page, object: &ConnectorCredential, now: Timestamp) {
    let title = format!("{}/{}", object::namespace(object), object::name(object));
    page.line(vec![Word::new(title, Tone::Strong), "  ".into(), object::provider(object).into()]);
    let Some(ready) = condition(object, ConditionType::Ready) else {
        page.line(vec![Word::new("NEW", Tone::Doubtful), ": the operator has not looked at it yet".into()]);
        return;
    };
    let (status, reason) = (Status::read(&ready.status), Reason::read(&ready.reason));
    let (word, more, tone) = match (status, reason) {
        (_, Some(Reason::Suspended)) => return suspended(page, ready),
        (Status::True, Some(Reason::Ready)) if warnings(object).is_empty() => ("READY", "", Tone::Good),
        (Status::True, Some(Reason::Ready)) => ("READY", ", with a warning", Tone::Doubtful),
        (Status::True, _) => ("READY", ", unproved", Tone::Doubtful),
        (Status::False, _) => ("NOT READY", "", Tone::Bad),
        (Status::Unknown, _) => ("UNKNOWN", "", Tone::Doubtful),
    };
    let since = span(ready.last_transition_time.0, now);
    let reason = if reason == Some(Reason::Ready) { String::new() } else { format!(": {}", ready.reason) };
    page.line(vec![Word::new(word, tone), format!(" for {since}{more}{reason}").into()]);
    page.gap();
    page.beside("", 2, ready.message.as_str());
    if !object::is_current(object) {
        page.beside("", 2, Word::new("The operator has not seen the newest change yet.", Tone::Doubtful));
    }
}

/// Ready stands still meanwhile: since when it has been so says nothing about the suspension.
fn suspended(page: &mut Page, ready: &Condition) {
    let before = match Status::read(&ready.status) {
        Status::True => ": it was ready before",
        Status::False => ": it was not ready before",
        Status::Unknown => "",
    };
    page.line(vec![Word::new("SUSPENDED", Tone::Doubtful), before.into()]);
    page.gap();
    page.beside("", 2, ready.message.as_str());
}

fn advice(page: &mut Page, object: &ConnectorCredential, shown: &Shown) {
    for warning in warnings(object) {
        page.gap();
        page.beside("", 2, Word::new(&warning.message, Tone::Doubtful));
    }
    let commands = match remedy::pressing(object) {
        Some(reason) => remedy::commands(object, reason, shown.program),
        None => vec![format!("{} check", shown.program)],
    };
    if !commands.is_empty() {
        page.gap();
        page.line(vec![Word::new("Type next", Tone::Strong)]);
        for command in commands {
            page.say(format!("  {command}"));
        }
    }
}

fn conditions(page: &mut Page, object: &ConnectorCredential, now: Timestamp) {
    let Some(status) = object.status.as_ref().filter(|status| !status.conditions.is_empty()) else {
        return page.say("No conditions yet.");
    };
    let sums = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];
    let said = status.conditions.of(ConditionType::Ready).map(|ready| ready.message.as_str());
    let kinds = ConditionType::ALL.iter().filter(|kind| !sums.contains(kind));
    let shown: Vec<_> = kinds.filter_map(|kind| status.conditions.of(*kind)).collect();
    let row = |condition: &&Condition| {
        let since = span(condition.last_transition_time.0, now);
        let mark = Word::new(condition.status.as_str(), tone(condition));
        vec!["".into(), condition.type_.as_str().into(), mark, condition.reason.as_str().into(), since.into()]
    };
    let mut table = Page::default();
    table.table(shown.iter().map(row).collect());
    page.line(vec![Word::new("Conditions", Tone::Strong)]);
    page.append(table);
    let news = |condition: &&&Condition| {
        tone(condition) != Tone::Good
            && Reason::read(&condition.reason) != Some(Reason::NotChecked)
            && Some(condition.message.as_str()) != said
            && !warnings(object).iter().any(|warning| warning.type_ == condition.type_)
    };
    for condition in shown.iter().filter(news) {
        page.beside("", 2, Word::new(format!("{}: {}", condition.type_, condition.message), Tone::Faint));
    }
}

fn tone(condition: &Condition) -> Tone {
    let advises = ConditionType::ADVICE.iter().any(|kind| kind.name() == condition.type_);
    match Status::read(&condition.status) {
        Status::True if advises || Reason::read(&condition.reason) == Some(Reason::LastKnownGood) => Tone::Doubtful,
        Status::True => Tone::Good,
        Status::False => Tone::Bad,
        Status::Unknown => Tone::Doubtful,
    }
}

fn facts(page: &mut Page, object: &ConnectorCredential, around: &Around, now: Timestamp) {
    let source = &object.spec.key_secret_ref;
    let key = source.key.as_deref().unwrap_or(crate::policy::source::DEFAULT_KEY);
    page.beside("Source", INDENT, format!("Secret {}, key {key}", source.name));
    outputs(page, object);
    users(page, around);
    let status = object.status.as_ref();
    let end = object::end(object).map_or_else(|| "not known".to_owned(), |end| expiry(end, now));
    page.beside("Expires", INDENT, end);
    let validation = status.and_then(|status| status.validation.as_ref());
    let last = validation.and_then(|validation| validation.last_check_time.as_ref());
    let next = validation.and_then(|validation| validation.next_check_time.as_ref());
    let next = next.filter(|_| object.spec.suspend != Some(true));
    let never = if is_replaced(object) { "this version of the Secret: not yet" } else { "never" };
    let last = last.map_or_else(|| never.to_owned(), |last| format!("{} ago", span(last.0, now)));
    let next = next.map_or_else(|| "no check is planned".to_owned(), |next| upcoming(next, now));
    page.beside("Checked", INDENT, format!("{last}; {next}"));
}

/// Whether a key was there before that which waits for its check: times of checks speak of the present one.
fn is_replaced(object: &ConnectorCredential) -> bool {
    let Some(status) = object.status.as_ref() else { return false };
    let spoilt =
        status.conditions.of(ConditionType::Resolved).is_some_and(|one| Status::read(&one.status) == Status::False);
    status.conditions.reason(ConditionType::Authenticated) == Some(Reason::NotChecked)
        && status.key.as_ref().is_some_and(|key| spoilt || key.published_time.is_some())
}

fn expiry(end: &Time, now: Timestamp) -> String {
    let distance = if end.0 > now { format!("in {}", span(now, end.0)) } else { format!("{} ago", span(end.0, now)) };
    format!("{} ({distance})", moment(end.0))
}

fn upcoming(next: &Time, now: Timestamp) -> String {
    if next.0 > now { format!("next in {}", span(now, next.0)) } else { "next now".to_owned() }
}

fn outputs(page: &mut Page, object: &ConnectorCredential) {
    let never = object.spec.publish_policy == Some(PublishPolicy::Never);
    let written = object.status.as_ref().map(|status| status.outputs.as_slice()).unwrap_or_default();
    let mut label = "Outputs";
    let declared = if never { Vec::new() } else { declared_outputs(object) };
    if never {
        page.beside(label, INDENT, "none: publishPolicy is Never");
        label = "";
    }
    let left = |one: &&OutputStatus| declared.iter().all(|output| output.secret_name != one.secret_name);
    for output in &declared {
        let stands = written.iter().any(|one| one.secret_name == output.secret_name);
        let state = if stands { "" } else { ", not written" };
        let format = serde_json::to_value(output.format.unwrap_or_default()).unwrap_or_default();
        let format = format.as_str().unwrap_or_default();
        page.beside(label, INDENT, format!("Secret {} ({format}){state}", output.secret_name));
        label = "";
    }
    for one in written.iter().filter(left) {
        let stays = never || object.spec.suspend == Some(true);
        let why =
            if stays { "not kept up any more" } else { "not declared any more, goes once every other output stands" };
        page.beside(label, INDENT, format!("Secret {}, {why}", one.secret_name));
        label = "";
    }
}

fn users(page: &mut Page, around: &Around) {
    let consumers = match &around.consumers {
        Ok(consumers) => consumers,
        Err(why) => return page.beside("Used by", INDENT, Word::new(why, Tone::Faint)),
    };
    let name = |consumer: &Consumer| consumer.owners.last().cloned().unwrap_or(format!("Pod/{}", consumer.pod));
    let names: BTreeSet<_> = consumers.iter().map(name).collect();
    let shown: Vec<_> = names.iter().take(4).cloned().collect();
    let more = names.len().saturating_sub(shown.len());
    let text = match (shown.is_empty(), more) {
        (true, _) => "no Pod".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    };
    page.beside("Used by", INDENT, text);
}

fn events(page: &mut Page, around: &Around, now: Timestamp) {
    let events = match &around.events {
        Ok(events) => events,
        Err(why) => return page.beside("Events", INDENT, Word::new(why, Tone::Faint)),
    };
    let mut label = "Events";
    for event in events.iter().take(RECENT) {
        let age = time(event).map_or_else(|| "?".to_owned(), |time| span(time, now));
        let reason = event.reason.as_deref().unwrap_or_default();
        let warning = event.type_.as_deref() == Some("Warning");
        let note = event.note.as_deref().unwrap_or_default();
        let note = note.strip_prefix(&format!("{reason}: ")).unwrap_or(note);
        let text = format!("{age} ago {reason}: {note}");
        let text = cut(&text, WIDTH.saturating_sub(INDENT));
        page.beside(label, INDENT, Word::new(text, if warning { Tone::Doubtful } else { Tone::Plain }));
        label = "";
    }
    if events.is_empty() {
        page.beside(label, INDENT, "none within the last hour");
    }
}

/// The tone of Ready.
pub(in crate::cli) fn ready_tone(object: &ConnectorCredential) -> Tone {
    match condition(object, ConditionType::Ready).map(|ready| Status::read(&ready.status)) {
        Some(Status::True) => Tone::Good,
        Some(Status::False) => Tone::Bad,
        Some(Status::Unknown) | None => Tone::Doubtful,
    }
}
