//! Durations as Go's `time.ParseDuration` has them, to the letter: `1.5h30m`, `.5s`, `1h1h`, `0`, `-1.5h`; no days.

/// Signed nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(i64);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("invalid duration {0:?}")]
    Invalid(String),
    #[error("missing unit in duration {0:?}")]
    MissingUnit(String),
    #[error("unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit { unit: String, text: String },
}

impl GoDuration {
    pub const ZERO: Self = Self(0);

    pub fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub fn nanos(self) -> i64 {
        self.0
    }

    /// The span of time, if it is not negative.
    pub fn unsigned(self) -> Option<std::time::Duration> {
        u64::try_from(self.0).ok().map(std::time::Duration::from_nanos)
    }
}

/// Reads a duration in which blanks do not matter, as authors may write it; signed nanoseconds.
pub fn parse_spaced(text: &str) -> Result<i64, DurationError> {
    let text: String = text.split_whitespace().collect();
    text.parse().map(GoDuration::nanos)
}

impl std::str::FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        parse(text).map(Self)
    }
}

/// As Go prints it: `1h30m0s`, `1.5s`, `100ms`, `0s`.
impl std::fmt::Display for GoDuration {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total = self.0.unsigned_abs();
        if self.0 < 0 {
            out.write_str("-")?;
        }
        match total {
            0 => out.write_str("0s"),
            1..1_000 => write!(out, "{total}ns"),
            1_000..1_000_000 => decimal(out, total, 1_000, "µs"),
            1_000_000..1_000_000_000 => decimal(out, total, 1_000_000, "ms"),
            _ => {
                let minutes = total / 60_000_000_000;
                if minutes >= 60 {
                    write!(out, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(out, "{}m", minutes % 60)?;
                }
                decimal(out, total % 60_000_000_000, 1_000_000_000, "s")
            }
        }
    }
}

fn decimal(out: &mut std::fmt::Formatter<'_>, total: u64, unit: u64, name: &str) -> std::fmt::Result {
    let digits = unit.ilog10() as usize;
    let fraction = format!("{:0digits$}", total % unit);
    match fraction.trim_end_matches('0') {
        "" => write!(out, "{}{name}", total / unit),
        fraction => write!(out, "{}.{fraction}{name}", total / unit),
    }
}

const LIMIT: u64 = 1 << 63;

fn parse(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    match unsigned {
        "0" => return Ok(0),
        "" => return Err(invalid()),
        _ => {}
    }
    let mut total: u64 = 0;
    let mut rest = unsigned;
    while !rest.is_empty() {
        if !rest.starts_with(|c: char| c == '.' || c.is_ascii_digit()) {
            return Err(invalid());
        }
        let (whole, behind) = leading_integer(rest).ok_or_else(invalid)?;
        let mut some_digits = behind.len() != rest.len();
        rest = behind;
        let mut fraction = (0, 1.0);
        if let Some(behind) = rest.strip_prefix('.') {
            let (value, scale, behind_digits) = leading_fraction(behind);
            some_digits |= behind_digits.len() != behind.len();
            fraction = (value, scale);
            rest = behind_digits;
        }
        if !some_digits {
            return Err(invalid());
        }
        let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        let (unit_name, behind) = rest.split_at(end);
        rest = behind;
        let unit = match unit_name {
            "" => return Err(DurationError::MissingUnit(text.to_owned())),
            "ns" => 1,
            // Two ways to write the same letter.
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(DurationError::UnknownUnit { unit: unit_name.to_owned(), text: text.to_owned() }),
        };
        let mut part = whole.checked_mul(unit).filter(|part| *part <= LIMIT).ok_or_else(invalid)?;
        if fraction.0 > 0 {
            part += (fraction.0 as f64 * (unit as f64 / fraction.1)) as u64;
        }
        total = total.checked_add(part).filter(|total| *total <= LIMIT && part <= LIMIT).ok_or_else(invalid)?;
    }
    match (negative, total) {
        (true, LIMIT) => Ok(i64::MIN),
        (true, total) => Ok(-(total as i64)),
        (false, total) => i64::try_from(total).map_err(|_| invalid()),
    }
}

/// Leading digits as a number; nothing if it is beyond 2^63.
fn leading_integer(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut number: u64 = 0;
    for digit in text[..digits].bytes() {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|number| *number <= LIMIT)?;
    }
    Some((number, &text[digits..]))
}

/// Leading digits as a fraction: the number, and what it is to be divided by. Digits beyond 2^63 are dropped.
fn leading_fraction(text: &str) -> (u64, f64, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (mut number, mut scale): (u64, f64) = (0, 1.0);
    for digit in text[..digits].bytes() {
        match number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit - b'0'))) {
            Some(next) if next < LIMIT => (number, scale) = (next, scale * 10.0),
            _ => break,
        }
    }
    (number, scale, &text[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> Option<i64> {
        text.parse::<GoDuration>().ok().map(GoDuration::nanos)
    }

    #[test]
    fn go_accepts_these() {
        let second = 1_000_000_000;
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("+0", 0),
            ("0s", 0),
            ("5s", 5 * second),
            ("-5s", -5 * second),
            ("5.s", 5 * second),
            (".5s", second / 2),
            ("1.0s", second),
            ("1.004s", 1_004_000_000),
            ("100.00100s", 100_001_000_000),
            ("10ns", 10),
            ("11us", 11_000),
            ("12µs", 12_000),
            ("12μs", 12_000),
            ("13ms", 13_000_000),
            ("1.5h30m", 7200 * second),
            ("1h1h", 7200 * second),
            ("10.5s4m", 250_500_000_000),
            ("-2m3.4s", -123_400_000_000),
            ("39h9m14.425s", 140_954_425_000_000),
            ("52763797000ns", 52_763_797_000),
            ("0.3333333333333333333h", 1200 * second),
            ("9007199254740993ns", (1 << 53) + 1),
            ("9223372036854775807ns", i64::MAX),
            ("9223372036854775.807us", i64::MAX),
            ("9223372036s854ms775us807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("-2562047h47m16.854775808s", i64::MIN),
            ("0.100000000000000000000h", 360 * second),
            ("0.830103483285477580700h", 2_988_372_539_827),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn go_refuses_these() {
        for text in [
            "",
            "3",
            "-",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            "1 s",
            " 1s",
            "1s ",
            "3000000h",
            "9223372036854775808ns",
            "9223372036854775.808us",
            "9223372036854ms775us808ns",
            "1h-1m",
            "1e3s",
            "--1s",
        ] {
            assert_eq!(nanos(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_printed_as_go_prints_it() {
        for text in
            ["0s", "1ns", "1.1µs", "2.2ms", "3.3s", "4m5s", "4m5.001s", "5h6m7.001s", "8m0.000000001s", "-1h0m0s"]
        {
            assert_eq!(text.parse::<GoDuration>().unwrap().to_string(), text);
        }
        assert_eq!(GoDuration::from_nanos(i64::MIN).to_string(), "-2562047h47m16.854775808s");
    }
}
