//! What was promised, what was measured, and is it met? One row a promise.

use serde::Serialize;

use crate::figures::{Cold, Figures, mib};

/// A promise and what became of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) figure: String,
    pub(crate) measured: String,
    pub(crate) target: String,
    /// Absent where nothing is promised.
    pub(crate) met: Option<bool>,
}

fn row(figure: &str, measured: String, target: &str, met: Option<bool>) -> Row {
    Row { figure: figure.to_owned(), measured, target: target.to_owned(), met }
}

/// The table of a run; phases that were left out have no rows.
pub(crate) fn rows(figures: &Figures) -> Vec<Row> {
    let mut rows = cold_rows(figures);
    rows.extend(memory_rows(figures));
    rows.extend(quiet_rows(figures));
    rows.extend(reaction_rows(figures));
    rows.extend(neighbour_rows(figures));
    rows.extend(small_rows(figures));
    rows
}

fn cold_rows(figures: &Figures) -> Vec<Row> {
    let cold = figures.large.as_ref().unwrap_or(&figures.small);
    let mut rows = vec![row(
        &format!("cold start, {} objects", cold.objects),
        format!("{:.1} s, {:.0} objects/s, {} ready", cold.seconds, cold.rate(), cold.ready),
        "all ready",
        Some(cold.ready == cold.objects),
    )];
    let ceiling = if figures.large.is_some() { &figures.ceiling } else { &figures.small_ceiling };
    if let Some(ceiling) = ceiling {
        let share = cold.rate() / ceiling.rate() * 100.0;
        rows.push(row("the bare client's ceiling", format!("{:.0} objects/s", ceiling.rate()), "", None));
        rows.push(row("share of the ceiling", format!("{share:.0} %"), "at least 60 %", Some(share >= 60.0)));
    }
    rows.extend(request_rows(cold));
    rows.push(row(
        "own CPU an object",
        format!("{:.2} ms", cold.cpu_ms()),
        "at most 1.5 ms",
        Some(cold.cpu_ms() <= 1.5),
    ));
    rows
}

fn request_rows(cold: &Cold) -> Vec<Row> {
    let objects = u64::try_from(cold.objects).unwrap_or(u64::MAX);
    let exchanges = u64::try_from(cold.exchanges).unwrap_or(u64::MAX);
    let wanted = [
        ("Secrets read", cold.of("get secrets"), objects),
        ("Secrets created", cold.of("create secrets"), objects),
        ("statuses written (two for Aventri)", cold.of(crate::audit::STATUS_WRITE), objects + exchanges),
        ("Events created", cold.of("create events"), objects),
        ("all requests but lists and watches", cold.single(), 4 * objects + exchanges),
        ("provider calls", cold.calls, objects),
    ];
    let shown = |number: u64| format!("{number}, {:.3} an object", number as f64 / objects as f64);
    wanted
        .into_iter()
        .map(|(what, number, target)| row(what, shown(number), &target.to_string(), Some(number == target)))
        .collect()
}

fn memory_rows(figures: &Figures) -> Vec<Row> {
    let cold = figures.large.as_ref().unwrap_or(&figures.small);
    let (settled, peak) = (mib(cold.settled_bytes), mib(cold.peak_bytes));
    vec![
        row("memory, settled", format!("{settled:.1} MiB"), "at most 60 MiB", Some(settled <= 60.0)),
        row("memory, peak", format!("{peak:.1} MiB"), "at most 120 MiB", Some(peak <= 120.0)),
    ]
}

fn quiet_rows(figures: &Figures) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(again) = &figures.restart {
        rows.push(row(
            "restart: ready after",
            format!("{:.2} s (busy for {:.2} s)", again.ready_seconds, again.busy_seconds),
            "at most 5 s",
            Some(again.ready_seconds <= 5.0),
        ));
        let quiet = again.writes == 0 && again.calls == 0 && again.single_requests == 0;
        rows.push(row(
            "restart: writes, provider calls, reads",
            format!("{}, {}, {}", again.writes, again.calls, again.single_requests - again.writes),
            "0, 0, 0",
            Some(quiet),
        ));
        rows.push(row("restart: lists and watches", (again.requests - again.single_requests).to_string(), "", None));
        let (settled, peak) = (mib(again.settled_bytes), mib(again.peak_bytes));
        rows.push(row("restart: memory, settled and peak", format!("{settled:.1}, {peak:.1} MiB"), "", None));
    }
    if let Some(idle) = &figures.idle {
        let share = idle.cpu_seconds / idle.seconds * 100.0;
        let requests: u64 = idle.requests.values().sum();
        rows.push(row("idle: CPU", format!("{share:.2} % of a core"), "below 0.5 %", Some(share < 0.5)));
        let measured = format!("{requests} requests, {} calls in {:.0} s", idle.calls, idle.seconds);
        let watches = idle.requests.keys().all(|kind| kind.starts_with("watch "));
        rows.push(row("idle: requests", measured, "watches only", Some(watches && idle.calls == 0)));
    }
    rows
}

