//! Has an account used up its calls? Fixed windows on the providers' clock.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// At most so many calls in so many seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) seconds: i64,
    pub(super) most: u32,
}

/// One window after a call; `resets_at` is in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) most: u32,
    pub(super) used: u32,
    pub(super) resets_at: i64,
}

impl Used {
    pub(super) fn left(&self) -> u32 {
        self.most.saturating_sub(self.used)
    }
}

/// Every window after a call, and the one that refuses it.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) windows: Vec<Used>,
    pub(super) over: Option<Used>,
}

impl Taken {
    /// The window with the fewest calls left; a refusing one first.
    pub(super) fn tightest(&self) -> Option<Used> {
        self.over.or_else(|| self.windows.iter().min_by_key(|window| window.left()).copied())
    }
}

#[derive(Default)]
pub(super) struct Limits {
    /// By account and window length: which window it is, and how many calls it had.
    counts: BTreeMap<(String, i64), (i64, u32)>,
}

impl Limits {
    /// Counts one call of `account`. A refused call is not counted.
    pub(super) fn take(&mut self, account: &str, windows: &[Window], now: Timestamp) -> Taken {
        let before: Vec<Used> = windows.iter().map(|window| self.look(account, *window, now)).collect();
        let over = before.iter().find(|window| window.left() == 0).copied();
        if over.is_some() {
            return Taken { windows: before, over };
        }
        for window in windows {
            if let Some((_, used)) = self.counts.get_mut(&(account.to_owned(), window.seconds)) {
                *used += 1;
            }
        }
        let windows = before.into_iter().map(|window| Used { used: window.used + 1, ..window }).collect();
        Taken { windows, over: None }
    }

    /// What a caller sees while limits are switched off: nothing is ever used.
    pub(super) fn unlimited(windows: &[Window], now: Timestamp) -> Taken {
        let windows = windows
            .iter()
            .map(|window| Used { most: window.most, used: 0, resets_at: (index(*window, now) + 1) * window.seconds })
            .collect();
        Taken { windows, over: None }
    }

    fn look(&mut self, account: &str, window: Window, now: Timestamp) -> Used {
        let index = index(window, now);
        let count = self.counts.entry((account.to_owned(), window.seconds)).or_insert((index, 0));
        if count.0 != index {
            *count = (index, 0);
        }
        Used { most: window.most, used: count.1, resets_at: (index + 1) * window.seconds }
    }
}

fn index(window: Window, now: Timestamp) -> i64 {
    now.as_second().div_euclid(window.seconds)
}
