//! How do the credentials stand? A table that fits 80 columns, and a line for each change of it.

use std::sync::Arc;

use connector_operator::api::{ConditionType, Conditions as _, ConnectorCredential, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::screen::{Colour, Screen};

const HEADS: [&str; 7] = ["NAME", "PROVIDER", "READY", "REASON", "PUBLISHED", "EXPIRES", "CHECKED"];
/// As wide as what is expected there, so that the table does not jump; the sum with its gaps is 79.
const WIDTHS: [usize; 7] = [9, 8, 7, 16, 9, 10, 7];
/// How far the table is moved to the right.
const INDENT: &str = "  ";
/// The columns whose change is told; of an expiry it is its colour, and a check is told by what it changes.
const TOLD: std::ops::Range<usize> = 1..5;
const EXPIRES: usize = 5;

/// One credential, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    cells: [String; 7],
    colours: [Colour; 7],
}

impl Row {
    /// How this credential stands at `now`.
    pub(crate) fn of(credential: &ConnectorCredential, now: Timestamp) -> Self {
        let status = credential.status.clone().unwrap_or_default();
        let ready = status.conditions.of(ConditionType::Ready);
        let checked = status.validation.and_then(|validation| validation.last_check_time);
        let (published, published_colour) = published(&status.conditions);
        let (expires, expires_colour) = expires(&status.conditions, status.expiration.and_then(|it| it.time), now);
        let colour = ready.map_or(Colour::Dim, colour_of);
        Self {
            cells: [
                credential.metadata.name.clone().unwrap_or_default(),
                status.provider.map_or("-", |provider| provider.name()).to_owned(),
                ready.map_or("-", |ready| &ready.status).to_owned(),
                ready.map_or("not looked at", |ready| &ready.reason).to_owned(),
                published.to_owned(),
                expires,
                checked
                    .map_or_else(|| "-".to_owned(), |at| format!("{} ago", span(now.duration_since(at.0).as_secs()))),
            ],
            colours: [Colour::Plain, Colour::Plain, colour, colour, published_colour, expires_colour, Colour::Dim],
        }
    }

    /// The credential's name.
    pub(crate) fn name(&self) -> &str {
        &self.cells[0]
    }

    /// Whether the operator has looked at it.
    pub(crate) fn is_known(&self) -> bool {
        self.cells[2] != "-"
    }

    /// Whether nothing is different but the time that passes.
    pub(crate) fn tells_the_same_as(&self, other: &Self) -> bool {
        self.cells[TOLD] == other.cells[TOLD] && self.colours[EXPIRES] == other.colours[EXPIRES]
    }

    /// The row as a line.
    pub(crate) fn line(&self, screen: &Screen) -> String {
        let cells = self.cells.iter().zip(self.colours).zip(WIDTHS);
        let cells = cells.map(|((text, colour), width)| screen.paint(colour, &fit(text, width)));
        format!("{INDENT}{}", cells.collect::<Vec<_>>().join("  ").trim_end())
    }
}

/// The heads and all rows.
pub(crate) fn lines(rows: &[Row], screen: &Screen) -> Vec<String> {
    let heads: Vec<_> = HEADS.iter().zip(WIDTHS).map(|(text, width)| fit(text, width)).collect();
    let heads = screen.paint(Colour::Bold, heads.join("  ").trim_end());
    std::iter::once(format!("{INDENT}{heads}")).chain(rows.iter().map(|row| row.line(screen))).collect()
}

/// All credentials as rows, in the order of their names.
pub(crate) fn rows(credentials: &[Arc<ConnectorCredential>], now: Timestamp) -> Vec<Row> {
    let mut rows: Vec<_> = credentials.iter().map(|credential| Row::of(credential, now)).collect();
    rows.sort_by(|one, other| one.name().cmp(other.name()));
    rows
}

/// Exactly as wide as that, cut if need be.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return format!("{text:width$}");
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn colour_of(ready: &Condition) -> Colour {
    match ready.status.as_str() {
        "True" => Colour::Green,
        "False" => Colour::Red,
        _ => Colour::Yellow,
    }
}

fn published(conditions: &[Condition]) -> (&'static str, Colour) {
    match (conditions.is_true(ConditionType::Published), conditions.reason(ConditionType::Published)) {
        (true, Some(Reason::LastKnownGood)) => ("last good", Colour::Yellow),
        (true, _) => ("yes", Colour::Green),
        (false, None) => ("-", Colour::Dim),
        (false, Some(_)) => ("no", Colour::Dim),
    }
}

type Time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

fn expires(conditions: &[Condition], at: Option<Time>, now: Timestamp) -> (String, Colour) {
    let colour = match conditions.reason(ConditionType::Expiring) {
        Some(Reason::Expired) => Colour::Red,
        Some(_) => Colour::Yellow,
        None => Colour::Dim,
    };
    let Some(at) = at else { return ("-".to_owned(), colour) };
    let seconds = at.0.duration_since(now).as_secs();
    let text = match seconds {
        ..=0 => "passed".to_owned(),
        1..=86_400 => format!("in {}", span(seconds)),
        _ => jiff::fmt::strtime::format("%Y-%m-%d", at.0).unwrap_or_default(),
    };
    (text, colour)
}

/// Seconds or minutes, as short as kubectl.
fn span(seconds: i64) -> String {
    if seconds < 120 { format!("{}s", seconds.max(0)) } else { format!("{}m", seconds / 60) }
}
