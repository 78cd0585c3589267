//! Who has a name that several declare? The oldest: all of them in order, so that an edit costs little however many
//! there are.

/// When a credential was created, and its name: what is less is older.
pub(super) type Claim<'a> = (i64, &'a str);

/// Those that declare one output, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Claims(Vec<(i64, Box<str>)>);

impl Claims {
    fn place(&self, (created, name): Claim<'_>) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, other)| (*known, &**other).cmp(&(created, name)))
    }

    /// Adds one, unless it is there.
    pub(super) fn make(&mut self, claim: Claim<'_>) {
        if let Err(at) = self.place(claim) {
            if self.0.is_empty() {
                // Most names have one.
                self.0.reserve_exact(1);
            }
            self.0.insert(at, (claim.0, claim.1.into()));
        }
    }

    /// Takes one out.
    pub(super) fn withdraw(&mut self, claim: Claim<'_>) {
        if let Ok(at) = self.place(claim) {
            self.0.remove(at);
        }
    }

    /// Whoever has the name.
    pub(super) fn oldest(&self) -> Option<Claim<'_>> {
        self.0.first().map(|(created, name)| (*created, &**name))
    }
}
