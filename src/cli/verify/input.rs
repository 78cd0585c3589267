//! Which objects were given? Files, directories and standard input, read within bounds. Everything that is neither a
//! credential nor a Secret is passed over.

use super::yaml::{self, Node};
use crate::api::{GROUP, VERSION};
use crate::cli::trouble::Trouble;
use crate::error::refused_by_system;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// One file, at the most.
const MOST_BYTES: u64 = 8 << 20;
/// Files in directories, at the most.
const MOST_FILES: usize = 5_000;
/// Directories below each other, at the most.
const DEEPEST: usize = 16;

/// Where an object was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Place {
    pub(in crate::cli) file: String,
    pub(in crate::cli) line: u32,
}

/// An object, and where it stands.
pub(in crate::cli) struct Found {
    pub(in crate::cli) file: String,
    pub(in crate::cli) node: Node,
}

/// All that was given.
#[derive(Default)]
pub(in crate::cli) struct Input {
    pub(in crate::cli) credentials: Vec<Found>,
    pub(in crate::cli) secrets: Vec<Found>,
    /// Files that could not be read, and objects of versions that do not exist.
    pub(in crate::cli) faults: Vec<(Place, String)>,
    /// Objects of other kinds.
    pub(in crate::cli) others: usize,
}

/// Reads what the paths name; `-` is standard input.
pub(in crate::cli) fn read(paths: &[PathBuf]) -> Result<Input, Trouble> {
    let mut input = Input::default();
    for path in paths {
        if path.as_os_str() == "-" {
            let text = bounded(io::stdin().lock());
            input.take("-", text);
            continue;
        }
        let known = fs::metadata(path).map_err(|error| {
            Trouble::new(format!("cannot read {}: {}", path.display(), refused_by_system(error.kind())))
                .hint("name files or directories with -f; - is standard input")
        })?;
        let mut files = Vec::new();
        if known.is_dir() {
            walk(path, 0, &mut files)?;
        } else {
            files.push(path.clone());
        }
        for file in files {
            let text = File::open(&file).and_then(bounded);
            input.take(&file.display().to_string(), text);
        }
    }
    Ok(input)
}

/// Manifests of a directory and those below it, in order; links to directories are not followed.
fn walk(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Trouble> {
    let unreadable = |error: io::Error| {
        Trouble::new(format!("cannot read {}: {}", directory.display(), refused_by_system(error.kind())))
    };
    let mut entries: Vec<_> =
        fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(unreadable)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let manifest = path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        if kind.is_dir() && !hidden && depth < DEEPEST {
            walk(&path, depth.saturating_add(1), files)?;
        } else if manifest && path.is_file() {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            let what = format!("{} holds more than {MOST_FILES} files", directory.display());
            return Err(Trouble::new(what).hint("name the directory of the manifests, or the files"));
        }
    }
    Ok(())
}

/// The whole text, if it is one and not too long.
fn bounded(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MOST_BYTES.saturating_add(1)).read_to_string(&mut text)?;
    let too_long = u64::try_from(text.len()).is_ok_and(|length| length > MOST_BYTES);
    if too_long { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

/// Why a file gives no text, and what to do.
#[expect(clippy::wildcard_enum_match_arm, reason = "the system's list: all else is said as it is")]
fn why(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::FileTooLarge => format!("larger than {} MiB; split it", MOST_BYTES >> 20),
        io::ErrorKind::InvalidData => "not text; name manifests in YAML or JSON".to_owned(),
        other => format!("cannot be read: {}", refused_by_system(other)),
    }
}

impl Input {
    fn take(&mut self, file: &str, text: io::Result<String>) {
        let file = if file == "-" { "stdin" } else { file };
        let mut refuse = |line, what: String| self.faults.push((Place { file: file.to_owned(), line }, what));
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                let what = why(error.kind());
                return refuse(1, what);
            }
        };
        match yaml::read(&text) {
            Ok(documents) => documents.into_iter().for_each(|node| self.sort(file, node)),
            Err(unreadable) => refuse(unreadable.line, unreadable.what),
        }
    }

    /// Puts an object, or those of a list, where they belong.
    fn sort(&mut self, file: &str, node: Node) {
        let text = |name| node.get(name).and_then(Node::text).unwrap_or_default().to_owned();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let found = |node| Found { file: file.to_owned(), node };
        match (version.split_once('/').unwrap_or(("", &version)), kind.as_str()) {
            ((GROUP, VERSION), "ConnectorCredential") => self.credentials.push(found(node)),
            ((GROUP, _), _) if !kind.ends_with("List") => {
                let place = Place { file: file.to_owned(), line: node.line_of("apiVersion") };
                let what = format!("there is no such kind in {GROUP}: write ConnectorCredential and {GROUP}/{VERSION}");
                self.faults.push((place, what));
            }
            (("", "v1"), "Secret") => self.secrets.push(found(node)),
            (("", "v1"), "List") | ((GROUP, _) | ("", "v1"), _) if kind.ends_with("List") => {
                let items = node.get("items").map(Node::elements).unwrap_or_default().to_vec();
                for item in items {
                    self.sort(file, item);
                }
            }
            _ => self.others = self.others.saturating_add(1),
        }
    }
}
