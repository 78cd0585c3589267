//! `list`: all credentials, and a timeline of what expires in the next 90 days.

use super::Shown;
use super::cluster::ClusterFlags;
use super::object::{self, Form, condition, end};
use super::output::Output;
use super::page::{Page, Tone, WIDTH, Word, span};
use super::status::ready_tone;
use super::trouble::{Ending, Trouble};
use crate::api::{ConditionType, ConnectorCredential};
use crate::policy::after;
use crate::policy::expiry::warning;
use crate::providers::ProviderKind;
use clap::Args;
use jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use std::time::Duration;

const DAY: i64 = 86_400;
/// What the timeline shows, in days.
const HORIZON: i64 = 90;

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only credentials with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Only credentials with these fields, such as status.provider=ZenFlow
    #[arg(long, value_name = "FIELDS")]
    field_selector: Option<String>,
    /// Credentials of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// The form of the result
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: Form,
    /// Leave the names of columns out, and the timeline
    #[arg(long)]
    no_headers: bool,
    #[command(flatten)]
    cluster: ClusterFlags,
}

impl List {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect(*shown).await?;
        let api: Api<ConnectorCredential> =
            if self.all_namespaces { Api::all(cluster.client.clone()) } else { cluster.api() };
        let mut params = ListParams::default();
        params.label_selector.clone_from(&self.selector);
        params.field_selector.clone_from(&self.field_selector);
        let namespace = (!self.all_namespaces).then_some(cluster.namespace.as_str());
        let found = cluster.list(&api, params, "connectorcredentials").await;
        let mut found =
            found.map_err(|failure| cluster.trouble_in(namespace, &failure, "cannot list ConnectorCredentials"))?;
        found.sort_by(|one, other| {
            let key =
                |object: &ConnectorCredential| (object::namespace(object).to_owned(), object::name(object).to_owned());
            key(one).cmp(&key(other))
        });
        if found.is_empty() && matches!(self.output, Form::Table | Form::Wide) {
            let all = if self.selects() {
                let all = cluster.list(&api, ListParams::default(), "connectorcredentials").await;
                all.map_err(|failure| cluster.trouble_in(namespace, &failure, "cannot count ConnectorCredentials"))?
            } else {
                found
            };
            for line in self.nothing(namespace, all.len(), shown) {
                output.note(&line);
            }
            return Ok(Ending::Good);
        }
        let now = cluster.now();
        object::print(&found, (false, self.output), output, || {
            let mut page = self.table(&found, now);
            // Who wants no headers reads rows by a program.
            if !self.no_headers {
                page.append(timeline(&found, self.all_namespaces, now));
            }
            page
        })?;
        Ok(Ending::Good)
    }

    const fn selects(&self) -> bool {
        self.selector.is_some() || self.field_selector.is_some()
    }

    /// Why the list is empty, though there are `all` credentials without the selectors.
    fn nothing(&self, namespace: Option<&str>, all: usize, shown: &Shown) -> Vec<String> {
        let place = namespace.map_or_else(|| "the cluster".to_owned(), |name| format!("namespace {name}"));
        let flags = [("-l", &self.selector), ("--field-selector", &self.field_selector)];
        let flags = flags.iter().filter_map(|(flag, value)| value.as_ref().map(|value| format!(" {flag} '{value}'")));
        let flags: String = flags.collect();
        let mut lines = vec![match all {
            0 => format!("No ConnectorCredentials in {place}."),
            _ => format!("None of the {all} ConnectorCredentials in {place} matches{flags}."),
        }];
        if self.field_selector.as_ref().is_some_and(|fields| fields.contains("status.provider")) && all > 0 {
            let names: Vec<_> = ProviderKind::ALL.iter().map(|kind| kind.name()).collect();
            lines.push(format!("hint: status.provider is one of {}", names.join(", ")));
        }
        if namespace.is_some() {
            lines.push(format!("hint: of all namespaces: {} list -A{flags}", shown.program));
        }
        lines
    }

    fn table(&self, objects: &[ConnectorCredential], now: Timestamp) -> Page {
        let wide = self.output == Form::Wide;
        let mut rows = Vec::new();
        if !self.no_headers {
            let mut head = vec!["NAME", "PROVIDER", "READY", "REASON", "EXPIRES"];
            if self.all_namespaces {
                head.insert(0, "NAMESPACE");
            }
            if wide {
                head.extend(["CHECKED", "MESSAGE"]);
            }
            head.push("AGE");
            rows.push(head.into_iter().map(|word| Word::new(word, Tone::Strong)).collect());
        }
        rows.extend(objects.iter().map(|object| self.row(object, now)));
        let mut page = Page::default();
        page.table(rows);
        page
    }

    fn row(&self, object: &ConnectorCredential, now: Timestamp) -> Vec<Word> {
        let none = || "<none>".to_owned();
        let ready = condition(object, ConditionType::Ready);
        let ago = |time: Option<Timestamp>| time.map_or_else(none, |time| span(time, now));
        let expires = end(object).map_or_else(none, |end| end.0.to_string().chars().take(10).collect());
        let mut row: Vec<Word> = Vec::new();
        if self.all_namespaces {
            row.push(object::namespace(object).into());
        }
        row.extend([
            object::name(object).into(),
            object::provider_name(object).into(),
            Word::new(ready.map_or("Unknown", |ready| &ready.status), ready_tone(object)),
            ready.map_or("<none>", |ready| &ready.reason).into(),
            Word::from(expires),
        ]);
        if self.output == Form::Wide {
            let validation = object.status.as_ref().and_then(|status| status.validation.as_ref());
            let checked = validation.and_then(|validation| validation.last_check_time.as_ref()).map(|time| time.0);
            row.push(ago(checked).into());
            row.push(ready.map_or("<none>", |ready| &ready.message).into());
        }
        row.push(ago(object.metadata.creation_timestamp.as_ref().map(|time| time.0)).into());
        row
    }
}

