//! Where do the figures go? To the terminal as a table, to files as JSON, Markdown and a picture.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::chart::chart;
use crate::error::Error;
use crate::figures::Figures;
use crate::ground::ROOT;
use crate::table;

/// What is known before anything is measured.
pub(crate) fn opening(binary: &Path) -> Figures {
    let git = Command::new("git").args(["-C", ROOT, "describe", "--always", "--dirty"]).output();
    let revision = git.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    Figures {
        date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        revision,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        binary_bytes: fs::metadata(binary).map(|found| found.len()).unwrap_or_default(),
        image_bytes: image(&Path::new(ROOT).join("target/image/blobs/sha256")),
        ..Figures::default()
    }
}

/// The layers of the image, if `image/build` was run.
fn image(blobs: &Path) -> Option<u64> {
    let entries = fs::read_dir(blobs).ok()?;
    let sizes: u64 = entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum();
    (sizes > 0).then_some(sizes)
}

/// Says what is done now.
pub(crate) fn progress(what: &str) {
    eprintln!("… {what}");
}

/// Prints the table and writes the files. Returns whether every promise holds.
pub(crate) fn write(figures: &Figures, directory: &Path) -> Result<bool, Error> {
    let rows = table::rows(figures);
    println!("\n{}", table::text(&rows));
    fs::create_dir_all(directory).map_err(Error::io(format!("create {}", directory.display())))?;
    let report = json!({"figures": figures, "table": rows});
    let report = serde_json::to_string_pretty(&report).unwrap_or_default() + "\n";
    for (name, text) in [("report.json", report), ("chart.svg", chart(figures)), ("table.md", table::markdown(&rows))] {
        let place = directory.join(name);
        fs::write(&place, text).map_err(Error::io(format!("write {}", place.display())))?;
    }
    Ok(rows.iter().all(|row| row.met != Some(false)))
}
