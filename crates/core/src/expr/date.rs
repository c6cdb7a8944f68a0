//! Moments as text, by Go's reference-time layouts: a layout is the moment `Mon Jan 2 15:04:05 2006` written the way
//! one wants all others written.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::ExprError;

const DEFAULT_LAYOUT: &str = "2006-01-02T15:04:05.000Z";

/// `now` in UTC, by default as `2026-08-01T09:30:00.000Z`.
pub fn date(now: Timestamp, layout: Option<&str>) -> Result<String, ExprError> {
    let moment = TimeZone::UTC.to_datetime(now);
    let mut rest = layout.unwrap_or(DEFAULT_LAYOUT);
    let mut out = String::with_capacity(rest.len() + 8);
    while let Some((literal, element, behind)) = next_element(rest) {
        out.push_str(literal);
        element.write(&mut out, moment);
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    Year,
    ShortYear,
    Month(Width),
    MonthName,
    ShortMonthName,
    Day(Width),
    DayOfYear(Width),
    Weekday,
    ShortWeekday,
    Hour,
    Hour12(Width),
    Minute(Width),
    Second(Width),
    /// The separator and the number of digits.
    Fraction(char, usize),
    /// The same without trailing zeros, and nothing at all if only zeros are left.
    TrimmedFraction(char, usize),
    UpperHalf,
    LowerHalf,
    ZoneName,
    /// UTC is what all moments are in, so an offset is constant.
    Offset(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Width {
    Natural,
    Zeros,
    Blanks,
}

/// The first element of a layout, with the literal text before it and the layout behind it.
fn next_element(layout: &str) -> Option<(&str, Element, &str)> {
    for (index, _) in layout.char_indices() {
        if let Some((element, length)) = element_at(layout, index) {
            // Of `_2006` the underscore is literal.
            let start = if element == Element::Year && layout[index..].starts_with('_') { index + 1 } else { index };
            return Some((&layout[..start], element, &layout[index + length..]));
        }
    }
    None
}

fn element_at(layout: &str, index: usize) -> Option<(Element, usize)> {
    use Element::{
        Day, DayOfYear, Hour, Hour12, LowerHalf, Minute, Month, MonthName, Offset, Second, ShortMonthName,
        ShortWeekday, ShortYear, UpperHalf, Weekday, Year, ZoneName,
    };
    const TABLE: &[(&str, Element)] = &[
        ("January", MonthName),
        ("Jan", ShortMonthName),
        ("Monday", Weekday),
        ("Mon", ShortWeekday),
        ("MST", ZoneName),
        ("002", DayOfYear(Width::Zeros)),
        ("01", Month(Width::Zeros)),
        ("02", Day(Width::Zeros)),
        ("03", Hour12(Width::Zeros)),
        ("04", Minute(Width::Zeros)),
        ("05", Second(Width::Zeros)),
        ("06", ShortYear),
        ("15", Hour),
        ("1", Month(Width::Natural)),
        ("2006", Year),
        ("2", Day(Width::Natural)),
        ("_2006", Year),
        ("_2", Day(Width::Blanks)),
        ("__2", DayOfYear(Width::Blanks)),
        ("3", Hour12(Width::Natural)),
        ("4", Minute(Width::Natural)),
        ("5", Second(Width::Natural)),
        ("PM", UpperHalf),
        ("pm", LowerHalf),
        ("-070000", Offset("+000000")),
        ("-07:00:00", Offset("+00:00:00")),
        ("-0700", Offset("+0000")),
        ("-07:00", Offset("+00:00")),
        ("-07", Offset("+00")),
        ("Z070000", Offset("Z")),
        ("Z07:00:00", Offset("Z")),
        ("Z0700", Offset("Z")),
        ("Z07:00", Offset("Z")),
        ("Z07", Offset("Z")),
    ];
    let rest = &layout[index..];
    if rest.starts_with(['.', ',']) {
        return fraction(rest);
    }
    let (spelling, element) = TABLE.iter().find(|(spelling, _)| rest.starts_with(spelling))?;
    // `Month` and `Janet` are words of their own.
    let goes_on = rest[spelling.len()..].starts_with(|c: char| c.is_ascii_lowercase());
    let short_name = matches!(element, ShortMonthName | ShortWeekday);
    (!(short_name && goes_on)).then_some((*element, spelling.len()))
}

/// `.000` or `,999`: a run of the one digit that ends there.
fn fraction(rest: &str) -> Option<(Element, usize)> {
    let separator = rest.chars().next()?;
    let digit = rest[1..].chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let digits = rest[1..].chars().take_while(|c| *c == digit).count();
    if rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let element = if digit == '0' { Element::Fraction } else { Element::TrimmedFraction };
    Some((element(separator, digits), 1 + digits))
}

impl Element {
    fn write(self, out: &mut String, moment: DateTime) {
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        let month = MONTHS[usize::from(moment.month().unsigned_abs()) - 1];
        let weekday = WEEKDAYS[usize::from(moment.weekday().to_monday_zero_offset().unsigned_abs())];
        let hour12 = (moment.hour() + 11) % 12 + 1;
        match self {
            // Writing to a string cannot fail.
            Self::Year => _ = write!(out, "{:04}", moment.year()),
            Self::ShortYear => _ = write!(out, "{:02}", moment.year().rem_euclid(100)),
            Self::Month(width) => number(out, moment.month().into(), width, 2),
            Self::MonthName => out.push_str(month),
            Self::ShortMonthName => out.push_str(&month[..3]),
            Self::Day(width) => number(out, moment.day().into(), width, 2),
            Self::DayOfYear(width) => number(out, moment.day_of_year(), width, 3),
            Self::Weekday => out.push_str(weekday),
            Self::ShortWeekday => out.push_str(&weekday[..3]),
            Self::Hour => number(out, moment.hour().into(), Width::Zeros, 2),
            Self::Hour12(width) => number(out, hour12.into(), width, 2),
            Self::Minute(width) => number(out, moment.minute().into(), width, 2),
            Self::Second(width) => number(out, moment.second().into(), width, 2),
            Self::Fraction(separator, digits) => {
                out.push(separator);
                out.push_str(&fraction_digits(moment)[..digits.min(9)]);
            }
            Self::TrimmedFraction(separator, digits) => {
                let all = fraction_digits(moment);
                let kept = all[..digits.min(9)].trim_end_matches('0');
                if !kept.is_empty() {
                    out.push(separator);
                    out.push_str(kept);
                }
            }
            Self::UpperHalf => out.push_str(if moment.hour() < 12 { "AM" } else { "PM" }),
            Self::LowerHalf => out.push_str(if moment.hour() < 12 { "am" } else { "pm" }),
            Self::ZoneName => out.push_str("UTC"),
            Self::Offset(offset) => out.push_str(offset),
        }
    }
}

fn fraction_digits(moment: DateTime) -> String {
    format!("{:09}", moment.subsec_nanosecond())
}

fn number(out: &mut String, n: i16, width: Width, digits: usize) {
    // Writing to a string cannot fail.
    _ = match width {
        Width::Natural => write!(out, "{n}"),
        Width::Zeros => write!(out, "{n:0digits$}"),
        Width::Blanks => write!(out, "{n:digits$}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(layout: &str) -> String {
        date("2026-08-03T07:05:09.070500123Z".parse().unwrap(), Some(layout)).unwrap()
    }

    #[test]
    fn the_default_has_milliseconds() {
        assert_eq!(date(Timestamp::UNIX_EPOCH, None).unwrap(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn every_element_of_a_layout_is_filled_in() {
        assert_eq!(shown("2006 06 01 1 Jan January 02 2 _2 002 __2"), "2026 26 08 8 Aug August 03 3  3 215 215");
        assert_eq!(shown("Mon Monday 15 03 3 04 4 05 5 PM pm"), "Mon Monday 07 07 7 05 5 09 9 AM am");
        assert_eq!(shown("MST Z07:00 -0700 -07:00 -07 Z0700 Z07"), "UTC Z +0000 +00:00 +00 Z Z");
        assert_eq!(shown("05.000 05,000000 05.999 05.99 05.9"), "09.070 09,070500 09.07 09.07 09");
    }

    #[test]
    fn what_is_no_element_stays() {
        assert_eq!(shown("literal"), "literal");
        assert_eq!(shown("Month Janet .0001 ü"), "Month Janet .0008 ü");
        assert_eq!(shown("_2006 run-0"), "_2026 run-0");
    }

    #[test]
    fn noon_and_midnight_are_twelve() {
        let at = |hour: &str| date(format!("2026-08-03T{hour}:00:00Z").parse().unwrap(), Some("3PM")).unwrap();
        assert_eq!((at("00"), at("12"), at("13")), ("12AM".into(), "12PM".into(), "1PM".into()));
    }
}
