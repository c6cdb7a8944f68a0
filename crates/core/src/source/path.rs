//! The name of a place in a document: `spec.steps[0].container.env[2].value`.

use std::fmt::{self, Write as _};

/// A path that grows and shrinks with a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    pub fn new(start: impl Into<String>) -> Self {
        Self(start.into())
    }

    /// Steps into a map's entry; give the answer to [`Path::leave`].
    pub fn key(&mut self, key: &str) -> usize {
        let mark = self.0.len();
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            let _ = write!(self.0, "[{key:?}]");
        } else {
            if mark > 0 {
                self.0.push('.');
            }
            self.0.push_str(key);
        }
        mark
    }

    /// Steps into a list's item; give the answer to [`Path::leave`].
    pub fn index(&mut self, index: usize) -> usize {
        let mark = self.0.len();
        let _ = write!(self.0, "[{index}]");
        mark
    }

    pub fn leave(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
