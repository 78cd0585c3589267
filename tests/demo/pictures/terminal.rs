//! How does a terminal's page look as a picture? Text with colours becomes an SVG that is the same in every browser.

use std::fmt::Write as _;

/// Of a character, in pixels: text is stretched to it, so that columns stand whatever the fonts are.
const WIDTH: f64 = 8.4;
const LINE: f64 = 19.0;
const MARGIN: f64 = 20.0;
/// The bar with the title.
const BAR: f64 = 38.0;
pub(super) const FONTS: &str = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const PLAIN: &str = "#d6deeb";

/// How a piece of text is written.
#[derive(Clone, PartialEq)]
struct Style {
    colour: &'static str,
    bold: bool,
    dim: bool,
}

impl Style {
    const fn plain() -> Self {
        Self { colour: PLAIN, bold: false, dim: false }
    }

    /// The style after an escape sequence's numbers.
    fn after(&self, codes: &str) -> Self {
        codes.split(';').fold(self.clone(), |style, code| match code {
            "1" => Self { bold: true, ..style },
            "2" => Self { dim: true, ..style },
            "30" | "90" => Self { colour: "#7f8c98", ..style },
            "31" | "91" => Self { colour: "#ff6b6b", ..style },
            "32" | "92" => Self { colour: "#7bd88f", ..style },
            "33" | "93" => Self { colour: "#f7c948", ..style },
            "34" | "94" => Self { colour: "#6cb6ff", ..style },
            "35" | "95" => Self { colour: "#d2a8ff", ..style },
            "36" | "96" => Self { colour: "#5ad4e6", ..style },
            _ => Self::plain(),
        })
    }
}

/// The line's pieces, each with its style.
fn pieces(line: &str) -> Vec<(Style, String)> {
    let (mut style, mut found) = (Style::plain(), Vec::new());
    let mut parts = line.split("\u{1b}[");
    found.push((style.clone(), parts.next().unwrap_or_default().to_owned()));
    for part in parts {
        let (codes, text) = part.split_once('m').unwrap_or(("0", part));
        style = style.after(codes);
        found.push((style.clone(), text.to_owned()));
    }
    found
}

/// As text of an XML document.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn length(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A window with this title, and these lines in it.
pub(super) fn window(title: &str, lines: &[String]) -> String {
    let drawn: Vec<_> = lines.iter().map(|line| pieces(line)).collect();
    let columns = |line: &Vec<(Style, String)>| line.iter().map(|(_, text)| text.chars().count()).sum::<usize>();
    let columns = drawn.iter().map(columns).max().unwrap_or_default().max(60);
    let width = length(columns).mul_add(WIDTH, 2.0 * MARGIN);
    let height = length(lines.len()).mul_add(LINE, BAR + 1.4 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"{FONTS}\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"#0f1720\"/>\n\
         <path d=\"M0 {BAR}V10a10 10 0 0 1 10 -10H{:.0}a10 10 0 0 1 10 10V{BAR}z\" fill=\"#1c2733\"/>\n",
        width - 10.0
    );
    for (place, colour) in [(20, "#ff5f57"), (40, "#febc2e"), (60, "#28c840")] {
        let _infallible = writeln!(svg, "<circle cx=\"{place}\" cy=\"19\" r=\"6\" fill=\"{colour}\"/>");
    }
    let _infallible = writeln!(
        svg,
        "<text x=\"{:.0}\" y=\"24\" text-anchor=\"middle\" font-size=\"13\" fill=\"#9fb0c0\">{}</text>",
        width / 2.0,
        escaped(title)
    );
    for (number, line) in drawn.iter().enumerate() {
        let y = length(number).mul_add(LINE, BAR + MARGIN + 8.0);
        draw(&mut svg, line, y);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, line: &[(Style, String)], y: f64) {
    let mut column = 0;
    for (style, text) in line {
        let start = text.chars().take_while(|one| *one == ' ').count();
        let shown = text.trim();
        if !shown.is_empty() {
            let x = length(column + start).mul_add(WIDTH, MARGIN);
            let wide = length(shown.chars().count()) * WIDTH;
            let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
            let opacity = if style.dim { " opacity=\"0.62\"" } else { "" };
            let _infallible = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
                 xml:space=\"preserve\" fill=\"{}\"{weight}{opacity}>{}</text>",
                style.colour,
                escaped(shown)
            );
        }
        column += text.chars().count();
    }
}
