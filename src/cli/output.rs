//! Where does text go? The only place that prints: data to standard output, all else to standard error.

use super::page::{Page, Tone, Word, clean, is_harmful};
use super::trouble::Trouble;
use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write as _};

/// When words have colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    const fn choice(self) -> ColorChoice {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
    }
}

/// A form that programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Yaml,
}

/// Standard output and error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    colour: bool,
    coloured_errors: bool,
    terminal: bool,
}

impl Output {
    pub(super) fn new(colour: Colour) -> Self {
        let given = colour.choice();
        let coloured = |chosen: ColorChoice| !matches!(chosen, ColorChoice::Never);
        let auto = matches!(given, ColorChoice::Auto);
        let out = if auto { AutoStream::choice(&io::stdout()) } else { given };
        let error = if auto { AutoStream::choice(&io::stderr()) } else { given };
        Self { colour: coloured(out), coloured_errors: coloured(error), terminal: io::stderr().is_terminal() }
    }

    /// Prints a page for a person.
    pub(super) fn page(self, page: &Page) -> Result<(), Trouble> {
        self.raw(page.draw(self.colour).as_bytes())
    }

    /// Prints data for a program.
    pub(super) fn data(self, value: &impl Serialize, form: Form) -> Result<(), Trouble> {
        let unwritable = || Trouble::new("cannot write the data in this form");
        let mut text = match form {
            Form::Json => serde_json::to_string_pretty(value).map(|text| escaped(&text)).map_err(|_| unwritable())?,
            Form::Yaml => serde_saphyr::to_string(value).map(|text| printable(&text)).map_err(|_| unwritable())?,
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.raw(text.as_bytes())
    }

    /// Prints bytes as they are.
    #[expect(clippy::unused_self, reason = "who prints holds the output")]
    pub(super) fn raw(self, bytes: &[u8]) -> Result<(), Trouble> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| {
            // Whoever read has seen enough: that is no failure.
            let closed = error.kind() == io::ErrorKind::BrokenPipe;
            if closed {
                Trouble::ClosedPipe
            } else {
                Trouble::new(format!("cannot write to standard output: {}", error.kind()))
            }
        })
    }

    /// Says something beside the data.
    pub(super) fn note(self, text: &str) {
        self.aside(&format!("{}\n", clean(text)));
    }

    /// Says what went wrong, and what to do.
    pub(super) fn trouble(self, trouble: &Trouble) {
        let mut page = Page::default();
        let mut lines = trouble.lines();
        page.line(vec![Word::new("error: ", Tone::Bad), lines.next().unwrap_or_default().into()]);
        for line in lines {
            page.line(vec![Word::new("hint: ", Tone::Strong), line.into()]);
        }
        self.aside(&page.draw(self.coloured_errors));
    }

    /// Says how far long work is, over what was said before. Nothing, unless on a terminal.
    pub(super) fn progress(self, text: &str) {
        if self.terminal {
            self.aside(&format!("\r\u{1b}[K{}", clean(text).chars().take(79).collect::<String>()));
        }
    }

    #[expect(clippy::unused_self, reason = "who prints holds the output")]
    fn aside(self, text: &str) {
        let mut error = io::stderr().lock();
        // Nobody is left who could be told.
        let _told = error.write_all(text.as_bytes()).and_then(|()| error.flush());
    }
}

/// JSON in which no control character stands as it is.
fn escaped(json: &str) -> String {
    let one = |one: char| match one {
        '\n' => "\n".to_owned(),
        other if is_harmful(other) => format!("\\u{:04x}", u32::from(other)),
        other => other.to_string(),
    };
    json.chars().map(one).collect()
}

/// YAML escapes control characters itself; what it does not is no text that a terminal should see.
fn printable(yaml: &str) -> String {
    yaml.chars().map(|one| if is_harmful(one) && !matches!(one, '\n' | '\t') { '?' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_carries_an_escape_sequence() {
        let value = serde_json::json!({"description": "a\u{1b}[2Jb\u{9b}c\u{202e}d\te\nf"});
        let json = escaped(&serde_json::to_string_pretty(&value).expect("JSON"));
        let yaml = printable(&serde_saphyr::to_string(&value).expect("YAML"));
        for text in [&json, &yaml] {
            assert!(!text.chars().any(|one| is_harmful(one) && one != '\n'), "{text:?}");
        }
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON"), value, "nothing is lost");
    }
}
