//! How many texts of series are there at a time? Two of a format: who scrapes while both are still being sent gets the
//! newer one, so slow readers cost two texts, however many they are, and nobody is turned away.

use crate::metrics::Exposition;
use axum::body::Bytes;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Texts of a format.
const AT_ONCE: usize = 2;

/// The texts that are being sent.
#[derive(Default)]
pub(super) struct Texts {
    classic: Mutex<Vec<Weak<String>>>,
    open: Mutex<Vec<Weak<String>>>,
}

/// A reader's share of a text.
struct Share(Arc<String>);

impl AsRef<[u8]> for Share {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Texts {
    /// The text of now, or the newest of those that are being sent. One is made at a time.
    pub(super) fn get(&self, exposition: Exposition, make: impl FnOnce() -> String) -> Bytes {
        let texts = match exposition {
            Exposition::Prometheus => &self.classic,
            Exposition::OpenMetrics => &self.open,
        };
        let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.retain(|text| text.strong_count() > 0);
        let newest = texts.last().filter(|_| texts.len() >= AT_ONCE).and_then(Weak::upgrade);
        let text = newest.unwrap_or_else(|| {
            let text = Arc::new(make());
            texts.push(Arc::downgrade(&text));
            text
        });
        Bytes::from_owner(Share(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a20_a_hundred_slow_readers_cost_two_texts_and_the_next_is_new_once_one_has_gone() {
        let (texts, mut made) = (Texts::default(), 0);
        let mut scrape = || {
            texts.get(Exposition::Prometheus, || {
                made += 1;
                format!("text {made}")
            })
        };
        let mut readers: Vec<_> = (0..100).map(|_| scrape()).collect();
        assert_eq!(
            (&readers[0][..], &readers[1][..], &readers[99][..]),
            (&b"text 1"[..], &b"text 2"[..], &b"text 2"[..])
        );
        drop(readers.remove(0));
        assert_eq!(&scrape()[..], b"text 3");
        drop(readers);
        assert_eq!(&scrape()[..], b"text 4");
        assert_eq!(&texts.get(Exposition::OpenMetrics, || "open".to_owned())[..], b"open");
    }
}
