//! Byte order marks in the middle of a file, as concatenating files leaves them.

use std::borrow::Cow;

/// A text without the byte order marks in front of its documents, which the parser takes only at the very start,
/// and the way back to places in the text as it was.
pub(super) struct Marks<'t> {
    pub(super) text: Cow<'t, str>,
    /// Where marks were taken out, in bytes of what is left.
    removed: Vec<usize>,
}

const MARK: char = '\u{feff}';

impl<'t> Marks<'t> {
    pub(super) fn strip(text: &'t str) -> Self {
        if !text.contains(MARK) {
            return Self { text: Cow::Borrowed(text), removed: Vec::new() };
        }
        let (mut clean, mut removed) = (String::with_capacity(text.len()), Vec::new());
        let mut fresh = true;
        for line in text.split_inclusive('\n') {
            let bare = line.strip_prefix(MARK).filter(|rest| fresh || rest.starts_with("---"));
            if bare.is_some() {
                removed.push(clean.len());
            }
            let line = bare.unwrap_or(line);
            clean.push_str(line);
            let said = line.trim();
            fresh = said == "---" || fresh && (said.is_empty() || said.starts_with('#'));
        }
        Self { text: Cow::Owned(clean), removed }
    }

    pub(super) fn original(&self, at: usize) -> usize {
        at + MARK.len_utf8() * self.removed.partition_point(|removed| *removed <= at)
    }
}
