//! Marks and colours. A colour repeats what a mark says and never says it alone.

use anstyle::{AnsiColor, Style};
use testudo_core::run::Status;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const RESET: anstyle::Reset = anstyle::Reset;

/// The characters that the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    Unicode,
    Ascii,
}

/// One turn of the spinner, a tenth of a second each.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

impl Marks {
    /// The mark of a status; a running one turns with `beat`.
    pub(crate) fn of(self, status: Status, beat: usize) -> &'static str {
        match (self, status) {
            (Marks::Unicode, Status::Passed) => "✓",
            (Marks::Unicode, Status::Failed) => "✗",
            (Marks::Unicode, Status::Skipped) => "–",
            (_, Status::Timeout | Status::Aborted | Status::Canceled) => "!",
            (Marks::Unicode, Status::Queued) => "○",
            (Marks::Unicode, Status::Running) => SPINNER[beat % SPINNER.len()],
            (Marks::Unicode, Status::Paused) => "‖",
            (Marks::Ascii, Status::Passed) => "ok",
            (Marks::Ascii, Status::Failed) => "FAIL",
            (Marks::Ascii, Status::Skipped) => "skip",
            (Marks::Ascii, Status::Queued | Status::Running) => "..",
            (Marks::Ascii, Status::Paused) => "||",
        }
    }

    /// Columns that marks take.
    pub(crate) fn width(self) -> usize {
        match self {
            Marks::Unicode => 1,
            Marks::Ascii => 4,
        }
    }

    /// The mark in its colour, in as many columns as all marks.
    pub(crate) fn painted(self, status: Status, beat: usize) -> String {
        let mark = self.of(status, beat);
        let space = self.width().saturating_sub(mark.chars().count());
        format!("{}{mark}{RESET}{}", paint(status), " ".repeat(space))
    }

    /// Between facts on one line.
    pub(crate) fn dot(self) -> &'static str {
        match self {
            Marks::Unicode => "·",
            Marks::Ascii => "-",
        }
    }

    /// In front of a step's line.
    pub(crate) fn bullet(self) -> &'static str {
        match self {
            Marks::Unicode => "•",
            Marks::Ascii => "*",
        }
    }

    /// Text of our own for a terminal without anything but ASCII.
    pub(crate) fn plain(self, text: String) -> String {
        match self {
            Marks::Unicode => text,
            Marks::Ascii => text.replace('…', "~").replace('×', "x").replace('·', "-").replace('\u{202f}', " "),
        }
    }
}

/// The colour of a status.
pub(crate) fn paint(status: Status) -> Style {
    match status {
        Status::Passed => GOOD,
        Status::Failed => BAD,
        Status::Timeout | Status::Aborted | Status::Canceled | Status::Paused => WARN,
        Status::Skipped | Status::Queued | Status::Running => DIM,
    }
}

/// Dim text.
pub(crate) fn dim(text: &str) -> String {
    format!("{DIM}{text}{RESET}")
}

/// Bold text.
pub(crate) fn bold(text: &str) -> String {
    format!("{BOLD}{text}{RESET}")
}
