//! How do the dashboard's panels look, with what Prometheus answered? Drawn as Grafana would lay them out.

use std::fmt::Write as _;

use serde_json::Value;

use super::terminal::escaped;

/// Of a column of Grafana's grid, and of a row, in pixels.
const COLUMN: f64 = 50.0;
const ROW: f64 = 30.0;
const GAP: f64 = 4.0;
const COLOURS: [&str; 8] = ["#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#fade2a"];

/// One answer of a query: what it is called, its labels, and its values by time.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: Value,
    pub(super) values: Vec<(f64, f64)>,
}

impl Series {
    fn last(&self) -> f64 {
        self.values.last().map_or(0.0, |(_, value)| *value)
    }
}

/// A rectangle in pixels.
#[derive(Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

impl Place {
    fn of(panel: &Value) -> Self {
        let grid = |name: &str| panel["gridPos"][name].as_f64().unwrap_or_default();
        let (x, y) = (grid("x").mul_add(COLUMN, GAP), grid("y").mul_add(ROW, GAP));
        Self { x, y, w: grid("w").mul_add(COLUMN, -2.0 * GAP), h: grid("h").mul_add(ROW, -2.0 * GAP) }
    }
}

/// The picture under way.
pub(super) struct Board(String, f64);

impl Board {
    pub(super) const fn new() -> Self {
        Self(String::new(), 0.0)
    }

    fn text(&mut self, (x, y): (f64, f64), (size, fill, anchor): (f64, &str, &str), text: &str) {
        let _infallible = writeln!(
            self.0,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{fill}\" text-anchor=\"{anchor}\">{}</text>",
            escaped(text)
        );
    }

    /// One panel, with what each of its queries found.
    pub(super) fn panel(&mut self, panel: &Value, found: &[Series]) {
        let place = Place::of(panel);
        self.1 = self.1.max(place.y + place.h + 2.0 * GAP);
        let title = panel["title"].as_str().unwrap_or_default();
        if panel["type"] == "row" {
            self.text((place.x + 4.0, place.y + 17.0), (15.0, "#ccccdc", "start"), &format!("▾ {title}"));
            return;
        }
        let Place { x, y, w, h } = place;
        let _infallible = writeln!(
            self.0,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"3\" fill=\"#181b1f\" stroke=\"#2c3235\"/>"
        );
        self.text((x + 10.0, y + 20.0), (13.0, "#ccccdc", "start"), title);
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
        match panel["type"].as_str() {
            Some("stat") => self.stat(place, title, found),
            Some("table") => self.table(place, title, found),
            _ => self.lines(place, unit, found),
        }
    }

    fn stat(&mut self, Place { x, y, w, h }: Place, title: &str, found: &[Series]) {
        let each = w / f64::from(u32::try_from(found.len().max(1)).unwrap_or(1));
        let mut left = x;
        for series in found {
            let bad = !title.starts_with("Ready") && series.last() > 0.0;
            let colour = if bad { "#f2495c" } else { "#73bf69" };
            let middle = left + each / 2.0;
            self.text((middle, y + h * 0.68), (34.0, colour, "middle"), &number(series.last(), ""));
            if found.len() > 1 {
                self.text((middle, y + h - 10.0), (12.0, "#9fa7b3", "middle"), &series.name);
            }
            left += each;
        }
    }

    fn table(&mut self, Place { x, y, w, h }: Place, title: &str, found: &[Series]) {
        let expiries = title.starts_with("Expiries");
        let heads = ["namespace", "name", "provider", if expiries { "expires in" } else { "ready" }];
        let column = |number: f64| (w / 4.0).mul_add(number, x + 12.0);
        for (head, number) in heads.iter().zip([0.0, 1.0, 2.0, 3.0]) {
            self.text((column(number), y + 44.0), (12.0, "#6e9fff", "start"), head);
        }
        let mut line = y + 68.0;
        for series in found.iter().take_while(|_| true) {
            if line > y + h - 6.0 {
                break;
            }
            for (head, number) in heads[..3].iter().zip([0.0, 1.0, 2.0]) {
                let label = series.labels[*head].as_str().unwrap_or_default();
                self.text((column(number), line), (13.0, "#ccccdc", "start"), label);
            }
            let value = series.last();
            let (shown, colour) = match (expiries, value < 0.0) {
                (true, true) => ("passed".to_owned(), "#f2495c"),
                (true, false) => (number(value, "s"), "#f2cc0c"),
                (false, _) => ("no".to_owned(), "#f2495c"),
            };
            self.text((column(3.0), line), (13.0, colour, "start"), &shown);
            line += 24.0;
        }
    }

