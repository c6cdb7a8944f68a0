//! What a parameter's schema demands of a value: enum, pattern, lengths, bounds.

use regex::Regex;

use crate::expr::Value;
use crate::source::Node;

use super::cast::Type;

/// Why a value does not fit its schema, if it does not. Sensitive values are not echoed.
pub fn check_value(schema: &Node, text: &str) -> Result<Value, String> {
    let kind = Type::of(Some(schema));
    let sensitive = schema.get_bool("sensitive") == Some(true);
    let shown = if sensitive { "the value".to_owned() } else { format!("{text:?}") };
    let value = kind.cast(text).map_err(|why| if sensitive { format!("{shown} has the wrong type") } else { why })?;
    let allowed: Vec<_> = schema.get_items("enum").iter().filter_map(Node::scalar_text).collect();
    if !allowed.is_empty() && !allowed.iter().any(|word| **word == *text || **word == *value.string_form()) {
        return Err(format!("{shown} is not one of {}", allowed.join(", ")));
    }
    match kind {
        Type::Text => text_rules(schema, text, &shown)?,
        Type::Integer | Type::Number => number_rules(schema, &value, &shown)?,
        Type::Boolean => {}
    }
    Ok(value)
}

fn text_rules(schema: &Node, text: &str, shown: &str) -> Result<(), String> {
    let length = text.chars().count() as i64;
    if let Some(pattern) = schema.get_str("pattern") {
        let compiled = Regex::new(pattern).map_err(|_| format!("its pattern {pattern:?} is no regular expression"))?;
        if !compiled.is_match(text) {
            return Err(format!("{shown} does not match {pattern:?}"));
        }
    }
    if let Some(least) = schema.get_int("minLength").filter(|least| length < *least) {
        return Err(format!("{shown} is shorter than {least} characters"));
    }
    if let Some(most) = schema.get_int("maxLength").filter(|most| length > *most) {
        return Err(format!("{shown} is longer than {most} characters"));
    }
    Ok(())
}

fn number_rules(schema: &Node, value: &Value, shown: &str) -> Result<(), String> {
    type Breaks = fn(f64, f64) -> bool;
    let rules: [(&str, Breaks, &str); 5] = [
        ("minimum", |value, bound| value < bound, "less than"),
        ("maximum", |value, bound| value > bound, "greater than"),
        ("exclusiveMinimum", |value, bound| value <= bound, "not greater than"),
        ("exclusiveMaximum", |value, bound| value >= bound, "not less than"),
        ("multipleOf", |value, bound| bound != 0.0 && value % bound != 0.0, "not a multiple of"),
    ];
    for (name, breaks, said) in rules {
        let Some(bound) = schema.get_int(name) else { continue };
        let broken = match value {
            // Both are exact as integers, and need not be as floating point.
            Value::Int(value) => match name {
                "minimum" => *value < bound,
                "maximum" => *value > bound,
                "exclusiveMinimum" => *value <= bound,
                "exclusiveMaximum" => *value >= bound,
                _ => bound != 0 && value.checked_rem(bound).unwrap_or(0) != 0,
            },
            Value::Float(value) => breaks(*value, bound as f64),
            _ => false,
        };
        if broken {
            return Err(format!("{shown} is {said} {bound}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(schema: &str, text: &str) -> Option<String> {
        let schema: Node = serde_json::from_str(schema).unwrap();
        check_value(&schema, text).err()
    }

    #[test]
    fn a_value_must_fit_its_schema() {
        assert_eq!(fault(r#"{"enum":["a","b"]}"#, "c").unwrap(), r#""c" is not one of a, b"#);
        assert_eq!(fault(r#"{"enum":["1","2"],"type":"integer"}"#, "1.0"), None);
        assert_eq!(fault(r#"{"pattern":"^v[0-9]"}"#, "x").unwrap(), r#""x" does not match "^v[0-9]""#);
        assert_eq!(fault(r#"{"pattern":"[0-9]"}"#, "ab1c"), None);
        assert_eq!(fault(r#"{"minLength":2}"#, "ä").unwrap(), r#""ä" is shorter than 2 characters"#);
        assert_eq!(fault(r#"{"type":"integer","minimum":3}"#, "2").unwrap(), r#""2" is less than 3"#);
        assert_eq!(fault(r#"{"type":"number","exclusiveMaximum":3}"#, "3").unwrap(), r#""3" is not less than 3"#);
        assert_eq!(fault(r#"{"type":"number","multipleOf":2}"#, "2.5").unwrap(), r#""2.5" is not a multiple of 2"#);
    }

    #[test]
    fn a_sensitive_value_is_not_told() {
        let why = fault(r#"{"enum":["a"],"sensitive":true}"#, "hunter2").unwrap();
        assert_eq!(why, "the value is not one of a");
        assert!(!fault(r#"{"type":"integer","sensitive":true}"#, "hunter2").unwrap().contains("hunter2"));
    }
}
