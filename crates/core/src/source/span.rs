//! Files, byte ranges in them, and the way from a byte to a line and column.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Diagnostic, Severity};

/// One text a person wrote, under the name it is known by in messages.
#[derive(Clone, Debug)]
pub struct SourceFile {
    pub name: Arc<str>,
    pub text: Arc<str>,
}

impl SourceFile {
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// A byte range in one of the files of [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    pub file: u32,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// Where a node is that nobody wrote.
    pub const NOWHERE: Self = Self { file: u32::MAX, start: 0, end: 0 };

    pub fn new(file: u32, start: usize, end: usize) -> Self {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { file, start: clamp(start), end: clamp(end.max(start)) }
    }

    /// The span, unless it is [`Span::NOWHERE`].
    pub fn known(self) -> Option<Self> {
        (self.file != u32::MAX).then_some(self)
    }

    /// A part of this span, by byte offsets relative to its start; cut to what the span holds.
    #[must_use]
    pub fn within(self, start: usize, end: usize) -> Self {
        let len = (self.end - self.start) as usize;
        let (start, end) = (start.min(len), end.min(len));
        Self::new(self.file, self.start as usize + start, self.start as usize + end)
    }
}

/// The files a set of spans points into.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<(SourceFile, Vec<u32>)>,
}

/// A place as people count: lines and columns from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub line: usize,
    pub column: usize,
}

/// A [`Diagnostic`] with its place spelled out, for readers that do not have the sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub code: String,
    pub severity: Severity,
    pub message: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_column: Option<usize>,
}

impl Sources {
    pub fn new(files: impl IntoIterator<Item = SourceFile>) -> Self {
        let mut sources = Self::default();
        for file in files {
            sources.add(file);
        }
        sources
    }

    /// Takes a file in and says under which number spans know it.
    pub fn add(&mut self, file: SourceFile) -> u32 {
        let lines = std::iter::once(0)
            .chain(file.text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| (at + 1) as u32))
            .collect();
        self.files.push((file, lines));
        (self.files.len() - 1) as u32
    }

    pub fn file(&self, file: u32) -> Option<&SourceFile> {
        self.files.get(file as usize).map(|(file, _)| file)
    }

    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().map(|(file, _)| file)
    }

    /// The text a span covers.
    pub fn slice(&self, span: Span) -> &str {
        self.file(span.file).and_then(|file| file.text.get(span.start as usize..span.end as usize)).unwrap_or("")
    }

    /// Where a span starts.
    pub fn locate(&self, span: Span) -> Option<Location> {
        self.place(span.file, span.start as usize)
    }

    fn place(&self, file: u32, at: usize) -> Option<Location> {
        let (file, lines) = self.files.get(file as usize)?;
        let line = lines.partition_point(|start| *start as usize <= at) - 1;
        let start = lines[line] as usize;
        let before = file.text.get(start..at.min(file.text.len())).unwrap_or("");
        // A byte order mark takes no column in any editor.
        let column = before.chars().filter(|c| *c != '\u{feff}').count() + 1;
        Some(Location { line: line + 1, column })
    }

    /// The diagnostic with file name, line and column.
    pub fn finding(&self, diagnostic: &Diagnostic) -> Finding {
        let at = diagnostic.at.and_then(Span::known);
        let start = at.and_then(|span| self.place(span.file, span.start as usize));
        let end = at.and_then(|span| self.place(span.file, span.end as usize));
        Finding {
            code: diagnostic.code.clone(),
            severity: diagnostic.severity,
            message: diagnostic.message.clone(),
            path: diagnostic.path.clone(),
            help: diagnostic.help.clone(),
            file: at.and_then(|span| self.file(span.file)).map(|file| file.name.to_string()),
            line: start.as_ref().map(|place| place.line),
            column: start.map(|place| place.column),
            end_line: end.as_ref().map(|place| place.line),
            end_column: end.map(|place| place.column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_skip_a_byte_order_mark() {
        let sources = Sources::new([SourceFile::new("a.yaml", "\u{feff}ä: b\r\nx: y\n")]);
        let at = |byte| sources.locate(Span::new(0, byte, byte)).map(|l| (l.line, l.column));
        assert_eq!(at(3), Some((1, 1)));
        assert_eq!(at(7), Some((1, 4)));
        assert_eq!(at(13), Some((2, 4)));
        assert_eq!(sources.locate(Span::NOWHERE), None);
    }
}
