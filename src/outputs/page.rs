//! Where are secret bytes put together? On a page that leaves no copies behind, however it grows.

use std::io;
use zeroize::Zeroizing;

/// Bytes of an output under construction. Wiped when dropped, and what it grew out of is wiped too.
#[derive(Default)]
pub(super) struct Page(Zeroizing<Vec<u8>>);

impl Page {
    /// Appends text.
    pub(super) fn push(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    /// Appends several texts.
    pub(super) fn push_all<const N: usize>(&mut self, texts: [&str; N]) {
        for text in texts {
            self.push(text);
        }
    }

    /// Appends one character.
    pub(super) fn push_char(&mut self, character: char) {
        self.push(character.encode_utf8(&mut [0; 4]));
    }

    /// How much is written, in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is written.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Ends the writing.
    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            // Vec would move without wiping; here the old allocation is wiped by its own drop.
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.saturating_mul(2)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push_bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_what_was_written_however_it_grew() {
        let mut page = Page::default();
        let pieces: Vec<String> = (0..300).map(|n| format!("{n}é")).collect();
        for piece in &pieces {
            page.push(piece);
        }
        page.push_char('€');
        assert_eq!(page.bytes(), format!("{}€", pieces.concat()).as_bytes());
        assert_eq!(page.len(), page.finish().len());
    }
}
