//! Numbers, names and exit codes as people read them. Everything here is text in, text out.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `4ms`, `1.3s`, `2m 05s`, `1h 02m`.
pub(crate) fn duration(length: Duration) -> String {
    let millis = length.as_millis();
    // Rounded before it is cut into minutes: nothing lasts `1m 60s`.
    let seconds = (millis + 500) / 1000;
    if millis < 1000 {
        format!("{millis}ms")
    } else if millis < 59_950 {
        format!("{:.1}s", length.as_secs_f64())
    } else if seconds < 3600 {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60)
    }
}

/// A length that somebody chose, in milliseconds: mostly whole seconds.
pub(crate) fn limit(millis: u64) -> String {
    duration(Duration::from_millis(millis)).replace(".0s", "s").replace("m 00s", "m")
}

/// `512 B`, `48 KB`, `1.5 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1000.0;
    let mut unit = 0;
    while amount >= 999.5 && unit + 1 < UNITS.len() {
        amount /= 1000.0;
        unit += 1;
    }
    // One place behind the point tells something only of small figures in large units.
    if unit > 0 && amount < 9.95 {
        format!("{amount:.1} {}", UNITS[unit])
    } else {
        format!("{amount:.0} {}", UNITS[unit])
    }
}

/// `9999`, `10 000` with a thin space that does not break.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    if number < 10_000 {
        return digits;
    }
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `1 file`, `2 files`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {}", count(number), plural(number, noun))
}

/// The noun in the number that the count asks for.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    if number == 1 || noun.ends_with('s') { noun.to_owned() } else { format!("{noun}s") }
}

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text in so many columns: cut in the middle where it is longer, since names differ at their ends.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let tail = (columns - 1) / 2;
    let head = columns - 1 - tail;
    let take = |characters: &mut dyn Iterator<Item = char>, columns: usize| {
        let mut left = columns;
        let mut taken = Vec::new();
        for character in characters {
            let wide = character.width().unwrap_or(0);
            if wide > left {
                break;
            }
            left -= wide;
            taken.push(character);
        }
        taken
    };
    let mut cut: String = take(&mut text.chars(), head).into_iter().collect();
    cut.push('…');
    cut.extend(take(&mut text.chars().rev(), tail).into_iter().rev());
    cut
}

/// The start of a text in so many columns: sentences and output say most at their beginning.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut short = String::new();
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        short.push(character);
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

/// A text in exactly so many columns.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let space = columns.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(space))
}

/// The same at the right edge.
pub(crate) fn right(text: &str, columns: usize) -> String {
    let space = columns.saturating_sub(text.width());
    format!("{}{text}", " ".repeat(space))
}

/// What an exit code most likely means.
pub(crate) fn exit_code(code: i32) -> String {
    let meaning = match code {
        124 => "out of time, if `timeout` started it",
        126 => "not executable",
        127 => "command not found",
        129 => "killed by SIGHUP",
        130 => "interrupted",
        131 => "killed by SIGQUIT",
        132 => "crashed: illegal instruction",
        134 => "crashed: it gave up by itself (SIGABRT)",
        135 => "crashed: bus error",
        136 => "crashed: arithmetic error",
        137 => "killed, most often for memory",
        139 => "crashed: segmentation fault",
        141 => "nobody read its output any more (SIGPIPE)",
        143 => "terminated",
        _ => return format!("exit code {code}"),
    };
    format!("exit code {code}: {meaning}")
}

/// A line of output as it may stand on a screen: no escapes, and of a line that was drawn over itself the last state.
pub(crate) fn tame(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = anstream::adapter::strip_str(&text).to_string();
    let text = text.trim_end_matches(['\r', '\n']);
    let text = text.rsplit('\r').next().unwrap_or_default();
    let mut tame = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => tame.push_str("    "),
            character if character.is_control() => {}
            character => tame.push(character),
        }
    }
    tame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_long_as_they_need_to_be() {
        let shown = [0, 4, 999, 1000, 1349, 59_949, 59_950, 61_600, 125_000, 3_599_600, 3_720_000]
            .map(|millis| duration(Duration::from_millis(millis)));
        insta::assert_snapshot!(shown.join(", "), @"0ms, 4ms, 999ms, 1.0s, 1.3s, 59.9s, 1m 00s, 1m 02s, 2m 05s, 1h 00m, 1h 02m");
    }

    #[test]
    fn sizes_and_counts_are_round() {
        let sizes = [0, 999, 1000, 48_210, 999_499, 999_500, 1_500_000, 25_000_000, 3_200_000_000].map(size);
        insta::assert_snapshot!(sizes.join(", "), @"0 B, 999 B, 1 KB, 48 KB, 999 KB, 1.0 MB, 1.5 MB, 25 MB, 3.2 GB");
        assert_eq!(count(9999), "9999");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(0, "file"), "0 files");
    }

    #[test]
    fn a_long_name_keeps_its_ends() {
        insta::assert_snapshot!(cut("tests/checkout/test_cart.py", 15), @"tests/c…cart.py");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("日本語テキスト", 7), "日…ト");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(width(&padded("日本", 6)), 6);
    }

    #[test]
    fn a_progress_bar_shows_its_last_state() {
        assert_eq!(tame(b"10%\r50%\r\x1b[31m100%\x1b[0m\r\n"), "100%");
        assert_eq!(tame(b"a\tb\x07"), "a    b");
    }

    #[test]
    fn known_exit_codes_have_words() {
        let shown = [1, 126, 127, 137, 139, 143].map(exit_code);
        insta::assert_snapshot!(shown.join("\n"), @r"
        exit code 1
        exit code 126: not executable
        exit code 127: command not found
        exit code 137: killed, most often for memory
        exit code 139: crashed: segmentation fault
        exit code 143: terminated
        ");
    }
}
