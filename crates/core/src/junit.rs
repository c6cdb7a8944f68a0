//! Test reports in the dialects of `JUnit` that tools really write.
//!
//! There is no standard, only habits: any root, suites in suites, times in the locale of whoever ran them, wrong
//! encodings, files that end in the middle because the tool was killed. A report is evidence, so nothing here refuses
//! one: [`read`] keeps what can be kept and says in words what was lost. Which files are reports, and how large a file
//! may be, is for the caller to say.

use crate::run::Case;

mod decode;
mod draft;
mod location;
mod markup;
mod number;
mod text;
mod tree;

#[cfg(test)]
mod samples;

/// What a report file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// In the order of the file.
    pub cases: Vec<Case>,
    /// What could not be kept, a sentence each, for people.
    pub lost: Vec<String>,
}

/// Reads whatever can be read of a report.
pub fn read(bytes: &[u8]) -> Read {
    let decoded = decode::decode(bytes);
    let (cases, mut lost) = tree::read(&markup::mend(&decoded.text));
    lost.splice(0..0, decoded.lost);
    Read { cases, lost }
}
