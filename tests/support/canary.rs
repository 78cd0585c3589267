//! Is any part of a key in this text, however it was written?
//!
//! A canary is a key made for a test. Any eight of its private bytes in a row
//! count, in every form of `encodings`, with or without white space between.
//! Findings name the canary and the place, never its value.

use std::collections::{BTreeMap, HashMap};

use super::encodings::{Form, forms};
use crate::controlplane::etcd::Entry;

/// The shortest piece that counts as a leak.
const PIECE: usize = 8;

/// A word that marks fake keys, and is no leak by itself.
const PUBLIC_WORD: &[u8] = b"EXAMPLE";

/// A key to look for.
#[derive(Clone)]
pub(crate) struct Canary {
    name: String,
    value: String,
    public_prefix: usize,
}

impl Canary {
    /// A key that is private from its first byte.
    pub(crate) fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), public_prefix: 0 }
    }

    /// Excludes a beginning that all keys of a provider share, such as `zenflow_live_`.
    ///
    /// # Panics
    ///
    /// When the key does not begin with `prefix`.
    pub(crate) fn with_public_prefix(mut self, prefix: &str) -> Self {
        assert!(self.value.starts_with(prefix), "{} begins otherwise", self.name);
        self.public_prefix = prefix.len();
        self
    }

    /// A provider's key, without what all of its keys begin with.
    pub(crate) fn of_key(name: &str, key: &str) -> Self {
        let public = ["zenflow_live_", "zenflow_test_", "inflow-", "flowlu", "flow-", "aventri-"];
        let canary = Self::new(name, key);
        match public.into_iter().find(|prefix| key.starts_with(prefix)) {
            Some(prefix) => canary.with_public_prefix(prefix),
            None => canary,
        }
    }

    /// Whose key it is.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// All pieces without a public byte.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let value = self.value.as_bytes();
        let word = PUBLIC_WORD.len();
        let starts: Vec<usize> =
            value.windows(word).enumerate().filter_map(|(at, text)| (text == PUBLIC_WORD).then_some(at)).collect();
        let private = move |at: usize| {
            at >= self.public_prefix && starts.iter().all(|start| at + PIECE <= *start || at >= start + word)
        };
        let pieces = value.windows(PIECE).enumerate();
        pieces.filter_map(move |(at, piece)| private(at).then_some(piece))
    }
}

/// Of many keys so many are looked for.
const AT_MOST: usize = 24;

/// As many of these values as are looked for in reasonable time; only those that may be keys.
pub(crate) fn sample<'a>(values: impl Iterator<Item = &'a String>) -> Vec<Canary> {
    let is_key = |value: &&String| {
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        plain && (16..=256).contains(&value.len())
    };
    let all = values.filter(is_key).enumerate().map(|(at, key)| Canary::of_key(&format!("value {at}"), key));
    let all: Vec<_> = all.filter(|canary| canary.pieces().next().is_some()).collect();
    let each = all.len().div_ceil(AT_MOST).max(1);
    all.into_iter().step_by(each).collect()
}

/// Where a canary was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    /// What was searched.
    pub(crate) place: String,
    /// Whose key it is.
    pub(crate) canary: String,
    /// How it was written.
    pub(crate) form: Form,
    /// Where the first piece begins; without white space if it was only found so.
    pub(crate) offset: usize,
}

struct Needle {
    canary: usize,
    form: Form,
    text: Vec<u8>,
}

/// A prepared search for some canaries.
pub(crate) struct Sweep {
    names: Vec<String>,
    needles: Vec<Needle>,
    /// The needles by their first eight bytes, which all of them have.
    index: HashMap<[u8; PIECE], Vec<usize>>,
    /// Which two, and which three, bytes any needle begins with: nearly all positions end here.
    beginnings: [Vec<bool>; 2],
}

impl Sweep {
    /// Prepares the search.
    ///
    /// # Panics
    ///
    /// When a canary has too few private bytes to be found at all.
    pub(crate) fn new(canaries: &[Canary]) -> Self {
        let mut sweep = Self {
            names: canaries.iter().map(|canary| canary.name.clone()).collect(),
            needles: Vec::new(),
            index: HashMap::new(),
            beginnings: [vec![false; 1 << 16], vec![false; 1 << 24]],
        };
        for (number, canary) in canaries.iter().enumerate() {
            let before = sweep.needles.len();
            for (form, text) in canary.pieces().flat_map(forms) {
                sweep.add(Needle { canary: number, form, text });
            }
            let found = sweep.needles.len() > before;
            assert!(found, "{} has no {PIECE} private bytes in a row", canary.name);
        }
        sweep
    }

    fn add(&mut self, needle: Needle) {
        let first = needle.text.first_chunk().copied();
        let first: [u8; PIECE] = first.expect("no form is shorter than the piece");
        let [two, three] = beginning(first);
        (self.beginnings[0][two], self.beginnings[1][three]) = (true, true);
        self.index.entry(first).or_default().push(self.needles.len());
        self.needles.push(needle);
    }

    /// Searches one text; each canary and form is reported once.
    pub(crate) fn find(&self, place: &str, haystack: &[u8]) -> Vec<Finding> {
        let mut found = BTreeMap::new();
        self.search(haystack, &mut found);
        let dense: Vec<u8> = haystack.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        if dense.len() < haystack.len() {
            self.search(&dense, &mut found);
        }
        let finding = |((canary, form), offset): ((usize, Form), usize)| Finding {
            place: place.to_owned(),
            canary: self.names[canary].clone(),
            form,
            offset,
        };
        found.into_iter().map(finding).collect()
    }

    fn search(&self, haystack: &[u8], found: &mut BTreeMap<(usize, Form), usize>) {
        for offset in 0..haystack.len() {
            let rest = &haystack[offset..];
            let Some(first) = rest.first_chunk::<PIECE>() else {
                return;
            };
            let [two, three] = beginning(*first);
            if !self.beginnings[0][two] || !self.beginnings[1][three] {
                continue;
            }
            for number in self.index.get(first).into_iter().flatten() {
                let needle = &self.needles[*number];
                if rest.starts_with(&needle.text) {
                    found.entry((needle.canary, needle.form)).or_insert(offset);
                }
            }
        }
    }

    /// Searches everything stored but the keys that `allowed` names.
    pub(crate) fn find_in_etcd(&self, stored: &[Entry], allowed: impl Fn(&str) -> bool) -> Vec<Finding> {
        let swept = stored.iter().filter(|entry| !allowed(&entry.key()));
        swept
            .flat_map(|entry| {
                let mut findings = self.find(&entry.key(), entry.key().as_bytes());
                findings.extend(self.find(&entry.key(), entry.value()));
                findings
            })
            .collect()
    }
}

fn beginning(first: [u8; PIECE]) -> [usize; 2] {
    let two = usize::from(u16::from_be_bytes([first[0], first[1]]));
    [two, (two << 8) | usize::from(first[2])]
}

/// One search for a few keys; prepare a `Sweep` for many.
pub(crate) fn find(haystack: &[u8], canaries: &[Canary]) -> Vec<Finding> {
    Sweep::new(canaries).find("text", haystack)
}

#[cfg(test)]
mod tests;
