//! Sensitive words on their way through logs: in their place stands a name that only a unit which has the word can
//! turn back.
//!
//! What an agent finds out, and what a step hands to later ones, is written down. A word among it that belongs to a
//! secret is replaced by a marker with the secret's own path; whoever uses the text puts the word back in.

use std::collections::BTreeMap;

use crate::{
    expr::Value,
    plan::{Reference, ReferenceKind},
};

/// Characters for private use, around the path.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';
/// Shorter words are no secrets: they would be found everywhere.
const SHORTEST: usize = 3;

/// Puts markers in the place of sensitive words.
pub fn veil(text: &str, references: &BTreeMap<String, String>) -> String {
    let mut words: Vec<(&String, &str)> = references
        .iter()
        .filter(|(path, _)| !path.starts_with("configMap/"))
        .map(|(path, word)| (path, word.trim()))
        .filter(|(_, word)| word.len() >= SHORTEST && text.contains(*word))
        .collect();
    // The longest first: a word may be part of another.
    words.sort_by_key(|(_, word)| std::cmp::Reverse(word.len()));
    words.into_iter().fold(text.to_owned(), |text, (path, word)| text.replace(word, &format!("{OPEN}{path}{CLOSE}")))
}

/// The same for every text in a value.
pub fn veil_value(value: &Value, references: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Str(text) => veil(text, references).into(),
        Value::List(items) => Value::list(items.iter().map(|item| veil_value(item, references)).collect()),
        Value::Map(map) => Value::map(map.iter().map(|(key, value)| (key.clone(), veil_value(value, references)))),
        other => other.clone(),
    }
}

/// Whether a text has markers.
pub fn is_veiled(text: &str) -> bool {
    text.contains(OPEN)
}

/// Puts the words back in, as far as they are known.
pub fn unveil(text: &str, references: &BTreeMap<String, String>) -> String {
    replace(text, |path| references.get(path).map_or("", |word| word.trim()).to_owned())
}

/// What is shown where the words must not be.
pub fn masked(text: &str) -> String {
    replace(text, |_| "****".to_owned())
}

/// The secrets that a text's markers name.
pub fn veiled(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    replace(text, |path| {
        if let Some((name, key)) = path.strip_prefix("secret/").and_then(|rest| rest.split_once('/')) {
            let (kind, name, key) = (ReferenceKind::Secret, name.to_owned(), Some(key.to_owned()));
            found.push(Reference { kind, name, key, optional: true });
        }
        String::new()
    });
    found
}

fn replace(text: &str, mut word: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        out.push_str(before);
        match after.split_once(CLOSE) {
            Some((path, after)) => {
                out.push_str(&word(path));
                rest = after;
            }
            None => rest = after,
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_veiled_comes_back_and_shows_nothing() {
        let references = BTreeMap::from([
            ("secret/a/k".to_owned(), "hunter2".to_owned()),
            ("secret/b/k".to_owned(), "hunter2-longer".to_owned()),
            ("configMap/c/k".to_owned(), "plain".to_owned()),
        ]);
        let text = "u=hunter2 v=hunter2-longer w=plain";
        let hidden = veil(text, &references);
        assert!(!hidden.contains("hunter2") && hidden.contains("plain"));
        assert_eq!(unveil(&hidden, &references), text);
        assert_eq!(masked(&hidden), "u=**** v=**** w=plain");
        assert_eq!(veiled(&hidden).len(), 2);
    }
}
