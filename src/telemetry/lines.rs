//! What does a log line look like? One line an event, its spans' fields among its own, control characters escaped.

use clap::ValueEnum;
use serde_json::{Map, Value};
use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For a person: time, level, target, message, fields.
    Text,
    /// For a machine: an object a line.
    Json,
}

/// Writes events as lines.
pub(super) struct Lines<W> {
    format: LogFormat,
    writer: W,
}

/// The fields of a span, kept with it.
struct Kept(Map<String, Value>);

/// Collects fields. What is named like a part of the line itself gets an underscore.
struct Collect<'a>(&'a mut Map<String, Value>);

impl<W> Lines<W> {
    pub(super) const fn new(format: LogFormat, writer: W) -> Self {
        Self { format, writer }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Map::new();
        attributes.record(&mut Collect(&mut fields));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Kept(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(Kept(fields)) = span.extensions_mut().get_mut::<Kept>()
        {
            values.record(&mut Collect(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(Kept(kept)) = span.extensions().get::<Kept>() {
                fields.extend(kept.clone());
            }
        }
        event.record(&mut Collect(&mut fields));
        let message = fields.remove("message").unwrap_or_default();
        let heading = Heading {
            timestamp: timestamp(),
            level: event.metadata().level().as_str(),
            target: event.metadata().target(),
            message: message.as_str().unwrap_or_default(),
        };
        let line = match self.format {
            LogFormat::Text => heading.text(&fields),
            LogFormat::Json => heading.json(&fields),
        };
        // A log that cannot be written has nowhere to say so.
        self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes()).ok();
    }
}

fn timestamp() -> String {
    let mut text = String::new();
    match SystemTime.format_time(&mut Writer::new(&mut text)) {
        Ok(()) => text,
        Err(_) => String::new(),
    }
}

/// What every line begins with.
struct Heading<'a> {
    timestamp: String,
    level: &'static str,
    target: &'a str,
    message: &'a str,
}

impl Heading<'_> {
    fn json(&self, fields: &Map<String, Value>) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let mut line = format!(
            "{{\"timestamp\":{},\"level\":{},\"target\":{},\"message\":{}",
            text(&self.timestamp),
            text(self.level),
            text(self.target),
            text(self.message)
        );
        for (name, value) in fields {
            line.push(',');
            line.push_str(&text(name));
            line.push(':');
            line.push_str(&value.to_string());
        }
        line.push_str("}\n");
        line
    }

    fn text(&self, fields: &Map<String, Value>) -> String {
        let mut line = format!("{} {:5} {} ", self.timestamp, self.level, self.target);
        escape(self.message, &mut line);
        for (name, value) in fields {
            line.push(' ');
            line.push_str(name);
            line.push('=');
            match value.as_str().filter(|text| is_plain(text)) {
                Some(text) => line.push_str(text),
                None => escape(&value.to_string(), &mut line),
            }
        }
        line.push('\n');
        line
    }
}

/// Whether a value stands without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\'))
}

/// Control characters of all kinds as `\u{…}`: no line but ours, no colour but the terminal's.
fn escape(text: &str, line: &mut String) {
    for character in text.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}') {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
}

impl Collect<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = match field.name() {
            taken @ ("timestamp" | "level" | "target") => format!("{taken}_"),
            free => free.to_owned(),
        };
        self.0.insert(name, value);
    }
}

impl Visit for Collect<'_> {
    #[expect(clippy::use_debug, reason = "the only form that tracing hands over; our own values are Display")]
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        if write!(text, "{value:?}").is_ok() {
            self.put(field, Value::from(text));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }
}

#[cfg(test)]
mod tests {
    use super::LogFormat;
    use crate::telemetry::tests::logged;
    use serde_json::Value;

    #[test]
    fn a_json_line_holds_the_fields_of_its_spans() {
        let text = logged(LogFormat::Json, || {
            let span =
                tracing::info_span!("reconcile", namespace = "team", name = "erp", provider = tracing::field::Empty);
            span.record("provider", "zenflow");
            span.in_scope(|| tracing::info!(reason = %"KeyAccepted", duration = 0.25, "checked"));
        });
        let line: Value = serde_json::from_str(text.trim_end()).expect("one object");
        assert_eq!(line["message"], "checked");
        assert_eq!((&line["namespace"], &line["name"]), (&Value::from("team"), &Value::from("erp")));
        assert_eq!((&line["provider"], &line["reason"]), (&Value::from("zenflow"), &Value::from("KeyAccepted")));
        assert_eq!((&line["level"], &line["duration"]), (&Value::from("INFO"), &Value::from(0.25)));
        assert!(line["target"].as_str().is_some_and(|target| target.starts_with("connector_operator")));
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        assert!(text.starts_with("{\"timestamp\":"), "the heading comes first");
    }

    #[test]
    fn a39_hostile_text_stays_on_one_line() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, || {
                tracing::warn!(value = "a\nb\r\u{1b}[31mred\u{9b}", level = "fake", "first\nsecond");
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(!text.contains('\u{1b}') && text.contains("level_"), "{text}");
        }
    }

    #[test]
    fn a_text_line_reads_well() {
        let text = logged(LogFormat::Text, || tracing::info!(address = %"127.0.0.1:8081", n = 3, "health listening"));
        assert!(text.contains(" INFO  connector_operator::telemetry::lines::tests health listening "), "{text}");
        assert!(text.contains(" address=127.0.0.1:8081") && text.contains(" n=3"), "{text}");
    }
}
