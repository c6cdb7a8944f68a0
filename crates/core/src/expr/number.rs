//! Numbers and text: shortest digits out, decimal notation in.

use std::fmt::Write;

/// Plain decimals from 1e-6 up to 1e21, exponents outside: the rule of JSON output, for every float.
pub(crate) fn write_float(out: &mut String, x: f64) {
    let size = x.abs();
    if size < 1e15 && x.fract() == 0.0 {
        // Also makes a plain zero of the negative one.
        write_int(out, x as i64);
    } else if x.is_nan() {
        out.push_str("NaN");
    } else if x.is_infinite() {
        out.push_str(if x > 0.0 { "+Inf" } else { "-Inf" });
    } else if (1e-6..1e21).contains(&size) {
        let _ = write!(out, "{x}");
    } else {
        let start = out.len();
        let _ = write!(out, "{x:e}");
        if let Some(e) = out[start..].find('e').map(|found| start + found + 1)
            && !out[e..].starts_with('-')
        {
            out.insert(e, '+');
        }
    }
}

pub(crate) fn write_int(out: &mut String, n: i64) {
    if (0..10).contains(&n) {
        out.push(char::from(b'0' + n as u8));
    } else {
        let _ = write!(out, "{n}");
    }
}

/// Decimal notation with `inf` and `nan`, no blanks around it. What is too large for a float is no number.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let x: f64 = text.parse().ok()?;
    let spelled_out = || text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    (!x.is_infinite() || spelled_out()).then_some(x)
}

/// The integer a float stands for, if it is one that fits; fractions are cut off.
pub(crate) fn to_int(x: f64) -> Option<i64> {
    // 2^63 itself does not fit, -2^63 does.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (-LIMIT..LIMIT).contains(&x).then_some(x as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(x: f64) -> String {
        let mut out = String::new();
        write_float(&mut out, x);
        out
    }

    #[test]
    fn floats_print_plainly_where_json_does() {
        assert_eq!(shown(1_000_000.0), "1000000");
        assert_eq!(shown(1_234_567.5), "1234567.5");
        assert_eq!(shown(0.000_001), "0.000001");
        assert_eq!(shown(0.000_000_15), "1.5e-7");
        assert_eq!(shown(1e20), "100000000000000000000");
        assert_eq!(shown(1e21), "1e+21");
        assert_eq!(shown(-1.5e300), "-1.5e+300");
    }

    #[test]
    fn text_is_a_number_only_in_decimal_notation() {
        for good in ["5", "-2.5", ".5", "5.", "1e3", "+1", "inf", "-Infinity", "NaN"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in ["", " 5", "5 ", "5px", "0x10", "1e999", "."] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }
}
