//! What does a screen look like? Words with a tone, lines, tables, spans of time. Pure: nothing is printed here.
//!
//! What somebody else wrote may hold escape sequences: every word loses its control characters when it is drawn.

use jiff::Timestamp;
use std::fmt::Write as _;

/// The width that pages keep to.
pub(super) const WIDTH: usize = 80;

/// How a word is meant. Colour only repeats what the words say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Good,
    Doubtful,
    Bad,
    Faint,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\u{1b}[1m",
            Self::Good => "\u{1b}[32m",
            Self::Doubtful => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
            Self::Faint => "\u{1b}[2m",
        }
    }
}

/// Some text in one tone.
#[derive(Debug, Clone)]
pub(super) struct Word {
    text: String,
    tone: Tone,
}

impl Word {
    pub(super) fn new(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: clean(text.as_ref()), tone }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: AsRef<str>> From<T> for Word {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Lines of words.
#[derive(Debug, Clone, Default)]
pub(super) struct Page(Vec<Vec<Word>>);

impl Page {
    /// Adds a line.
    pub(super) fn line(&mut self, words: Vec<Word>) {
        self.0.push(words);
    }

    /// Adds a line of plain text.
    pub(super) fn say(&mut self, text: impl AsRef<str>) {
        self.0.push(vec![text.into()]);
    }

    /// Adds an empty line.
    pub(super) fn gap(&mut self) {
        self.0.push(Vec::new());
    }

    /// Adds a label and text beside it, wrapped at the width.
    pub(super) fn beside(&mut self, label: &str, indent: usize, text: impl Into<Word>) {
        let word = text.into();
        let mut label = Word::new(label, Tone::Strong);
        for line in wrap(&word.text, WIDTH.saturating_sub(indent)) {
            let gap = " ".repeat(indent.saturating_sub(label.width()));
            self.0.push(vec![label, gap.into(), Word { text: line, tone: word.tone }]);
            label = "".into();
        }
    }

    /// Adds columns: as wide as their widest word, two spaces apart.
    pub(super) fn table(&mut self, rows: Vec<Vec<Word>>) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let widest = |column| rows.iter().filter_map(|row| row.get(column)).map(Word::width).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        for row in rows {
            let last = row.len().saturating_sub(1);
            let pad = |(place, word): (usize, Word)| {
                let width = widths.get(place).copied().unwrap_or_default().saturating_add(2);
                let gap = if place == last { 0 } else { width.saturating_sub(word.width()) };
                [word, " ".repeat(gap).into()]
            };
            self.0.push(row.into_iter().enumerate().flat_map(pad).collect());
        }
    }

    /// Adds all lines of another page.
    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The text, with or without colours.
    pub(super) fn draw(&self, colour: bool) -> String {
        let mut text = String::new();
        for words in &self.0 {
            let mut line = String::new();
            for word in words.iter().filter(|word| !word.text.is_empty()) {
                let coloured = colour && word.tone != Tone::Plain;
                // Writing to a String cannot fail.
                let _ok = if coloured {
                    write!(line, "{}{}\u{1b}[0m", word.tone.code(), word.text)
                } else {
                    write!(line, "{}", word.text)
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The text without control characters, and without those that turn the direction of text.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|one| if is_harmful(one) { '?' } else { one }).collect()
}

/// Whether a character moves the cursor, or turns the direction of text.
pub(super) fn is_harmful(one: char) -> bool {
    one.is_control()
        || matches!(one, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Lines of at most `width` characters, broken at spaces; a longer word keeps a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let length = line.chars().count().saturating_add(1).saturating_add(word.chars().count());
        if line.is_empty() {
            line.push_str(word);
        } else if length <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// The text, or its beginning and `…` if it is longer than `width`.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let begin: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", begin.trim_end())
}

/// How long from one time to another, in kubectl's short form: `45s`, `12m`, `5h`, `3d`.
pub(super) fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.as_second().saturating_sub(from.as_second()).max(0);
    let in_units = |unit: i64| seconds.checked_div(unit).unwrap_or_default();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", in_units(60)),
        7200..172_800 => format!("{}h", in_units(3600)),
        _ => format!("{}d", in_units(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a39_no_word_moves_the_cursor() {
        let mut page = Page::default();
        page.say("a\u{1b}[2Jb\r\nc\u{202e}d");
        assert_eq!(page.draw(false), "a?[2Jb??c?d\n");
    }

    #[test]
    fn columns_align_and_lines_have_no_blank_ends() {
        let mut page = Page::default();
        page.table(vec![
            vec!["NAME".into(), "READY".into(), "".into()],
            vec!["a-long-name".into(), Word::new("True", Tone::Good)],
        ]);
        assert_eq!(page.draw(false), "NAME         READY\na-long-name  True\n");
        assert_eq!(page.draw(true), "NAME         READY\na-long-name  \u{1b}[32mTrue\u{1b}[0m\n");
    }

    #[test]
    fn text_wraps_beside_its_label() {
        let mut page = Page::default();
        page.beside("Next", 6, "word ".repeat(20).trim());
        let text = page.draw(false);
        assert!(text.lines().all(|line| line.len() <= WIDTH) && text.lines().count() == 2, "{text}");
        assert!(text.starts_with("Next  word") && text.contains("\n      word"), "{text}");
    }

    #[test]
    fn spans_are_short() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        for (seconds, text) in [(0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172_800, "2d"), (-5, "0s")] {
            assert_eq!(span(at(1000), at(1000 + seconds)), text);
        }
    }
}
