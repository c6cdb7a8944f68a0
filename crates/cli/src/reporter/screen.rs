//! The part of a terminal that is drawn again and again: the last lines, above the cursor, and nothing else.

use super::{out::Out, words};

/// The window of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    /// The window as it is now.
    pub(super) fn now() -> Self {
        match rustix::termios::tcgetwinsize(std::io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
            }
            _ => Size { columns: 80, rows: 24 },
        }
    }
}

/// What is drawn now.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// Columns of each line that is there.
    drawn: Vec<usize>,
}

impl Screen {
    /// Draws `lines` in the place of what is drawn, with `above` for good above them.
    pub(super) fn draw(&mut self, above: &str, lines: &[String], size: Size, out: &mut Out) {
        // Terminals that know it show the whole change at once; others ignore it.
        out.raw(b"\x1b[?2026h");
        self.home(size, out);
        for line in above.lines() {
            out.text(line);
            out.raw(b"\x1b[K\r\n");
        }
        self.drawn.clear();
        for line in lines {
            out.text(line);
            out.raw(b"\x1b[K\r\n");
            self.drawn.push(words::width(&anstream::adapter::strip_str(line).to_string()));
        }
        out.raw(b"\x1b[J\x1b[?2026l");
    }

    /// Takes away what is drawn.
    pub(super) fn clear(&mut self, size: Size, out: &mut Out) {
        if !self.drawn.is_empty() {
            self.home(size, out);
            out.raw(b"\x1b[J");
            self.drawn.clear();
        }
    }

    /// To the beginning of what is drawn. Lines wrapped where the window became narrower since.
    fn home(&self, size: Size, out: &mut Out) {
        let up: usize = self.drawn.iter().map(|width| width.div_ceil(size.columns.max(1)).max(1)).sum();
        if up > 0 {
            out.raw(format!("\x1b[{up}A").as_bytes());
        }
        out.raw(b"\r");
    }
}
