//! What does the page look like? Lines that stay, and on a terminal one block below them that is drawn anew.
//!
//! Knows nothing of what is shown. A page that nobody reads any more is no failure: lost writes are let go.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

/// Colours, which are used on a terminal only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Plain,
}

impl Colour {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Plain => "0",
        }
    }
}

/// Standard output.
pub(crate) struct Screen {
    terminal: bool,
    colour: bool,
    live: Vec<String>,
}

impl Screen {
    /// Looks at what standard output is, and at `NO_COLOR`.
    pub(crate) fn new() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let terminal = io::stdout().is_terminal() && set("TERM").is_some_and(|term| term != "dumb");
        Self { terminal, colour: terminal && set("NO_COLOR").is_none(), live: Vec::new() }
    }

    /// For pictures: in colour, wherever standard output goes.
    pub(crate) const fn coloured() -> Self {
        Self { terminal: false, colour: true, live: Vec::new() }
    }

    /// Whether a person is watching.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// `text` in a colour, if there are any.
    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        if self.colour && colour != Colour::Plain {
            format!("\x1b[{}m{text}\x1b[0m", colour.code())
        } else {
            text.to_owned()
        }
    }

    /// A line that stays, above the live block.
    pub(crate) fn line(&mut self, text: &str) {
        let above = format!("{text}\n");
        let block = self.live.clone();
        self.draw(&above, block);
    }

    /// Draws the live block anew; does nothing elsewhere than on a terminal.
    pub(crate) fn live(&mut self, block: Vec<String>) {
        if self.terminal && block != self.live {
            self.draw("", block);
        }
    }

    /// Removes the live block.
    pub(crate) fn clear(&mut self) {
        self.live(Vec::new());
    }

    /// Leaves the live block on the page as it is.
    pub(crate) fn settle(&mut self) {
        self.live.clear();
    }

    fn draw(&mut self, above: &str, block: Vec<String>) {
        let mut page = String::new();
        if !self.live.is_empty() {
            // Up to the block's first line, and away with all that follows.
            page.extend(["\x1b[", &self.live.len().to_string(), "F\x1b[J"]);
        }
        page.push_str(above);
        if !block.is_empty() {
            // Without wrapping, so that a narrow terminal does not spoil the count of lines.
            page.extend(["\x1b[?7l", &block.join("\n"), "\n\x1b[?7h"]);
        }
        self.live = block;
        let mut out = io::stdout().lock();
        let _lost = out.write_all(page.as_bytes()).and_then(|()| out.flush());
    }
}
