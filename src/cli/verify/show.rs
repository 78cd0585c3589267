//! How is the result told: to a person, to a program, to a test report, to a pull request?

use super::Form;
use super::prove::Judged;
use crate::api::Status;
use crate::cli::output::{self, Output};
use crate::cli::page::{Page, Tone, Word, clean};
use crate::cli::trouble::Trouble;
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub(super) fn show(judged: &[Judged], form: Form, output: Output) -> Result<(), Trouble> {
    match form {
        Form::Table => output.page(&table(judged)),
        Form::Json => output.data(&judged, output::Form::Json),
        Form::Yaml => output.data(&judged, output::Form::Yaml),
        Form::Junit => output.raw(junit(judged).as_bytes()),
        Form::Github => output.raw(github(judged).as_bytes()),
    }
}

/// `file:line`, as editors and terminals make links of it.
fn place(file: &str, line: u32) -> String {
    if line == 0 { file.to_owned() } else { format!("{file}:{line}") }
}

fn named(judged: &Judged) -> String {
    if judged.name.is_empty() { "-".to_owned() } else { judged.object() }
}

fn table(judged: &[Judged]) -> Page {
    let names: BTreeSet<_> = judged.iter().map(named).collect();
    // Names that repeat say nothing without their files.
    let files = names.len() < judged.len();
    let mut head = vec!["NAME", "PROVIDER", "READY", "REASON"];
    head.extend(files.then_some("FILE"));
    let mut rows: Vec<Vec<_>> = vec![head.into_iter().map(|head| Word::new(head, Tone::Strong)).collect()];
    rows.extend(judged.iter().map(|one| {
        let provider = if one.provider.is_empty() { "<none>" } else { one.provider.as_str() };
        let mut row =
            vec![named(one).into(), provider.into(), Word::new(one.ready, tone(one)), one.reason.as_str().into()];
        row.extend(files.then(|| Word::from(one.file.as_str())));
        row
    }));
    let mut page = Page::default();
    page.table(rows);
    let problems = problems(judged);
    if !problems.is_empty() {
        page.gap();
    }
    for (place, what, tone) in problems {
        page.line(vec![Word::new(place, Tone::Strong), ": ".into(), Word::new(what, tone)]);
    }
    page
}

fn tone(judged: &Judged) -> Tone {
    match Status::read(judged.ready) {
        Status::True => Tone::Good,
        Status::False => Tone::Bad,
        Status::Unknown => Tone::Doubtful,
    }
}

/// One line each: where, what, why and what to do.
fn problems(judged: &[Judged]) -> Vec<(String, String, Tone)> {
    let mut lines = Vec::new();
    for one in judged {
        if !one.is_proved() {
            let what = format!("{}: {}: {}", named(one), one.reason, one.message);
            lines.push((place(&one.file, one.line), what, if one.is_good() { Tone::Doubtful } else { Tone::Bad }));
        }
        for more in &one.more {
            let what = format!("{}: {}: {}", named(one), more.reason, more.message);
            lines.push((place(&one.file, more.line), what, Tone::Bad));
        }
        for warning in &one.warnings {
            let what = format!("{}: warning: {}: {}", named(one), warning.reason, warning.message);
            lines.push((place(&one.file, warning.line), what, Tone::Doubtful));
        }
    }
    lines
}

/// Workflow commands, which GitHub shows beside the lines of a pull request. It shows few: what is good is only a line
/// in the log.
fn github(judged: &[Judged]) -> String {
    let text = |text: &str| clean(text).replace('%', "%25");
    let property = |value: &str| text(value).replace(':', "%3A").replace(',', "%2C");
    let command = |level: &str, (file, line): (&str, u32), (title, message): (&str, &str)| {
        let line = line.max(1);
        format!("::{level} file={},line={line},title={}::{}\n", property(file), property(title), text(message))
    };
    let mut all = String::new();
    for one in judged {
        let title = format!("{}: {}", named(one), one.reason);
        let at = (one.file.as_str(), one.line);
        let told = match (one.is_good(), one.is_proved()) {
            // A file's name comes first: it must not make a command of the line.
            (_, true) => format!("ok {}: {title}\n", clean(&place(&one.file, one.line))),
            (true, false) => command("notice", at, (&title, &one.message)),
            (false, false) => command("error", at, (&title, &one.message)),
        };
        all.push_str(&told);
        for more in &one.more {
            all.push_str(&command("error", (&one.file, more.line), (&title, &more.message)));
        }
        for warning in &one.warnings {
            let title = format!("{}: {}", named(one), warning.reason);
            all.push_str(&command("warning", (&one.file, warning.line), (&title, &warning.message)));
        }
    }
    all
}

fn junit(judged: &[Judged]) -> String {
    let failures = judged.iter().filter(|one| !one.is_good()).count();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n\
         <testsuite name=\"connectorctl verify\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">\n",
        judged.len()
    );
    for one in judged {
        let attributes = format!(
            "classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\"",
            escaped(&one.file),
            escaped(&named(one)),
            escaped(&one.file),
            one.line
        );
        let warnings: Vec<_> =
            one.warnings.iter().map(|warning| format!("{}: {}", warning.reason, warning.message)).collect();
        let inside = match (one.is_good(), warnings.is_empty()) {
            (false, _) => format!(
                "<failure type=\"{}\" message=\"{}\">{}: {}</failure>",
                escaped(&one.reason),
                escaped(&one.message),
                escaped(&place(&one.file, one.line)),
                escaped(
                    &std::iter::once(&one.message)
                        .chain(one.more.iter().map(|more| &more.message))
                        .cloned()
                        .collect::<Vec<_>>()
                        .join("; ")
                )
            ),
            (true, false) => format!("<system-out>{}</system-out>", escaped(&warnings.join(" "))),
            (true, true) => String::new(),
        };
        // Writing to a String cannot fail.
        let _ok = writeln!(xml, "<testcase {attributes}>{inside}</testcase>");
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

fn escaped(text: &str) -> String {
    let one = |character: char| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        other => other.to_string(),
    };
    clean(text).chars().map(one).collect()
}
