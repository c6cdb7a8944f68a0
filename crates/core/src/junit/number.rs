//! Seconds as people of all locales write them.

/// Milliseconds of a `time` attribute, or nothing when it is no number of seconds.
///
/// `1,234.5` and `1.234,5` say by themselves which mark is the decimal one. A single mark is the decimal one:
/// `1,234` is more often a second and a bit than twenty minutes.
pub(super) fn millis(text: &str) -> Option<u64> {
    let trimmed = text.trim().trim_end_matches(['s', 'S']).trim();
    let plain: String = trimmed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\'' | '’' | '_')).collect();
    let seconds: f64 = match (decimal_mark(&plain), plain.contains(['e', 'E'])) {
        (_, true) => plain.replace(',', ".").parse().ok()?,
        (mark, false) => {
            let digits: String = plain
                .char_indices()
                .filter_map(|(at, c)| match c {
                    '.' | ',' => (Some(at) == mark).then_some('.'),
                    _ => Some(c),
                })
                .collect();
            digits.parse().ok()?
        }
    };
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1000.0).round() as u64)
}

/// Where the decimal mark stands: the last mark, unless marks of its kind group the digits before it.
fn decimal_mark(text: &str) -> Option<usize> {
    let at = text.rfind(['.', ','])?;
    let mark = &text[at..=at];
    (text.matches(mark).count() == 1).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn times_are_read_in_any_locale() {
        for (text, expected) in [
            ("0.5", 500),
            ("0,5", 500),
            ("1,234.5", 1_234_500),
            ("1.234,5", 1_234_500),
            ("1,234,567", 1_234_567_000),
            ("1 234,5", 1_234_500),
            ("1\u{a0}234,5", 1_234_500),
            ("1'234.5", 1_234_500),
            ("1,234", 1_234),
            ("12", 12_000),
            (" .25s", 250),
            ("1e-05", 0),
            ("2.5E-1", 250),
            ("0", 0),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "soon", "-1", "NaN", "inf", "1:02", "infinity"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
