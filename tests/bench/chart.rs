//! The figures as a picture: bars against the line that must not be crossed. Plain SVG, without scripts or fonts.

use std::fmt::Write as _;

use crate::figures::{Figures, mib};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 90.0;
const BAR: f64 = 18.0;
const STEP: f64 = 34.0;
const TOP: f64 = 56.0;

/// A bar: its share of the target is its length.
struct Bar {
    label: String,
    shown: String,
    /// 1 is the target.
    share: f64,
    /// Whether more is better.
    more: bool,
}

/// The chart of a run.
pub(crate) fn chart(figures: &Figures) -> String {
    let bars = bars(figures);
    let count = u32::try_from(bars.len()).unwrap_or_default();
    let height = TOP + STEP * f64::from(count) + 30.0;
    let scale = (WIDTH - LEFT - RIGHT) / 2.0;
    let target = LEFT + scale;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="12" y="22" font-size="15" font-weight="bold" fill="#1f2328">{}</text>
<text x="{target}" y="44" text-anchor="middle" fill="#57606a">target</text>
"##,
        title(figures)
    );
    for (nth, bar) in (0_u32..).zip(&bars) {
        let y = TOP + STEP * f64::from(nth);
        let length = (bar.share.clamp(0.0, 2.0) * scale).max(2.0);
        let met = if bar.more { bar.share >= 1.0 } else { bar.share <= 1.0 };
        let colour = if met { "#1a7f37" } else { "#cf222e" };
        let (middle, end) = (y + 14.0, LEFT + length + 6.0);
        let _infallible = writeln!(
            svg,
            r##"<text x="{}" y="{middle}" text-anchor="end" fill="#1f2328">{}</text><rect x="{LEFT}" y="{y}" width="{length:.1}" height="{BAR}" rx="2" fill="{colour}"/><text x="{end:.1}" y="{middle}" fill="#1f2328" stroke="#ffffff" stroke-width="3" paint-order="stroke">{}</text>"##,
            LEFT - 10.0,
            bar.label,
            bar.shown
        );
    }
    let bottom = height - 24.0;
    let _infallible = writeln!(
        svg,
        r##"<line x1="{target}" y1="50" x2="{target}" y2="{bottom}" stroke="#57606a" stroke-dasharray="4 3"/>
<text x="12" y="{}" font-size="11" fill="#57606a">▸ beyond the line is better; all others must stay left of it</text>
</svg>"##,
        height - 8.0
    );
    svg
}

fn title(figures: &Figures) -> String {
    let objects = figures.large.as_ref().map_or(figures.small.objects, |cold| cold.objects);
    format!("{objects} credentials on {} cores, measured against the targets", figures.cores)
}

fn bars(figures: &Figures) -> Vec<Bar> {
    let cold = figures.large.as_ref().unwrap_or(&figures.small);
    let ceiling = if figures.large.is_some() { &figures.ceiling } else { &figures.small_ceiling };
    let mut bars = Vec::new();
    let mut less = |label: &str, value: f64, target: f64, shown: String| {
        bars.push(Bar { label: label.to_owned(), shown, share: value / target, more: false });
    };
    less("own CPU an object", cold.cpu_ms(), 1.5, format!("{:.2} ms of 1.5", cold.cpu_ms()));
    let (settled, peak) = (mib(cold.settled_bytes), mib(cold.peak_bytes));
    less("memory, settled", settled, 60.0, format!("{settled:.0} MiB of 60"));
    less("memory, peak", peak, 120.0, format!("{peak:.0} MiB of 120"));
    if let Some(again) = &figures.restart {
        less("restart until ready", again.ready_seconds, 5.0, format!("{:.1} s of 5", again.ready_seconds));
    }
    if let Some(idle) = &figures.idle {
        let share = idle.cpu_seconds / idle.seconds * 100.0;
        less("idle CPU", share, 0.5, format!("{share:.2} % of 0.5 %"));
    }
    if let Some(reaction) = &figures.reaction {
        let p99 = reaction.p99_ms;
        less("reaction beyond the provider, p99", p99, 250.0, format!("{p99:.0} ms of 250"));
    }
    if let Some(ceiling) = ceiling {
        let share = cold.rate() / ceiling.rate();
        let shown = format!("{:.0} % of the bare client, 60 % wanted", share * 100.0);
        bars.insert(0, Bar { label: "▸ cold start".to_owned(), shown, share: share / 0.6, more: true });
    }
    bars
}
