//! The command that starts a run again, as a person can paste it: what is sensitive is left to a variable of theirs.

use std::collections::BTreeMap;

use testudo_core::expr::shell_quote;

/// Flags whose values may be sensitive, with their short forms.
const WITH_VALUES: &[(&str, Option<&str>)] = &[("--config", Some("-c")), ("--env", None), ("--variable", Some("-v"))];
/// Names of variables that mostly hold secrets.
const SECRETIVE: &[&str] = &["token", "secret", "password", "passwd", "credential", "apikey", "api_key", "private_key"];
/// Shorter words are found everywhere; only a value that is one is taken for it.
const SHORTEST: usize = 3;

/// The command line of this process. `references` has what must not be shown or kept.
pub(crate) fn command_line(references: &BTreeMap<String, String>) -> String {
    let words: Vec<String> = std::env::args().skip(1).collect();
    spelled(&words, references)
}

fn spelled(words: &[String], references: &BTreeMap<String, String>) -> String {
    let mut line = vec!["testudo".to_owned()];
    let mut flag = None;
    for word in words {
        let (lead, pair) = match flag.take() {
            Some(()) => ("", word.as_str()),
            None => match given(word) {
                Given::Pair(lead, pair) => (lead, pair),
                Given::Next => {
                    flag = Some(());
                    line.push(word.clone());
                    continue;
                }
                Given::Other => {
                    line.push(shell_quote([word.as_str()]));
                    continue;
                }
            },
        };
        line.push(match pair.split_once('=') {
            Some((name, value)) if is_sensitive(name, value, references) => {
                format!("{lead}{}=\"${{{}:?}}\"", shell_quote([name]), variable(name))
            }
            _ => format!("{lead}{}", shell_quote([pair])),
        });
    }
    line.join(" ")
}

/// What a word of the command line gives.
enum Given<'a> {
    /// A value, behind its flag.
    Pair(&'a str, &'a str),
    /// A flag whose value is the next word.
    Next,
    Other,
}

fn given(word: &str) -> Given<'_> {
    for (long, short) in WITH_VALUES {
        if word == *long || Some(word) == *short {
            return Given::Next;
        }
        if let Some(pair) = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
            return Given::Pair(&word[..word.len() - pair.len()], pair);
        }
        if let Some(pair) = short.and_then(|short| word.strip_prefix(short)) {
            let pair = pair.strip_prefix('=').unwrap_or(pair);
            return Given::Pair(&word[..word.len() - pair.len()], pair);
        }
    }
    Given::Other
}

fn is_sensitive(name: &str, value: &str, references: &BTreeMap<String, String>) -> bool {
    let name = name.to_ascii_lowercase();
    let secrets = || references.iter().filter(|(path, _)| !path.starts_with("configMap/"));
    SECRETIVE.iter().any(|word| name.contains(word))
        || secrets().any(|(_, secret)| {
            let secret = secret.trim();
            !secret.is_empty() && (value == secret || secret.len() >= SHORTEST && value.contains(secret))
        })
}

/// The variable that stands for a value: a shell without it says its name, and runs nothing.
fn variable(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], expected: &str) {
        let references = BTreeMap::from([
            ("sensitive/1".to_owned(), "hunter2".to_owned()),
            ("configMap/plain/a".to_owned(), "plain".to_owned()),
        ]);
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(spelled(&words, &references), expected);
    }

    #[test]
    fn values_that_are_not_sensitive_are_spelled_out_as_a_shell_takes_them() {
        check(&["run", "a b.yaml", "-c", "x=1"], "testudo run 'a b.yaml' -c x=1");
        check(
            &["run", "a", "--env", "WORDS=two words", "--env", "HOME"],
            "testudo run a --env 'WORDS=two words' --env HOME",
        );
        check(&["run", "a", "--config=x=it's", "-vY=plain"], "testudo run a --config=x=it\\'s -vY=plain");
    }

    #[test]
    fn sensitive_values_are_left_to_a_variable_however_they_were_given() {
        check(&["run", "a", "-c", "word=hunter2"], "testudo run a -c word=\"${WORD:?}\"");
        check(&["run", "a", "-cmy-word=x hunter2 y"], "testudo run a -cmy-word=\"${MY_WORD:?}\"");
        check(
            &["run", "a", "--env=GH_TOKEN=x", "-v", "2=hunter2"],
            "testudo run a --env=GH_TOKEN=\"${GH_TOKEN:?}\" -v 2=\"${_2:?}\"",
        );
    }
}
