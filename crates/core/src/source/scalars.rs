//! What a plain scalar means. Two tables, since two readers must be matched to the letter: the one Kubernetes
//! tooling has (YAML 1.1 words, go-yaml v2) and the one `yaml()` has (go-yaml v3).

use super::Kind;

/// Which words and numbers an unquoted scalar may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalars {
    /// As Kubernetes tooling reads manifests: `yes`, `on`, `n` are booleans, `08` is 8.
    Kubernetes,
    /// As go-yaml v3 reads into an untyped value: only `true` and `false` are booleans.
    YamlV3,
}

impl Scalars {
    pub(crate) fn resolve(self, text: &str) -> Kind {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
            "true" | "True" | "TRUE" => return Kind::Bool(true),
            "false" | "False" | "FALSE" => return Kind::Bool(false),
            ".nan" | ".NaN" | ".NAN" => return Kind::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Kind::Float(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => return Kind::Float(f64::NEG_INFINITY),
            _ => {}
        }
        if self == Self::Kubernetes
            && let Some(value) = kubernetes_bool(text)
        {
            return Kind::Bool(value);
        }
        match text.as_bytes()[0] {
            b'0'..=b'9' | b'+' | b'-' | b'.' => self.number(text).unwrap_or_else(|| Kind::Str(text.into())),
            _ => Kind::Str(text.into()),
        }
    }

    fn number(self, text: &str) -> Option<Kind> {
        let plain: String = text.chars().filter(|c| *c != '_').collect();
        if !text.starts_with('.')
            && let Some(value) = go_integer(&plain)
        {
            return Some(value);
        }
        let value = is_float(&plain).then(|| plain.parse::<f64>().ok()).flatten().filter(|v| v.is_finite())?;
        // On the way to a cluster numbers pass through JSON, where 8.0 and 8 are the same bytes.
        if self == Self::Kubernetes && value.fract() == 0.0 && value.abs() < 9e18 {
            return Some(Kind::Int(value as i64));
        }
        Some(Kind::Float(value))
    }
}

/// A word that Kubernetes tooling reads as a boolean, also where it is a key.
pub(super) fn kubernetes_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Go's `ParseInt(text, 0, 64)`, then `ParseUint`: the prefix says the base, a lone leading zero means octal.
fn go_integer(plain: &str) -> Option<Kind> {
    let (negative, digits) = match plain.as_bytes() {
        [b'-', ..] => (true, &plain[1..]),
        [b'+', ..] => (false, &plain[1..]),
        _ => (false, plain),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, base).ok()?) * if negative { -1 } else { 1 };
    match i64::try_from(value) {
        Ok(value) => Some(Kind::Int(value)),
        Err(_) if value > 0 => Some(Kind::Float(value as f64)),
        Err(_) => None,
    }
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(plain: &str) -> bool {
    fn digits(bytes: &[u8]) -> usize {
        bytes.iter().take_while(|b| b.is_ascii_digit()).count()
    }
    let mut rest = plain.as_bytes();
    if let [b'+' | b'-', tail @ ..] = rest {
        rest = tail;
    }
    let whole = digits(rest);
    rest = &rest[whole..];
    if let [b'.', tail @ ..] = rest {
        let fraction = digits(tail);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = &tail[fraction..];
    } else if whole == 0 {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', tail @ ..] | [b'e' | b'E', tail @ ..] => {
            !tail.is_empty() && digits(tail) == tail.len()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn k8s(text: &str) -> Kind {
        Scalars::Kubernetes.resolve(text)
    }

    #[test]
    fn kubernetes_reads_yaml_1_1_words() {
        for word in ["y", "Y", "yes", "on", "ON", "true"] {
            assert_eq!(k8s(word), Kind::Bool(true), "{word}");
        }
        for word in ["n", "NO", "off", "False"] {
            assert_eq!(k8s(word), Kind::Bool(false), "{word}");
        }
        for word in ["yEs", "oN", "nope", "1:30", "2024-01-02", "1.2.3", "-", "+", "0x", "1e", "12ab"] {
            assert_eq!(k8s(word), Kind::Str(word.into()), "{word}");
        }
    }

    #[test]
    fn kubernetes_reads_numbers_as_go_does() {
        for (text, value) in [
            ("0777", 511),
            ("0o777", 511),
            ("0b11", 3),
            ("-0b11", -3),
            ("0x1F", 31),
            ("1_000", 1000),
            ("1e3", 1000),
            ("08", 8),
            ("2.0", 2),
            ("+5", 5),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(k8s(text), Kind::Int(value), "{text}");
        }
        assert_eq!(k8s("2.5"), Kind::Float(2.5));
        assert_eq!(k8s(".5"), Kind::Float(0.5));
        assert_eq!(k8s("18446744073709551615"), Kind::Float(18_446_744_073_709_551_615.0));
    }

    #[test]
    fn yaml_v3_leaves_yes_and_on_alone() {
        assert_eq!(Scalars::YamlV3.resolve("yes"), Kind::Str("yes".into()));
        assert_eq!(Scalars::YamlV3.resolve("0777"), Kind::Int(511));
        assert_eq!(Scalars::YamlV3.resolve("1_000"), Kind::Int(1000));
        assert_eq!(Scalars::YamlV3.resolve("2.0"), Kind::Float(2.0));
        assert_eq!(Scalars::YamlV3.resolve("2024-01-02"), Kind::Str("2024-01-02".into()));
    }
}