    fn lines(&mut self, place: Place, unit: &str, found: &[Series]) {
        let Place { x, y, w, h } = place;
        let plot = Place { x: x + 62.0, y: y + 34.0, w: w - 76.0, h: h - 84.0 };
        let all = || found.iter().flat_map(|series| series.values.iter());
        let (start, end) = all().fold((f64::MAX, f64::MIN), |(from, to), (time, _)| (from.min(*time), to.max(*time)));
        let top = all().fold(0.0_f64, |top, (_, value)| top.max(*value)) * 1.12;
        let bottom = all().fold(0.0_f64, |bottom, (_, value)| bottom.min(*value));
        let span = if top > bottom { top - bottom } else { 1.0 };
        for step in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let level = (1.0_f64 - step).mul_add(plot.h, plot.y);
            let right = plot.x + plot.w;
            let _infallible = writeln!(self.0, "<path d=\"M{:.1} {level:.1}H{right:.1}\" stroke=\"#2c3235\"/>", plot.x);
            let label = number(step.mul_add(span, bottom), unit);
            self.text((plot.x - 6.0, level + 4.0), (10.5, "#8e8e9a", "end"), &label);
        }
        let ago = format!("{:.0} s ago", end - start);
        self.text((plot.x, plot.y + plot.h + 15.0), (10.5, "#8e8e9a", "start"), &ago);
        self.text((plot.x + plot.w, plot.y + plot.h + 15.0), (10.5, "#8e8e9a", "end"), "now");
        for (series, colour) in found.iter().zip(COLOURS.iter().cycle()) {
            let mut path = String::new();
            for (time, value) in &series.values {
                let right = (time - start) / (end - start).max(1.0);
                let up = (value - bottom) / span;
                let pen = if path.is_empty() { 'M' } else { 'L' };
                let (right, down) = (right.mul_add(plot.w, plot.x), (1.0 - up).mul_add(plot.h, plot.y));
                let _infallible = write!(path, "{pen}{right:.1} {down:.1}");
            }
            let style = "fill=\"none\" stroke-width=\"1.6\" stroke-linejoin=\"round\"";
            let _infallible = writeln!(self.0, "<path d=\"{path}\" stroke=\"{colour}\" {style}/>");
        }
        self.legend(place, found);
    }

    /// In two rows at the most.
    fn legend(&mut self, Place { x, y, w, h }: Place, found: &[Series]) {
        let (mut left, mut line) = (x + 12.0, y + h - 22.0);
        for (series, colour) in found.iter().zip(COLOURS.iter().cycle()) {
            let wide = f64::from(u32::try_from(series.name.chars().count()).unwrap_or(40)).mul_add(6.3, 26.0);
            if left + wide > x + w {
                if line > y + h - 20.0 {
                    return;
                }
                (left, line) = (x + 12.0, line + 15.0);
            }
            let _infallible = writeln!(
                self.0,
                "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"12\" height=\"3\" fill=\"{colour}\"/>",
                line - 5.0
            );
            self.text((left + 16.0, line), (11.0, "#9fa7b3", "start"), &series.name);
            left += wide;
        }
    }

    /// The picture.
    pub(super) fn finish(self) -> String {
        let (width, height) = (24.0 * COLUMN, self.1);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"Inter, 'Helvetica Neue', Arial, sans-serif\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#111217\"/>\n{}</svg>\n",
            self.0
        )
    }
}

/// A number as short as a person wants it.
fn number(value: f64, unit: &str) -> String {
    let plain = |value: f64| {
        let text = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    match unit {
        "s" if value.abs() >= 172_800.0 => format!("{} d", plain((value / 86_400.0).round())),
        "s" if value.abs() >= 7_200.0 => format!("{} h", plain((value / 3_600.0).round())),
        "s" if value.abs() >= 120.0 => format!("{} min", plain((value / 60.0).round())),
        "s" if value != 0.0 && value.abs() < 1.0 => format!("{} ms", plain((value * 10_000.0).round() / 10.0)),
        "s" => format!("{} s", plain(value)),
        "bytes" => format!("{} MiB", plain((value / 1_048_576.0 * 10.0).round() / 10.0)),
        "ops" | "reqps" => format!("{}/s", plain(value)),
        _ => plain(value),
    }
}
