//! A few names, in order and in little room: a tree of them would take ten times as much.

/// A set of a few names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Few(Vec<Box<str>>);

/// So many are kept without room for more.
const FEW: usize = 16;

impl Few {
    /// None.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|known| known.as_ref().cmp(name))
    }

    /// Whether this name is among them.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Adds a name, unless it is there.
    pub(super) fn insert(&mut self, name: &str) {
        if let Err(at) = self.place(name) {
            if self.0.len() < FEW {
                self.0.reserve_exact(1);
            }
            self.0.insert(at, name.into());
        }
    }

    /// Takes a name out.
    pub(super) fn remove(&mut self, name: &str) {
        if let Ok(at) = self.place(name) {
            self.0.remove(at);
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Those that are not among the others.
    pub(super) fn without<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = &'a str> {
        self.iter().filter(|name| !others.contains(name))
    }
}

impl<'a> FromIterator<&'a str> for Few {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut few = Self::default();
        names.into_iter().for_each(|name| few.insert(name));
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_once_and_in_order() {
        let mut few: Few = ["b", "a", "b"].into_iter().collect();
        few.insert("c");
        few.insert("a");
        assert_eq!(few.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        few.remove("b");
        few.remove("x");
        assert!(few.contains("a") && !few.contains("b") && !few.is_empty());
        let others = ["c", "d"].into_iter().collect();
        assert_eq!(few.without(&others).collect::<Vec<_>>(), ["a"]);
    }
}