fn reaction_rows(figures: &Figures) -> Vec<Row> {
    let Some(reaction) = &figures.reaction else { return Vec::new() };
    let measured = format!("{:.0} ms, {:.0} ms", reaction.p50_ms, reaction.p99_ms);
    let what = format!("reaction beyond the provider's 20 ms: p50, p99 of {}", reaction.changes);
    vec![row(&what, measured, "p99 below 250 ms", Some(reaction.p99_ms < 250.0))]
}

fn neighbour_rows(figures: &Figures) -> Vec<Row> {
    let (Some(before), Some(after)) = (&figures.restart, &figures.restart_beside) else { return Vec::new() };
    let change = |before: f64, after: f64| (after / before - 1.0) * 100.0;
    let settled = change(mib(before.settled_bytes), mib(after.settled_bytes));
    let peak = change(mib(before.peak_bytes), mib(after.peak_bytes));
    let start = change(before.ready_seconds, after.ready_seconds);
    let beside = format!("beside {} unrelated Secrets", figures.neighbours);
    vec![
        row(
            &format!("{beside}: settled, peak memory"),
            format!("{settled:+.1} %, {peak:+.1} %"),
            "at most +10 %",
            Some(settled <= 10.0 && peak <= 10.0),
        ),
        row(&format!("{beside}: start-up"), format!("{start:+.1} %"), "at most +25 %", Some(start <= 25.0)),
    ]
}

fn small_rows(figures: &Figures) -> Vec<Row> {
    let small = &figures.small;
    let mut rows = Vec::new();
    if let Some(large) = figures.large.as_ref().filter(|_| small.objects > 0) {
        let cpu = (large.cpu_ms() / small.cpu_ms() - 1.0) * 100.0;
        let what = format!("CPU an object, {} against {}", large.objects, small.objects);
        let measured = format!("{:.2} ms against {:.2} ms: {cpu:+.0} %", large.cpu_ms(), small.cpu_ms());
        rows.push(row(&what, measured, "at most +20 %", Some(cpu <= 20.0)));
        let time = (small.rate() / large.rate() - 1.0) * 100.0;
        let what = format!("time an object, {} against {}", large.objects, small.objects);
        rows.push(row(&what, format!("{time:+.0} %"), "at most +20 %", Some(time <= 20.0)));
    }
    if let Some(ceiling) = figures.small_ceiling.as_ref().filter(|_| figures.large.is_some()) {
        let share = small.rate() / ceiling.rate() * 100.0;
        rows.push(row(&format!("share of the ceiling, {} objects", small.objects), format!("{share:.0} %"), "", None));
    }
    let micro = &figures.micro;
    let thinking = format!("{:.1}, {:.1}, {:.1} µs", micro.decide, micro.render, micro.classify);
    rows.push(row("a call of decide, render, classify", thinking, "", None));
    let start = format!("{:.0} ms, {:.1} MiB", figures.empty_start_seconds * 1000.0, mib(figures.empty_settled_bytes));
    rows.push(row("ready in an empty cluster, memory there", start, "", None));
    let image = figures.image_bytes.map_or_else(|| "not built".to_owned(), |bytes| format!("{:.1} MiB", mib(bytes)));
    rows.push(row("size of program and image", format!("{:.1} MiB, {image}", mib(figures.binary_bytes)), "", None));
    rows
}

/// The table as text.
pub(crate) fn text(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or_default();
    let (first, second) = (width(|row| &row.figure), width(|row| &row.measured));
    let mut text = String::new();
    for row in rows {
        let mark = match row.met {
            Some(true) => "✓",
            Some(false) => "✗",
            None => " ",
        };
        let line = format!("{mark} {:first$}  {:second$}  {}", row.figure, row.measured, row.target);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The table as Markdown.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let met = row.met.map_or("", |met| if met { "yes" } else { "**no**" });
        format!("| {} | {} | {} | {met} |\n", row.figure, row.measured, row.target)
    };
    let head = "| figure | measured | target | met |\n| --- | --- | --- | --- |\n";
    head.to_owned() + &rows.iter().map(line).collect::<String>()
}