/// A line for each key that expires within the horizon, the first first.
fn timeline(objects: &[ConnectorCredential], qualified: bool, now: Timestamp) -> Page {
    let mut page = Page::default();
    let mut expiring: Vec<_> =
        objects.iter().filter_map(|object| end(object).map(|end| (days(now, end.0), object, end.0))).collect();
    expiring.retain(|(days, ..)| *days <= HORIZON);
    expiring.sort_by_key(|(_, _, end)| *end);
    if expiring.is_empty() {
        return page;
    }
    let title = |object: &ConnectorCredential| {
        let name = object::name(object);
        if qualified { format!("{}/{name}", object::namespace(object)) } else { name.to_owned() }
    };
    let longest = expiring.iter().map(|(_, object, _)| title(object).chars().count()).max().unwrap_or_default();
    let left = longest.clamp(4, 28);
    let width = WIDTH.saturating_sub(left).saturating_sub(14);
    page.gap();
    page.line(vec![Word::new("Expiries of the next 90 days", Tone::Strong), "  (! warned, X expires)".into()]);
    page.line(vec![" ".repeat(left.saturating_add(2)).into(), Word::new(scale(width, now), Tone::Faint)]);
    for (days, object, end) in expiring {
        let name: String = title(object).chars().take(left).collect();
        let gap = " ".repeat(left.saturating_sub(name.chars().count()).saturating_add(2));
        let told = if days < 0 { "expired".to_owned() } else { format!("in {}", span(now, end)) };
        let tone = if days < 0 { Tone::Bad } else { Tone::Doubtful };
        page.line(vec![
            name.into(),
            gap.into(),
            bar(object, end, width, now).into(),
            "  ".into(),
            Word::new(told, tone),
        ]);
    }
    page
}

/// Whole days from now, negative once it has passed.
fn days(now: Timestamp, end: Timestamp) -> i64 {
    end.as_second().saturating_sub(now.as_second()).div_euclid(DAY)
}

/// The column of a time, if the timeline has one.
fn column(time: Timestamp, width: usize, now: Timestamp) -> Option<usize> {
    let last = i64::try_from(width.saturating_sub(1)).unwrap_or(i64::MAX);
    let column = days(now, time).max(0).saturating_mul(last).checked_div(HORIZON)?;
    usize::try_from(column).ok().filter(|column| *column < width)
}

/// Dates, one for each thirty days.
fn scale(width: usize, now: Timestamp) -> String {
    let mut scale = String::new();
    for time in [0, 30, 60].map(|days| after(now, Duration::from_secs(86_400).saturating_mul(days))) {
        let at = column(time, width, now).unwrap_or_default();
        scale.push_str(&" ".repeat(at.saturating_sub(scale.chars().count())));
        scale.push('|');
        scale.push_str(&jiff::fmt::strtime::format("%b %d", time).unwrap_or_default());
    }
    scale
}

fn bar(object: &ConnectorCredential, end: Timestamp, width: usize, now: Timestamp) -> String {
    let warning =
        jiff::SignedDuration::try_from(warning(&object.spec)).ok().and_then(|before| end.checked_sub(before).ok());
    let (warning, end) = (warning.and_then(|time| column(time, width, now)), column(end, width, now));
    let mark = |place: usize| match (end, warning) {
        (Some(end), _) if place == end => 'X',
        (Some(end), _) if place > end => '.',
        (_, Some(warning)) if place >= warning => '!',
        _ => '-',
    };
    (0..width).map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_warning_and_end_where_they_are() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().expect("a time");
        let object: ConnectorCredential = serde_json::from_value(serde_json::json!({
            "apiVersion": "connector-operator.io/v1alpha1", "kind": "ConnectorCredential", "metadata": {"name": "erp"},
            "spec": {"provider": {"zenflow": {}}, "keySecretRef": {"name": "k"}, "warnBefore": "720h"},
        }))
        .expect("a credential");
        let at = |days: u64| after(now, Duration::from_secs(days * 86_400));
        assert_eq!(bar(&object, at(60), 10, now), "---!!!X...");
        assert_eq!(bar(&object, at(10), 10, now), "!X........");
        assert_eq!(bar(&object, now, 10, now), "X.........");
        let soon: Timestamp = "2026-11-22T02:47:00Z".parse().expect("a time");
        let mut dies = object;
        dies.spec.expires_at = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(soon));
        assert!(timeline(&[dies], false, now).draw(false).ends_with("  in 2h\n"));
        assert_eq!(scale(46, now), "|Nov 22        |Dec 22        |Jan 21");
    }
}
