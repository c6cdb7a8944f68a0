//! Hides sensitive words in whatever a unit says, also when a word arrives in two writes.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};

/// What stands for a sensitive word.
const MASK: &[u8] = b"****";
/// Shorter words would hide ordinary text.
const SHORTEST: usize = 3;
/// Lines of a longer word that are hidden by themselves.
const SHORTEST_LINE: usize = 8;

/// Replaces sensitive words in a stream of bytes.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    search: Option<AhoCorasick>,
    /// In ascending order.
    patterns: Vec<Vec<u8>>,
    longest: usize,
    carry: Vec<u8>,
}

impl Mask {
    /// Hides `words`, their lines, and their base64 and percent-encoded forms.
    pub(crate) fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut patterns = BTreeSet::new();
        for word in words {
            let word = word.trim();
            if word.len() < SHORTEST {
                continue;
            }
            patterns.insert(word.as_bytes().to_vec());
            patterns.extend(base64_forms(word.as_bytes()));
            let percent = percent(word);
            if percent != word {
                patterns.insert(percent.into_bytes());
            }
            if word.contains('\n') {
                let lines = word.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
                patterns.extend(lines.map(|line| line.as_bytes().to_vec()));
            }
        }
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        let search = (!patterns.is_empty()).then(|| {
            AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(&patterns)
                .expect("sensitive words are few and short enough for an automaton")
        });
        Mask { search, patterns: patterns.into_iter().collect(), longest, carry: Vec::new() }
    }

    /// Whether there is anything to hide.
    pub(crate) fn is_idle(&self) -> bool {
        self.search.is_none()
    }

    /// Passes bytes through. What might be the start of a word is held back until more is known.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.search.is_none() {
            out.extend_from_slice(bytes);
            return;
        }
        self.carry.extend_from_slice(bytes);
        let keep = self.undecided();
        self.release(keep, out);
    }

    /// Lets everything go that was held back: the stream has ended, or has been silent for too long.
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) {
        self.release(0, out);
    }

    /// Whether a line that has ended is held back: that must not last.
    pub(crate) fn holds_line(&self) -> bool {
        self.carry.contains(&b'\n')
    }

    /// Whether anything is held back.
    pub(crate) fn holds_back(&self) -> bool {
        !self.carry.is_empty()
    }

    /// Hides words in a whole text.
    pub(crate) fn text(&self, text: &str) -> String {
        match &self.search {
            None => text.to_owned(),
            Some(search) => {
                let mut out = String::with_capacity(text.len());
                let mut at = 0;
                for found in search.find_iter(text) {
                    out.push_str(&text[at..found.start()]);
                    out.push_str("****");
                    at = found.end();
                }
                out.push_str(&text[at..]);
                out
            }
        }
    }

    /// How many bytes at the end may still turn out to be part of a word: the longest end that begins one.
    fn undecided(&self) -> usize {
        let most = self.carry.len().min(self.longest.saturating_sub(1));
        (1..=most).rev().find(|length| self.begins_word(&self.carry[self.carry.len() - length..])).unwrap_or(0)
    }

    fn begins_word(&self, bytes: &[u8]) -> bool {
        let at = self.patterns.partition_point(|pattern| pattern.as_slice() < bytes);
        self.patterns[at..].iter().take(2).any(|pattern| pattern.len() > bytes.len() && pattern.starts_with(bytes))
    }

    fn release(&mut self, keep: usize, out: &mut Vec<u8>) {
        let Some(search) = &self.search else { return };
        let mut at = 0;
        let border = self.carry.len() - keep;
        for found in search.find_iter(&self.carry) {
            // A match that begins in what is kept may grow: it is decided next time.
            if found.start() >= border {
                break;
            }
            out.extend_from_slice(&self.carry[at..found.start()]);
            out.extend_from_slice(MASK);
            at = found.end();
        }
        if at < border {
            out.extend_from_slice(&self.carry[at..border]);
            at = border;
        }
        self.carry.drain(..at);
    }
}

/// The base64 text of a word depends on where in the encoded bytes it stands: of each of the three places, the part
/// that depends on the word alone.
fn base64_forms(word: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![base64(word)];
    for shift in 0..3 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(word);
        let encoded = base64(&shifted);
        let (first, last) = ((shift * 8).div_ceil(6), (shifted.len() * 8) / 6);
        if last > first && last - first >= SHORTEST_LINE {
            forms.push(encoded[first..last].to_vec());
        }
    }
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            out.push(if place <= group.len() { DIGITS[digit as usize] } else { b'=' });
        }
    }
    out
}

fn percent(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            let digit = |place: u8| char::from(DIGITS[usize::from(place & 15)]);
            out.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(words: &[&str], parts: &[&str]) -> String {
        let mut mask = Mask::new(words.iter().copied());
        let mut out = Vec::new();
        for part in parts {
            mask.feed(part.as_bytes(), &mut out);
        }
        mask.flush(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_word_in_two_writes_is_hidden() {
        assert_eq!(masked(&["s3cr3t-word"], &["so s3cr", "3t-word it is"]), "so **** it is");
    }

    #[test]
    fn the_longest_word_wins() {
        assert_eq!(masked(&["abcd", "abcdefgh"], &["x abcdefgh y abcd z"]), "x **** y **** z");
        assert_eq!(masked(&["abcd", "abcdefgh"], &["x abc", "defg", "h y"]), "x **** y");
    }

    #[test]
    fn encoded_forms_and_lines_are_hidden_too() {
        assert_eq!(masked(&["p@ss word!"], &["u=p%40ss%20word%21"]), "u=****");
        assert_eq!(masked(&["hunter2-hunter2"], &["aHVudGVyMi1odW50ZXIy"]), "****");
        assert_eq!(masked(&["first-line\nsecond-line"], &["got second-line"]), "got ****");
        // `user:` moves the word by five bytes within its base64 text.
        let encoded = String::from_utf8(base64(b"user:hunter2-hunter2")).unwrap();
        assert!(masked(&["hunter2-hunter2"], &[&encoded]).contains("****"));
    }

    #[test]
    fn two_letters_are_no_secret() {
        assert_eq!(masked(&["ab"], &["ab cab"]), "ab cab");
    }

    proptest::proptest! {
        #[test]
        fn however_it_is_cut_the_word_never_shows(cut in proptest::collection::vec(1usize..9, 1..20)) {
            let text = "--topsecret--topsecret-top-secret-topsecre-topsecret";
            let mut parts = Vec::new();
            let mut rest = text;
            for length in cut {
                let (part, after) = rest.split_at(length.min(rest.len()));
                parts.push(part);
                rest = after;
            }
            parts.push(rest);
            proptest::prop_assert_eq!(masked(&["topsecret"], &parts), text.replace("topsecret", "****"));
        }
    }
}
